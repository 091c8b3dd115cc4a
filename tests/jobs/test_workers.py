"""Worker processes as they are started, killed, stopped and upgraded in earnest."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select, text

from muster import clock
from muster.db import Database, bulk
from muster.db.types import table_of
from muster.jobs import liveness
from muster.jobs.models import Worker
from muster.simulator import FleetSpec, SimulatorServer
from muster.sync.models import SyncRun
from muster.sync.types import SyncMode
from tests.support.workers import NEWER, WorkerProcess, Works

pytestmark = pytest.mark.slow

AGENTS = 60


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(FleetSpec(agents=AGENTS, seed=7), frozen=True) as running:
        yield running


@pytest.fixture
async def works(database: Database, tmp_path: Path) -> Works:
    return await Works.open(database, tmp_path / "data")


async def connected(works: Works, server: SimulatorServer, count: int) -> list[UUID]:
    """Integrations with that server, mapped."""
    found = []
    for number in range(count):
        found.append(await works.connect(server, f"Server {number}", source="stable"))
        await works.map_all(found[-1])
        await works.unschedule(found[-1])
    return found


async def started_by(works: Works, pid: int, *, attempts: int = 0) -> None:
    """Wait until a job is carried out in this process, after so many attempts at it elsewhere: a worker has
    a job that it takes over some moments before it begins.
    """
    while not [
        job
        for job in await works.jobs()
        if job.state == "started" and job.attempts > attempts and f"/{pid}/" in (job.worker or "")
    ]:
        await asyncio.sleep(0.02)


async def test_two_workers_share_the_work_and_one_finishes_what_the_other_was_killed_at(
    works: Works, server: SimulatorServer
) -> None:
    integrations = await connected(works, server, 6)
    server.add_fault("slow=0.3@/agents/")
    async with (
        works.worker(MUSTER_SERVER_JOBS="4", MUSTER_WORKER_JOBS="2") as one,
        works.worker(MUSTER_SERVER_JOBS="4", MUSTER_WORKER_JOBS="2") as two,
    ):
        for integration_id in integrations:
            await works.request(integration_id)
        await asyncio.gather(started_by(works, one.pid), started_by(works, two.pid))
        await one.kill()
        server.faults.clear()
        jobs = await works.all_ended()
        assert await two.stop() == 0
    assert {job.state for job in jobs} == {"succeeded"}
    taken_over = [job for job in jobs if job.attempts > 1]
    assert taken_over
    assert all(f"/{two.pid}/" in (job.worker or "") for job in taken_over)
    runs = [run for run in await works.runs() if run.sync_type == "devices"]
    assert Counter(run.integration_id for run in runs) == Counter(integrations), "each was synced once"
    assert {run.id for run in runs} == {job.job_id for job in jobs}, "the same run went on"
    assert {run.status for run in runs} == {"succeeded"}
    assert sum(run.created for run in runs) == len(await works.assets()) * len(integrations)
    assert await works.workers() == []


async def aged(works: Works, by: timedelta) -> None:
    """Have all signs of life been given that much earlier."""
    at = clock.now() - by
    async with works.database.write(system=True) as session:
        for worker in await session.scalars(select(Worker)):
            worker.heartbeat_at = at
    async with works.database.write(works.scope) as session:
        await bulk.update_where(
            session, works.scope, table_of(SyncRun), {"heartbeat_at": at}, where={"status": "running"}
        )


async def paused_between_writes(works: Works, worker: WorkerProcess) -> None:
    """Stop a worker that has no transaction open, whose locks the test would wait for."""
    busy = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL"
    )
    while True:
        worker.pause()
        async with works.database.read(system=True) as session:
            if not await session.scalar(text(f"{busy} AND pid <> pg_backend_pid()")):
                return
        worker.wake()
        await asyncio.sleep(0.05)


@pytest.mark.postgres
async def test_what_hangs_is_taken_over_and_changes_nothing_when_it_wakes_up(
    postgres_database: Database, tmp_path: Path, server: SimulatorServer
) -> None:
    """On PostgreSQL alone: on SQLite a process that stops in the middle of a write stops everybody."""
    works = await Works.open(postgres_database, tmp_path / "data")
    (integration_id,) = await connected(works, server, 1)
    server.add_fault("slow=2@/agents/")
    ticket = await works.request(integration_id)
    async with works.worker() as hangs:
        await started_by(works, hangs.pid)
        while "running" not in {run.status for run in await works.runs()}:
            await asyncio.sleep(0.02)
        await paused_between_writes(works, hangs)
        await aged(works, liveness.HUNG + timedelta(seconds=1))
        server.faults.clear()
        async with works.worker() as other:
            (job,) = await works.all_ended()
            assert (job.job_id, job.state, job.attempts) == (ticket.job_id, "succeeded", 2)
            assert f"/{other.pid}/" in (job.worker or "")
            hangs.wake()
            while "job.ended" not in hangs.log and "job.suspended" not in hangs.log:
                await asyncio.sleep(0.05)
            assert await hangs.stop() == 0
            assert await works.jobs() == [job]
            assert await other.stop() == 0
    (run,) = [run for run in await works.runs() if run.sync_type == "devices"]
    assert (run.id, run.status, run.created) == (ticket.job_id, "succeeded", AGENTS)
    assert len(await works.assets()) == AGENTS


async def killed_and_restarted(works: Works, server: SimulatorServer, kills: int, seed: int) -> int:
    """Kill the only worker that often at random moments of syncs; how often a run was taken up again."""
    (integration_id,) = await connected(works, server, 1)
    dice = random.Random(seed)
    for _ in range(kills):
        ticket = await works.request(integration_id)
        attempts = next(job.attempts for job in await works.jobs() if job.job_id == ticket.job_id)
        async with works.worker() as worker:
            await started_by(works, worker.pid, attempts=attempts)
            await asyncio.sleep(dice.uniform(0, 0.4))
            await worker.kill()
    await works.request(integration_id)
    async with works.worker():
        jobs = await works.all_ended()
    assert {job.state for job in jobs} == {"succeeded"}
    runs = [run for run in await works.runs() if run.sync_type == "devices"]
    assert {run.status for run in runs} == {"succeeded"}
    assets = await works.assets()
    assert len(assets) == len(server.fleet)
    assert set(assets) == {agent.agent_id for agent in server.fleet}
    return sum(job.attempts - 1 for job in jobs)


async def test_a_worker_killed_again_and_again_leaves_no_run_behind_and_doubles_no_asset(
    works: Works, server: SimulatorServer
) -> None:
    server.add_fault("slow=0.1@/agents/")
    assert await killed_and_restarted(works, server, kills=2, seed=4) > 0


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_twenty_kills(works: Works) -> None:
    with SimulatorServer(FleetSpec(agents=1500, seed=7), frozen=True) as server:
        server.add_fault("slow=0.1@/agents/")
        assert await killed_and_restarted(works, server, kills=20, seed=5) >= 10


async def test_an_upgrade_strands_no_job(works: Works, server: SimulatorServer) -> None:
    first, second = await connected(works, server, 2)
    server.add_fault("slow=0.3@/agents/")
    running, waiting = await works.request(first), await works.request(second)
    async with works.worker() as old:
        await started_by(works, old.pid)
        await old.kill()
    server.faults.clear()
    async with works.worker(NEWER):
        jobs = {job.job_id: job for job in await works.all_ended()}
        assert [worker.version for worker in await works.workers()] == ["99.0.0"]
    assert (jobs[running.job_id].state, jobs[running.job_id].attempts) == ("succeeded", 2)
    assert (jobs[waiting.job_id].state, jobs[waiting.job_id].attempts) == ("succeeded", 1)


async def test_a_stopped_worker_hands_its_run_over(works: Works, server: SimulatorServer) -> None:
    (integration_id,) = await connected(works, server, 1)
    server.add_fault("slow=0.3@/agents/")
    ticket = await works.request(integration_id, SyncMode.INCREMENTAL)
    async with works.worker() as first:
        await started_by(works, first.pid)
        await asyncio.sleep(0.3)
        assert await first.stop() == 0
    (job,) = await works.jobs()
    assert (job.state, job.worker) == ("started", None)
    assert (await works.runs())[0].status == "running"
    server.faults.clear()
    async with works.worker() as second:
        (job,) = await works.all_ended()
        assert await second.stop() == 0
    assert (job.job_id, job.state, job.attempts) == (ticket.job_id, "succeeded", 2)
    assert len(await works.assets()) == AGENTS
