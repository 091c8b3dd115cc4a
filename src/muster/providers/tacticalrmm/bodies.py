"""What stands in a webhook's body, however broken it is, and what can be believed. Pure, linear, bounded.

A message is free text, and the server puts it between the quotes as it is (CONTRACT 5). A quote in it breaks
the body, which then arrives as a JSON string; well placed quotes bring in keys of their own. So a value is
believed for where it stands, by three rules, the same for whole and for broken bodies:

1. At the head of the object, before the first key that can hold free text, nobody could bring in anything.
2. Elsewhere it is believed only in a body that came to its closing brace, and only if every place says the
   same. Canonical spelling goes before other cases.
3. In a body that begins with the message, as Muster's own form does, the last place counts: what a message
   brings in stands before what the template says.

What the server itself has made of a body before it was sent cannot be seen: a message that keeps the JSON
whole overrides the keys *before* it in another template. Hence Muster's form begins with the message, and
alerts are read again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

# Bytes that are looked at: of a longer body half of it from either end.
MOST = 256 * 1024
# Keys whose values hold no quote as the server renders them.
SAFE = ("agent_id", "alert_id", "event", "severity", "alert_type", "alert_time", "client_id", "site_id")
MESSAGE, HOST = "message", "hostname"
_NAMES = frozenset({*SAFE, HOST})
# Stands where something was cut out: in no value that is believed.
_GAP = "\x00"
# JSON strings in JSON strings that are opened.
_WRAPPED = 4

_SPACE = r"[ \t\r\n]{0,50}"
_VALUE = (
    rf'(?:"([^"\\]{{0,300}})"{_SPACE}(?=[,}}]|\Z)'
    # A number that the end cuts may be a longer one.
    rf"|(-?[0-9]{{1,30}}){_SPACE}(?=[,}}])"
    rf"|(?:None|null|true|false){_SPACE}(?=[,}}]))"
)


def _pair(names: Iterable[str]) -> str:
    return rf'"({"|".join(names)})"{_SPACE}:{_SPACE}{_VALUE}'


_FLAGS = re.IGNORECASE | re.ASCII
_HEAD = re.compile(rf"{_SPACE}{_pair(SAFE)}(?:,|(?=\}})|\Z)", _FLAGS)
_ANYWHERE = re.compile(rf"[{{,]{_SPACE}{_pair((*SAFE, HOST))}", _FLAGS)
_MESSAGE = re.compile(rf'[{{,]{_SPACE}"{MESSAGE}"{_SPACE}:{_SPACE}"', _FLAGS)
_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))')
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}

Pair = tuple[str, str | None]
Kind = Literal["empty", "object", "other", "text"]


@dataclass(frozen=True, slots=True)
class Body:
    """What a body is and says. `values` by the names of SAFE, HOST and MESSAGE; `contradictory` are the names
    that were said more than once, differently. `broken`: it is no JSON, and the values were picked out of it.
    """

    kind: Kind
    values: dict[str, str] = field(default_factory=dict)
    contradictory: frozenset[str] = frozenset()
    broken: bool = False


def read(body: bytes) -> Body:
    """What stands in a body of whatever bytes; never raises."""
    text, broken = _text(body)
    # Whether the text came to its end: known of what is in a JSON string, by its quotes.
    ended: bool | None = None
    for _ in range(_WRAPPED):
        text = text.strip()
        if not text:
            return Body("empty", broken=broken)
        try:
            found = _json(text)
        except (ValueError, RecursionError) as fault:
            if not text.startswith('"'):
                return _salvaged(text, ended=not _cut(fault, text) if ended is None else ended)
            text, broken, ended = _unescaped(text), True, False
            continue
        if isinstance(found, _Object):
            return _whole(found, broken)
        if not (isinstance(found, str) and text.startswith('"')):
            return Body("other", broken=broken)
        text, ended = found, ended is None or ended
    return Body("text", broken=True)


class _Object(list[tuple[str, object]]):
    """The pairs of a JSON object in their order, repeated keys included."""


# Numbers stay text: their size costs nothing, and an id is one either way.
_json: Callable[[str], object] = json.JSONDecoder(
    strict=False, object_pairs_hook=_Object, parse_int=str, parse_float=str, parse_constant=str
).decode


def _text(body: bytes) -> tuple[str, bool]:
    broken = len(body) > MOST
    if broken:
        body = body[: MOST // 2] + _GAP.encode() + body[-MOST // 2 :]
    try:
        return body.decode("utf-8-sig"), broken
    except UnicodeDecodeError:
        return body.decode("utf-8-sig", errors="replace"), True


def _cut(fault: Exception, text: str) -> bool:
    """Whether nothing is wrong with the text but that it ends too early."""
    if not isinstance(fault, json.JSONDecodeError):
        return False
    return fault.pos >= len(text) or fault.msg.startswith("Unterminated string")


def _unescaped(text: str) -> str:
    """What is in a JSON string that is not closed, or followed by more."""
    return _ESCAPE.sub(
        lambda match: chr(int(match[1], 16)) if match[1] else _ESCAPED.get(match[2], match[2]),
        text[1:].removesuffix('"'),
    )


def _whole(found: _Object, broken: bool) -> Body:
    pairs: list[Pair] = [(key, value if isinstance(value, str) else None) for key, value in found]
    length = next((n for n, (key, _) in enumerate(pairs) if key.lower() not in SAFE), len(pairs))
    message = next((value for key, value in pairs if key.lower() == MESSAGE and value is not None), None)
    message_first = bool(pairs) and pairs[0][0].lower() == MESSAGE
    return _believed(pairs[:length], pairs[length:], message, message_first=message_first, broken=broken)


def _salvaged(text: str, *, ended: bool) -> Body:
    """The values that can be picked out of a text that is no JSON; `ended`: it was not cut off."""
    head: list[Pair] = []
    place = 1 if text.startswith("{") else len(text)
    while (match := _HEAD.match(text, place)) is not None:
        head.append(_found(match))
        place = match.end()
    # The last comma before the rest belongs to its first pair.
    start = max(place - 1, 0)
    closed = ended and text.endswith("}")
    rest = list(_ANYWHERE.finditer(text, start)) if text.startswith("{") else []
    opening = _MESSAGE.search(text, start)
    message = None
    if opening is not None:
        end = next((pair.start() for pair in rest if pair.start() > opening.end()), len(text))
        message = text[opening.end() : end].rstrip().removesuffix("}").rstrip().removesuffix('"')
    found = _believed(
        head,
        [_found(match) for match in rest] if closed else [],
        message,
        message_first=opening is not None and opening.start() == 0,
        broken=True,
    )
    return found if found.values or found.contradictory else Body("text", broken=True)


def _found(match: re.Match[str]) -> Pair:
    return match[1], match[2] if match[2] is not None else match[3]


def _believed(
    head: list[Pair], rest: list[Pair], message: str | None, *, message_first: bool, broken: bool
) -> Body:
    first, later = _by_name(head), _by_name(rest)
    values: dict[str, str] = {}
    contradictory = set()
    for name in (*SAFE, HOST):
        said = first.get(name) or (later.get(name, [])[-1:] if message_first else later.get(name, []))
        if len(set(said)) > 1:
            contradictory.add(name)
        elif said:
            values[name] = said[0]
    if message is not None:
        values[MESSAGE] = message
    return Body("object", values, frozenset(contradictory), broken)


def _by_name(pairs: list[Pair]) -> dict[str, list[str]]:
    """What is said under each name, spelled as it should be, else in another case."""
    exact: dict[str, list[str]] = {}
    other: dict[str, list[str]] = {}
    for key, value in pairs:
        if value is not None:
            spelled, name = (exact, key) if key in _NAMES else (other, key.lower())
            spelled.setdefault(name, []).append(value)
    return other | exact
