"""A JSON list cut into its elements as its bytes arrive: the list may be larger than the memory.

Only quotes and brackets are looked at; whether an element is JSON is for who decodes it to say. The elements
have to be objects, as those of every list of the server are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

_SPACE = re.compile(rb"[ \t\r\n]*+")
# Up to the next bracket, over whole strings; and to the end of a string. Possessive: nothing is tried twice.
_PLAIN = re.compile(rb'[^"{}\[\]]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"{}\[\]]*+)*+', re.DOTALL)
_TEXT = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_OPENING, _CLOSING, _QUOTE = b"{[", b"}]", b'"'[0]


class _Place(Enum):
    START = auto()
    FIRST = auto()
    ELEMENT = auto()
    AFTER = auto()
    NEXT = auto()
    END = auto()


# What may stand between the elements, and where it leads.
_TURNS = {
    (_Place.START, b"["): _Place.FIRST,
    (_Place.FIRST, b"]"): _Place.END,
    (_Place.FIRST, b"{"): _Place.ELEMENT,
    (_Place.AFTER, b","): _Place.NEXT,
    (_Place.AFTER, b"]"): _Place.END,
    (_Place.NEXT, b"{"): _Place.ELEMENT,
}


@dataclass(frozen=True, slots=True)
class Piece:
    """An element where it stands, in bytes. `content` is None where it is larger than was to be kept."""

    offset: int
    length: int
    content: bytes | None


class Cutter:
    """Gives the elements of one list, of which each takes at most `most` bytes of memory.

    `malformed_at` is the byte from which on it is no list of objects; nothing after it is looked at.
    """

    def __init__(self, most: int) -> None:
        self.malformed_at: int | None = None
        self._most = most
        self._place = _Place.START
        self._buffer = b""
        # Where in the list the buffer begins, and in the buffer the next byte to look at.
        self._offset = 0
        self._at = 0
        self._begun_at = 0
        self._depth = 0
        self._in_text = False

    @property
    def is_list(self) -> bool:
        """Whether at least the beginning of a list was there."""
        return self._place is not _Place.START

    @property
    def is_whole(self) -> bool:
        """Whether the list came to its end and nothing follows it."""
        return self._place is _Place.END and self.malformed_at is None

    def feed(self, block: bytes) -> Iterator[Piece]:
        """The elements that end in this block, the next of the body."""
        if self.malformed_at is not None:
            return
        self._buffer = self._kept() + block
        while self._go_on():
            if self._depth == 0 and self._place is _Place.ELEMENT:
                self._place = _Place.AFTER
                yield self._piece()

    def _kept(self) -> bytes:
        """What of the buffer is still needed: an element that has begun, unless it is too large."""
        since = self._at
        if self._place is _Place.ELEMENT and self._offset + self._at - self._begun_at <= self._most:
            since = self._begun_at - self._offset
        kept = self._buffer[since:]
        self._offset += since
        self._at -= since
        return kept

    def _piece(self) -> Piece:
        start, length = self._begun_at - self._offset, self._offset + self._at - self._begun_at
        fits = start >= 0 and length <= self._most
        return Piece(self._begun_at, length, self._buffer[start : self._at] if fits else None)

    def _go_on(self) -> bool:
        """To the next thing that means something; False when more bytes are needed, or none are any more."""
        if self._place is not _Place.ELEMENT:
            return self._turn()
        pattern = _TEXT if self._in_text else _PLAIN
        at = self._at = _end(pattern, self._buffer, self._at)
        if at == len(self._buffer):
            return False
        found = self._buffer[at]
        if found == _QUOTE:
            self._in_text = not self._in_text
        elif found in _OPENING:
            self._depth += 1
        elif found in _CLOSING:
            self._depth -= 1
        else:
            # A backslash whose character has not come yet.
            return False
        self._at += 1
        return True

    def _turn(self) -> bool:
        at = self._at = _end(_SPACE, self._buffer, self._at)
        found = self._buffer[at : at + 1]
        if not found:
            return False
        turn = _TURNS.get((self._place, found))
        if turn is None:
            self.malformed_at = self._offset + at
            return False
        self._place = turn
        if turn is _Place.ELEMENT:
            self._begun_at, self._depth = self._offset + at, 1
        self._at += 1
        return True


def _end(pattern: re.Pattern[bytes], buffer: bytes, at: int) -> int:
    match = pattern.match(buffer, at)
    # Each of them may match nothing, so that it always matches.
    return at if match is None else match.end()
