"""`muster serve`: health, metrics, problems, the end; and that what is due is done without anyone asking."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import psutil
import pytest

from muster import clock
from muster.db import Database, bulk
from muster.db.types import table_of
from muster.encryption import FixedKeys, SecretBox, new_key
from muster.jobs.service import JobService
from muster.jobs.types import OPEN, JobView
from muster.schedules.models import Schedule
from muster.schedules.service import ScheduleService
from muster.schedules.tick import ScheduleTicker
from muster.simulator import FleetSpec, SimulatorServer
from muster.sync.schemas import RunView
from muster.tenancy import TenantScope
from muster.tenants.service import TenantService
from tests.support.serving import Serving
from tests.support.world import World

# The suite as a whole stays on 127.0.0.1; here each server has an address of its own.
LOOPBACK = pytest.mark.allow_hosts(["::1", *(f"127.0.0.{number}" for number in range(1, 255))])


class Installation:
    """A world whose key and database a process can be given."""

    def __init__(self, world: World, settings: dict[str, str]) -> None:
        self.world = world
        self.settings = settings

    @classmethod
    async def make(cls, database: Database, folder: Path, name: str = "Acme IT") -> "Installation":
        key = new_key()
        async with database.write() as session:
            tenant = await TenantService(session).create(name)
        world = World(database, TenantScope(tenant.tenant_id), SecretBox(FixedKeys((key,))))
        settings = {
            "MUSTER_DATA_DIR": str(folder / "data"),
            "MUSTER_DATABASE_URL": database.url.render_as_string(hide_password=False),
            "MUSTER_SECRET_KEY": key.material.hex(),
        }
        return cls(world, settings)

    async def have_due(self) -> None:
        """Let every schedule have been due for a minute, but the full ones."""
        await self._next(devices_refresh=-1, devices_full=600)

    async def have_nothing_due(self) -> None:
        """Put every schedule off: its own first moment may come while a test still prepares."""
        await self._next(devices_refresh=600, devices_full=600)

    async def _next(self, **minutes: float) -> None:
        world, now = self.world, clock.now()
        async with world.database.write(world.scope) as session:
            for kind, at in minutes.items():
                values = {"next_run_at": now + timedelta(minutes=at)}
                await bulk.update_where(
                    session, world.scope, table_of(Schedule), values, where={"kind": kind}
                )

    async def connect(self, server: SimulatorServer, name: str = "Tactical") -> None:
        world = self.world
        integration_id = await world.connect(server, name)
        await world.map_all(integration_id)
        async with world.database.write(world.scope) as session:
            await ScheduleService(session, world.scope, world.box).ensure(integration_id)

    async def connect_all(self, servers: Sequence[SimulatorServer]) -> None:
        for number, server in enumerate(servers):
            await self.connect(server, f"Server {number}")
            # Slow enough for each process to get some of them.
            server.add_fault("slow=0.5@/agents/")
        await self.have_nothing_due()

    async def ask_for_all(self) -> None:
        """Tick in this process, as a further one would: the others' next tick may be a minute away."""
        await self.have_due()
        await ScheduleTicker(self.world.database, self.world.box).tick()

    async def ended(self, count: int) -> None:
        """Wait until so many runs of devices have ended; the test's own timeout is the limit."""
        while sum(r.finished_at is not None for r in await self.runs()) < count:
            await asyncio.sleep(0.1)

    async def jobs(self) -> list[JobView]:
        async with self.world.database.read(self.world.scope) as session:
            jobs = JobService(session, self.world.scope)
            return list(await jobs.list(kinds=["sync_devices"], limit=1000))

    async def running_in(self, process: Serving) -> set[UUID]:
        """The jobs that this process carries out."""
        pid = f"/{process.process.pid}/"
        return {job.id for job in await self.jobs() if job.state == "started" and pid in (job.worker or "")}

    async def runs(self) -> list[RunView]:
        return [run for run in await self.world.runs() if run.sync_type == "devices"]


@pytest.fixture
async def installation(database: Database, tmp_path: Path) -> Installation:
    return await Installation.make(database, tmp_path)


def test_health_metrics_and_problems(installation: Installation) -> None:
    with Serving(installation.settings) as serving:
        health = serving.get("/healthz")
        assert (health.status_code, health.json()["status"]) == (200, "ok")
        assert set(health.json()["checks"]) == {"web", "tick", "relay", "sampler", "sweeper"}
        ready = serving.get("/readyz")
        assert (ready.status_code, ready.json()["checks"]["database"]) == (200, "ok")
        assert ready.headers["cache-control"] == "no-store"
        page = serving.get("/metrics")
        assert page.headers["content-type"].startswith("text/plain")
        for name in ("muster_jobs", "muster_schedule_lag_seconds", "muster_syncs_running", "muster_threads"):
            assert f"# TYPE {name} gauge" in page.text
        assert serving.metric("muster_workers") == 1
        missing = serving.get("/nowhere")
        assert missing.status_code == 404
        assert missing.headers["content-type"] == "application/problem+json"
        assert missing.json()["status"] == 404
    assert serving.logged("worker.stopped")


async def test_without_a_worker(sqlite_database: Database, tmp_path: Path) -> None:
    installation = await Installation.make(sqlite_database, tmp_path)
    with Serving(installation.settings, "--no-worker") as serving:
        assert serving.get("/readyz").json()["checks"] == {"web": "ok", "database": "ok"}
        assert serving.metric("muster_workers") == 0


async def test_a_schema_of_another_version_is_not_ready(sqlite_database: Database, tmp_path: Path) -> None:
    installation = await Installation.make(sqlite_database, tmp_path)
    with Serving(installation.settings, "--no-worker") as serving:
        async with sqlite_database.writer.begin() as connection:
            await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
        ready = await asyncio.to_thread(serving.get, "/readyz")
        assert ready.status_code == 503
        assert "muster migrate" in ready.json()["checks"]["database"]
        assert (await asyncio.to_thread(serving.get, "/healthz")).status_code == 200


async def test_a_taken_port_is_said(sqlite_database: Database, tmp_path: Path) -> None:
    installation = await Installation.make(sqlite_database, tmp_path)
    with Serving(installation.settings, "--no-worker") as serving:
        port = serving.url.rpartition(":")[2]
        second = Serving(installation.settings, "--no-worker", "--port", port)
        assert await asyncio.to_thread(second.process.wait, 60) == 2
        assert "cannot_listen" in second.log
        second.close()


async def test_what_is_due_is_synced_and_counted(installation: Installation) -> None:
    with SimulatorServer(FleetSpec(agents=10, seed=3), frozen=True) as server:
        await installation.connect(server)
        await installation.have_due()
        with Serving(installation.settings) as serving:
            await installation.ended(1)
            asset_count = len(await installation.world.assets())
            sample = 'muster_sync_runs_total{mode="incremental",status="succeeded",sync_type="devices"}'
            assert await asyncio.to_thread(serving.metric, sample) == 1
    # The line is written after the commit that the test waited for.
    (bound,) = serving.logged("sync.ended")
    (run,) = await installation.runs()
    assert (run.status, run.trigger, run.mode) == ("succeeded", "schedule", "incremental")
    assert asset_count == 10
    assert {"tenant", "integration", "run"} <= set(bound)


@pytest.mark.slow
@LOOPBACK
async def test_many_due_at_once_are_each_synced_once(postgres_database: Database, tmp_path: Path) -> None:
    """Two processes on one PostgreSQL; the servers are 127.0.0.2 to 21."""
    installation = await Installation.make(postgres_database, tmp_path)
    with simulated(20) as servers:
        await installation.connect_all(servers)
        with served(installation.settings, 2) as processes:
            await installation.ask_for_all()
            await installation.ended(20)
            assert [each.stop() for each in processes] == [0, 0]
    await synced_once_each(installation, 20)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@LOOPBACK
async def test_two_hundred_due_at_once_and_then_one_process_is_killed(
    postgres_database: Database, tmp_path: Path
) -> None:
    """The servers are 127.0.0.2 to 201."""
    installation = await Installation.make(postgres_database, tmp_path)
    with simulated(200) as servers:
        await installation.connect_all(servers)
        with served(installation.settings, 2) as (victim, survivor):
            await installation.ask_for_all()
            await installation.ended(200)
            await synced_once_each(installation, 200)
            await installation.ask_for_all()
            while not (held := await installation.running_in(victim)):
                await asyncio.sleep(0.05)
            victim.process.kill()
            async with asyncio.timeout(120):
                while [job for job in await installation.jobs() if job.id in held and job.state in OPEN]:
                    await asyncio.sleep(0.1)
            await installation.ended(400)
            assert survivor.stop() == 0
    jobs, runs = await installation.jobs(), await installation.runs()
    taken_over = [job for job in jobs if job.attempts > 1]
    assert {job.id for job in taken_over} <= held
    assert taken_over
    assert all(f"/{survivor.process.pid}/" in (job.worker or "") for job in taken_over)
    assert {run.status for run in runs} == {"succeeded"}
    assert Counter(Counter(run.integration_id for run in runs).values()) == {2: 200}
    for integration_id in {run.integration_id for run in runs}:
        later, earlier = [run for run in runs if run.integration_id == integration_id]
        assert earlier.finished_at is not None
        assert earlier.finished_at <= later.started_at
    assert len(await installation.world.assets()) == 3 * 200


@pytest.mark.soak
async def test_a_thousand_scheduled_integrations_cost_nothing_while_they_wait(
    sqlite_database: Database, tmp_path: Path
) -> None:
    """Each look takes more than a minute: a tick is in it."""
    installation = await Installation.make(sqlite_database, tmp_path)
    alone = await idling(installation)
    world = installation.world
    for number in range(1000):
        integration_id = await world.add(
            f"Server {number}", instance_url="http://127.0.0.1:9", api_key="K" * 32
        )
        async with world.database.write(world.scope) as session:
            await ScheduleService(session, world.scope, world.box).ensure(integration_id)
    await installation.have_nothing_due()
    many = await idling(installation)
    assert many.threads <= alone.threads + 2
    # A hundredth of one processor.
    assert many.cpu_seconds <= alone.cpu_seconds + 0.7, (alone, many)


@dataclass(frozen=True)
class Idling:
    threads: int
    cpu_seconds: float


async def idling(installation: Installation) -> Idling:
    """What a process takes in 70 seconds in which nothing is due."""
    with Serving(installation.settings) as serving:
        process = psutil.Process(serving.process.pid)
        await asyncio.sleep(5)
        before = process.cpu_times()
        await asyncio.sleep(70)
        after = process.cpu_times()
        used = after.user + after.system - before.user - before.system
        return Idling(process.num_threads(), used)


@contextmanager
def simulated(count: int) -> Iterator[list[SimulatorServer]]:
    """So many servers."""
    servers = [
        SimulatorServer(FleetSpec(agents=3, seed=n), host=f"127.0.0.{n + 2}", frozen=True)
        for n in range(count)
    ]
    with ExitStack() as running:
        for server in servers:
            running.enter_context(server)
        yield servers


@contextmanager
def served(settings: dict[str, str], count: int) -> Iterator[list[Serving]]:
    """So many processes that serve; what the test leaves of them is put away."""
    processes = [Serving(settings) for _ in range(count)]
    try:
        for each in processes:
            each.ready()
        yield processes
    finally:
        for each in processes:
            each.close()


async def synced_once_each(installation: Installation, count: int) -> None:
    """Every integration has one run, and two workers did them."""
    runs, jobs = await installation.runs(), await installation.jobs()
    assert len(runs) == len(jobs) == count
    assert len({run.integration_id for run in runs}) == count
    assert {run.status for run in runs} == {"succeeded"}
    assert len({job.worker for job in jobs}) == 2
    assert len(await installation.world.assets()) == 3 * count
