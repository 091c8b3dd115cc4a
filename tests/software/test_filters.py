"""Filters of software in an address: read as they were written, refused where nobody knows them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.errors import InvalidInput
from muster.software import filters, words
from muster.software.schemas import InstallSort, TitleSort
from muster.software.versions import VersionBound
from muster.web.paging import address

NOW = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
SOME = UUID("0199f0a3-0000-7000-8000-000000000001")

texts = st.text(min_size=1, max_size=50).filter(str.strip)
versions = st.builds("{}.{}".format, st.integers(0, 99), st.integers(0, 99))
operators = st.sampled_from(list(words.OPERATORS))


def sorts(known: type[TitleSort] | type[InstallSort]) -> st.SearchStrategy[str]:
    return st.sampled_from([f"{sign}{sort.value}" for sort in known for sign in ("", "-")])


def again(query: Any, path: str = filters.PATH) -> list[tuple[str, str]]:
    """What the address says that was made of a query."""
    return parse_qsl(urlsplit(address(path, query.address)).query)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "q": texts,
            "publisher": texts,
            "version": versions,
            "op": operators,
            "client": st.just(str(SOME)),
            "sort": sorts(TitleSort),
            "rows": st.sampled_from(["25", "100"]),
        },
    )
)
def test_an_address_made_of_a_search_is_read_as_the_same(asked: dict[str, str]) -> None:
    query = filters.titles(asked.items())
    assert filters.titles(again(query)) == query


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "version": versions,
            "op": operators,
            "exact": st.just(str(SOME)),
            "client": st.just(str(SOME)),
            "sort": sorts(InstallSort),
        },
    )
)
def test_an_address_made_of_a_filter_of_machines_is_read_as_the_same(asked: dict[str, str]) -> None:
    query = filters.machines(asked.items(), SOME)
    assert filters.machines(again(query), SOME) == query
    assert query.wanted.software_id == SOME
    assert query.wanted.removed is False


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "kind": st.sampled_from(list(words.KINDS)),
            "days": st.sampled_from(list(words.DAYS)),
            "client": st.just(str(SOME)),
            "title": st.just(str(SOME)),
            "asset": st.just(str(SOME)),
        },
    )
)
def test_an_address_made_of_a_filter_of_changes_is_read_as_the_same(asked: dict[str, str]) -> None:
    query = filters.changes(asked.items(), NOW)
    assert filters.changes(again(query), NOW) == query
    assert query.wanted.kind == asked.get("kind")
    days = words.DAYS[asked.get("days", "7")].days
    assert query.wanted.since == (None if days is None else NOW - timedelta(days=days))


@pytest.mark.parametrize(("name", "sign"), words.SIGNS.items())
def test_every_operator_is_a_bound(name: str, sign: Any) -> None:
    query = filters.titles([("version", "3.0.15"), ("op", name)])
    assert query.wanted.bound == VersionBound(sign, "3.0.15")
    assert filters.machines(again(query), SOME).wanted.bound == query.wanted.bound


@pytest.mark.parametrize(
    ("typed", "title", "sign", "version"),
    [
        ("OpenSSL below 3.0.15", "OpenSSL", "<", "3.0.15"),
        ("openssl < 3.0.15", "openssl", "<", "3.0.15"),
        ("openssl <3.0.15", "openssl", "<", "3.0.15"),
        ("7-Zip at least 19", "7-Zip", ">=", "19"),
        ("Mozilla Firefox At Most v128.0", "Mozilla Firefox", "<=", "v128.0"),
        ("Git = 2.22.0.windows.1", "Git", "=", "2.22.0.windows.1"),
        ("Java 8 Update above 8.0.4", "Java 8 Update", ">", "8.0.4"),
    ],
)
def test_a_search_is_understood_as_it_is_typed(typed: str, title: str, sign: Any, version: str) -> None:
    query = filters.titles([("q", typed)])
    assert query.wanted.search == query.search == title
    assert query.wanted.bound == VersionBound(sign, version)
    assert query.count == 2
    assert filters.titles(again(query)) == query


@pytest.mark.parametrize("typed", ["below 3.0", "Down below", "Microsoft Visual C++ 2008", "3.0.15", "<b>"])
def test_a_search_that_names_no_version_is_one_for_a_title(typed: str) -> None:
    query = filters.titles([("q", typed)])
    assert (query.wanted.search, query.wanted.bound) == (typed, None)


def test_a_version_that_was_chosen_is_not_overruled_by_the_search() -> None:
    query = filters.titles([("q", "OpenSSL below 3"), ("version", "1.1"), ("op", "above")])
    assert query.wanted.search == "OpenSSL below 3"
    assert query.wanted.bound == VersionBound(">", "1.1")


def test_without_a_version_there_is_no_operator() -> None:
    query = filters.titles([("op", "below"), ("version", " ")])
    assert query.wanted.bound is None
    assert query.address == {}


def test_a_title_keeps_the_version_and_the_client_of_the_search() -> None:
    asked = {
        "q": "ssl",
        "version": "3",
        "op": "below",
        "client": str(SOME),
        "sort": "-machines",
        "rows": "50",
    }
    kept = filters.carried(filters.titles(asked.items()))
    assert kept == {"version": ["3"], "op": "below", "client": [str(SOME)]}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("op", "like"),
        ("version", "latest"),
        ("client", "Acme"),
        ("sort", "size"),
        ("page", "first"),
        ("publisher", "x" * 201),
        ("vendor", "Mozilla"),
    ],
)
def test_what_nobody_knows_is_refused(name: str, value: str) -> None:
    with pytest.raises(InvalidInput):
        filters.titles([(name, value)])


@pytest.mark.parametrize(
    ("name", "value"), [("kind", "renamed"), ("days", "8"), ("title", "7-Zip"), ("q", "x")]
)
def test_what_nobody_knows_of_changes_is_refused(name: str, value: str) -> None:
    with pytest.raises(InvalidInput):
        filters.changes([(name, value)], NOW)
