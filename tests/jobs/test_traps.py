"""What could lose or double a job: files that vanish, ends that were not told, owners that are late."""

import asyncio
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import psutil
import pytest
import sqlalchemy as sa

from muster import clock
from muster.db import Database, bulk
from muster.db.types import new_id, table_of
from muster.errors import Conflict
from muster.jobs import liveness
from muster.jobs.board import Board
from muster.jobs.durable import APPLICATION_VERSION
from muster.jobs.engine import EngineOptions, JobEngine
from muster.jobs.models import JobRequest, Worker
from muster.jobs.types import JobContext, JobState, JobSuspended
from tests.jobs.conftest import Desk, Start, soon

_JOBS = table_of(JobRequest)
ELSEWHERE = "other-host:1:2/42/1.00"


async def nothing(_job: JobContext) -> None:
    return None


async def change(desk: Desk, job_id: UUID, **values: object) -> None:
    async with desk.database.write(desk.scope) as session:
        assert await bulk.update_where(session, desk.scope, _JOBS, values, where={"job_id": job_id}) == 1


async def roll(database: Database, name: str, heartbeat_at: object) -> None:
    row = Worker(
        executor_id=name, host="h", pid=1, version="1", started_at=clock.now(), heartbeat_at=heartbeat_at
    )
    async with database.write(system=True) as session:
        session.add(row)


async def suspended(desk: Desk, start: Start) -> UUID:
    """A job that was begun, and whose worker has ended."""
    begun = asyncio.Event()

    async def waits(job: JobContext) -> None:
        begun.set()
        while not job.stopping():
            await asyncio.sleep(0.01)
        raise JobSuspended

    ticket = await desk.request("work")
    async with start(work=waits):
        await begun.wait()
    assert (await desk.get(ticket.job_id)).state == "started"
    return ticket.job_id


async def test_dbos_has_its_own_file_with_a_write_ahead_log_and_only_ids_in_it(
    sqlite_database: Database, tmp_path: Path
) -> None:
    desk = await Desk.make(sqlite_database)
    ticket = await desk.request("work", payload={"secretive": "words"})
    engine = JobEngine(sqlite_database, tmp_path, {"work": nothing}, EngineOptions(poll=0.05))
    async with engine.running():
        await desk.until(ticket.job_id)
        assert (tmp_path / "jobs.db-wal").exists()
    async with sqlite_database.read(system=True) as session:
        names = await session.run_sync(lambda sync: sa.inspect(sync.get_bind()).get_table_names())
    assert not [name for name in names if "workflow" in name or "dbos" in name]
    engine_file = sa.create_engine(f"sqlite:///{tmp_path / 'jobs.db'}")
    with engine_file.connect() as connection:
        rows = connection.execute(sa.text("SELECT * FROM workflow_status")).mappings().all()
    engine_file.dispose()
    (row,) = rows
    assert row["workflow_uuid"] == str(ticket.job_id)
    assert row["application_version"] == APPLICATION_VERSION
    assert row["executor_id"] == liveness.owner()
    assert row["serialization"] == "portable_json"
    assert "words" not in str(dict(row))
    assert b"words" not in (tmp_path / "jobs.db").read_bytes()


async def test_a_job_whose_dbos_record_is_lost_is_begun_anew(
    sqlite_database: Database, tmp_path: Path
) -> None:
    desk, folder = await Desk.make(sqlite_database), tmp_path / "data"

    def engine(handler: object) -> JobEngine:
        options = EngineOptions(poll=0.05, heartbeat=0.2, grace=2)
        return JobEngine(sqlite_database, folder, {"work": handler}, options)  # type: ignore[dict-item]

    async def waits(job: JobContext) -> None:
        while not job.stopping():
            await asyncio.sleep(0.01)
        raise JobSuspended

    ticket = await desk.request("work")
    first = engine(waits)
    async with first.running():
        await soon(lambda: first.busy == 1)
        await asyncio.sleep(0.3)
    for path in folder.glob("jobs.db*"):
        path.unlink()
    async with engine(nothing).running():
        assert (await desk.until(ticket.job_id)).state == "succeeded"


async def test_a_job_that_dbos_thinks_has_ended_but_was_not_closed_is_begun_anew(
    desk: Desk, start: Start
) -> None:
    ticket = await desk.request("work")
    async with start(work=nothing):
        await desk.until(ticket.job_id)
    # As after a backup was restored, or when the last write failed.
    await change(desk, ticket.job_id, state="started", worker=None, finished_at=None)
    async with start(work=nothing):
        assert (await desk.until(ticket.job_id)).attempts == 2


async def test_only_the_jobs_of_the_dead_are_taken_over(desk: Desk, database: Database, start: Start) -> None:
    job_id = await suspended(desk, start)
    await change(desk, job_id, worker=ELSEWHERE)
    await roll(database, ELSEWHERE, clock.now())
    async with start(work=nothing):
        await asyncio.sleep(0.6)
        assert (await desk.get(job_id)).worker == ELSEWHERE
        async with database.write(system=True) as session:
            worker = await session.get(Worker, ELSEWHERE)
            assert worker is not None
            worker.heartbeat_at = clock.now() - liveness.SILENCE - timedelta(seconds=1)
        assert (await desk.until(job_id)).state == "succeeded"


async def test_who_comes_back_too_late_changes_nothing(desk: Desk, database: Database) -> None:
    ticket = await desk.request("work")
    one, two = Board(database, "h/1/1.0"), Board(database, "h/2/2.0")
    assert await one.claim(free=1, per_lane=1) == [ticket.job_id]
    assert await two.claim(free=1, per_lane=1) == []
    begun = await one.begin(ticket.job_id)
    assert begun is not None
    # The first one is not on the roll: it was taken for dead.
    await two.beat()
    assert await two.adopt(limit=0) == []
    assert await two.adopt(limit=5) == [ticket.job_id]
    await one.beat()
    assert await one.adopt(limit=5) == []
    again = await two.begin(ticket.job_id)
    assert again is not None
    assert again.attempt == 2
    assert not await one.finish(begun, JobState.FAILED, error={"code": "late"})
    assert not await one.report(begun, {"late": True})
    assert not await one.give_back(begun)
    assert not await one.postpone(begun, clock.now())
    assert await two.finish(again, JobState.SUCCEEDED, result={"by": "two"})
    done = await desk.get(ticket.job_id)
    assert (done.state, done.result, done.error, done.progress) == ("succeeded", {"by": "two"}, None, None)
    assert await two.begin(ticket.job_id) is None
    assert await one.begin(new_id()) is None


async def test_two_that_claim_at_once_share_a_lane_s_bound(desk: Desk, database: Database) -> None:
    for number in range(20):
        await desk.request("work", str(number), lane=f"lane-{number % 3}")
    boards = [Board(database, f"h/{number}/1.0") for number in range(4)]
    claimed = await asyncio.gather(*(board.claim(free=5, per_lane=1) for board in boards))
    assert sum(len(ids) for ids in claimed) == 3
    lanes = [job.lane for job in await desk.list("started")]
    assert sorted(lane or "" for lane in lanes) == ["lane-0", "lane-1", "lane-2"]


async def test_a_process_carries_jobs_out_once(sqlite_database: Database, tmp_path: Path) -> None:
    async with JobEngine(sqlite_database, tmp_path, {}).running():
        with pytest.raises(Conflict):
            async with JobEngine(sqlite_database, tmp_path, {}).running():
                pass


async def test_old_jobs_are_deleted_and_open_ones_kept(desk: Desk, database: Database, start: Start) -> None:
    old, young, waiting = [await desk.request("work", key) for key in ("old", "young", "waiting")]
    await change(desk, waiting.job_id, not_before=clock.now() + timedelta(hours=1))
    async with start(work=nothing) as engine:
        for ticket in (old, young):
            await desk.until(ticket.job_id)
        await change(desk, old.job_id, finished_at=clock.now() - timedelta(days=8))
        assert await engine.forget_before(clock.now() - timedelta(days=7), durable=clock.now()) >= 1
        assert {job.job_id for job in await desk.list()} == {young.job_id, waiting.job_id}
        # Nothing that is open lost its record: asked for again it still runs once.
        assert (await desk.request("work", "waiting")).joined
        assert (await desk.until(waiting.job_id)).attempts == 1


def test_a_process_knows_itself_and_the_dead() -> None:
    now = clock.now()
    me = liveness.owner()
    place = me.rpartition("/")[0].rpartition("/")[0]
    assert not liveness.is_dead(me, now - timedelta(days=1), now), "whoever asks lives"
    assert liveness.is_dead(f"{place}/1/1.00", now, now), "another process has that pid now"
    assert liveness.is_dead(f"{place}/4194304/1.00", now, now)
    assert not liveness.is_dead(ELSEWHERE, now, now)
    assert liveness.is_dead(ELSEWHERE, now - liveness.SILENCE - timedelta(seconds=1), now)
    assert liveness.is_dead(None, now, now)


def test_a_process_of_this_host_hangs_when_it_was_silent_for_minutes() -> None:
    now = clock.now()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        place = liveness.owner().rpartition("/")[0].rpartition("/")[0]
        name = f"{place}/{other.pid}/{psutil.Process(other.pid).create_time():.2f}"
        assert not liveness.is_dead(name, now - liveness.SILENCE * 2, now), "busy for a while"
        assert not liveness.is_dead(name, now - liveness.HUNG, now)
        assert liveness.is_dead(name, now - liveness.HUNG - timedelta(seconds=1), now)
        other.communicate(b"\n")
    assert liveness.is_dead(name, now, now)
