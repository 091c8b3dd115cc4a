"""Questions to the job tables: of one tenant, and, for the processes that do the work, over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, and_, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from muster.db.repository import TenantRepository
from muster.db.types import table_of
from muster.jobs.models import IS_OPEN, JobRequest, Worker
from muster.jobs.types import JobState, JobView

_jobs = table_of(JobRequest)
_is_open = text(IS_OPEN)
# Any number that no other advisory lock of Muster's has.
_CLAIMING = 7_301_902


class JobRepository(TenantRepository):
    """Jobs of one tenant."""

    async def job(self, job_id: UUID) -> JobView | None:
        """One job, or None."""
        return await self._one(_jobs.c.job_id == job_id)

    async def open(self, dedup_key: str) -> JobView | None:
        """The open job of that key, or None."""
        return await self._one(and_(_jobs.c.dedup_key == dedup_key, _is_open))

    async def jobs(self, states: Sequence[str], kinds: Sequence[str], *, limit: int) -> list[JobView]:
        """Jobs, newest first; without states or kinds all of them."""
        statement = select(_jobs).where(_jobs.c.tenant_id == self.scope.tenant_id)
        if states:
            statement = statement.where(_jobs.c.state.in_(states))
        if kinds:
            statement = statement.where(_jobs.c.kind.in_(kinds))
        statement = statement.order_by(_jobs.c.requested_at.desc(), _jobs.c.job_id.desc()).limit(limit)
        return [_view(row) for row in (await self.session.execute(statement)).mappings()]

    async def _one(self, condition: ColumnElement[bool]) -> JobView | None:
        statement = select(_jobs).where(_jobs.c.tenant_id == self.scope.tenant_id, condition)
        row = (await self.session.execute(statement)).mappings().one_or_none()
        return _view(row) if row else None


class RelayRepository:
    """What the processes that do the work ask, over all tenants."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def waits(self, now: datetime) -> bool:
        """Whether any job waits for a worker."""
        statement = select(_jobs.c.job_id).where(_is_due(now)).limit(1)
        return (await self.session.execute(statement)).first() is not None

    async def lock(self) -> None:
        """Let one transaction at a time claim jobs; on SQLite there is one that writes anyway."""
        if self.session.get_bind().dialect.name == "postgresql":
            await self.session.execute(select(func.pg_advisory_xact_lock(_CLAIMING)))

    async def candidates(self, now: datetime, *, each: int) -> Sequence[RowMapping]:
        """Waiting jobs, at most `each` of one tenant and lane, so that a heap of one hides no other."""
        place = func.row_number().over(
            partition_by=(_jobs.c.tenant_id, _jobs.c.lane), order_by=(_jobs.c.requested_at, _jobs.c.job_id)
        )
        columns = (_jobs.c.tenant_id, _jobs.c.job_id, _jobs.c.kind, _jobs.c.lane, _jobs.c.requested_at)
        waiting = select(*columns, place.label("place")).where(_is_due(now)).subquery()
        statement = select(waiting).where(waiting.c.place <= each)
        return (await self.session.execute(statement)).mappings().all()

    async def started(self) -> Sequence[RowMapping]:
        """Every job that some worker has: whose, in which lane, which worker."""
        statement = select(
            _jobs.c.tenant_id, _jobs.c.job_id, _jobs.c.lane, _jobs.c.worker, _jobs.c.cancel_requested_at
        ).where(_is_open, _jobs.c.state == JobState.STARTED)
        return (await self.session.execute(statement)).mappings().all()

    async def owner(self, job_id: UUID) -> RowMapping | None:
        """Whose open job this is, and what it takes to do it."""
        columns = (_jobs.c.tenant_id, _jobs.c.kind, _jobs.c.payload, _jobs.c.state, _jobs.c.attempts)
        statement = select(*columns, _jobs.c.worker, _jobs.c.requested_by, _jobs.c.cancel_requested_at).where(
            _is_open, _jobs.c.job_id == job_id
        )
        return (await self.session.execute(statement)).mappings().one_or_none()

    async def finished_before(self, moment: datetime, *, limit: int) -> Sequence[RowMapping]:
        """Jobs that ended before a moment, oldest first."""
        statement = (
            select(_jobs.c.tenant_id, _jobs.c.job_id)
            .where(_jobs.c.finished_at < moment)
            .order_by(_jobs.c.finished_at)
            .limit(limit)
        )
        return (await self.session.execute(statement)).mappings().all()

    async def depth(self, now: datetime) -> dict[str, int]:
        """How many jobs are open, by state; those whose moment has not come are `delayed`."""
        state = _jobs.c.state
        statement = select(
            func.count().filter(_is_due(now)).label("requested"),
            func.count().filter(state == JobState.STARTED).label("started"),
            func.count().filter(state == JobState.REQUESTED, _jobs.c.not_before > now).label("delayed"),
        ).where(_is_open)
        return dict((await self.session.execute(statement)).mappings().one())

    async def workers(self) -> Sequence[Worker]:
        """Every process that said it lives and has not said goodbye."""
        return (await self.session.scalars(select(Worker).order_by(Worker.started_at))).all()

    async def worker(self, executor_id: str) -> Worker | None:
        """One of them."""
        return await self.session.get(Worker, executor_id)


def _is_due(now: datetime) -> ColumnElement[bool]:
    return and_(_is_open, _jobs.c.state == JobState.REQUESTED, _jobs.c.not_before <= now)


def _view(row: RowMapping) -> JobView:
    return JobView(
        id=row["job_id"], **{name: row[name] for name in JobView.__struct_fields__ if name != "id"}
    )
