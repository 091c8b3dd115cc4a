"""What a small write waits while a sync writes: a stream of them beside a sync that a worker carries out."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from benchmarks.setting import load_settings
from benchmarks.values import Order, WaitsResult, Write
from muster import clock
from muster.background import Background, background
from muster.bootstrap import Application, open_application
from muster.clients.service import ClientService
from muster.db import Database
from muster.db.types import new_id
from muster.events.service import EventService
from muster.integrations.service import IntegrationService
from muster.jobs.service import JobService
from muster.sync import following
from muster.sync.jobs import request_devices
from muster.sync.schemas import RunView
from muster.sync.types import SyncMode
from muster.tenancy import TenantScope

# As many as a busy office makes.
_A_SECOND = 40


class Stream:
    """Small writes at a steady pace, each begun when it is due, whether the last one has ended or not."""

    def __init__(self, database: Database, scope: TenantScope) -> None:
        self.done: list[Write] = []
        self._database = database
        self._scope = scope

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """Write while the body runs; all that was begun is awaited at the end."""
        stop = asyncio.Event()
        pace = asyncio.create_task(self._pace(stop))
        try:
            yield
        finally:
            stop.set()
            await pace

    async def _pace(self, stop: asyncio.Event) -> None:
        begun, number = clock.now(), 0
        async with asyncio.TaskGroup() as writes:
            while not stop.is_set():
                due = begun + timedelta(seconds=number / _A_SECOND)
                await asyncio.sleep((due - clock.now()).total_seconds())
                writes.create_task(self._write(due))
                number += 1

    async def _write(self, due: datetime) -> None:
        """One row and the event that tells of it, as a request makes them; timed from when it was due, so
        that a loop which comes too late to begin it counts too.
        """
        async with self._database.write(self._scope) as session:
            client = await ClientService(session, self._scope).create(f"Client {new_id()}")
            data = {"client_id": client.client_id, "name": client.name}
            await EventService(session, self._scope).publish("CLIENT_CREATED", client.client_id, data)
        self.done.append(Write(due, (clock.now() - due).total_seconds()))


async def stream(order: Order) -> list[Write]:
    """Small writes from a process of its own, until its input ends."""
    async with open_application(load_settings(order)) as application:
        source = Stream(application.database, _scope(order))
        async with source.flowing():
            # Whoever started it waits for this line: it has begun to write.
            print(flush=True)
            await asyncio.to_thread(sys.stdin.buffer.read)
        return source.done


async def measure(order: Order) -> WaitsResult:
    """Small writes alone, then beside as many syncs as a percentile takes."""
    async with open_application(load_settings(order)) as application, background(application) as work:
        if order.apart:
            return await _beside_apart(order, application, work)
        source = Stream(application.database, _scope(order))
        async with source.flowing():
            alone = await _alone(order)
            runs = await _syncs(order, application, work)
        return _result(source.done, alone, runs)


async def _beside_apart(order: Order, application: Application, work: Background) -> WaitsResult:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.step",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    if child.stdin is None or child.stdout is None:
        raise RuntimeError("a process without the pipes that were asked for")
    # A line, since the end of the input is what ends the stream.
    child.stdin.write(msgspec.json.encode(msgspec.structs.replace(order, step="stream")) + b"\n")
    await child.stdin.drain()
    await child.stdout.readline()
    alone = await _alone(order)
    runs = await _syncs(order, application, work)
    child.stdin.close()
    answer, _ = await child.communicate()
    return _result(msgspec.json.decode(answer, type=list[Write]), alone, runs)


async def _alone(order: Order) -> tuple[datetime, datetime]:
    """A while without a sync, half as long as the syncs are to take at least."""
    begun = clock.now()
    await asyncio.sleep(order.writes / _A_SECOND / 2)
    return begun, clock.now()


async def _syncs(order: Order, application: Application, work: Background) -> list[RunView]:
    """One sync when it brings the fleet in; of those that find nothing new, as many as it takes."""
    runs = [await _sync(order, application, work)]
    while order.mode == SyncMode.INCREMENTAL and _seconds(runs) * _A_SECOND < order.writes:
        runs.append(await _sync(order, application, work))
    return runs


async def _sync(order: Order, application: Application, work: Background) -> RunView:
    """A sync as a person asks for it: a job, which the worker of this process carries out."""
    database, scope = application.database, _scope(order)
    async with database.write(scope) as session:
        integrations = IntegrationService(session, scope, application.secrets)
        integration = await integrations.get(UUID(order.integration_id))
        ticket = await request_devices(JobService(session, scope), integration, SyncMode(order.mode))
    work.engine.wake()
    run = await following.follow(database, scope, ticket.job_id, lambda _processed, _total: None)
    if run.status != "succeeded":
        raise RuntimeError(f"the sync did not succeed: {run}")
    return run


def _result(writes: list[Write], alone: tuple[datetime, datetime], runs: list[RunView]) -> WaitsResult:
    spans = [(run.started_at, run.finished_at or run.started_at) for run in runs]
    return WaitsResult(
        alone=_within(writes, [alone]),
        beside=_within(writes, spans),
        syncs=len(runs),
        seconds=_seconds(runs),
    )


def _within(writes: list[Write], spans: list[tuple[datetime, datetime]]) -> list[float]:
    """The waits of writes that were due while one of the spans lasted, shortest first."""
    return sorted(write.seconds for write in writes if any(a <= write.due <= b for a, b in spans))


def _seconds(runs: list[RunView]) -> float:
    return sum(((run.finished_at or run.started_at) - run.started_at).total_seconds() for run in runs)


def _scope(order: Order) -> TenantScope:
    return TenantScope(UUID(order.tenant_id))
