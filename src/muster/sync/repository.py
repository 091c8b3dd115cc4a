"""Questions to the run tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, and_, case, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from muster.db.repository import TenantRepository
from muster.db.types import table_of
from muster.sync.models import SyncRefresh, SyncRun, SyncRunEntry
from muster.sync.schemas import EntryFilter, EntryView, RunFilter, RunView
from muster.sync.types import Action, RunStatus

_runs = table_of(SyncRun)
_entries = table_of(SyncRunEntry)
_refreshes = table_of(SyncRefresh)


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

    async def page(self, wanted: RunFilter, *, limit: int, offset: int) -> list[RunView]:
        """Runs that match, newest first."""
        statement = (
            select(_runs)
            .where(self._matching(wanted))
            .order_by(_runs.c.started_at.desc(), _runs.c.run_id.desc())
            .limit(limit)
            .offset(offset)
        )
        return [_view(row) for row in (await self.session.execute(statement)).mappings()]

    async def count(self, wanted: RunFilter) -> int:
        """How many runs match."""
        statement = select(func.count()).select_from(_runs).where(self._matching(wanted))
        return (await self.session.execute(statement)).scalar_one()

    async def latest_ended(self, wanted: RunFilter) -> RunView | None:
        """The last run that matches and has ended."""
        statement = (
            select(_runs)
            .where(self._matching(wanted), _runs.c.status != RunStatus.RUNNING.value)
            .order_by(_runs.c.started_at.desc(), _runs.c.run_id.desc())
            .limit(1)
        )
        row = (await self.session.execute(statement)).mappings().one_or_none()
        return _view(row) if row else None

    def _matching(self, wanted: RunFilter) -> ColumnElement[bool]:
        conditions = [_runs.c.tenant_id == self.scope.tenant_id]
        conditions += [
            _runs.c[name] == value
            for name in ("integration_id", "sync_type", "mode", "status", "trigger")
            if (value := getattr(wanted, name)) is not None
        ]
        if wanted.since is not None:
            conditions.append(_runs.c.started_at >= wanted.since)
        return and_(*conditions)

    async def entries(
        self, run_id: UUID, wanted: EntryFilter | None = None, *, limit: int, offset: int = 0
    ) -> Sequence[EntryView]:
        """A run's entries that match: problems first, what is missing next, each in their order."""
        problems = case(
            (_entries.c.action.in_([Action.FAILED, Action.HELD]), 0),
            (_entries.c.action == Action.MISSING, 1),
            else_=2,
        )
        statement = (
            select(*(_entries.c[name] for name in EntryView.__struct_fields__))
            .where(self._of_run(run_id, wanted or EntryFilter()))
            .order_by(problems, _entries.c.entry_number)
            .limit(limit)
            .offset(offset)
        )
        return [EntryView(**row) for row in (await self.session.execute(statement)).mappings()]

    async def count_entries(self, run_id: UUID, wanted: EntryFilter) -> dict[tuple[str, str], int]:
        """How many entries of a run match, by kind of thing and action."""
        key = (_entries.c.item_type, _entries.c.action)
        statement = select(*key, func.count()).where(self._of_run(run_id, wanted)).group_by(*key)
        return {(row[0], row[1]): row[2] for row in await self.session.execute(statement)}

    def _of_run(self, run_id: UUID, wanted: EntryFilter) -> ColumnElement[bool]:
        conditions = [_entries.c.tenant_id == self.scope.tenant_id, _entries.c.run_id == run_id]
        if wanted.actions:
            conditions.append(_entries.c.action.in_(wanted.actions))
        if wanted.item_type is not None:
            conditions.append(_entries.c.item_type == wanted.item_type)
        if wanted.besides is not None:
            conditions.append(_entries.c.item_type != wanted.besides)
        if wanted.text:
            # As typed too: SQLite's lower() knows no umlauts.
            columns = (_entries.c.name, _entries.c.external_id)
            typed = [column.contains(wanted.text, autoescape=True) for column in columns]
            lowered = [
                func.lower(column).contains(wanted.text.lower(), autoescape=True) for column in columns
            ]
            conditions.append(or_(*typed, *lowered))
        return and_(*conditions)


class RefreshRepository(TenantRepository):
    """Devices of one tenant that are to be read anew."""

    async def pending(self, integration_id: UUID, *, limit: int) -> dict[str, datetime]:
        """An integration's devices that wait to be read, the longest waiting first, each with the moment of
        the last request.
        """
        statement = (
            select(_refreshes.c.device_id, _refreshes.c.requested_at)
            .where(
                _refreshes.c.tenant_id == self.scope.tenant_id,
                _refreshes.c.integration_id == integration_id,
            )
            .order_by(_refreshes.c.requested_at, _refreshes.c.device_id)
            .limit(limit)
        )
        return {row[0]: row[1] for row in await self.session.execute(statement)}


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


def over_before(moment: datetime) -> ColumnElement[bool]:
    """The runs that ended before a moment, but for the latest of each kind and outcome: the panel
    shows them.
    """
    later = _runs.alias("later")
    is_followed = exists().where(
        later.c.tenant_id == _runs.c.tenant_id,
        later.c.integration_id == _runs.c.integration_id,
        later.c.sync_type == _runs.c.sync_type,
        later.c.mode == _runs.c.mode,
        later.c.status == _runs.c.status,
        later.c.started_at > _runs.c.started_at,
    )
    return and_(_runs.c.finished_at < moment, is_followed)


def _view(row: RowMapping) -> RunView:
    fields = {name: row[name] for name in RunView.__struct_fields__ if name != "id"}
    return RunView(id=row["run_id"], **fields)
