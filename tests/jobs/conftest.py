"""A tenant, and an engine that looks for work without waiting."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from muster.db import Database
from muster.jobs.engine import EngineOptions, JobEngine
from muster.jobs.service import JobService
from muster.jobs.types import OPEN, Handler, JobTicket, JobView
from muster.tenancy import TenantScope
from muster.tenants.service import TenantService


class Desk:
    """Asks for jobs of one tenant and looks after them."""

    def __init__(self, database: Database, scope: TenantScope) -> None:
        self.database = database
        self.scope = scope

    @classmethod
    async def make(cls, database: Database, name: str = "Acme IT") -> "Desk":
        async with database.write() as session:
            tenant = await TenantService(session).create(name)
        return cls(database, TenantScope(tenant.tenant_id, "someone"))

    def jobs(self, session: AsyncSession) -> JobService:
        return JobService(session, self.scope)

    async def reported(self, job_id: UUID) -> bool:
        return (await self.get(job_id)).progress is not None

    async def request(self, kind: str, key: str = "", **options: Any) -> JobTicket:
        payload: Mapping[str, Any] = options.pop("payload", {})
        async with self.database.write(self.scope) as session:
            jobs = JobService(session, self.scope)
            return await jobs.request(kind, key or kind, payload, **options)

    async def cancel(self, job_id: UUID) -> JobView:
        async with self.database.write(self.scope) as session:
            return await JobService(session, self.scope).cancel(job_id)

    async def get(self, job_id: UUID) -> JobView:
        async with self.database.read(self.scope) as session:
            return await JobService(session, self.scope).get(job_id)

    async def list(self, *states: str) -> list[JobView]:
        async with self.database.read(self.scope) as session:
            return list(await JobService(session, self.scope).list(states, limit=1000))

    async def until(self, job_id: UUID, *states: str) -> JobView:
        """The job once it has ended, or is in one of the given states."""
        while True:
            job = await self.get(job_id)
            if job.state in states if states else job.state not in OPEN:
                return job
            await asyncio.sleep(0.02)


@pytest.fixture
async def desk(database: Database) -> Desk:
    return await Desk.make(database)


Start = Callable[..., AbstractAsyncContextManager[JobEngine]]


@pytest.fixture
def start(database: Database, tmp_path: Path) -> Start:
    """Runs an engine with the given handlers: `async with start(kind=handler): ...`"""

    @asynccontextmanager
    async def run(options: EngineOptions | None = None, **handlers: Handler) -> AsyncIterator[JobEngine]:
        quick = options or EngineOptions(poll=0.05, heartbeat=0.2, grace=5)
        engine = JobEngine(database, tmp_path / "data", handlers, quick)
        async with engine.running():
            yield engine

    return run


async def soon(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait until it holds; the test's timeout is the limit."""
    while True:
        found = condition()
        if not isinstance(found, bool):
            found = await found
        if found:
            return
        await asyncio.sleep(0.02)
