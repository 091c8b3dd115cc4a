"""A sync asked for on the command line: a worker carries it out where one lives, and is followed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from muster.db import Database
from muster.errors import MusterError
from muster.integrations.schemas import IntegrationView
from muster.jobs.service import JobService, WorkerService
from muster.jobs.types import OPEN, JobTicket, JobView
from muster.sync.kinds import SyncKind
from muster.sync.requests import record_started
from muster.sync.schemas import RunView
from muster.sync.service import RunService
from muster.tenancy import TenantScope

_LOOK_SECONDS = 0.5

Request = Callable[[JobService, IntegrationView], Awaitable[JobTicket]]
Moved = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Crew:
    """Whether some process `lives` that carries out jobs; `seen_at` is the last sign of life of any."""

    lives: bool
    seen_at: datetime | None


async def crew(database: Database) -> Crew:
    """How the processes stand that carry out jobs."""
    async with database.read(system=True) as session:
        workers = await WorkerService(session).list()
    return Crew(
        any(not worker.dead for worker in workers),
        max((worker.heartbeat_at for worker in workers), default=None),
    )


async def has_worker(database: Database) -> bool:
    """Whether some process lives that carries out jobs."""
    return (await crew(database)).lives


async def ask(
    database: Database, scope: TenantScope, integration: IntegrationView, request: Request
) -> JobTicket:
    """Ask for the sync in a transaction of its own."""
    async with database.write(scope) as session:
        return await request(JobService(session, scope), integration)


async def record(
    database: Database, scope: TenantScope, integration: IntegrationView, kind: SyncKind
) -> None:
    """Put on record that somebody started a sync on the command line."""
    async with database.write(scope) as session:
        await record_started(session, scope, integration, kind)


async def follow(database: Database, scope: TenantScope, job_id: UUID, moved: Moved) -> RunView:
    """Wait for a job's end and give its run; MusterError when there is none, since it was cancelled before
    it began or broke.
    """
    while True:
        async with database.read(scope) as session:
            job = await JobService(session, scope).get(job_id)
        progress = job.progress or {}
        if "processed" in progress:
            moved(progress["processed"], progress.get("total"))
        if job.state not in OPEN:
            return await _run_of(database, scope, job)
        await asyncio.sleep(_LOOK_SECONDS)


async def _run_of(database: Database, scope: TenantScope, job: JobView) -> RunView:
    known = (job.result or {}).get("run_id") or (job.progress or {}).get("run_id")
    if known:
        async with database.read(scope) as session:
            return await RunService(session, scope).get(UUID(known))
    error = job.error or {"code": job.state, "message": f"The job was {job.state} before it did anything."}
    raise MusterError(error["message"], remedy=error.get("remedy"), code=error["code"])
