"""What is decided about a webhook's set-up. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from muster.errors import Conflict, InvalidInput
from muster.inbound_webhooks.provisioning.schemas import (
    CoverageGroup,
    SetupDrift,
    SetupPlan,
    SetupProblem,
    SetupState,
    UncoveredView,
    step_view,
)
from muster.integrations.schemas import IntegrationView
from muster.naming import as_id
from muster.providers.alerting import (
    UncoveredDevice,
    WebhookObjects,
    WebhookPlan,
    WebhookStep,
    WebhookTarget,
)
from muster.providers.contract import ProviderError

_ADDRESS = re.compile(r"https?://[A-Za-z0-9.:\[\]_-]+(/[A-Za-z0-9._~/-]*)?")
# Of each reason, so that a fleet that nothing covers is no answer of megabytes.
MOST_SHOWN = 100


def label_of(integration_id: UUID) -> str:
    """What everything that is made for an integration is named with. The last digits of an id are random;
    its name is left out, for it may change.
    """
    return f"Muster webhook {integration_id.hex[-12:]}"


def state_of(integration_id: UUID, row: Mapping[Any, Any] | None) -> SetupState:
    """What the endpoint's row says; there is none before anything was done with the webhook."""
    if row is None:
        return SetupState(integration_id=integration_id)
    rotated_at, checked_at = row["rotated_at"], row["checked_at"]
    is_set_up = row["target_url"] is not None
    since = is_set_up and rotated_at is not None and (checked_at is None or checked_at < rotated_at)
    return SetupState(
        integration_id=integration_id,
        is_set_up=is_set_up,
        target_url=row["target_url"],
        objects=msgspec.convert(row["objects"], WebhookObjects),
        drift=msgspec.convert(row["drift"] or {}, SetupDrift),
        checked_at=checked_at,
        rotated_since=since,
    )


def plan_view(integration_id: UUID, target: WebhookTarget, plan: WebhookPlan) -> SetupPlan:
    """A provider's plan as others see it: without the secret."""
    return SetupPlan(
        integration_id=integration_id,
        target_url=target.url,
        steps=[step_view(step) for step in plan.steps],
        replaces=[step.replaces for step in plan.steps if step.replaces],
        lacking=list(plan.lacking),
        notes=list(address_notes(target.url)),
    )


def drift_of(steps: Sequence[WebhookStep]) -> SetupDrift:
    """What a look found, as it is kept."""
    return SetupDrift(steps=[step_view(step) for step in steps])


def failed(refused: Conflict) -> SetupDrift:
    """A look or a change that came to nothing, as it is kept."""
    problem = SetupProblem(code=refused.code, message=refused.message, remedy=refused.remedy)
    return SetupDrift(problem=problem)


def said(steps: Sequence[WebhookStep]) -> list[str]:
    """Steps as the audit log keeps them."""
    return [f"{step.kind}: {step.what}" for step in steps]


def refused(failure: ProviderError) -> Conflict:
    """What the server could not or would not, for a person; the code stays."""
    return Conflict(failure.message, remedy=failure.remedy, code=failure.code)


# --- what has to hold -------------------------------------------------------------------------------------


def require_address(address: str | None) -> str:
    """Where others reach Muster; InvalidInput when nobody has said it, or it is no such address."""
    if address is None:
        raise InvalidInput(
            "Muster does not know under which address the server can reach it.",
            remedy="Set MUSTER_PUBLIC_URL, such as https://muster.example.com, or give the address.",
            code="no_public_url",
        )
    if not _ADDRESS.fullmatch(address):
        raise InvalidInput(
            "That is no address of Muster's.", remedy="Write it as in https://muster.example.com."
        )
    return address.rstrip("/")


def require_connected(view: IntegrationView) -> None:
    """Conflict for an integration whose connection is not known to work: a wrong login could lock it."""
    if not view.is_active:
        raise Conflict(
            f"{view.name!r} is not connected.",
            remedy="Give it credentials where it has none, and test the connection first.",
            code="not_connected",
        )


def require_permitted(plan: WebhookPlan) -> None:
    """Conflict that names the permissions on the server that are missing."""
    if plan.lacking:
        names = " and ".join(plan.lacking)
        raise Conflict(
            f"The user behind the credentials may not do this. It lacks {names}.",
            remedy=f"Give the user a role with {names}, or set the webhook up by hand; nothing was changed.",
            code="permission_missing",
        )


def require_agreed(plan: WebhookPlan, *, agreed: bool) -> None:
    """Conflict when something of the server's owner would be taken the place of and nobody agreed to that."""
    replaced = [step.replaces for step in plan.steps if step.replaces]
    if replaced and not agreed:
        raise Conflict(
            f"This takes the place of {', '.join(replaced)}, and nobody agreed to that. Nothing was changed.",
            remedy="Look at what would change, and agree to it.",
            code="would_replace",
        )


# --- addresses ----------------------------------------------------------------------------------------------


def address_notes(url: str) -> Iterator[str]:
    """What to know about an address before a server is told to call it."""
    parts = urlsplit(url)
    if parts.scheme != "https":
        yield "The address is not encrypted (http): the secret and the alerts travel in clear."
    if _is_private(parts.hostname or ""):
        yield (
            f"The address {parts.hostname} is reached only from inside: the server must stand in the same"
            " network. Set MUSTER_PUBLIC_URL to the address by which others reach Muster."
        )


def _is_private(host: str) -> bool:
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal"))


# --- the test and coverage ----------------------------------------------------------------------------------


def receipt_named(answer: str) -> UUID | None:
    """The receipt that our own answer names, as the server passed it on."""
    try:
        told = msgspec.json.decode(answer)
    except (msgspec.DecodeError, RecursionError):
        return None
    named = told.get("receipt_id") if isinstance(told, dict) else None
    return as_id(named) if isinstance(named, str) else None


def first_of_each(uncovered: Sequence[UncoveredDevice]) -> Sequence[UncoveredDevice]:
    """The first devices of each reason."""
    counts: Counter[str] = Counter()
    shown = []
    for device in uncovered:
        counts[device.reason] += 1
        if counts[device.reason] <= MOST_SHOWN:
            shown.append(device)
    return shown


def groups(
    uncovered: Sequence[UncoveredDevice], assets: Mapping[str, tuple[UUID, str]]
) -> list[CoverageGroup]:
    """Devices by their reason, the most frequent first; `assets` are id and name by device."""
    counts = Counter(device.reason for device in uncovered)
    shown: dict[str, list[UncoveredView]] = {}
    for device in first_of_each(uncovered):
        asset_id, name = assets.get(device.device_id, (None, None))
        view = UncoveredView(
            device_id=device.device_id, asset_id=asset_id, name=name, explanation=device.explanation
        )
        shown.setdefault(device.reason, []).append(view)
    return [
        CoverageGroup(reason=reason, count=count, devices=sorted(shown[reason], key=_by_name))
        for reason, count in counts.most_common()
    ]


def _by_name(device: UncoveredView) -> tuple[bool, str, str]:
    return device.name is None, (device.name or "").casefold(), device.device_id
