"""Simulated time: what stands still stays equal, what moves never moves back."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.simulator import FleetSpec, SimulatorServer
from muster.simulator.clock import SimulatedClock, to_microseconds
from muster.simulator.dice import Dice
from muster.simulator.presence import MINUTE, draw
from tests.simulator.conftest import AT

Ask = Callable[..., httpx2.Response]


@given(
    seed=st.integers(0, 10**6),
    start=st.integers(10**15, 4 * 10**15),
    steps=st.lists(st.integers(0, 10**10), max_size=20),
)
def test_an_agent_is_never_seen_in_the_future_and_never_unseen(
    seed: int, start: int, steps: list[int]
) -> None:
    presence = draw(Dice(seed, "agent", 1), start)
    now, before = start, presence.last_seen(start)
    for step in steps:
        now += step
        seen = presence.last_seen(now)
        assert (seen is None) == (before is None)
        if seen is not None and before is not None:
            assert before <= seen <= now
        before = seen


@given(seed=st.integers(0, 10**6))
def test_who_comes_and_goes_is_at_times_silent_and_at_times_not(seed: int) -> None:
    presence = draw(Dice(seed, "agent", 1), 10**15)
    if presence.kind == "comes_and_goes":
        silences = []
        for minute in range(presence.cycle // MINUTE + 1):
            now = 10**15 + minute * MINUTE
            seen = presence.last_seen(now)
            assert seen is not None
            silences.append(now - seen)
        assert min(silences) < 2 * MINUTE
        assert max(silences) > 15 * MINUTE


def test_frozen_time_stands_in_the_date_header_and_in_the_rows(server: SimulatorServer, ask: Ask) -> None:
    first, second = ask("/agents/"), ask("/agents/")
    dates = [parsedate_to_datetime(answer.headers["date"]) for answer in (first, second)]
    assert dates == [AT.replace(microsecond=0)] * 2

    def by_id(answer: httpx2.Response) -> dict[str, object]:
        return {row["agent_id"]: row for row in answer.json()}

    assert by_id(first) == by_id(second)
    # Without ORDER BY the order is another one each time, and the same again on an equal server.
    assert [row["agent_id"] for row in first.json()] != [row["agent_id"] for row in second.json()]
    with SimulatorServer(server.fleet.spec, at=AT, frozen=True) as twin:
        again = httpx2.get(f"{twin.url}/agents/", headers={"X-API-KEY": twin.api_key})
        assert again.content == first.content


def test_a_silenced_agent_goes_offline_then_overdue_and_comes_back(server: SimulatorServer, ask: Ask) -> None:
    fleet, agent = server.fleet, server.fleet.edit(1, offline_time=4, overdue_time=30)
    fleet.wake(agent)

    def status() -> str:
        rows = ask("/agents/").json()
        return str(next(row["status"] for row in rows if row["agent_id"] == agent.agent_id))

    seen = []
    fleet.silence(agent)
    for minutes in (0, 6, 40):
        server.clock.advance(timedelta(minutes=minutes))
        seen.append(status())
    fleet.wake(agent)
    seen.append(status())
    assert seen == ["online", "offline", "overdue", "online"]
    assert parsedate_to_datetime(ask("/").headers["date"]) - AT > timedelta(minutes=45)


def test_moving_time_moves() -> None:
    moving = SimulatedClock(AT)
    first = moving.now_us()
    moving.advance(timedelta(hours=1))
    assert moving.now_us() - first >= 3_600_000_000
    moving.freeze()
    assert moving.now_us() == moving.now_us()


def test_time_runs_forwards_and_has_a_zone() -> None:
    with pytest.raises(ValueError, match="forwards"):
        SimulatedClock(AT).advance(timedelta(seconds=-1))
    with pytest.raises(ValueError, match="no time zone"):
        to_microseconds(datetime(2030, 1, 1))  # noqa: DTZ001


def test_a_server_without_a_given_moment_starts_now() -> None:
    with SimulatorServer(FleetSpec(agents=1)) as server:
        date = parsedate_to_datetime(httpx2.get(server.url).headers["date"])
    assert abs(date - datetime.now(UTC)) < timedelta(minutes=1)
