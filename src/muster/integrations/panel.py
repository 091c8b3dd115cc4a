"""What the panel says about an integration: facts, stored values, what needs a person. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from muster.errors import NotFound
from muster.integrations import rules
from muster.integrations.schemas import IntegrationView
from muster.integrations.types import State
from muster.providers import registry
from muster.providers.contract import ProviderManifest, SettingsField

_DOTS = "\N{BULLET}" * 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something a person should know or do. `step` is what the panel offers: another form, a code, a test,
    or to connect again.
    """

    level: Literal["error", "warning", "info"]
    message: str
    remedy: str = ""
    code: str | None = None
    step: Literal["edit", "code", "test", "connect"] | None = None


def masked(last_four: str) -> str:
    """What a screen shows of a secret."""
    return f"{_DOTS} {last_four}".strip()


def known_manifest(provider_key: str) -> ProviderManifest | None:
    """The provider's manifest; None for one that is no longer installed."""
    try:
        return registry.get(provider_key).manifest
    except NotFound:
        return None


def facts(view: IntegrationView) -> Sequence[str]:
    """The line under the name: where, how, from what, which version."""
    version = view.server_facts.get("server_version")
    return [
        urlsplit(view.instance_url).netloc,
        *filter(None, [_mode_label(view)]),
        *([f"Source: {view.source}"] if view.source else []),
        *([f"Server {version}"] if version else []),
    ]


def stored_values(view: IntegrationView) -> Sequence[tuple[str, str]]:
    """Label and value of everything the connection is made of; secrets as dots and their last four."""
    manifest = known_manifest(view.provider)
    if manifest is None:
        return [("Address", view.instance_url)]
    mode, label = view.auth_mode, _mode_label(view)
    common = [field for field in manifest.fields if field.only_for_auth_mode is None]
    return [
        *_values(view, [field for field in common if field.required]),
        *([("Signs in with", label)] if label else []),
        *_values(view, [field for field in manifest.fields if mode and field.only_for_auth_mode == mode]),
        *_values(view, [field for field in common if not field.required]),
    ]


def _values(view: IntegrationView, fields: Sequence[SettingsField]) -> Iterator[tuple[str, str]]:
    kept = {credential.name: credential.last_four for credential in view.credentials}
    for field in fields:
        if field.secret:
            if field.name in kept:
                yield field.label, masked(kept[field.name])
            continue
        stored = view.instance_url if field.name == "instance_url" else view.settings.get(field.name)
        if stored:
            yield field.label, _said(view, field.name, stored)


def _said(view: IntegrationView, name: str, stored: str) -> str:
    in_use = view.server_facts.get("source_in_use")
    if name != "source" or in_use in (None, stored):
        return stored
    return f"{stored} (in use: {in_use})"


def _mode_label(view: IntegrationView) -> str | None:
    manifest = known_manifest(view.provider)
    modes = manifest.auth_modes if manifest else ()
    return next((mode.label for mode in modes if mode.key == view.auth_mode), None)


def held_secrets(view: IntegrationView) -> str:
    """What the stored credentials are called, in one phrase; empty when there are none."""
    manifest = known_manifest(view.provider)
    labels = {field.name: field.label for field in manifest.fields} if manifest else {}
    names = [labels[each.name] for each in view.credentials if each.name in labels]
    inside = [name if name[:2].isupper() else name[:1].lower() + name[1:] for name in names]
    return " and ".join(filter(None, [", ".join(inside[:-1]), *inside[-1:]]))


def notices(view: IntegrationView, counts: Mapping[str, Any]) -> Sequence[Notice]:
    """What stands above the counters, the worst first."""
    found = [_standing(view, counts), _problem(view)]
    check = view.last_check
    warnings = [] if check is None else [each for each in check.findings if each.level == "warning"]
    return [
        *filter(None, found),
        *(
            Notice(level="warning", message=each.message, remedy=each.remedy, code=each.code)
            for each in warnings
        ),
    ]


def _standing(view: IntegrationView, counts: Mapping[str, Any]) -> Notice | None:
    assets = counts.get("devices", {}).get("total", 0)
    if view.state is State.DISCONNECTED:
        kept = "Mappings, assets and alerts are kept; statuses are unknown until it is connected again."
        return Notice(
            level="info",
            message="This integration is disconnected. Nothing is read from its server.",
            remedy=kept if assets else "Give it credentials to connect it.",
            step="connect",
        )
    if view.state is State.NOT_CONNECTED:
        return Notice(
            level="info",
            message="This connection has not been tested as it is now.",
            remedy="Muster tests a connection before it reads anything.",
            step="test",
        )
    return None


def _problem(view: IntegrationView) -> Notice | None:
    error = view.sync_error
    if error is None:
        return None
    code = error.get("code")
    return Notice(
        level="error",
        message=error["message"],
        remedy=error.get("remedy") or "",
        code=code,
        step=_step(view, code),
    )


def _step(view: IntegrationView, code: str | None) -> Literal["edit", "code", "test"]:
    if code == rules.CODE_WANTED:
        return "code"
    check = view.last_check
    fixes = {finding.code for finding in check.findings if finding.fix} if check else set()
    return "edit" if code in rules.CREDENTIAL_CODES | fixes else "test"


def next_run(counts: Mapping[str, Any]) -> datetime | None:
    """When something is read by itself next; None when nothing is."""
    schedules = counts.get("schedules", {}).values()
    moments = [each["next_run_at"] for each in schedules if each["enabled"] and each["next_run_at"]]
    return min(moments, default=None)
