"""Questions to the table of schedules: of one tenant, and, for the tick, over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping, and_, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from muster.db.repository import TenantRepository
from muster.db.types import table_of
from muster.schedules.models import CAN_BE_DUE, Schedule
from muster.schedules.schemas import ScheduleView
from muster.schedules.types import Due
from muster.tenancy import TenantScope

_schedules = table_of(Schedule)
_can_be_due = text(CAN_BE_DUE)
_columns = tuple(_schedules.c[name] for name in ScheduleView.__struct_fields__)


class ScheduleRepository(TenantRepository):
    """Schedules of one tenant."""

    async def of(self, integration_id: UUID, *, for_update: bool = False) -> Sequence[ScheduleView]:
        """An integration's schedules by kind; `for_update` keeps others from changing them meanwhile."""
        statement = (
            select(*_columns)
            .where(
                _schedules.c.tenant_id == self.scope.tenant_id,
                _schedules.c.integration_id == integration_id,
            )
            .order_by(_schedules.c.kind)
        )
        if for_update:
            statement = statement.with_for_update()
        return [ScheduleView(**row) for row in (await self.session.execute(statement)).mappings()]


class TickRepository:
    """What the tick and the gauges ask, over all tenants."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def due(self, now: datetime, *, limit: int) -> Sequence[Due]:
        """Schedules whose moment has come, the longest waiting first."""
        statement = (
            select(
                _schedules.c.tenant_id,
                _schedules.c.integration_id,
                _schedules.c.kind,
                _schedules.c.minutes,
                _schedules.c.next_run_at,
                _schedules.c.paused_code,
            )
            .where(_can_be_due, _schedules.c.next_run_at <= now)
            .order_by(_schedules.c.next_run_at)
            .limit(limit)
        )
        rows = (await self.session.execute(statement)).mappings()
        return [
            Due(
                scope=TenantScope(row["tenant_id"]),
                integration_id=row["integration_id"],
                kind=row["kind"],
                minutes=row["minutes"],
                next_run_at=row["next_run_at"],
                paused_code=row["paused_code"],
            )
            for row in rows
        ]

    async def states(self) -> Sequence[RowMapping]:
        """Whose integrations have how many schedules, and whether any of them is paused."""
        statement = select(
            _schedules.c.tenant_id,
            _schedules.c.integration_id,
            func.count().label("schedules"),
            func.count(_schedules.c.paused_code).label("paused"),
        ).group_by(_schedules.c.tenant_id, _schedules.c.integration_id)
        return (await self.session.execute(statement)).mappings().all()

    async def backlog(self, before: datetime) -> tuple[int, datetime | None]:
        """How many schedules have been due since before a moment, and since when the first."""
        statement = select(func.count(), func.min(_schedules.c.next_run_at)).where(
            _can_be_due, _schedules.c.next_run_at < before
        )
        count, oldest = (await self.session.execute(statement)).one()
        return count, oldest

    async def numbers(self) -> RowMapping:
        """How many schedules are on, failing and paused."""
        on = _schedules.c.enabled
        paused = and_(on, _schedules.c.paused_code.is_not(None))
        statement = select(
            func.count().filter(on).label("enabled"),
            func.count().filter(and_(on, _schedules.c.failures > 0)).label("failing"),
            func.count().filter(paused).label("paused"),
        )
        return (await self.session.execute(statement)).mappings().one()

    async def troubled(self, failures: int, *, limit: int) -> Sequence[RowMapping]:
        """Schedules that are paused, or failed at least so often in a row."""
        statement = (
            select(
                _schedules.c.tenant_id,
                _schedules.c.integration_id,
                _schedules.c.paused_error,
                _schedules.c.failures,
            )
            .where(
                _schedules.c.enabled,
                or_(_schedules.c.paused_code.is_not(None), _schedules.c.failures >= failures),
            )
            .limit(limit)
        )
        return (await self.session.execute(statement)).mappings().all()
