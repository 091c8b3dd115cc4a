"""The order of versions: whole, the same as that of the keys on both databases, and the vendors' own."""

import unicodedata
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import literal, select, union_all

from muster.db import Database
from muster.db.types import ByCodePoint
from muster.errors import InvalidInput
from muster.software.versions import FIRST_KEY, Operator, VersionBound, bound_of, compare, key

# Each is before the next one.
IN_ORDER = (
    *("", "Not Found", "unknown", "0.0-rc1", "0", "0.1", "1.0-dev1", "1.0-alpha", "1.0.0-beta2", "1.0beta10"),
    *("1.0-preview", "1.0-rc1", "1.0.0 RC2", "1.0", "1.0a", "1.0.1", "1.1.1", "1.1.1a", "1.1.1w", "1.1.1.1"),
    *("1.1.2", "1.9", "1.10", "2.22.0", "2.22.0.windows.1", "2.22.1", "3.0.9", "3.0.15", "20.013.20066"),
    *("2019.1.1", f"1{'0' * 30}", f"1{'0' * 60}"),
)
SAME = (
    ("3.0", "3.0.0", "3", "03.00", "v3.0", "Version 3", " 3.0 "),
    ("1.2.3-1", "1.2.3.1", "1_2,3+1", "1.2.3 1"),
    ("1.0-rc1", "1.0.0 RC 1", "1.0rc1"),
    ("1.1.1W", "1.1.1w", "1.1.1-w"),
    ("", " ", "."),
    ("٣.٤", "3.4", "3.4"),
)
# Texts as vendors write them, and texts as nobody should.
written = st.lists(
    st.sampled_from(["0", "1", "2", "9", "10", "007", "a", "w", "rc", "beta", "x", "windows", "Ä", "٣"])
    | st.integers(0, 10**40).map(str),
    max_size=6,
).flatmap(
    lambda parts: st.sampled_from([".", "-", " ", "+", "_", ",", ""]).map(lambda sign: sign.join(parts))
)
anything = written | st.text(max_size=30)


def test_versions_stand_in_their_order() -> None:
    mixed = (*IN_ORDER[1::2], *IN_ORDER[::2])
    assert sorted(mixed, key=key) == list(IN_ORDER)
    for first, second in pairwise(IN_ORDER):
        assert compare(first, second) == -1, (first, second)
        assert compare(second, first) == 1, (first, second)


@pytest.mark.parametrize("alike", SAME)
def test_spelling_tells_no_versions_apart(alike: tuple[str, ...]) -> None:
    for first, second in product(alike, alike):
        assert compare(first, second) == 0, (first, second)


@given(st.lists(st.integers(0, 10**40), min_size=1), st.lists(st.integers(0, 10**40), min_size=1))
def test_numbers_compare_as_numbers(first: list[int], second: list[int]) -> None:
    length = max(len(first), len(second))
    one, other = ([*each, *[0] * (length - len(each))] for each in (first, second))
    expected = (one > other) - (one < other)
    assert compare(".".join(map(str, first)), ".".join(map(str, second))) == expected


@given(st.lists(st.integers(0, 99), min_size=1, max_size=4), st.sampled_from("abwz"))
def test_letters_are_later_and_unfinished_things_earlier(numbers: list[int], letter: str) -> None:
    version = ".".join(map(str, numbers))
    assert compare(f"{version}{letter}", version) == 1
    assert compare(f"{version}.{'0.' * 3}1", f"{version}{letter}") == 1
    for word in ("alpha", "beta2", "rc1", "preview"):
        assert compare(f"{version}-{word}", version) == -1
        assert compare(f"{version}{letter}", f"{version}-{word}") == 1


@given(anything, anything, anything)
def test_the_order_is_whole(one: str, two: str, three: str) -> None:
    assert compare(one, one) == 0
    assert compare(one, two) == -compare(two, one)
    if compare(one, two) <= 0 and compare(two, three) <= 0:
        assert compare(one, three) <= 0
    if compare(one, two) == 0:
        assert compare(one, three) == compare(two, three)


@given(anything, st.sampled_from([".0", ".00", " ", ".0.0", "-"]))
def test_what_says_nothing_changes_nothing(version: str, ending: str) -> None:
    if version[-1:].isdecimal():
        assert key(version + ending) == key(version)


@given(anything)
def test_text_without_a_number_states_no_version(text: str) -> None:
    has_number = any(letter.isdecimal() for letter in unicodedata.normalize("NFKC", text))
    assert (key(text) >= FIRST_KEY) is has_number
    assert key(text).isprintable()
    assert compare("", text) <= 0


async def test_both_databases_sort_by_key_as_versions_compare(database: Database) -> None:
    texts = [*IN_ORDER, *(each for alike in SAME for each in alike), "1.0é", "1.0z", "1.0ß", "1.0漢", "1.0𝒜b"]
    keys = [key(text) for text in texts]
    rows = union_all(*(select(literal(each, ByCodePoint).label("key")) for each in keys)).subquery()
    async with database.read() as session:
        found = (await session.scalars(select(rows.c.key).order_by(rows.c.key))).all()
    assert list(found) == sorted(keys)


@pytest.mark.parametrize(
    ("op", "inside", "outside"),
    [
        ("<", ("3.0.9", "3.0.15-rc1", "1.1.1w"), ("3.0.15", "3.0.15.0", "3.1", "", "unknown")),
        ("<=", ("3.0.9", "3.0.15.0"), ("3.0.15a", "3.1", "")),
        ("=", ("3.0.15", "3.0.15.0", "v3.00.15"), ("3.0.1", "3.0.15a", "")),
        (">=", ("3.0.15", "3.0.15a", "10"), ("3.0.9", "3.0.15-beta", "")),
        (">", ("3.0.15a", "3.0.16"), ("3.0.15", "3.0.15.0", "unknown")),
    ],
)
def test_a_bound_holds_on_its_side(op: Operator, inside: tuple[str, ...], outside: tuple[str, ...]) -> None:
    bound = VersionBound(op, "3.0.15")
    assert [each for each in inside if not bound.holds(each)] == []
    assert [each for each in outside if bound.holds(each)] == []


def test_a_bound_is_read_as_it_is_written() -> None:
    assert bound_of("<3.0.15") == VersionBound("<", "3.0.15")
    assert bound_of(" >= 2 ") == VersionBound(">=", "2")
    assert bound_of("1.1.1w") == VersionBound("=", "1.1.1w")
    for nothing in ("", "<", "latest", "<= unknown"):
        with pytest.raises(InvalidInput, match="no version"):
            bound_of(nothing)
