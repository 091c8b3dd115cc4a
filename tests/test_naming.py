"""Names: what is accepted, and when two are the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.errors import InvalidInput
from muster.naming import NAME_LIMIT, as_id, clean_name, is_found, name_key, parts_around, sort_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Contoso Ltd", "  CONTOSO   ltd "),
        ("Straße", "STRASSE"),
        ("Cafe\u0301", "caf\u00e9"),
        ("ＡＣＭＥ", "acme"),
        ("ﬁnance", "FINANCE"),
    ],
)
def test_the_same_name_in_other_letters(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


def test_accents_tell_names_apart() -> None:
    assert name_key("Muller") != name_key("Müller")


@pytest.mark.parametrize("bad", ["", "   ", "a\x1b[31m", "two\nlines", "tab\tbed", "\u2028", "x" * 201])
def test_unusable_names_are_refused(bad: str) -> None:
    with pytest.raises(InvalidInput):
        clean_name(bad, what="the client")


@given(st.text(max_size=250))
def test_a_cleaned_name_is_clean_and_its_key_is_stable(text: str) -> None:
    try:
        name = clean_name(text, what="it")
    except InvalidInput:
        return
    assert clean_name(name, what="it") == name
    assert 0 < len(name) <= NAME_LIMIT
    assert name_key(name_key(name)) == name_key(name)


def test_only_the_usual_spelling_is_an_id() -> None:
    text = "0199f0a3-0000-7000-8000-000000000001"
    assert str(as_id(text)) == text
    assert str(as_id(text.upper())) == text
    assert as_id(text.replace("-", "")) is None
    assert as_id("Contoso") is None
    assert as_id("g" * 36) is None


@pytest.mark.parametrize(
    ("wanted", "name", "found"),
    [
        ("ueberm", "Übermut & Söhne", "Überm"),
        ("uberm", "Bäckerei Übermann", "Überm"),
        ("ÜBERM", "Uebermut", "Ueberm"),
        ("soh", "Übermut & Söhne", "Söh"),
        ("strasse", "Hauptstraße 1", "straße"),
        ("東", "株式会社東", "東"),
        ("  mut  ", "Übermut", "mut"),
    ],
)
def test_a_search_finds_however_umlauts_are_spelt(wanted: str, name: str, found: str) -> None:
    assert is_found(wanted, name)
    before, middle, after = parts_around(wanted, name)
    assert middle == found
    assert before + middle + after == name


def test_a_search_does_not_find_what_is_not_there() -> None:
    assert not is_found("ueberm", "Ubermut")
    assert not is_found("か", "が")
    assert parts_around("x", "Contoso") == ("Contoso", "", "")
    assert parts_around("", "Contoso") == ("Contoso", "", "")


@given(st.text(max_size=40), st.text(max_size=6))
def test_what_is_found_is_part_of_the_name(name: str, wanted: str) -> None:
    before, middle, after = parts_around(wanted, name)
    assert before + middle + after == name
    assert not middle or is_found(wanted, name)


def test_names_are_sorted_as_people_look_for_them() -> None:
    names = ["Zeta", "alpha", "Ångström", "Übermut", "Beta", "Vera"]
    assert sorted(names, key=sort_key) == ["alpha", "Ångström", "Beta", "Übermut", "Vera", "Zeta"]
