"""Samples of the fleet: taken once, thinned without loss of meaning, drawn without a lie."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from muster import clock
from muster.assets.fleet import rules
from muster.assets.fleet.chart import HEIGHT, WIDTH, ceiling, chart
from muster.assets.fleet.repository import FleetRepository
from muster.assets.fleet.rules import DAY, HOUR, QUARTER, RANGES, STATUSES, Sample
from muster.assets.fleet.sampler import FleetSampler
from muster.assets.fleet.service import FleetService
from muster.db import Database
from muster.simulator import FleetSpec, SimulatorServer
from muster.tenancy import TenantScope
from tests.support.world import World

NOW = datetime(2026, 11, 26, 10, 7, tzinfo=UTC)


def sample(at: datetime, online: int = 1, offline: int = 0, overdue: int = 0, unknown: int = 0) -> Sample:
    return Sample(sampled_at=at, online=online, offline=offline, overdue=overdue, unknown=unknown)


counts = st.integers(min_value=0, max_value=2000)
# Quarters of nearly three years; close ones are likely.
quarters_ago = st.one_of(st.integers(0, 500), st.integers(0, 4 * 24 * 1000))


@st.composite
def fleets(draw: st.DrawFn) -> list[Sample]:
    ago = draw(st.lists(quarters_ago, unique=True, max_size=60))
    start = rules.floor(NOW, QUARTER)
    return [sample(start - each * QUARTER, *draw(st.tuples(*[counts] * 4))) for each in ago]


def apply(samples: list[Sample], now: datetime) -> list[Sample]:
    """What stands in the table after thinning."""
    thinning = rules.thinned(samples, now)
    kept = {each.sampled_at: each for each in samples} | {each.sampled_at: each for each in thinning.write}
    assert not set(thinning.delete) & {each.sampled_at for each in thinning.write}
    return [each for moment, each in sorted(kept.items()) if moment not in set(thinning.delete)]


@given(fleets())
def test_thinning_again_changes_nothing(samples: list[Sample]) -> None:
    once = apply(samples, NOW)
    again = rules.thinned(once, NOW)
    assert (again.write, again.delete) == ([], [])


@given(fleets())
def test_what_is_left_is_as_dense_as_its_age_allows(samples: list[Sample]) -> None:
    left = apply(samples, NOW)
    for each in left:
        age = NOW - each.sampled_at
        assert age <= rules.GONE_AFTER
        if age > rules.DAYS_AFTER + DAY:
            assert each.sampled_at == rules.floor(each.sampled_at, DAY)
        elif age > rules.HOURS_AFTER + HOUR:
            assert each.sampled_at == rules.floor(each.sampled_at, HOUR)
    young = [each for each in samples if NOW - each.sampled_at < rules.HOURS_AFTER]
    assert [each for each in left if each in young] == sorted(young, key=lambda each: each.sampled_at)


@given(fleets())
def test_no_stretch_of_time_is_lost_or_invented(samples: list[Sample]) -> None:
    left = apply(samples, NOW)
    kept = [each for each in samples if each.sampled_at >= NOW - rules.GONE_AFTER]
    assert {rules.floor(each.sampled_at, DAY) for each in left} == {
        rules.floor(each.sampled_at, DAY) for each in kept
    }
    for status in STATUSES:
        before, after = ([getattr(each, status) for each in found] for found in (kept, left))
        if after:
            assert min(before) <= min(after)
            assert max(after) <= max(before) + 1


@given(fleets(), st.integers(0, 2000))
def test_thinning_every_hour_or_once_keeps_the_same_moments(samples: list[Sample], hours: int) -> None:
    later = NOW + hours * HOUR
    stepwise = apply(apply(samples, NOW), later)
    assert [each.sampled_at for each in stepwise] == [each.sampled_at for each in apply(samples, later)]


@given(st.lists(st.tuples(counts, counts, counts, counts), min_size=1, max_size=96))
@example(
    [
        (0, 0, 580, 32),
        (0, 0, 1996, 0),
        (0, 1, 2000, 2000),
        (1, 248, 2000, 2000),
        (58, 153, 125, 1841),
        (2000, 2000, 2000, 0),
    ]
)
def test_a_mean_is_of_whole_devices_and_adds_up(rows: list[tuple[int, int, int, int]]) -> None:
    found = rules.mean([sample(NOW, *row) for row in rows], NOW)
    assert found.total == round(sum(sum(row) for row in rows) / len(rows))
    for status, column in zip(STATUSES, zip(*rows, strict=True), strict=True):
        assert min(column) <= getattr(found, status) <= max(column) + 1


@given(fleets(), st.sampled_from(sorted(RANGES)))
def test_every_corner_of_the_picture_lies_in_it(samples: list[Sample], key: str) -> None:
    wanted = RANGES[key]
    drawn = chart(rules.series(samples, wanted, NOW), wanted, NOW)
    for area in drawn.areas:
        for corner in f"{area.outline} {area.edge}".split():
            across, down = map(float, corner.split(","))
            assert 0 <= across <= WIDTH
            assert 0 <= down <= HEIGHT
    places = [label.y for label in drawn.labels]
    assert all(below - above >= 17.9 for above, below in pairwise(places))
    assert len(drawn.rows) <= 25


@given(st.integers(0, 200_000))
def test_the_scale_ends_at_an_even_figure_just_above(count: int) -> None:
    top = ceiling(count)
    assert top >= max(count, 2)
    assert top % 2 == 0
    assert top <= max(2, count + count // 5 + 2)


def test_nothing_is_drawn_across_a_time_without_samples() -> None:
    wanted = RANGES["24h"]
    moments = [NOW - timedelta(hours=20), NOW - timedelta(hours=20) + QUARTER, NOW - timedelta(hours=2)]
    drawn = chart(rules.series([sample(each) for each in moments], wanted, NOW), wanted, NOW)
    assert len(drawn.areas) == 2


def test_an_unfinished_step_is_not_drawn_beside_finished_ones() -> None:
    wanted = RANGES["30d"]
    midnight = rules.floor(NOW, DAY)
    night, yesterday = sample(midnight, online=1), sample(midnight - HOUR, online=9)
    assert [each.online for each in rules.series([yesterday, night], wanted, NOW)] == [9]
    assert [each.online for each in rules.series([night], wanted, NOW)] == [1]


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(FleetSpec(agents=20, seed=2), frozen=True) as running:
        yield running


async def samples_of(database: Database, scope: TenantScope) -> list[Sample]:
    async with database.read() as session:
        return list(await FleetRepository(session, scope).samples(None, clock.now() + DAY))


async def test_any_number_of_workers_take_one_sample_a_quarter(
    database: Database, server: SimulatorServer
) -> None:
    world = await World.make(database)
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    await world.devices(integration_id)
    empty = await World.make(database, "Globex IT")
    before = rules.floor(clock.now(), QUARTER)
    samplers = [FleetSampler(database, world.box) for _ in range(2)]
    for _ in range(2):
        for sampler in samplers:
            await sampler.look()
    taken = await samples_of(database, world.scope)
    # A quarter may end while this runs.
    assert before == taken[0].sampled_at
    assert len(taken) <= 1 + (rules.floor(clock.now(), QUARTER) - before) // QUARTER
    async with database.read() as session:
        roll = await FleetService(session, world.scope).roll_call({})
    assert taken[0].total == roll.total == 20
    assert await samples_of(database, empty.scope) == [], "who has no assets has no samples"


async def test_two_workers_that_sample_at_the_same_moment_write_one_row(
    database: Database, server: SimulatorServer
) -> None:
    world = await World.make(database)
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    await world.devices(integration_id)
    at = rules.floor(clock.now(), QUARTER)
    for _ in range(2):
        async with database.write(world.scope) as session:
            await FleetService(session, world.scope).sample({}, at)
    (taken,) = await samples_of(database, world.scope)
    assert (taken.unknown, taken.total) == (20, 20)


async def test_old_samples_are_thinned_where_they_lie(database: Database, server: SimulatorServer) -> None:
    world = await World.make(database)
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    await world.devices(integration_id)
    hour = rules.floor(clock.now() - 3 * DAY, HOUR)
    day = rules.floor(clock.now() - 40 * DAY, DAY)
    moments = [hour + quarter * QUARTER for quarter in range(4)] + [day + each * HOUR for each in range(24)]
    for moment in moments:
        async with database.write(world.scope) as session:
            await FleetService(session, world.scope).sample({}, moment)
    await FleetSampler(database, world.box).look()
    left = [each.sampled_at for each in await samples_of(database, world.scope)]
    assert left[:2] == [day, hour]
    assert len(left) == 3
