"""What a person gives on the command line becomes a provider's fields. Secrets never come from arguments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from muster.errors import InvalidInput
from muster.integrations import rules
from muster.providers.contract import ProviderManifest, SettingsField
from muster.terminal import given_secret, secret_from

# Secrets with an option and an environment variable of their own; others come by --set-file.
_VARIABLES = {
    "api_key": "MUSTER_API_KEY",
    "password": "MUSTER_PASSWORD",
    "totp_secret": "MUSTER_TOTP_SECRET",
}
# A login works without it; nobody is asked for it.
_OPTIONAL = frozenset({"totp_secret"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The options of `integration add` and `update`; the `_file` ones name files ("-": standard input)."""

    url: str | None
    source: str | None
    username: str | None
    api_key_file: str | None
    password_file: str | None
    totp_secret_file: str | None
    assignments: Sequence[str]
    file_assignments: Sequence[str]


def fields_for_new(manifest: ProviderManifest, given: Given) -> dict[str, str]:
    """Fields by name for a new integration. Its secrets come from files, the environment or a prompt."""
    raw = _typed(manifest, given)
    _add_credentials(manifest, raw, rules.typed_mode(manifest, raw) or _first_mode(manifest))
    return raw


def fields_for_update(
    manifest: ProviderManifest, given: Given, *, auth_mode: str | None, ask: bool
) -> dict[str, str]:
    """Only the fields that were typed. With `ask`, or when another auth mode is chosen, the credentials
    too: a variable left in the environment must not replace credentials nobody meant to change.
    """
    raw = _typed(manifest, given)
    mode = rules.typed_mode(manifest, raw)
    if ask or (mode is not None and mode != auth_mode):
        _add_credentials(manifest, raw, mode or auth_mode)
    return raw


def _typed(manifest: ProviderManifest, given: Given) -> dict[str, str]:
    options = {"instance_url": given.url, "source": given.source, "username": given.username}
    raw = {name: value for name, value in options.items() if value is not None}
    for name, value in map(_pair, given.assignments):
        if _is_secret(manifest, name):
            raise InvalidInput(
                f"{name} is a secret, and arguments can be seen by others on this machine.",
                remedy=f"Put it into a file and give --set-file {name}=FILE.",
            )
        raw[name] = value
    files = {
        "api_key": given.api_key_file,
        "password": given.password_file,
        "totp_secret": given.totp_secret_file,
        **dict(map(_pair, given.file_assignments)),
    }
    # Before any file is read, so that a mistyped field is not taken for a mistyped file.
    rules.check_fields(manifest, {**raw, **{name: "" for name, file in files.items() if file is not None}})
    for name, file in files.items():
        variable = _VARIABLES.get(name, "MUSTER_API_KEY")
        if file is not None and (secret := given_secret(file, variable, what=_what(manifest, name))):
            raw[name] = secret
    return raw


def _add_credentials(manifest: ProviderManifest, raw: dict[str, str], mode: str | None) -> None:
    for field in manifest.fields:
        if field.name not in _VARIABLES or field.name in raw or field.only_for_auth_mode not in (None, mode):
            continue
        variable, what = _VARIABLES[field.name], _what(manifest, field.name)
        if field.name in _OPTIONAL:
            secret = given_secret(None, variable, what=what)
        else:
            option = f"--{field.name.replace('_', '-')}-file"
            secret = secret_from(None, variable, what=what, option=option)
        if secret is not None:
            raw[field.name] = secret


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise InvalidInput(f"{text!r} is not of the form FIELD=VALUE.")
    return name.strip(), value


def _field(manifest: ProviderManifest, name: str) -> SettingsField | None:
    return next((field for field in manifest.fields if field.name == name), None)


def _is_secret(manifest: ProviderManifest, name: str) -> bool:
    field = _field(manifest, name)
    return field is not None and field.secret


def _what(manifest: ProviderManifest, name: str) -> str:
    field = _field(manifest, name)
    return f"the {field.label}" if field else name


def _first_mode(manifest: ProviderManifest) -> str | None:
    return next((f.only_for_auth_mode for f in manifest.fields if f.only_for_auth_mode is not None), None)
