"""Patterns find what people mean, and cost no more for being nasty."""

import fnmatch
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.alerts import patterns
from muster.errors import InvalidInput

letters = st.text(alphabet="abAB ä.[]?(\\", max_size=30)
wild = st.text(alphabet="ab *", min_size=1, max_size=20)


class Counted(str):
    """A text that counts the letters that are looked through in it."""

    looks = 0

    def find(self, *args: Any) -> int:
        at = args[1]
        found = super().find(*args)
        Counted.looks += (len(self) if found < 0 else found + len(args[0])) - at
        return found


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("disk", "The Disk is full", True),
        ("disk*full", "The DISK C: is Full", True),
        ("full*disk", "The disk is full", False),
        ("disk  full", "disk full", True),
        ("Straße", "Hauptstrasse 3", True),
        ("übermut", "ÜBERMUT GmbH", True),
        ("a.c", "abc", False),
        ("[x]", "an [x] there", True),
        ("disk", "", False),
    ],
)
def test_contains(pattern: str, text: str, found: bool) -> None:
    assert patterns.contains(pattern, text) is found


@pytest.mark.parametrize(
    ("pattern", "name", "alike"),
    [
        ("srv-*", "SRV-01", True),
        ("srv-*", "my-srv-01", False),
        ("*-01", "SRV-01", True),
        ("srv*01", "SRV-01", True),
        ("srv*01", "SRV-010", False),
        ("ab*ba", "aba", False),
        ("ab*ba", "abba", True),
        ("SRV-01", "srv-01", True),
        ("srv", "srv-01", False),
        ("a*b*c", "aXbXc", True),
    ],
)
def test_is_like(pattern: str, name: str, alike: bool) -> None:
    assert patterns.is_like(pattern, name) is alike


@given(pattern=wild, text=st.text(alphabet="ab", max_size=30))
def test_whole_names_are_compared_as_shells_do(pattern: str, text: str) -> None:
    pattern = pattern.replace(" ", "")
    if not pattern:
        return
    assert patterns.is_like(pattern, text) == fnmatch.fnmatchcase(text, pattern)


@given(before=letters, word=letters, after=letters)
def test_what_stands_in_a_text_is_found_and_nothing_is_a_sign(before: str, word: str, after: str) -> None:
    if not word.strip():
        return
    text = f"{before} {word} {after}"
    assert patterns.contains(word, text)
    assert patterns.contains(word.swapcase(), text)
    assert patterns.is_like(f"*{word}*", text)


@given(pieces=st.lists(st.text(alphabet="ab", min_size=1, max_size=4), min_size=1, max_size=6))
def test_pieces_stand_in_order(pieces: list[str]) -> None:
    text = "-".join(pieces)
    assert patterns.contains("*".join(pieces), text)
    expression = ".*".join(map(re.escape, reversed(pieces)))
    assert patterns.contains("*".join(reversed(pieces)), text) == bool(re.search(expression, text))


@given(
    pieces=st.lists(st.text(alphabet="ab", min_size=1, max_size=8), min_size=1, max_size=60),
    text=st.text(alphabet="ab", max_size=2_000),
)
def test_no_part_of_a_text_is_looked_through_twice(pieces: list[str], text: str) -> None:
    Counted.looks = 0
    patterns.in_order(pieces, Counted(text))
    assert Counted.looks <= len(text)


def test_the_pattern_that_breaks_backtracking_costs_the_length_of_the_text() -> None:
    Counted.looks = 0
    # A regular expression a.*a.*a...b tries about 10,000 over 90 ways here.
    assert not patterns.in_order(["a"] * 90 + ["b"], Counted("a" * 10_000))
    assert Counted.looks <= 10_000


def test_of_a_long_text_the_beginning_is_read() -> None:
    assert patterns.contains("end", "x" * (patterns.TEXT_LIMIT - 3) + "end")
    assert not patterns.contains("end", "x" * patterns.TEXT_LIMIT + "end")


@pytest.mark.parametrize("text", ["", "   ", "*", "* *", "a" * 201])
def test_patterns_that_say_nothing_or_too_much_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        patterns.clean_pattern(text)


def test_a_pattern_is_kept_trimmed() -> None:
    assert patterns.clean_pattern("  disk   full ") == "disk full"
