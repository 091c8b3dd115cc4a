"""Questions to the event tables."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from muster.db.repository import TenantRepository
from muster.db.types import table_of
from muster.events.models import Event, EventCursor, EventSequence
from muster.events.schemas import EventView

_events = table_of(Event)
_sequences = table_of(EventSequence)
_cursors = table_of(EventCursor)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A subscriber's place: the last sequence it is done with, how often it failed on the next, and until
    when that holds it back.
    """

    sequence: int
    failures: int
    next_attempt_at: datetime | None

    def waits(self, now: datetime) -> bool:
        """Whether a failure still holds it back."""
        return self.next_attempt_at is not None and self.next_attempt_at > now


class EventRepository(TenantRepository):
    """Events of one tenant."""

    async def last_for_update(self) -> int | None:
        """The last sequence given, held against others until commit; None before the first event."""
        query = select(_sequences.c.last).where(self._own(_sequences)).with_for_update()
        return (await self.session.execute(query)).scalar_one_or_none()

    async def last(self) -> int:
        """The last sequence given."""
        query = select(_sequences.c.last).where(self._own(_sequences))
        return (await self.session.execute(query)).scalar_one_or_none() or 0

    async def newest(self, types: Collection[str], *, limit: int) -> Sequence[EventView]:
        """Events, newest first; of the given types if there are any."""
        query = select(_events).where(self._own(_events)).order_by(_events.c.sequence.desc()).limit(limit)
        if types:
            query = query.where(_events.c.type.in_(types))
        return [_view(row) for row in (await self.session.execute(query)).mappings()]

    async def after(
        self, sequence: int, until: int, types: Collection[str], *, limit: int
    ) -> Sequence[EventView]:
        """Events after one sequence up to another, in order."""
        query = (
            select(_events)
            .where(self._own(_events), _events.c.sequence > sequence, _events.c.sequence <= until)
            .order_by(_events.c.sequence)
            .limit(limit)
        )
        if types:
            query = query.where(_events.c.type.in_(types))
        return [_view(row) for row in (await self.session.execute(query)).mappings()]

    async def old(self, before: datetime, until: int, *, limit: int) -> Sequence[int]:
        """Sequences of the oldest events from before a moment, none beyond `until`."""
        query = (
            select(_events.c.sequence)
            .where(self._own(_events), _events.c.occurred_at < before, _events.c.sequence <= until)
            .order_by(_events.c.sequence)
            .limit(limit)
        )
        return (await self.session.execute(query)).scalars().all()

    async def cursor_for_update(self, subscriber: str) -> Cursor | None:
        """A subscriber's place, held until commit; None when there is none or another relay holds it."""
        query = (
            select(_cursors.c.sequence, _cursors.c.failures, _cursors.c.next_attempt_at)
            .where(self._own(_cursors), _cursors.c.subscriber == subscriber)
            .with_for_update(skip_locked=True)
        )
        row = (await self.session.execute(query)).one_or_none()
        return None if row is None else Cursor(*row)

    async def furthest(self, subscribers: Collection[str]) -> int | None:
        """How far all of these subscribers have come; None when there are none."""
        if not subscribers:
            return None
        query = select(func.min(_cursors.c.sequence), func.count()).where(
            self._own(_cursors), _cursors.c.subscriber.in_(subscribers)
        )
        lowest, count = (await self.session.execute(query)).one()
        return int(lowest) if count == len(subscribers) else 0

    def _own(self, table: Any) -> Any:
        return table.c.tenant_id == self.scope.tenant_id


async def behind(session: AsyncSession, subscriber: str, now: datetime) -> Sequence[UUID]:
    """The tenants in which a subscriber has events before it and need not wait. Across tenants."""
    place = and_(_cursors.c.tenant_id == _sequences.c.tenant_id, _cursors.c.subscriber == subscriber)
    query = (
        select(_sequences.c.tenant_id)
        .select_from(_sequences.outerjoin(_cursors, place))
        .where(
            func.coalesce(_cursors.c.sequence, 0) < _sequences.c.last,
            or_(_cursors.c.next_attempt_at.is_(None), _cursors.c.next_attempt_at <= now),
        )
        .order_by(_sequences.c.tenant_id)
    )
    return (await session.execute(query)).scalars().all()


async def tenants_with_events_before(session: AsyncSession, moment: datetime) -> Sequence[UUID]:
    """The tenants that have events older than this. Across tenants."""
    query = select(_events.c.tenant_id).where(_events.c.occurred_at < moment).distinct()
    return (await session.execute(query)).scalars().all()


async def failing(session: AsyncSession, least: int) -> Sequence[RowMapping]:
    """Cursors whose handler has failed at least so many times in a row. Across tenants."""
    query = select(_cursors).where(_cursors.c.failures >= least).order_by(_cursors.c.subscriber)
    return (await session.execute(query)).mappings().all()


def _view(row: RowMapping) -> EventView:
    return EventView(
        id=row["event_id"],
        source=row["source"],
        type=row["type"],
        subject=row["subject"],
        time=row["occurred_at"],
        tenantid=row["tenant_id"],
        sequence=str(row["sequence"]),
        data=row["data"],
    )
