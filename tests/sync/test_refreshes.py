"""Devices read anew after events of theirs: gathered, spaced, and never lost."""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.jobs.board import Board
from muster.jobs.service import JobService
from muster.jobs.types import JobPostponed, JobState
from muster.schedules.service import ScheduleService
from muster.simulator import FleetSpec, SimulatorServer
from muster.sync.ledger import RunLedger
from muster.sync.refreshes import REFRESH, Refresher, choose, request_refresh
from muster.sync.repository import RefreshRepository
from muster.sync.schemas import RunView
from muster.sync.types import SyncMode, SyncType
from tests.schedules.hands import Hands
from tests.support.job import Job
from tests.support.time import Time
from tests.support.world import World

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(FleetSpec(agents=60, seed=11), frozen=True) as running:
        yield running


@pytest.fixture
def hands(world: World) -> Hands:
    return Hands(world)


@pytest.fixture
async def synced(world: World, server: SimulatorServer, time: Time) -> UUID:
    """An integration whose devices were read an hour ago."""
    time.servers.append(server)
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    run = await world.devices(integration_id)
    assert run.created == 60
    time.pass_(hours=1)
    return integration_id


async def ask(world: World, integration_id: UUID, devices: Collection[str]) -> None:
    """As the intake of alerts does."""
    view = await world.integration(integration_id)
    async with world.database.write(world.scope) as session:
        await request_refresh(session, world.scope, view, devices)


async def pending(world: World, integration_id: UUID) -> set[str]:
    async with world.database.read(world.scope) as session:
        found = await RefreshRepository(session, world.scope).pending(integration_id, limit=10_000)
    return set(found)


async def by_alerts(world: World) -> list[RunView]:
    """Runs that alerts asked for, oldest first."""
    return [run for run in reversed(await world.runs()) if run.trigger == "webhook"]


def ids(server: SimulatorServer, count: int) -> list[str]:
    return [agent.agent_id for agent in server.fleet][:count]


def single_reads(server: SimulatorServer, since: int) -> list[str]:
    """The agents that were read one by one after a number of requests."""
    paths = [seen.path.split("/") for seen in server.requests[since:]]
    return [path[2] for path in paths if len(path) == 4 and path[1] == "agents" and path[2]]


async def test_a_storm_of_a_few_devices_is_one_run_of_single_reads(
    world: World, server: SimulatorServer, hands: Hands, synced: UUID, time: Time
) -> None:
    devices = ids(server, 12)
    for number in range(200):
        await ask(world, synced, [devices[number % 12]])
    first = len(server.requests)
    assert await hands.work() == []
    time.pass_(seconds=5)
    assert await hands.work() == [REFRESH]
    assert sorted(single_reads(server, first)) == sorted(devices)
    (run,) = await by_alerts(world)
    assert (run.status, run.mode, run.processed, run.failed) == ("succeeded", "single", 12, 0)
    assert await pending(world, synced) == set()
    time.pass_(minutes=5)
    assert await hands.work() == []


async def test_the_state_after_the_event_is_what_stands(
    world: World, server: SimulatorServer, hands: Hands, synced: UUID, time: Time
) -> None:
    agent = next(agent for agent in server.fleet)
    server.fleet.edit(agent, description="changed by the event")
    await ask(world, synced, [agent.agent_id])
    time.pass_(seconds=5)
    await hands.work()
    asset = (await world.assets())[agent.agent_id]
    assert asset.last_rmm_sync_at == time.now


@pytest.mark.slow
async def test_a_storm_is_read_by_lists_and_they_are_spaced(
    world: World, server: SimulatorServer, hands: Hands, synced: UUID, time: Time
) -> None:
    """1,000 alerts in five minutes."""
    devices = ids(server, 50)
    first = len(server.requests)
    for number in range(1000):
        await ask(world, synced, [devices[number % 50]])
        if number % 10 == 9:
            time.pass_(seconds=3)
            await hands.work()
    time.pass_(minutes=2)
    await hands.work()
    runs = await by_alerts(world)
    lists = [run for run in runs if run.mode == "incremental"]
    # Two minutes apart, and no more than 20 devices a minute by themselves.
    assert 2 <= len(lists) <= 4
    assert sum(run.processed for run in runs if run.mode == "single") <= 20 * 7
    assert all(run.status == "succeeded" for run in runs)
    assert len(server.requests) - first < 250
    assert await pending(world, synced) == set()


async def test_a_device_that_was_just_read_waits_a_little(
    world: World, server: SimulatorServer, hands: Hands, synced: UUID, time: Time
) -> None:
    device, other = ids(server, 2)
    await ask(world, synced, [device])
    time.pass_(seconds=5)
    assert await hands.work() == [REFRESH]
    first = len(server.requests)
    await ask(world, synced, [device, other])
    time.pass_(seconds=6)
    await hands.work()
    assert single_reads(server, first) == [other]
    assert await pending(world, synced) == {device}
    time.pass_(seconds=6)
    await hands.work()
    assert single_reads(server, first) == [other, device]
    assert await pending(world, synced) == set()


async def test_what_is_asked_for_while_the_job_runs_has_another(
    world: World, server: SimulatorServer, hands: Hands, synced: UUID, time: Time
) -> None:
    early, late = ids(server, 2)
    await ask(world, synced, [early])
    time.pass_(seconds=5)
    board = Board(world.database, "host/1/1.00")
    (job_id,) = await board.claim(free=1, per_lane=1)
    begun = await board.begin(job_id)
    assert begun is not None
    await ask(world, synced, [late])
    await ask(world, synced, [late])
    open_jobs = [job for job in await hands.jobs() if job.state == JobState.REQUESTED]
    assert len(open_jobs) == 1
    refresher = Refresher(world.database, world.box, world.sync)
    await refresher.carry_out(Job(world.scope, job_id, begun.payload))
    assert await board.finish(begun, JobState.SUCCEEDED)
    time.pass_(seconds=5)
    await hands.work()
    assert await pending(world, synced) == set()
    assert {(await world.assets())[device].last_rmm_sync_at is not None for device in (early, late)} == {True}


async def test_a_job_that_died_after_its_run_forgets_nothing_newer(
    world: World, server: SimulatorServer, hands: Hands, synced: UUID, time: Time
) -> None:
    device = ids(server, 1)[0]
    await ask(world, synced, [device])
    time.pass_(seconds=5)
    board = Board(world.database, "host/1/1.00")
    (job_id,) = await board.claim(free=1, per_lane=1)
    job = Job(world.scope, job_id, {"integration_id": str(synced)})
    await world.sync.refresh(world.scope, synced, [device], trigger="webhook", job=job)
    # Here its process died. The device speaks again, and the job is taken up.
    time.pass_(seconds=30)
    await ask(world, synced, [device])
    first = len(server.requests)
    begun = await board.begin(job_id)
    assert begun is not None
    await Refresher(world.database, world.box, world.sync).carry_out(job)
    assert await board.finish(begun, JobState.SUCCEEDED)
    assert len(server.requests) == first
    assert await pending(world, synced) == {device}
    time.pass_(seconds=30)
    await hands.work()
    assert single_reads(server, first) == [device]
    assert await pending(world, synced) == set()


async def test_new_devices_are_looked_for_in_the_lists_once_in_a_period(
    world: World, server: SimulatorServer, hands: Hands, synced: UUID, time: Time
) -> None:
    async with world.database.write(world.scope) as session:
        await ScheduleService(session, world.scope, world.box).ensure(synced)
    new = server.fleet.add_agent(site=next(iter(server.fleet)).site_id)
    for _ in range(10):
        await ask(world, synced, [new.agent_id, "x" * 40])
        time.pass_(seconds=5)
        await hands.work()
    lists = [run for run in await by_alerts(world) if run.mode == "incremental"]
    assert len(lists) == 1
    assert new.agent_id in await world.assets()
    assert await pending(world, synced) <= {new.agent_id}
    time.pass_(minutes=15)
    await ask(world, synced, ["y" * 40])
    time.pass_(seconds=5)
    await hands.work()
    assert len([run for run in await by_alerts(world) if run.mode == "incremental"]) == 2


async def test_a_device_that_is_gone_leaves_the_others_alone(
    world: World, server: SimulatorServer, hands: Hands, synced: UUID, time: Time
) -> None:
    gone, there = ids(server, 2)
    server.fleet.remove_agent(gone)
    await ask(world, synced, [gone, there])
    time.pass_(seconds=5)
    await hands.work()
    (run,) = await by_alerts(world)
    assert (run.status, run.processed, run.failed) == ("succeeded", 2, 1)
    (entry,) = [entry for entry in await world.entries(run) if entry.action == "failed"]
    assert (entry.reason, entry.external_id) == ("not_found", gone)
    assert (await world.integration(synced)).sync_error is None
    assert await pending(world, synced) == set()


async def test_nothing_is_read_of_what_is_not_connected(
    world: World, server: SimulatorServer, hands: Hands, synced: UUID, time: Time
) -> None:
    await ask(world, synced, ids(server, 3))
    await world.connector.disconnect(world.scope, synced)
    await ask(world, synced, ids(server, 3))
    first = len(server.requests)
    time.pass_(seconds=5)
    await hands.work()
    assert len(server.requests) == first
    assert await pending(world, synced) == set()
    await ask(world, synced, ids(server, 3))
    assert await pending(world, synced) == set()


async def test_a_refused_login_is_not_tried_again_by_alerts(
    world: World, server: SimulatorServer, hands: Hands, synced: UUID, time: Time
) -> None:
    await hands.tick()
    server.users["admin"].api_key = "X" * 32
    await ask(world, synced, ids(server, 2))
    time.pass_(seconds=5)
    await hands.work()
    schedules = await hands.schedules(synced)
    assert {schedule.paused_code for schedule in schedules.values()} == {"invalid_credentials"}
    first = len(server.requests)
    for _ in range(5):
        await ask(world, synced, ids(server, 2))
        time.pass_(seconds=30)
        await hands.work()
    assert len(server.requests) == first
    assert await pending(world, synced) == set()


async def test_while_another_sync_runs_it_waits(
    world: World, server: SimulatorServer, hands: Hands, synced: UUID, time: Time
) -> None:
    ledger = RunLedger(world.database, world.scope, synced, "tacticalrmm")
    await ledger.open(SyncType.DEVICES, SyncMode.FULL, "command")
    devices = ids(server, 2)
    await ask(world, synced, devices)
    time.pass_(seconds=5)
    (job,) = [job for job in await hands.jobs() if job.kind == REFRESH]
    refresher = Refresher(world.database, world.box, world.sync)
    with pytest.raises(JobPostponed) as later:
        await refresher.carry_out(Job(world.scope, job.job_id, job.payload))
    assert later.value.until > time.now
    assert await pending(world, synced) == set(devices)


async def test_a_job_that_has_begun_is_not_joined(world: World) -> None:
    async def request() -> tuple[UUID, bool]:
        async with world.database.write(world.scope) as session:
            ticket = await JobService(session, world.scope).request_anew("something", "key", {})
        return ticket.job_id, ticket.joined

    board = Board(world.database, "host/1/1.00")
    first, joined = await request()
    assert not joined
    assert await request() == (first, True)
    assert await board.claim(free=1, per_lane=1) == [first]
    second, joined = await request()
    assert second != first
    assert not joined
    assert await request() == (second, True)
    assert await board.claim(free=1, per_lane=1) == [second]
    third, joined = await request()
    assert (third in {first, second}, joined) == (False, False)


moments = st.integers(0, 120).map(lambda seconds: NOW - timedelta(seconds=seconds))
names = st.lists(st.sampled_from([f"device {n}" for n in range(60)]), unique=True, max_size=60)


@given(
    waiting=names,
    known=st.dictionaries(st.sampled_from([f"device {n}" for n in range(60)]), st.none() | moments),
    listed_at=st.none() | moments,
    lately=st.integers(0, 40),
    may=st.booleans(),
)
def test_every_device_that_waits_is_read_dropped_or_waits_on(
    waiting: list[str], known: dict[str, datetime | None], listed_at: datetime | None, lately: int, may: bool
) -> None:
    choice = choose(waiting, known, now=NOW, listed_at=listed_at, lately=lately, may_look_for_new=may)
    unknown = {each for each in waiting if each not in known}
    if choice.lists:
        assert not choice.single
        return
    assert set(choice.single) <= set(waiting) - unknown
    assert set(choice.drop) == unknown
    assert not choice.single or len(choice.single) + lately <= 20
    left = set(waiting) - set(choice.single) - set(choice.drop)
    assert bool(left) == (choice.again is not None)
    if choice.again is not None:
        assert NOW < choice.again <= NOW + timedelta(minutes=1)
    for each in choice.single:
        read = known[each]
        assert read is None or NOW - read >= timedelta(seconds=10)
