"""Patterns that people write for messages and names: letters stand for themselves, `*` for anything. Pure.

There is no other sign, so that nobody needs to know regular expressions, and the time to look for a pattern
grows with the text alone: each of its pieces is looked for once, behind the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from muster.errors import InvalidInput
from muster.naming import folded

PATTERN_LIMIT = 200
# What is read of a longer text.
TEXT_LIMIT = 10_000
ANYTHING = "*"


def clean_pattern(text: str) -> str:
    """A pattern as it is kept: trimmed, spaces single. InvalidInput when it says nothing or too much."""
    pattern = " ".join(text.split())
    if len(pattern) > PATTERN_LIMIT:
        raise InvalidInput(
            f"The pattern has {len(pattern)} characters.", remedy=f"At most {PATTERN_LIMIT} are looked for."
        )
    if not pattern.replace(ANYTHING, "").strip():
        raise InvalidInput("The pattern fits everything.", remedy="Leave it out, or give it a word.")
    return pattern


def contains(pattern: str, text: str) -> bool:
    """Whether the pattern's pieces stand somewhere in the text in this order, whatever their case."""
    return in_order([piece for piece in _pieces(pattern) if piece], readable(text))


def is_like(pattern: str, text: str) -> bool:
    """Whether the whole text looks like the pattern, whatever the case: `srv-*` begins with srv-."""
    wanted, whole = _pieces(pattern), readable(text)
    if len(wanted) == 1:
        return wanted[0] == whole
    first, last = wanted[0], wanted[-1]
    if len(first) + len(last) > len(whole) or not whole.startswith(first) or not whole.endswith(last):
        return False
    return in_order(wanted[1:-1], whole[len(first) : len(whole) - len(last)])


def in_order(pieces: Sequence[str], text: str) -> bool:
    """Whether the pieces stand in the text one behind the other. The first place of each is the best, so
    that none is looked for twice and no part of the text is read for two of them.
    """
    at = 0
    for piece in pieces:
        found = text.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return True


@lru_cache(maxsize=2_000)
def _pieces(pattern: str) -> tuple[str, ...]:
    return tuple(readable(piece) for piece in pattern.split(ANYTHING))


def readable(text: str) -> str:
    """A text as patterns read it: bounded, spaces single, without difference of case and width."""
    return " ".join(folded(text[:TEXT_LIMIT]).split())
