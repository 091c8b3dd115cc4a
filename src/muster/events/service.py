"""Events: publish them with their cause, list them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.db import bulk
from muster.db.session import at_commit
from muster.db.types import new_id, table_of
from muster.events.models import Event, EventSequence
from muster.events.repository import EventRepository
from muster.events.schemas import EventView
from muster.events.types import NewEvent
from muster.tenancy import TenantScope

# What every consumer has to accept (CloudEvents 1.0.2, "Size Limits").
DATA_BYTES = 64 * 1024
_EVENTS, _SEQUENCES = table_of(Event), table_of(EventSequence)
_WAITING = "muster.events"


class EventService:
    """The verbs on events, of one tenant."""

    def __init__(self, session: AsyncSession, scope: TenantScope) -> None:
        self._session = session
        self._scope = scope
        self._repository = EventRepository(session, scope)

    async def publish(
        self, event_type: str, subject: str | UUID, data: Mapping[str, Any], *, source: str = "/muster"
    ) -> UUID:
        """Write an event in this transaction and give its id. ValueError for more than 64 KiB of data."""
        (event_id,) = await self.publish_many(
            [NewEvent(type=event_type, subject=subject, data=data, source=source)]
        )
        return event_id

    async def publish_many(self, events: Sequence[NewEvent]) -> Sequence[UUID]:
        """Write events in this transaction, in this order, and give their ids.

        They get their sequence just before the commit, because whoever has it holds all other publishers
        of the tenant up; in a savepoint at once, so that they go with it.
        """
        now = clock.now()
        rows: list[dict[str, Any]] = [
            {
                "event_id": new_id(),
                "type": str(event.type),
                "source": event.source,
                "subject": str(event.subject),
                "occurred_at": event.occurred_at or now,
                "data": _plain(event),
            }
            for event in events
        ]
        if not rows:
            return []
        if self._session.in_nested_transaction():
            await self._write(rows)
        else:
            waiting = self._session.info.setdefault(_WAITING, {})
            waiting.setdefault(self._scope.tenant_id, []).extend(rows)
            at_commit(self._session, f"events of {self._scope.tenant_id}", self._write_waiting)
        return [row["event_id"] for row in rows]

    async def list(self, types: Collection[str] = (), *, limit: int = 100) -> Sequence[EventView]:
        """Committed events, newest first."""
        return await self._repository.newest(types, limit=limit)

    async def _write_waiting(self, session: AsyncSession) -> None:
        await self._write(session.info[_WAITING].pop(self._scope.tenant_id))

    async def _write(self, rows: Sequence[dict[str, Any]]) -> None:
        last = await self._repository.last_for_update()
        if last is None:
            # Two may be first at once: the second waits here until the first has committed.
            await bulk.upsert(self._session, self._scope, _SEQUENCES, [{"last": 0}], key=(), keep=("last",))
            last = await self._repository.last_for_update() or 0
        numbered = [{"sequence": number, **row} for number, row in enumerate(rows, start=last + 1)]
        await bulk.insert(self._session, self._scope, _EVENTS, numbered)
        await bulk.update_where(self._session, self._scope, _SEQUENCES, {"last": last + len(rows)}, where={})


def _plain(event: NewEvent) -> dict[str, Any]:
    encoded = msgspec.json.encode(event.data)
    if len(encoded) > DATA_BYTES:
        raise ValueError(f"{event.type}: {len(encoded)} bytes of data, at most {DATA_BYTES}")
    plain: dict[str, Any] = msgspec.json.decode(encoded, type=dict[str, Any])
    return plain
