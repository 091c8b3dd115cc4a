"""What every worker asks again and again is answered by an index, however many jobs have ended."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from muster import clock
from muster.db import Database
from muster.db.types import new_id
from muster.jobs.repository import JobRepository, RelayRepository
from muster.schedules.repository import TickRepository
from muster.tenancy import TenantScope


@asynccontextmanager
async def plans(connection: AsyncConnection) -> AsyncIterator[list[str]]:
    """How SQLite finds the rows of each statement that the body sends."""
    sent: list[tuple[str, Any]] = []
    found: list[str] = []

    def keep(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        sent.append((statement, parameters))

    sa.event.listen(connection.sync_connection, "before_cursor_execute", keep)
    yield found
    sa.event.remove(connection.sync_connection, "before_cursor_execute", keep)
    for statement, parameters in sent:
        rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        found.append(" / ".join(row.detail for row in rows))


@pytest.fixture
async def relay(sqlite_database: Database) -> AsyncIterator[RelayRepository]:
    async with sqlite_database.read(system=True) as session:
        yield RelayRepository(session)


async def test_looks_for_work_read_only_open_jobs(relay: RelayRepository) -> None:
    now = clock.now()
    async with plans(await relay.session.connection()) as found:
        await relay.waits(now)
        await relay.candidates(now, each=4)
        await relay.started()
        await relay.owner(new_id())
        await relay.depth(now)
    assert len(found) == 5
    for plan in found:
        assert "INDEX ix_job_requests_state (state=?" in plan
        assert "SCAN job_requests" not in plan


async def test_a_request_finds_the_open_job_of_its_key(relay: RelayRepository) -> None:
    async with plans(await relay.session.connection()) as found:
        await JobRepository(relay.session, TenantScope(new_id())).open("key")
    assert found == ["SEARCH job_requests USING INDEX uq_job_requests_open (tenant_id=? AND dedup_key=?)"]


async def test_a_tick_reads_only_what_is_due(relay: RelayRepository) -> None:
    tick = TickRepository(relay.session)
    async with plans(await relay.session.connection()) as found:
        await tick.due(clock.now(), limit=500)
        await tick.backlog(clock.now())
    assert len(found) == 2
    for plan in found:
        assert plan.startswith("SEARCH sync_schedules USING INDEX ix_sync_schedules_due (next_run_at>?")
