"""A URL action's templates filled and made into a request, as the server does it (CONTRACT section 5).

Every oddity is kept: an unknown property gives the last good object's text, what is falsy becomes `None`,
a body that is no JSON goes out as a JSON string, placeholders in a value are filled when they come later.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

# What counts as a placeholder; other braces stay as they are: `{{event}}`, `{{agent}}`, `{{check.id}}`.
_PLACEHOLDER = re.compile(r"\{\{\s*(client|site|agent|global|alert)\.[\w\-\s.]+\}\}")
# A backslash that neither follows one nor stands before one or before n, r, t.
_LONE_BACKSLASH = re.compile(r"(?<!\\)\\(?=[^\\nrt]|\Z)")
# All control characters but tab, line feed and carriage return.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_ESCAPED_UNRESERVED = re.compile(r"%(2[dDeE]|3[0-9]|4[1-9a-fA-F]|5[0-9aAfF]|6[1-9a-fA-F]|7[0-9aAeE])")
_KEPT_IN_URLS = "!#$%&'()*+,/:;=?@[]~"


class RenderingFailed(Exception):
    """Nothing can be sent; the text is what the server stores as the action's output, with retcode 500."""


class Instance(Protocol):
    """What a template is filled from: an alert; with the test button an agent, a client or a site.

    Its attributes are what placeholders can read; `kind_` is the word they begin with. `custom_field` gives
    (True, value) for a custom field of that model and name, (False, None) when there is none of the name.
    """

    kind_: str

    def custom_field(self, model: str, name: str) -> tuple[bool, Any]:
        """The value of a custom field, of this object or of one that it belongs to."""


@dataclass(frozen=True, slots=True)
class RestCall:
    """The part of a URL action that says what to send, as it is stored: method in lower case."""

    pattern: str
    rest_method: str
    rest_body: str | None
    rest_headers: str | None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request ready to send. `headers` None: the client library's own, like {}; "": not even those."""

    method: str
    url: str
    headers: Mapping[str, Any] | str | None
    body: str | None

    @property
    def waits_for_ever(self) -> bool:
        """GET and DELETE are sent without a timeout (CONTRACT section 5)."""
        return self.method in ("GET", "DELETE")


def value_of(placeholder: str, instance: Instance, key_store: Mapping[str, str]) -> Any:
    """What a placeholder (`agent.site.name`) stands for; None for what is falsy or a method (CONTRACT section
    5).
    """
    names = placeholder.strip().split(".")
    if names[0] == "global" and len(names) == 2:
        return key_store.get(names[1])
    if len(names) == 2:
        found, value = instance.custom_field(names[0], names[1])
        if found:
            return value
    if names[0] == instance.kind_:
        del names[0]
    current: Any = instance
    for name in names:
        # A name that is unknown is passed over: what was found so far stands for it.
        if hasattr(current, name):
            current = getattr(current, name)
            if callable(current):
                return None
        if not current:
            return None
    return current


def fill(text: str | None, instance: Instance | None, key_store: Mapping[str, str]) -> str:
    """A template with its placeholders replaced one after the other, in its order (CONTRACT section 5).

    Replacing goes over the whole text each time, values already put in included. RenderingFailed for null.
    """
    if text is None:
        raise RenderingFailed("expected string or bytes-like object, got 'NoneType'")
    if instance is None:
        return text
    for match in _PLACEHOLDER.finditer(text):
        placeholder = match[0]
        if placeholder in text:
            text = text.replace(placeholder, str(value_of(placeholder[2:-2], instance, key_store)))
    return text


def clean(body: str) -> str:
    """Control characters made spaces and lone backslashes doubled (CONTRACT section 5)."""
    return _LONE_BACKSLASH.sub(lambda _: "\\\\", _CONTROLS.sub(" ", body))


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return text


def quoted(url: str) -> str:
    """A URL with what may not stand in one percent-encoded, and needless escapes undone."""
    plain = _ESCAPED_UNRESERVED.sub(lambda match: chr(int(match[1], 16)), url)
    return quote(plain, safe=_KEPT_IN_URLS)


def _headers(text: str) -> Mapping[str, Any] | str | None:
    found = _json_or_text(text)
    if found is None or isinstance(found, dict):
        return found
    if found:
        raise RenderingFailed(f"'{type(found).__name__}' object has no attribute 'items'")
    return ""


def render(call: RestCall, instance: Instance | None, key_store: Mapping[str, str]) -> Outgoing:
    """The request that a URL action makes for an instance (CONTRACT section 5); RenderingFailed when it makes
    none.
    """
    url, body, headers = (
        fill(t, instance, key_store) for t in (call.pattern, call.rest_body, call.rest_headers)
    )
    method = call.rest_method.upper()
    sent = None if method in ("GET", "DELETE") else json.dumps(_json_or_text(clean(body)))
    return Outgoing(method, quoted(url), _headers(headers), sent)
