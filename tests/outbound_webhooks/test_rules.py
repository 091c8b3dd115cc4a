"""When a delivery is tried again, and when a subscription is given up."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.errors import InvalidInput
from muster.outbound_webhooks import rules

START = datetime(2026, 11, 26, tzinfo=UTC)


@given(
    attempts=st.integers(1, 200),
    asked=st.none() | st.floats(0, 1e6),
    jitter=st.floats(0, 1, exclude_max=True),
)
def test_pauses_grow_and_are_bounded(attempts: int, asked: float | None, jitter: float) -> None:
    pause = rules.pause(attempts, asked, lambda: jitter)
    assert rules.FIRST_PAUSE / 2 <= pause <= rules.LONGEST_PAUSE
    assert rules.pause(attempts + 1, asked, lambda: jitter) >= pause
    if asked is not None:
        assert pause >= timedelta(seconds=min(asked, rules.LONGEST_PAUSE.total_seconds()))


@given(jitter=st.floats(0, 1, exclude_max=True))
def test_a_delivery_is_tried_for_a_day_and_a_bounded_number_of_times(jitter: float) -> None:
    moments = [START]
    while (after := rules.next_attempt(START, moments[-1], len(moments), None, lambda: jitter)) is not None:
        moments.append(after)
    assert moments[-1] <= START + timedelta(days=1)
    assert moments[-1] >= START + timedelta(hours=19)
    assert 10 <= len(moments) <= 25


@pytest.mark.parametrize(
    ("failing_days", "failures", "off"),
    [(4.9, 500, False), (5, 9, False), (5, 10, True), (None, 500, False)],
)
def test_long_failure_switches_off(failing_days: float | None, failures: int, off: bool) -> None:
    since = None if failing_days is None else START - timedelta(days=failing_days)
    assert rules.is_to_be_disabled(since, failures, START) is off


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com",
        "https://hooks.example.com:8443/a/b?c=d",
        "https://[2001:db8::1]/x",
        "https://10.0.0.1/x",
    ],
)
def test_addresses_that_can_be_one(url: str) -> None:
    assert rules.clean_url(f"  {url} ", plain_allowed=False) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.com",
        "ftp://hooks.example.com",
        "https://",
        "https://user:word@hooks.example.com",
        "https://user@hooks.example.com",
        "https://hooks.example.com:99999/",
        "https://hooks.example.com:0/",
        "https://hooks.example.com/a b",
        "https://hooks.example.com\\@10.0.0.1/",
        "https://hooks.exämple.com/",
        "https://hooks.example.com/\n",
        "https://[::1",
        "https://hooks.example.com/" + "a" * 2_000,
        "javascript:alert(1)",
        "http://hooks.example.com",
    ],
)
def test_addresses_that_cannot(url: str) -> None:
    if url.endswith("\n"):
        url = url.replace("/\n", "/\nx")
    with pytest.raises(InvalidInput) as refused:
        rules.clean_url(url, plain_allowed=False)
    assert refused.value.field == "url"


def test_http_where_the_operator_named_networks() -> None:
    assert rules.clean_url("http://10.0.0.1/x#part", plain_allowed=True) == "http://10.0.0.1/x"
