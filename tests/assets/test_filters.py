"""Filters in an address: read as they were written, refused where nobody knows them."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.assets import filters
from muster.assets.index import address_number, search_keys
from muster.assets.schemas import AssetSort
from muster.errors import InvalidInput
from muster.providers.contract import AgentStatus, AssetType
from muster.web.paging import address

NOW = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
CLIENT = "0199f0a3-0000-7000-8000-000000000001"

flags = st.sampled_from(["yes", "no"])
queries = st.fixed_dictionaries(
    {},
    optional={
        "q": st.text(min_size=1, max_size=50).filter(str.strip),
        "client": st.just(CLIENT),
        "status": st.lists(st.sampled_from([s.value for s in AgentStatus]), min_size=1, unique=True),
        "type": st.sampled_from([t.value for t in AssetType]),
        "platform": st.lists(st.sampled_from(list(filters.PLATFORM_WORDS)), min_size=1, unique=True),
        "provider": st.just("tacticalrmm"),
        "integration": st.just(CLIENT),
        "seen": st.builds("{}-{}".format, st.sampled_from(["within", "older"]), st.integers(1, 9999)),
        "reboot": flags,
        "maintenance": flags,
        "missing": flags,
        "retired": st.sampled_from(["yes", "all"]),
        "sort": st.sampled_from([f"{sign}{sort.value}" for sort in AssetSort for sign in ("", "-")]),
    },
)


@given(queries)
def test_an_address_that_was_made_of_a_query_is_read_as_the_same(given_query: dict[str, object]) -> None:
    items = [
        (name, one)
        for name, value in given_query.items()
        for one in ([value] if isinstance(value, str) else value)  # type: ignore[attr-defined]
    ]
    query = filters.read(items, NOW)
    link = address("/assets", query.address)
    again = filters.read(parse_qsl(urlsplit(link).query), NOW)
    assert again == query
    assert query.count == len(given_query.keys() - {"sort"})


def test_every_filter_narrows() -> None:
    plain = filters.read([], NOW).wanted
    assert plain.retired is False
    given_values = {
        "q": "x",
        "client": CLIENT,
        "status": "overdue",
        "type": "server",
        "platform": "linux",
        "provider": "tacticalrmm",
        "integration": CLIENT,
        "seen": "older-7",
        "reboot": "yes",
        "maintenance": "no",
        "missing": "yes",
        "retired": "yes",
    }
    for name, value in given_values.items():
        assert filters.read([(name, value)], NOW).wanted != plain, name
    assert filters.read([("client", CLIENT), ("site", "HQ")], NOW).wanted.site == "HQ"
    assert {field.key for field in filters.FIELDS} == given_values.keys() - {"q"} | {"site"}


def test_last_seen_counts_days_back_from_now() -> None:
    within = filters.read([("seen", "within-2")], NOW).wanted
    assert (within.seen_since, within.unseen_since) == (NOW - timedelta(days=2), None)
    older = filters.read([("seen", "older-30")], NOW).wanted
    assert (older.seen_since, older.unseen_since) == (None, NOW - timedelta(days=30))


@pytest.mark.parametrize(
    ("items", "hint"),
    [
        ([("status", "asleep")], "overdue"),
        ([("type", "printer")], "workstation"),
        ([("platform", "beos")], "linux"),
        ([("provider", "nobody")], "tacticalrmm"),
        ([("client", "Contoso")], "Choose"),
        ([("integration", "1")], "Choose"),
        ([("seen", "older-0")], "older-30"),
        ([("seen", "yesterday")], "within-7"),
        ([("reboot", "maybe")], "yes, no"),
        ([("missing", "1")], "yes, no"),
        ([("retired", "yes,no")], "yes, all"),
        ([("sort", "colour")], "last_seen"),
        ([("site", "HQ")], "client"),
        ([("page", "two")], "first page"),
        ([("colour", "red")], "status"),
        ([("q", "x" * 201)], "200"),
    ],
)
def test_what_nobody_knows_is_refused_with_what_there_is(items: list[tuple[str, str]], hint: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        filters.read(items, NOW)
    assert hint in str(refused.value)


@given(st.ip_addresses(v=4), st.ip_addresses(v=4))
def test_addresses_stand_in_the_order_of_their_numbers(one: object, other: object) -> None:
    assert (address_number(str(one)) < address_number(str(other))) == (one < other)  # type: ignore[operator]


@given(
    st.one_of(
        st.text(),
        st.ip_addresses(v=6).map(str),
        st.sampled_from(["1.2.3", "1.2.3.256", "1.2.3.4.5", "1.2.3.x"]),
    )
)
def test_only_ipv4_has_a_number(text: str) -> None:
    number = address_number(text)
    assert number is None or text.count(".") == 3


def test_a_search_is_looked_for_in_both_spellings() -> None:
    assert search_keys("  Müller ") == ("mueller", "muller")
    assert search_keys("MÜLLER") == search_keys("müller")
    assert search_keys("   ") == ()
