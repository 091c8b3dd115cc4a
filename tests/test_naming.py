"""Names: what is accepted, and when two are the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.errors import InvalidInput
from muster.naming import NAME_LIMIT, as_id, clean_name, name_key


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
