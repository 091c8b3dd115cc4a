"""Texts, addresses, sizes and moments made fit to store: bounded, and no stand-in for "unknown"."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import ip_address

SHORT = 500
LONG = 4_000
_MOST_ITEMS = 100
_BIGINT = 2**63 - 1

# What machines, their makers and the server write where there is nothing to say (CONTRACT 3).
STAND_INS = frozenset(
    {
        "",
        "-",
        "n/a",
        "none",
        "null",
        "unknown",
        "not specified",
        "not applicable",
        "not available",
        "default string",
        "invalid",
        "o.e.m.",
        "oem",
        "system manufacturer",
        "system product name",
        "system serial number",
        "system version",
        "base board serial number",
        "chassis serial number",
        "unknown cpu model",
        "unknown disk",
        "unknown make/model",
        "no graphics cards",
        "graphics info requires agent v1.4.14",
    }
)
_STAND_IN_STARTS = ("to be filled", "error getting")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_SIZE = re.compile(r"([0-9]+(?:[.,][0-9]+)?)\s*([KMGTPE]?)(?:i?B|B)?", re.IGNORECASE)
_UNITS = {unit: 1024.0**power for power, unit in enumerate(("", "K", "M", "G", "T", "P", "E"))}
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"(?!0\.0\.0\.0){_OCTET}(?:\.{_OCTET}){{3}}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def is_stand_in(text: str) -> bool:
    """Whether this text says that nothing is known."""
    lowered = text.strip().lower()
    return lowered in STAND_INS or lowered.startswith(_STAND_IN_STARTS)


def line(text: object, bound: int = SHORT) -> str | None:
    """One line: control characters out, whitespace collapsed, bounded; None for a stand-in or no text."""
    if not isinstance(text, str):
        return None
    # Cut first: a text of megabytes must neither be searched nor be kept in the cache.
    return _line(text[: 2 * bound], bound)


def label(text: str, bound: int = SHORT) -> str | None:
    """A name a person gave (host, client, site, user): as `line`, but no word is a stand-in."""
    return _label(text[: 2 * bound], bound) or None


# A fleet has few distinct models, versions, sites and users.
@lru_cache(maxsize=8192)
def _line(text: str, bound: int) -> str | None:
    cleaned = _label(text, bound)
    return None if is_stand_in(cleaned) else cleaned


@lru_cache(maxsize=8192)
def _label(text: str, bound: int) -> str:
    return " ".join(_CONTROL.sub(" ", text).split())[:bound].rstrip()


def prose(text: str, bound: int = LONG) -> str | None:
    """Text of several lines: other control characters out, bounded."""
    cleaned = re.sub(r"[^\S\n]+", " ", _CONTROL_BUT_NEWLINE.sub(" ", text[: 2 * bound])).strip()[:bound]
    return cleaned or None


_CONTROL_BUT_NEWLINE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


def lines(texts: Iterable[object]) -> tuple[str, ...] | None:
    """Each as `line`, without the empty ones; None when none is left."""
    found = tuple(cleaned for text in texts if (cleaned := line(text)) is not None)[:_MOST_ITEMS]
    return found or None


def addresses(texts: Iterable[object]) -> tuple[str, ...] | None:
    """Valid addresses without prefix length or zone, IPv4 first, else in the order given, each once."""
    found = dict.fromkeys(parsed for text in texts if (parsed := _address(text)) is not None)
    # Sorting is stable, and only an IPv6 address has a colon.
    ordered = sorted(found, key=lambda text: ":" in text)
    return tuple(ordered[:_MOST_ITEMS]) or None


def address(text: object) -> str | None:
    """One valid address; None otherwise."""
    return _address(text)


def _address(text: object) -> str | None:
    if not isinstance(text, str):
        return None
    bare = text[:100].strip().partition("/")[0].partition("%")[0]
    # Nearly all are IPv4 as it should be; the library takes twenty times as long to say so.
    if _IPV4.fullmatch(bare):
        return bare
    try:
        parsed = ip_address(bare)
    except ValueError:
        return None
    return None if parsed.is_unspecified else str(parsed)


def size(value: object) -> int | None:
    """Bytes from "346.5G", "109.0 GB", "203.8 MB" or a number of bytes; units are powers of 1024."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return int(value) if math.isfinite(value) and 0 <= value <= _BIGINT else None
    return _size(value.strip()[:40]) if isinstance(value, str) else None


@lru_cache(maxsize=8192)
def _size(text: str) -> int | None:
    match = _SIZE.fullmatch(text)
    if match is None:
        return None
    amount = float(match[1].replace(",", ".")) * _UNITS[match[2].upper()]
    return round(amount) if amount <= _BIGINT else None


def percent(value: object) -> int | None:
    """A whole percentage from 0 to 100."""
    if isinstance(value, str):
        value = value.strip().rstrip("%")
        value = float(value) if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,9})?", value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return round(value) if 0 <= value <= 100 else None


def gigabytes(value: object) -> float | None:
    """An amount of memory in GB; None when it is none or beyond reason."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value <= 1_048_576 else None


def moment(value: datetime | None, now: datetime) -> datetime | None:
    """The moment in UTC; None before 1970 or more than a day ahead of `now`: a clock gone wrong."""
    if value is None:
        return None
    try:
        value = value.astimezone(UTC)
    except OverflowError:
        return None
    return value if _EPOCH <= value <= now + timedelta(days=1) else None


def from_epoch(seconds: object, now: datetime) -> datetime | None:
    """The moment `seconds` (a float on the wire) after 1970, rounded to the second; None for nonsense."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    if not 0 < seconds < 1e11:
        return None
    return moment(_EPOCH + timedelta(seconds=round(seconds)), now)
