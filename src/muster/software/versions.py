"""The order of versions, whoever numbers them. Pure.

A version is numbers and words; what stands between them only keeps them apart. Compared part by part:

- numbers as numbers, however long; zeros before a number and ".0" after the last one change nothing;
- a word after a number is later (1.1.1w after 1.1.1a after 1.1.1) and before any further number (1.1.1.1);
- the words of something unfinished (alpha, beta, rc, ...) are earlier than nothing at all.

Text without a number states no version: it comes before all versions, and is in no bound.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, get_args

import msgspec

from muster.errors import InvalidInput

# The longer ones first: each is what a text may begin with.
Operator = Literal["<=", ">=", "<", ">", "="]

# The marks that parts of a key begin with, in the order of what they stand for; a number's are the capital
# letters, by how many digits it has. The letters of words come after all of them.
_NO_VERSION = " "
_UNFINISHED = "-"
_END = "."
_WORD = ":"
_NUMBER = ord("A")
_LONG = "Z"
_ZERO = "A"

# The first key of a version.
FIRST_KEY = "!"

_UNFINISHED_WORDS = {
    word: place
    for place, words in enumerate(
        (
            ("dev", "nightly", "snapshot", "canary"),
            ("alpha",),
            ("beta",),
            ("pre", "preview", "prerelease", "ctp", "eap"),
            ("rc", "cr"),
        )
    )
    for word in words
}
_PART = re.compile(r"(?P<number>\d+)|(?P<word>[^\W\d_]+)")
_LEAD = re.compile(r"v(?:er(?:sion)?)?[\s.:]*(?=\d)")


@lru_cache(maxsize=20_000)
def key(version: str) -> str:
    """Text that sorts by its characters' numbers as versions do; the same for those that differ in nothing
    but zeros, signs and case.
    """
    kept: list[str] = []
    zeros, numbers = "", 0
    for part in _parts(version):
        if part == _ZERO:
            # Nothing unless a number follows: 3.0 is 3, but 3.0.1 is not 3.1.
            zeros += part
        elif _is_number(part):
            kept += (zeros, part)
            zeros = ""
        else:
            kept.append(part)
            zeros = ""
        numbers += _is_number(part)
    if not numbers:
        return f"{_NO_VERSION}{''.join(kept)}" if kept else ""
    return f"{''.join(kept)}{_END}"


def compare(first: str, second: str) -> Literal[-1, 0, 1]:
    """How a version stands to another: before it, the same, after it."""
    one, other = key(first), key(second)
    if one == other:
        return 0
    return -1 if one < other else 1


class VersionBound(msgspec.Struct, frozen=True):
    """Versions on one side of a version, such as all below 3.0.15. InvalidInput where it has no number."""

    op: Operator
    version: str

    def __post_init__(self) -> None:
        """Refuse what nothing can be compared with."""
        if key(self.version) < FIRST_KEY:
            raise InvalidInput(
                f"{self.version[:60]!r} is no version that others can be compared with.",
                remedy="Give one with a number in it, such as 3.0.15.",
                code="version_invalid",
            )

    def holds(self, version: str) -> bool:
        """Whether a version is on this side."""
        if key(version) < FIRST_KEY:
            return False
        order = compare(version, self.version)
        match self.op:
            case "<":
                return order < 0
            case "<=":
                return order <= 0
            case "=":
                return order == 0
            case ">=":
                return order >= 0
            case ">":
                return order > 0


def bound_of(text: str) -> VersionBound:
    """The bound that somebody writes: "<3.0.15", ">= 2", or a version for that one. Refusals as for
    VersionBound.
    """
    text = text.strip()
    for op in get_args(Operator):
        if text.startswith(op):
            return VersionBound(op, text.removeprefix(op).strip())
    return VersionBound("=", text)


def _parts(version: str) -> Iterator[str]:
    """The keys of numbers and words, in their order."""
    text = _folded(version)
    lead = _LEAD.match(text)
    for found in _PART.finditer(text, lead.end() if lead else 0):
        digits = found["number"]
        if digits is not None:
            yield _number_key(_plain_digits(digits).lstrip("0"))
            continue
        word = found["word"]
        place = _UNFINISHED_WORDS.get(word)
        yield f"{_WORD}{word}" if place is None else f"{_UNFINISHED}{place}"


def _folded(version: str) -> str:
    # Folding and normalizing can undo each other; at the end no capital is left among the letters.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", version).casefold())
    return folded.lower().strip()


def _plain_digits(digits: str) -> str:
    return digits if digits.isascii() else "".join(str(unicodedata.decimal(digit)) for digit in digits)


def _number_key(digits: str) -> str:
    """A number, without zeros before it, after the number of its digits."""
    length = len(digits)
    if length < ord(_LONG) - _NUMBER:
        return chr(_NUMBER + length) + digits
    # The length of the length is one digit: no text is longer than that can say.
    return f"{_LONG}{len(str(length))}{length}{digits}"


def _is_number(part: str) -> bool:
    return "A" <= part[0] <= _LONG
