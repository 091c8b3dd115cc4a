"""Questions to the run tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from muster.db.repository import TenantRepository
from muster.db.types import table_of
from muster.sync.models import SyncRun, SyncRunEntry
from muster.sync.schemas import EntryView, RunView
from muster.sync.types import Action, RunStatus

_runs = table_of(SyncRun)
_entries = table_of(SyncRunEntry)


class RunRepository(TenantRepository):
    """Runs of one tenant."""

    async def running(self, integration_id: UUID) -> RowMapping | None:
        """The run that holds the integration's lease, with the columns that tell by whom and since when."""
        statement = select(
            _runs.c.run_id,
            _runs.c.lease_owner,
            _runs.c.heartbeat_at,
            _runs.c.sync_type,
            _runs.c.started_at,
        ).where(
            _runs.c.tenant_id == self.scope.tenant_id,
            _runs.c.integration_id == integration_id,
            _runs.c.status == RunStatus.RUNNING.value,
        )
        return (await self.session.execute(statement)).mappings().one_or_none()

    async def runs(self, integration_id: UUID | None, *, limit: int) -> list[RunView]:
        """Runs, newest first."""
        statement = (
            select(_runs)
            .where(_runs.c.tenant_id == self.scope.tenant_id)
            .order_by(_runs.c.started_at.desc(), _runs.c.run_id.desc())
            .limit(limit)
        )
        if integration_id is not None:
            statement = statement.where(_runs.c.integration_id == integration_id)
        return [_view(row) for row in (await self.session.execute(statement)).mappings()]

    async def run(self, run_id: UUID) -> RunView | None:
        """One run, or None."""
        statement = select(_runs).where(_runs.c.tenant_id == self.scope.tenant_id, _runs.c.run_id == run_id)
        row = (await self.session.execute(statement)).mappings().one_or_none()
        return _view(row) if row else None

    async def held(self, run_id: UUID) -> dict[str, Any] | None:
        """A run as who takes it up again needs it."""
        statement = select(_runs).where(_runs.c.tenant_id == self.scope.tenant_id, _runs.c.run_id == run_id)
        row = (await self.session.execute(statement)).one_or_none()
        return None if row is None else row._asdict()

    async def record(self, run_id: UUID) -> Sequence[dict[str, Any]]:
        """A run's entries in their order, as far as they say what was done to what."""
        names = ("entry_number", "item_type", "action", "external_id", "organization_id")
        statement = (
            select(*(_entries.c[name] for name in names))
            .where(_entries.c.tenant_id == self.scope.tenant_id, _entries.c.run_id == run_id)
            .order_by(_entries.c.entry_number)
        )
        return [row._asdict() for row in await self.session.execute(statement)]

    async def entries(self, run_id: UUID, *, limit: int) -> Sequence[EntryView]:
        """A run's entries, problems first, then in their order."""
        problems = case((_entries.c.action.in_([Action.FAILED, Action.HELD]), 0), else_=1)
        statement = (
            select(*(_entries.c[name] for name in EntryView.__struct_fields__))
            .where(_entries.c.tenant_id == self.scope.tenant_id, _entries.c.run_id == run_id)
            .order_by(problems, _entries.c.entry_number)
            .limit(limit)
        )
        return [EntryView(**row) for row in (await self.session.execute(statement)).mappings()]


class RunsRepository:
    """What gauges and the doctor ask, over all tenants."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def ended_since(self, moment: datetime) -> Sequence[RowMapping]:
        """Runs that ended at or after a moment."""
        columns = ("run_id", "sync_type", "mode", "status", "duration_ms", "finished_at")
        statement = select(*(_runs.c[name] for name in columns)).where(_runs.c.finished_at >= moment)
        return (await self.session.execute(statement)).mappings().all()

    async def running(self) -> Sequence[RowMapping]:
        """Runs under way, with who holds them and their last sign of life."""
        columns = ("tenant_id", "integration_id", "run_id", "lease_owner", "heartbeat_at", "started_at")
        statement = select(*(_runs.c[name] for name in columns)).where(
            _runs.c.status == RunStatus.RUNNING.value
        )
        return (await self.session.execute(statement)).mappings().all()

    async def count_running(self) -> int:
        """How many runs are under way."""
        statement = select(func.count()).where(_runs.c.status == RunStatus.RUNNING.value)
        return (await self.session.execute(statement)).scalar_one()


def _view(row: RowMapping) -> RunView:
    fields = {name: row[name] for name in RunView.__struct_fields__ if name != "id"}
    return RunView(id=row["run_id"], **fields)
