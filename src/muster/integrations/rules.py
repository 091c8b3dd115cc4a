"""Pure decisions about an integration: names, what of its settings survives a change, what may be shown."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec

from muster.errors import InvalidInput
from muster.providers.contract import ConnectionSettings, Provider, ProviderManifest

SESSION_TOKEN = "session_token"  # noqa: S105 - the name of a credential
WEBHOOK_SECRET = "webhook_secret"  # noqa: S105 - the name of a credential
# The one before, which holds for a while after a rotation.
WEBHOOK_SECRET_PREVIOUS = "webhook_secret_previous"  # noqa: S105 - the name of a credential
WEBHOOK_SECRETS = frozenset({WEBHOOK_SECRET, WEBHOOK_SECRET_PREVIOUS})
# Kept beside what a person typed; never part of the settings a provider validates.
OWN_CREDENTIALS = WEBHOOK_SECRETS | {SESSION_TOKEN}
# People choose these, or they are short: their last four characters would help to guess the rest.
_NEVER_SHOWN = frozenset({"password", "totp_secret", SESSION_TOKEN})

# What a check finds when a person must give a one-time code first.
CODE_WANTED = "totp_required"
# Finding codes after which the stored credentials are known to be of no use.
CREDENTIAL_CODES = frozenset({"invalid_credentials", "key_expired", CODE_WANTED})

VALUE_LIMIT = 16_384
DEFAULT_REFRESH_MINUTES = 15
# A status is believed for this many refresh periods.
FRESH_PERIODS = 3


class Schedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often something is synced by itself; `minutes` from one minute to a week."""

    minutes: Annotated[int, msgspec.Meta(ge=1, le=10_080)]
    enabled: bool = True


def last_four(name: str, secret: str) -> str:
    """The part of a secret that may be shown: nothing of short ones, and nothing a person made up."""
    if name in _NEVER_SHOWN or name.endswith("password") or len(secret) < 12:
        return ""
    return secret[-4:]


def check_fields(manifest: ProviderManifest, raw: Mapping[str, str | None]) -> None:
    """Refuse what no form of this provider could send, before the provider looks at it."""
    known = [field.name for field in manifest.fields]
    for name, value in raw.items():
        if name not in known and name != "auth_mode":
            raise InvalidInput(
                f"{manifest.display_name} has no setting {name!r}.", remedy=f"It has: {', '.join(known)}."
            )
        if value is not None and len(value) > VALUE_LIMIT:
            raise InvalidInput(f"it is longer than {VALUE_LIMIT:,} characters.", field=name)


def origin(url: str) -> tuple[str, str, int | None]:
    """Where requests to this URL go: two URLs of one origin reach the same server the same way."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port


def stored_options(manifest: ProviderManifest, settings: Mapping[str, Any]) -> dict[str, str]:
    """The provider's own options among an integration's settings."""
    names = {field.name for field in manifest.fields if not field.secret}
    return {name: value for name, value in settings.items() if name in names and isinstance(value, str)}


def merged_settings(settings: Mapping[str, Any], previous: Iterable[str], new: ConnectionSettings) -> Any:
    """Settings to store: the provider's `previous` options give way to the new ones, all else stays."""
    gone = {*previous, "auth_mode"}
    kept = {name: value for name, value in settings.items() if name not in gone}
    return {**kept, **new.options, "auth_mode": new.auth_mode}


def changed_settings(
    provider: Provider, stored: ConnectionSettings, raw: Mapping[str, str | None]
) -> ConnectionSettings:
    """Validated settings after laying `raw` (only what was typed; None: not typed) over the stored ones.

    Fields of another auth mode than the one typed do not survive, and no stored secret follows the
    address to another server: InvalidInput names those to type again.
    """
    typed = {name: value for name, value in raw.items() if value is not None}
    mode = typed_mode(provider.manifest, typed) or stored.auth_mode
    of_mode = {f.name for f in provider.manifest.fields if f.only_for_auth_mode in (None, mode)}
    kept = {name: value for name, value in stored.options.items() if name in of_mode}
    secrets = {name: value for name, value in stored.secrets.items() if name in of_mode and name not in typed}
    base = {"instance_url": stored.instance_url, **kept, **typed}
    new = provider.settings({**base, **secrets})
    if not secrets or origin(new.instance_url) == origin(stored.instance_url):
        return new
    try:
        return provider.settings(base)
    except InvalidInput:
        labels = ", ".join(_label(provider.manifest, name) for name in sorted(secrets))
        raise InvalidInput(
            f"The address now leads to another server ({new.instance_url}), and stored credentials are"
            " never sent to one they were not typed for.",
            remedy=f"Give them again together with the address: {labels}.",
        ) from None


def typed_mode(manifest: ProviderManifest, typed: Mapping[str, str]) -> str | None:
    """The auth mode that the given fields belong to; None when they say nothing, or several at once."""
    if "auth_mode" in typed:
        return typed["auth_mode"]
    modes = {f.only_for_auth_mode for f in manifest.fields if f.name in typed and f.only_for_auth_mode}
    # Fields of several modes are for the provider to refuse: it knows what to say.
    return modes.pop() if len(modes) == 1 else None


def _label(manifest: ProviderManifest, name: str) -> str:
    return next((f.label for f in manifest.fields if f.name == name), name)


def access(manifest: ProviderManifest, settings: ConnectionSettings) -> dict[str, Any]:
    """Who reaches which address by these settings; other options (source, say) do not matter here."""
    personal = {f.name for f in manifest.fields if f.only_for_auth_mode is not None or f.required}
    options = {name: value for name, value in settings.options.items() if name in personal}
    return {"instance_url": settings.instance_url, "auth_mode": settings.auth_mode, "options": options}


def differences(old: ConnectionSettings, new: ConnectionSettings) -> list[str]:
    """The names of the settings that differ; never what they hold."""
    before, after = ({**each.options, **each.secrets} for each in (old, new))
    names = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    names |= {name for name in ("instance_url", "auth_mode") if getattr(old, name) != getattr(new, name)}
    return sorted(names)


def revision(reached: Mapping[str, Any], sealed: Mapping[str, bytes]) -> str:
    """A fingerprint of an `access` and the sealed credentials for it, without opening any of them."""
    credentials = {name: content for name, content in sealed.items() if name not in OWN_CREDENTIALS}
    return hashlib.sha256(msgspec.json.encode([reached, credentials], order="sorted")).hexdigest()


def check_schedules(value: object) -> dict[str, dict[str, Any]]:
    """Schedules by what they sync, such as {"devices": {"minutes": 15}}; InvalidInput names the fault."""
    try:
        schedules = msgspec.convert(value, dict[str, Schedule])
    except msgspec.ValidationError as fault:
        raise InvalidInput(f"schedules: {fault}.") from fault
    return {name: msgspec.to_builtins(schedule) for name, schedule in schedules.items()}


def refresh_minutes(settings: Mapping[str, Any]) -> int:
    """Minutes between two refreshes of the devices."""
    schedules = settings.get("schedules")
    devices = schedules.get("devices") if isinstance(schedules, Mapping) else None
    minutes = devices.get("minutes") if isinstance(devices, Mapping) else None
    return minutes if isinstance(minutes, int) and minutes > 0 else DEFAULT_REFRESH_MINUTES
