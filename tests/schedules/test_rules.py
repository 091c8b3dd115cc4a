"""When a schedule runs next, and what a failure means."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.errors import InvalidInput
from muster.schedules import kinds, rules
from muster.schedules.rules import Failure

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
IDS = st.uuids(version=4)
MINUTES = st.integers(1, 10_080)
MOMENTS = st.integers(0, 10 * 365 * 86_400 * 1000).map(lambda n: NOW + timedelta(milliseconds=n))


@given(IDS, MINUTES, MOMENTS)
def test_any_number_of_minutes_means_that_number_of_minutes(
    integration_id: UUID, minutes: int, now: datetime
) -> None:
    first = rules.first_run(integration_id, "devices_refresh", minutes, now)
    interval = timedelta(minutes=minutes)
    assert now < first <= now + interval
    # The tick comes up to a minute late, which must not move what follows.
    late = min(timedelta(seconds=59), interval / 2 - timedelta(seconds=1))
    second = rules.next_run(integration_id, "devices_refresh", minutes, first + late)
    assert second - first == interval


@given(IDS, MINUTES, MOMENTS, st.integers(0, 10_000))
def test_after_a_pause_of_any_length_there_is_one_run(
    integration_id: UUID, minutes: int, due: datetime, late: int
) -> None:
    now = due + timedelta(minutes=late)
    following = rules.next_run(integration_id, "devices_full", minutes, now)
    assert timedelta(minutes=minutes) / 2 < following - now <= timedelta(minutes=minutes) * 3 / 2


def test_integrations_do_not_all_fire_together() -> None:
    ids = [UUID(int=number << 64 | 1 << 63 | number) for number in range(1000)]
    firsts = [rules.first_run(each, "devices_refresh", 15, NOW) for each in ids]
    by_minute = [0] * 15
    for first in firsts:
        by_minute[int((first - NOW).total_seconds() // 60) % 15] += 1
    assert sum(by_minute) == 1000
    assert max(by_minute) < 130
    assert firsts == [rules.first_run(each, "devices_refresh", 15, NOW) for each in ids]


def test_a_transient_error_is_tried_again_ever_more_rarely() -> None:
    minutes = [rules.retry_delay(failures, 15).total_seconds() / 60 for failures in range(1, 9)]
    assert minutes == [15, 30, 60, 120, 240, 360, 360, 360]
    assert rules.retry_delay(1, 5) == timedelta(minutes=5)
    assert rules.retry_delay(1, 1440) == timedelta(minutes=15)
    assert rules.retry_delay(10_000, 15) == rules.LONGEST_RETRY


@given(st.integers(1, 10_000), MINUTES, st.floats(allow_nan=False))
def test_never_sooner_than_the_server_asked_and_never_for_ever(
    failures: int, minutes: int, retry_after: float
) -> None:
    delay = rules.retry_delay(failures, minutes, retry_after)
    assert timedelta(0) < delay <= rules.LONGEST_RETRY_AFTER
    if 0 < retry_after <= 86_400:
        assert delay >= timedelta(seconds=retry_after)


def test_errors_are_told_apart_by_code() -> None:
    assert rules.classify("key_expired") is Failure.CONFIGURATION
    assert rules.classify("permission_missing") is Failure.CONFIGURATION
    assert rules.classify("unavailable") is Failure.TRANSIENT
    assert rules.classify("throttled") is Failure.TRANSIENT
    assert rules.classify("what_nobody_knows") is Failure.TRANSIENT
    assert rules.classify("cancelled") is Failure.NONE


@pytest.mark.parametrize("code", ["invalid_credentials", "totp_required"])
def test_a_refused_login_is_never_repeated_by_itself(code: str) -> None:
    assert rules.next_probe(code, "password", NOW) is None
    assert rules.next_probe(code, None, NOW) is None
    assert rules.next_probe(code, "some_other_mode", NOW) is None
    assert rules.next_probe(code, "api_key", NOW) == NOW + rules.PROBE_EVERY


def test_other_pauses_are_looked_at_now_and_then() -> None:
    assert rules.next_probe("permission_missing", "password", NOW) == NOW + rules.PROBE_EVERY
    assert rules.next_probe("disconnected", "api_key", NOW) is None


def test_bounds_of_minutes() -> None:
    kind = kinds.get("devices-refresh")
    assert (kind.minutes, kind.least, kind.most) == (15, 5, 1440)
    for minutes in (5, 7, 1440):
        assert rules.check_minutes(kind, minutes) == minutes
    for minutes in (0, 4, 1441):
        with pytest.raises(InvalidInput):
            rules.check_minutes(kind, minutes)
    with pytest.raises(InvalidInput):
        kinds.get("nonsense")
