"""The relay: brings events to their subscribers, in order within a tenant, at least once.

Any number of processes may run one. A subscriber's place in a tenant's events is a row; who holds it works
on it, the others pass it over. A handler that fails is tried again later and later, and holds up only its
own subscriber in its own tenant.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.db import Database, bulk
from muster.db.types import table_of
from muster.events.models import Event, EventCursor
from muster.events.repository import (
    Cursor,
    EventRepository,
    behind,
    tenants_with_events_before,
)
from muster.events.schemas import EventView
from muster.events.types import Subscriber
from muster.tenancy import TenantScope

log = structlog.get_logger(__name__)

BATCH = 200
POLL_SECONDS = 1.0
PRUNE_EVERY = timedelta(hours=1)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=1), timedelta(hours=1)
# By then the pauses are minutes long: a person should look.
STUCK_AFTER = 8
_PRUNE_ROWS = 500
_ERROR_LENGTH = 500
_CURSORS, _EVENTS = table_of(EventCursor), table_of(Event)


@dataclass(frozen=True, slots=True)
class _Batch:
    handled: int
    more: bool


class EventRelay:
    """Relays the events of all tenants to these subscribers, and deletes old ones."""

    def __init__(self, database: Database, subscribers: Sequence[Subscriber], retention: timedelta) -> None:
        """ValueError when two subscribers have one name: they would share their place."""
        if len({subscriber.name for subscriber in subscribers}) != len(subscribers):
            raise ValueError("two subscribers have the same name")
        self._database = database
        self._subscribers = tuple(subscribers)
        self._retention = retention

    async def run(self, stop: asyncio.Event) -> None:
        """Relay until `stop` is set; the batch under way is finished first."""
        next_prune = clock.now()
        while not stop.is_set():
            try:
                await self.relay_once(stop)
                if clock.now() >= next_prune:
                    await self.prune()
                    next_prune = clock.now() + PRUNE_EVERY
            except SQLAlchemyError as error:
                log.warning("events.relay_failed", error=type(error).__name__)
            try:
                await asyncio.wait_for(stop.wait(), POLL_SECONDS)
            except TimeoutError:
                continue

    async def relay_once(self, stop: asyncio.Event | None = None) -> int:
        """Bring everybody as far as possible now, and give the number of events handled."""
        count = 0
        for subscriber in self._subscribers:
            async with self._database.read(system=True) as session:
                tenants = await behind(session, subscriber.name, clock.now())
            # A batch each in turn: a tenant with a long queue does not keep the others waiting.
            while tenants and not (stop is not None and stop.is_set()):
                going_on = []
                for tenant_id in tenants:
                    done = await self._relay_batch(subscriber, TenantScope(tenant_id))
                    count += done.handled
                    if done.more:
                        going_on.append(tenant_id)
                tenants = going_on
        return count

    async def prune(self) -> int:
        """Delete events older than the retention that every subscriber is done with; their number."""
        before = clock.now() - self._retention
        async with self._database.read(system=True) as session:
            tenants = await tenants_with_events_before(session, before)
        return sum([await self._prune_tenant(TenantScope(tenant_id), before) for tenant_id in tenants])

    async def _prune_tenant(self, scope: TenantScope, before: datetime) -> int:
        count = 0
        while True:
            async with self._database.write(scope) as session:
                repository = EventRepository(session, scope)
                furthest = await repository.furthest([each.name for each in self._subscribers])
                until = await repository.last() if furthest is None else furthest
                old = await repository.old(before, until, limit=_PRUNE_ROWS)
                rows = [{"sequence": sequence} for sequence in old]
                await bulk.delete(session, scope, _EVENTS, rows, key=["sequence"])
            count += len(old)
            if len(old) < _PRUNE_ROWS:
                return count

    async def _relay_batch(self, subscriber: Subscriber, scope: TenantScope) -> _Batch:
        async with self._database.write(scope) as session:
            repository = EventRepository(session, scope)
            cursor = await self._take(session, repository, subscriber.name)
            if cursor is None or cursor.waits(clock.now()):
                # Another relay has it, or has just failed on it.
                return _Batch(handled=0, more=False)
            # Before the events: what is committed by now is complete up to here.
            last = await repository.last()
            events = await repository.after(cursor.sequence, last, subscriber.types, limit=BATCH)
            done, failure = await _hand_over(session, subscriber, scope, events)
            if failure is not None:
                place = events[done - 1].position if done else cursor.sequence
                # One that was reached only now starts to count anew.
                failures = 1 + (cursor.failures if done == 0 else 0)
                await self._hold_back(
                    session, subscriber.name, scope, sequence=place, failures=failures, failure=failure
                )
                return _Batch(handled=done, more=False)
            full = len(events) == BATCH
            await self._move(session, subscriber.name, scope, events[-1].position if full else last)
            if cursor.failures and events:
                log.info("events.recovered", subscriber=subscriber.name, tenant=str(scope.tenant_id))
        return _Batch(handled=len(events), more=full)

    async def _take(
        self, session: AsyncSession, repository: EventRepository, subscriber: str
    ) -> Cursor | None:
        cursor = await repository.cursor_for_update(subscriber)
        if cursor is not None:
            return cursor
        # New here, or another relay has it; only the first of these can be helped.
        row = {"subscriber": subscriber, "sequence": 0, **_untroubled()}
        keep = [name for name in row if name != "subscriber"]
        await bulk.upsert(session, repository.scope, _CURSORS, [row], key=["subscriber"], keep=keep)
        return await repository.cursor_for_update(subscriber)

    async def _move(self, session: AsyncSession, subscriber: str, scope: TenantScope, sequence: int) -> None:
        values = {"sequence": sequence, **_untroubled()}
        await bulk.update_where(session, scope, _CURSORS, values, where={"subscriber": subscriber})

    async def _hold_back(
        self,
        session: AsyncSession,
        subscriber: str,
        scope: TenantScope,
        *,
        sequence: int,
        failures: int,
        failure: Exception,
    ) -> None:
        pause = min(FIRST_PAUSE * 2 ** min(failures - 1, 20), LONGEST_PAUSE)
        if failures == 1:
            log.warning(
                "events.handler_failed",
                subscriber=subscriber,
                tenant=str(scope.tenant_id),
                after=sequence,
                error=type(failure).__name__,
            )
        now = clock.now()
        values = {
            "sequence": sequence,
            "failures": failures,
            "next_attempt_at": now + pause,
            "error": {"type": type(failure).__name__, "message": str(failure)[:_ERROR_LENGTH]},
            "updated_at": now,
        }
        await bulk.update_where(session, scope, _CURSORS, values, where={"subscriber": subscriber})


def _untroubled() -> dict[str, object]:
    return {"failures": 0, "next_attempt_at": None, "error": None, "updated_at": clock.now()}


async def _hand_over(
    session: AsyncSession, subscriber: Subscriber, scope: TenantScope, events: Sequence[EventView]
) -> tuple[int, Exception | None]:
    """How many of the events were handled, and what went wrong with the next one. All at once; if that fails,
    one by one.
    """
    if not events:
        return 0, None
    failure = await _handle(session, subscriber, scope, events)
    if failure is None:
        return len(events), None
    if len(events) == 1:
        return 0, failure
    for count, event in enumerate(events):
        failure = await _handle(session, subscriber, scope, [event])
        if failure is not None:
            return count, failure
    return len(events), None


async def _handle(
    session: AsyncSession, subscriber: Subscriber, scope: TenantScope, events: Sequence[EventView]
) -> Exception | None:
    """Run the handler in a savepoint: what it wrote before it failed is undone, what others wrote is not."""
    try:
        async with session.begin_nested():
            await subscriber.handler(session, scope, events)
            await session.flush()
    except Exception as failure:  # noqa: BLE001 - whatever a subscriber does wrong must not stop the others
        return failure
    return None
