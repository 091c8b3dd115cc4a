"""What a person typed, validated and normalized."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import SplitResult, urlsplit

import idna

from muster.errors import InvalidInput
from muster.providers.contract import ConnectionSettings
from muster.providers.tacticalrmm.manifest import API_KEY, MANIFEST, PASSWORD
from muster.providers.tacticalrmm.totp import key_of

_MAX_URL = 2_000
_MAX_SECRET = 1_000
_PLACEHOLDER = "https://api.example.com"
# Underscores are no DNS host names, but LAN names have them.
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MODE_FIELDS = {API_KEY: ("api_key",), PASSWORD: ("username", "password", "totp_secret")}


def normalize(raw: Mapping[str, str | None]) -> ConnectionSettings:
    """Settings from form fields by name (see the manifest); InvalidInput names the field and the fault.

    The auth mode is the one whose fields are given; a form that shows both says which by `auth_mode`.
    """
    known = {field.name for field in MANIFEST.fields} | {"auth_mode"}
    if unknown := sorted(set(raw) - known):
        raise InvalidInput("there is no such setting.", field=unknown[0])
    # A form sends every field, an untouched one as an empty text: that is not given.
    given = {name: value for name, value in raw.items() if value is not None and value.strip()}
    mode = _auth_mode(given)
    secrets = {
        name: _secret(name, given[name])
        for name in _MODE_FIELDS[mode]
        if name != "username" and name in given
    }
    options = {name: _chosen(name, given.get(name)) for name in ("source", "software")}
    if mode == PASSWORD:
        options["username"] = _required(given, "username")
        _required(given, "password")
        if "totp_secret" in secrets:
            secrets["totp_secret"] = _totp_secret(secrets["totp_secret"])
    return ConnectionSettings(
        instance_url=normalize_url(given.get("instance_url", "")),
        auth_mode=mode,
        options=options,
        secrets=secrets,
    )


def normalize_url(text: str) -> str:
    """The API's origin: `scheme://host[:port]` in lower case, IDN as ASCII, default port left out.

    A missing scheme is https; trailing slashes and an `/api` segment are removed, since the API is
    served at the root (CONTRACT 0). InvalidInput for anything that is not an origin.
    """
    text = text.strip()
    if not text:
        raise _bad_url("it is empty")
    if len(text) > _MAX_URL:
        raise _bad_url(f"it is longer than {_MAX_URL:,} characters")
    if any(character.isspace() or not character.isprintable() for character in text) or "\\" in text:
        raise _bad_url("it contains characters that no address has")
    if text.startswith("//"):
        text = f"https:{text}"
    elif not _SCHEME.match(text):
        text = f"https://{text}"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as malformed:
        raise _bad_url(str(malformed)) from malformed
    if parts.scheme not in _DEFAULT_PORTS:
        raise _bad_url(f"{parts.scheme}:// is not a web address")
    if "@" in parts.netloc:
        raise _bad_url("it must not contain a user name or password")
    if "?" in text or "#" in text:
        raise _bad_url("it must end after the host, without ? and #")
    if _path_beyond_api(parts):
        raise _bad_url(f"the API is at the root of its host, so {parts.path} must go")
    if port == 0 or parts.netloc.endswith(":"):
        raise _bad_url("the port is not a number from 1 to 65535")
    host = _host(parts)
    suffix = "" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{host}{suffix}"


def _path_beyond_api(parts: SplitResult) -> bool:
    return any(segment.lower() != "api" for segment in parts.path.split("/") if segment)


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if "[" in parts.netloc:
        try:
            address = IPv6Address(host)
        except ValueError as malformed:
            raise _bad_url("the address in brackets is not IPv6") from malformed
        if address.scope_id is not None:
            raise _bad_url("an address with a zone cannot be used")
        return f"[{address.compressed}]"
    host = host.rstrip(".")
    if not host:
        raise _bad_url("it has no host")
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except idna.IDNAError as malformed:
            raise _bad_url("the host is not a valid name") from malformed
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _bad_url("the host is not a valid name")
    if labels[-1].isdigit():
        try:
            IPv4Address(host)
        except ValueError as malformed:
            raise _bad_url("the host is not a valid IPv4 address") from malformed
    return host


def _auth_mode(given: Mapping[str, str]) -> str:
    stated = given.get("auth_mode")
    if stated is not None:
        if stated not in _MODE_FIELDS:
            raise InvalidInput(f"choose {API_KEY} or {PASSWORD}.", field="auth_mode")
        if stated == API_KEY:
            _required(given, "api_key")
        return stated
    modes = [mode for mode, names in _MODE_FIELDS.items() if any(name in given for name in names)]
    if len(modes) > 1:
        raise InvalidInput("give either an API key or a username and password, not both.", field="api_key")
    if not modes:
        raise InvalidInput("an API key, or a username and password, is needed.", field="api_key")
    return modes[0]


def _chosen(name: str, text: str | None) -> str:
    field = next(field for field in MANIFEST.fields if field.name == name)
    chosen = (text or field.default or "").strip().lower()
    if chosen not in field.choices:
        raise InvalidInput(f"choose {', '.join(field.choices[:-1])} or {field.choices[-1]}.", field=name)
    return chosen


def _required(given: Mapping[str, str], name: str) -> str:
    text = given.get(name, "")
    text = text.strip() if name == "username" else text
    if not text.strip():
        raise InvalidInput("it is empty.", field=name)
    if len(text) > _MAX_SECRET or not text.isprintable():
        raise InvalidInput("it is too long or contains control characters.", field=name)
    return text


def _secret(name: str, text: str) -> str:
    # A pasted key brings its line end along; inside a password every character counts.
    text = text.strip() if name != "password" else text.rstrip("\r\n")
    if not text.strip():
        raise InvalidInput("it is empty.", field=name)
    if len(text) > _MAX_SECRET:
        raise InvalidInput(f"it is longer than {_MAX_SECRET:,} characters.", field=name)
    if not text.isprintable():
        raise InvalidInput("it contains control characters.", field=name)
    # The key travels in a header, where only visible ASCII is safe (RFC 9110, 5.5).
    if name == "api_key" and not all("!" <= character <= "~" for character in text):
        raise InvalidInput("it contains characters that no API key has.", field="api_key")
    return text


def _totp_secret(text: str) -> str:
    secret = re.sub(r"[\s-]", "", text).upper()
    try:
        key_of(secret)
    except ValueError as malformed:
        raise InvalidInput("it is not a base32 secret.", field="totp_secret") from malformed
    return secret


def _bad_url(reason: str) -> InvalidInput:
    return InvalidInput(
        f"{reason}.", field="instance_url", remedy=f"Give the API host, such as {_PLACEHOLDER}."
    )
