"""A sync as a job: it ends between two chunks when it is to, and goes on where it was, in the same run."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from muster.db import Database
from muster.db.types import new_id
from muster.errors import Conflict
from muster.events.service import EventService
from muster.jobs.types import JobCancelled, JobSuspended
from muster.simulator import FleetSpec, SimulatorServer
from muster.sync import batches
from muster.sync.schemas import RunView
from muster.sync.types import SyncMode
from tests.support.job import Job
from tests.support.world import World

AGENTS = 80
MODES = [
    pytest.param(SyncMode.INCREMENTAL, "stable", id="light"),
    pytest.param(SyncMode.FULL, "auto", id="light and beta"),
    pytest.param(SyncMode.FULL, "beta", id="beta"),
]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_BATCH_WEIGHT", 8)
    monkeypatch.setattr(batches, "_NEW_WEIGHT", 1)


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(FleetSpec(agents=AGENTS, seed=7, clients=9), frozen=True) as running:
        yield running


async def attempt(
    world: World, integration_id: UUID, mode: SyncMode, job: Job, **options: Any
) -> RunView | None:
    """One attempt; None when it was told to end."""
    try:
        return await world.devices(integration_id, mode, job=job, **options)
    except (JobSuspended, JobCancelled):
        return None


def lists_read(server: SimulatorServer) -> Counter[tuple[str, str]]:
    """How often the list of each client was asked for, by kind of list (its first page)."""
    read: Counter[tuple[str, str]] = Counter()
    for request in server.requests:
        parts = urlsplit(request.path)
        query = parse_qs(parts.query)
        if parts.path == "/agents/" and "client" in query:
            read["light", query["client"][0]] += 1
        elif parts.path == "/beta/v1/agent/" and query.get("page") == ["1"]:
            read["beta", query["client_id"][0]] += 1
    return read


async def event_types(world: World) -> Counter[str]:
    async with world.database.read(world.scope) as session:
        return Counter(event.type for event in await EventService(session, world.scope).list(limit=1000))


@pytest.mark.parametrize(("mode", "source"), MODES)
async def test_a_suspended_sync_goes_on_in_the_same_run_without_reading_again_what_is_done(
    database: Database, server: SimulatorServer, mode: SyncMode, source: str
) -> None:
    quiet, world = await World.make(database, "Quiet"), await World.make(database, "Disturbed")
    for each in (quiet, world):
        integration_id = await each.connect(server, source=source)
        await each.map_all(integration_id)
        if each is quiet:
            undisturbed = await each.devices(integration_id, mode)
    server.state.requests.clear()
    before = await event_types(world)

    job_id = new_id()
    assert (
        await attempt(world, integration_id, mode, Job(world.scope, job_id, end_after=14, how="stop")) is None
    )
    (half, *_) = await world.runs()
    assert (half.id, half.status) == (job_id, "running")
    done = set(half.cursor.get("done", ()))
    if source != "auto":
        assert 0 < len(done) < 8
    first = lists_read(server)
    server.state.requests.clear()

    run = await attempt(world, integration_id, mode, Job(world.scope, job_id))
    assert run is not None
    assert (run.id, run.status) == (job_id, "succeeded")
    again = lists_read(server)
    assert not [client for _, client in again if client in done]
    assert max((first + again).values()) <= 2
    counted = ("processed", "created", "updated", "unchanged", "missing", "failed")
    assert [getattr(run, name) for name in counted] == [getattr(undisturbed, name) for name in counted]
    assert await world.fleet() == await quiet.fleet()
    told = await event_types(world) - before
    assert told["RMM_SYNC_STARTED"] == told["RMM_SYNC_COMPLETED"] == 1
    assert told["RMM_DEVICE_CREATED"] == AGENTS
    entries = Counter(entry.external_id for entry in await world.entries(run) if entry.action == "created")
    assert (len(entries), max(entries.values())) == (AGENTS, 1)


async def test_a_sync_that_is_stopped_again_and_again_comes_to_the_same_end(
    database: Database, server: SimulatorServer
) -> None:
    world = await World.make(database)
    integration_id = await world.connect(server, source="stable")
    await world.map_all(integration_id)
    dice, job_id, attempts = random.Random(5), new_id(), 0
    run = None
    while run is None:
        attempts += 1
        job = Job(world.scope, job_id, end_after=dice.randint(3, 8), how="stop")
        run = await attempt(world, integration_id, SyncMode.FULL, job)
        assert attempts < 60
    assert attempts > 2
    assert (run.status, run.processed, run.created, run.unchanged, run.failed) == (
        "succeeded",
        AGENTS,
        AGENTS,
        0,
        0,
    )
    assert len(await world.assets()) == AGENTS
    assert len(await world.runs()) == 2, "one of organizations, one of devices"


async def test_what_an_earlier_attempt_saw_is_not_missing_and_what_it_missed_is(
    database: Database, server: SimulatorServer
) -> None:
    world = await World.make(database)
    integration_id = await world.connect(server, source="stable")
    await world.map_all(integration_id)
    await world.devices(integration_id)
    first_client = (await world.mappings(integration_id))[0].external_organization_id
    gone = server.fleet.agents_of_client(int(first_client))[0]
    server.fleet.remove_agent(gone)
    job_id, looks, half = new_id(), 4, None
    while half is None or first_client not in half.cursor.get("done", ()):
        job = Job(world.scope, job_id, end_after=looks, how="stop")
        assert await attempt(world, integration_id, SyncMode.INCREMENTAL, job) is None
        (half, *_) = await world.runs()
        looks += 2
    run = await attempt(world, integration_id, SyncMode.INCREMENTAL, Job(world.scope, job_id))
    assert run is not None
    assert (run.status, run.missing, run.processed) == ("succeeded", 1, AGENTS - 1)


async def test_a_cancelled_sync_keeps_what_it_wrote_and_the_next_one_does_the_rest(
    database: Database, server: SimulatorServer
) -> None:
    world = await World.make(database)
    integration_id = await world.connect(server, source="stable")
    await world.map_all(integration_id)
    job_id = new_id()
    assert (
        await attempt(
            world, integration_id, SyncMode.FULL, Job(world.scope, job_id, end_after=10, how="cancel")
        )
        is None
    )
    (run, *_) = await world.runs()
    assert (run.id, run.status) == (job_id, "cancelled")
    assert run.error is not None
    assert run.error["code"] == "cancelled"
    assert 0 < len(await world.assets()) < AGENTS
    assert (await world.integration(integration_id)).sync_status == "cancelled"
    with pytest.raises(JobCancelled):
        await world.devices(integration_id, job=Job(world.scope, job_id))
    assert (await world.devices(integration_id)).status == "succeeded"
    assert len(await world.assets()) == AGENTS


async def test_a_job_whose_run_has_ended_does_nothing_twice(
    database: Database, server: SimulatorServer
) -> None:
    world = await World.make(database)
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    job = Job(world.scope, new_id())
    run = await world.devices(integration_id, job=job)
    asked = len(server.requests)
    assert await world.devices(integration_id, job=job) == run
    assert len(server.requests) == asked


async def test_a_run_that_another_sync_took_over_is_not_taken_up_again(
    database: Database, server: SimulatorServer
) -> None:
    world = await World.make(database)
    integration_id = await world.connect(server, source="stable")
    await world.map_all(integration_id)
    job_id = new_id()
    await attempt(world, integration_id, SyncMode.FULL, Job(world.scope, job_id, end_after=8, how="stop"))
    assert (await world.devices(integration_id)).status == "succeeded"
    run = await attempt(world, integration_id, SyncMode.FULL, Job(world.scope, job_id))
    assert run is not None
    assert run.id != job_id
    assert (run.status, run.created) == ("succeeded", 0)
    states = {each.id: each.status for each in await world.runs()}
    assert states[job_id] == "interrupted"


async def test_organizations_are_counted_once_however_often_the_run_is_taken_up(
    database: Database, server: SimulatorServer
) -> None:
    world = await World.make(database)
    integration_id = await world.connect(server)
    job_id = new_id()
    with pytest.raises(JobSuspended):
        await world.sync.organizations(
            world.scope, integration_id, job=Job(world.scope, job_id, end_after=0, how="stop")
        )
    run = await world.sync.organizations(world.scope, integration_id, job=Job(world.scope, job_id))
    assert isinstance(run, RunView)
    assert (run.id, run.status, run.created) == (job_id, "succeeded", 9)


async def test_a_suspended_run_still_bars_no_one(database: Database, server: SimulatorServer) -> None:
    world = await World.make(database)
    integration_id = await world.connect(server, source="stable")
    await world.map_all(integration_id)
    running = asyncio.create_task(world.devices(integration_id, job=Job(world.scope, new_id())))
    while not any(run.status == "running" for run in await world.runs()):
        await asyncio.sleep(0.01)
    with pytest.raises(Conflict):
        await world.organizations(integration_id)
    await running
