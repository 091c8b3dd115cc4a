"""Cutting a list that is larger than the memory: whatever it holds, however it arrives."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.providers.tacticalrmm.cutting import Cutter, Piece

MOST = 10_000
NASTY = st.text(st.sampled_from('ab",:\\{}[] \n/é\u2028😀'), max_size=12)
SCALARS = st.none() | st.booleans() | st.integers(-9, 10**20) | st.floats(allow_nan=False) | NASTY
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NASTY, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(NASTY, VALUES, max_size=5)
STYLES = st.sampled_from(
    [{"separators": (",", ":")}, {"indent": 1}, {"ensure_ascii": False}, {"separators": (" , ", " : ")}]
)


def cut(body: bytes, sizes: Sequence[int] = (), most: int = MOST) -> tuple[Cutter, list[Piece]]:
    """Feed a body in blocks of these sizes, over and over; without any in one."""
    cutter, at = Cutter(most), 0
    pieces: list[Piece] = []
    while at < len(body):
        for size in sizes or [len(body)]:
            pieces += cutter.feed(body[at : at + size])
            at += size
    return cutter, pieces


@given(st.lists(OBJECTS, max_size=6), STYLES, st.lists(st.integers(1, 40), max_size=5))
def test_every_element_is_found_where_it_stands(
    elements: list[Any], style: dict[str, Any], sizes: list[int]
) -> None:
    body = json.dumps(elements, **style).encode()
    cutter, pieces = cut(body, sizes)
    assert [json.loads(piece.content or b"") for piece in pieces] == elements
    for piece in pieces:
        assert piece.content == body[piece.offset : piece.offset + piece.length]
    assert cutter.is_whole
    assert cutter.malformed_at is None


@given(st.lists(OBJECTS, max_size=4), st.data(), st.lists(st.integers(1, 40), max_size=3))
def test_a_list_that_is_cut_off_is_never_whole(
    elements: list[Any], data: st.DataObject, sizes: list[int]
) -> None:
    body = json.dumps(elements).encode()
    end = data.draw(st.integers(0, len(body) - 1))
    cutter, pieces = cut(body[:end], sizes)
    found = [json.loads(piece.content or b"") for piece in pieces]
    assert found == elements[: len(found)]
    assert not cutter.is_whole
    assert cutter.malformed_at is None


BYTES = st.binary(max_size=60) | st.text(st.sampled_from('[]{}",\\ x1'), max_size=60).map(str.encode)


@given(BYTES, st.lists(st.integers(1, 7), max_size=4))
def test_how_any_bytes_arrive_makes_no_difference(body: bytes, sizes: list[int]) -> None:
    at_once, pieces = cut(body)
    cutter, same = cut(body, sizes)
    assert same == pieces
    assert (cutter.is_list, cutter.is_whole) == (at_once.is_list, at_once.is_whole)
    assert cutter.malformed_at == at_once.malformed_at
    for piece in pieces:
        assert piece.content == body[piece.offset : piece.offset + piece.length]
        assert piece.content[:1] == b"{"
        assert piece.content[-1:] in {b"}", b"]"}


@given(st.integers(1, 300), st.integers(0, 600))
def test_an_element_that_is_too_large_is_left_out_and_the_others_stand(block: int, length: int) -> None:
    """Its text is full of what would end it, were it not text."""
    large = {"text": ('"},{\\' * 200)[:length]}
    elements = [{"a": 1}, large, {"b": [{}]}]
    body = json.dumps(elements).encode()
    size = len(json.dumps(large))
    cutter, pieces = cut(body, [block], most=100)
    assert [piece.length for piece in pieces] == [8, size, 11]
    assert [piece.offset for piece in pieces] == [1, 11, body.index(b'{"b"')]
    assert [piece.content is None for piece in pieces] == [False, size > 100, False]
    assert cutter.is_whole


def test_what_is_held_is_bounded() -> None:
    cutter = Cutter(1_000)
    block = b"x" * 500
    assert not list(cutter.feed(b'[{"a":"'))
    for _ in range(1_000):
        assert not list(cutter.feed(block))
        assert len(cutter._buffer) <= 1_000 + 2 * len(block)
    (piece,) = cutter.feed(b'"}]')
    assert (piece.offset, piece.length, piece.content) == (1, 500_008, None)
    assert cutter.is_whole


@pytest.mark.parametrize(
    ("body", "is_list", "malformed_at", "elements"),
    [
        (b"", False, None, 0),
        (b" \n", False, None, 0),
        (b"null", False, 0, 0),
        (b'{"results":[]}', False, 0, 0),
        (b"\xef\xbb\xbf[]", False, 0, 0),
        (b"[", True, None, 0),
        (b"[1]", True, 1, 0),
        (b"[[{}]]", True, 1, 0),
        (b'[{},"x",{}]', True, 4, 1),
        (b"[{} {}]", True, 4, 1),
        (b"[{},]", True, 4, 1),
        (b"[,{}]", True, 1, 0),
        (b"[{}]]", True, 4, 1),
        (b"[{}]\n", True, None, 1),
        (b'[{}] {"x":1}', True, 5, 1),
        (b'[{"a":1},{"a":"\\', True, None, 1),
    ],
)
def test_what_is_no_list_of_objects(
    body: bytes, is_list: bool, malformed_at: int | None, elements: int
) -> None:
    for sizes in ((), (1,)):
        cutter, pieces = cut(body, sizes)
        assert (cutter.is_list, cutter.malformed_at, len(pieces)) == (is_list, malformed_at, elements)
        assert cutter.is_whole == (body == b"[{}]\n")


@pytest.mark.parametrize(
    "pattern", [b'"\\\\', b'"', b"\\", b'{"', b'[{"a":"', b'\\"', b"x", b"{[", b"}", b'","']
)
def test_megabytes_of_anything_are_worked_through(pattern: bytes) -> None:
    """Were bytes tried again for each that comes, as regular expressions may, this would take hours."""
    body = b'[{"a":' + pattern * (1_000_000 // len(pattern))
    cutter, _ = cut(body, [70_001], most=300_000)
    assert not cutter.is_whole
