"""Receipts on their way to the database: those that come at the same time are written together, and each is
answered for when the transaction that holds it is committed.

SQLite has one writer, and every commit waits for its turn; 32 senders that each took one would queue up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.db import Database, bulk
from muster.db.failures import DATABASE_ERRORS
from muster.db.types import new_id, table_of
from muster.errors import MusterError
from muster.events.service import EventService
from muster.inbound_webhooks import announcements
from muster.inbound_webhooks.models import WebhookEndpoint, WebhookReceipt
from muster.inbound_webhooks.requests import request_processing
from muster.inbound_webhooks.types import ReceiptState, columns_of
from muster.jobs.service import JobService
from muster.providers.alerting import WebhookMessage
from muster.tenancy import TenantScope

_RECEIPTS, _ENDPOINTS = table_of(WebhookReceipt), table_of(WebhookEndpoint)
_MOST_AT_ONCE = 500
_FAILURES: tuple[type[Exception], ...] = (*DATABASE_ERRORS, MusterError)
_ANNOUNCED = (ReceiptState.TEST, ReceiptState.NOT_UNDERSTOOD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """An authenticated call, and what its body was understood as."""

    scope: TenantScope
    integration_id: UUID
    provider: str
    received_at: datetime
    body: bytes
    content_type: str | None
    sender: str | None
    message: WebhookMessage
    state: ReceiptState


@dataclass(frozen=True, slots=True)
class _Waiting:
    arrival: Arrival
    receipt_id: UUID
    written: asyncio.Future[None]


class ReceiptWriter:
    """Writes receipts of all tenants, for one process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_Waiting] = []
        self._writing: asyncio.Task[None] | None = None

    async def write(self, arrival: Arrival) -> UUID:
        """Write a receipt and give its id once it is committed; one of DATABASE_ERRORS when it is not."""
        waiting = _Waiting(arrival, new_id(), asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._writing is None or self._writing.done():
            # A task of its own: the sender that began it may go away while others wait for it.
            self._writing = asyncio.create_task(self._write_all(), name="muster-receipts")
        await asyncio.shield(waiting.written)
        return waiting.receipt_id

    async def finish(self) -> None:
        """Wait until everything that came is written or refused."""
        if self._writing is not None:
            await asyncio.wait([self._writing])

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_MOST_AT_ONCE], self._waiting[_MOST_AT_ONCE:]
                groups: dict[TenantScope, list[_Waiting]] = {}
                for each in batch:
                    groups.setdefault(each.arrival.scope, []).append(each)
                await asyncio.gather(*(self._write_group(group) for group in groups.values()))
        finally:
            _refuse(self._waiting, _broken())

    async def _write_group(self, group: Sequence[_Waiting]) -> None:
        """Write receipts of one tenant. Whatever happens, each of them hears of it."""
        problem: Exception = _broken()
        try:
            await self._commit(group)
            for each in group:
                each.written.set_result(None)
        except (IntegrityError, DataError) as refused:
            problem = refused
            if len(group) > 1:
                # One of them cannot be written, as of an integration that is gone: not the others' fault.
                for each in group:
                    await self._write_group([each])
        except _FAILURES as failed:
            problem = failed
        finally:
            _refuse(group, problem)

    async def _commit(self, group: Sequence[_Waiting]) -> None:
        scope = group[0].arrival.scope
        async with self._database.write(scope) as session:
            await bulk.insert(session, scope, _RECEIPTS, [_row(each) for each in group])
            await _follow_up(session, scope, group)


def _refuse(waiting: Sequence[_Waiting], problem: Exception) -> None:
    """Tell those that have not heard yet that nothing was written."""
    for each in waiting:
        if not each.written.done():
            each.written.set_exception(problem)


def _broken() -> RuntimeError:
    return RuntimeError("the receipt could not be written")


async def _follow_up(session: AsyncSession, scope: TenantScope, group: Sequence[_Waiting]) -> None:
    """What goes with receipts into their transaction: jobs, events, the moment of the last."""
    jobs = JobService(session, scope)
    for integration_id in sorted(
        {each.arrival.integration_id for each in group if each.arrival.state is ReceiptState.WAITING}
    ):
        await request_processing(jobs, integration_id)
    latest: dict[UUID, datetime] = {}
    for each in group:
        arrival = each.arrival
        latest[arrival.integration_id] = max(
            arrival.received_at, latest.get(arrival.integration_id, arrival.received_at)
        )
    moments = [{"integration_id": key, "last_receipt_at": latest[key]} for key in sorted(latest)]
    await bulk.update(session, scope, _ENDPOINTS, moments, key=["integration_id"])
    await EventService(session, scope).publish_many(
        [
            announcements.received(
                each.receipt_id,
                integration_id=each.arrival.integration_id,
                provider=each.arrival.provider,
                received_at=each.arrival.received_at,
                state=each.arrival.state,
                message=each.arrival.message,
            )
            for each in group
            if each.arrival.state in _ANNOUNCED
        ]
    )


def _row(waiting: _Waiting) -> dict[str, Any]:
    arrival = waiting.arrival
    is_done = arrival.state in _ANNOUNCED
    return {
        "receipt_id": waiting.receipt_id,
        "integration_id": arrival.integration_id,
        "received_at": arrival.received_at,
        "body": arrival.body,
        "content_type": arrival.content_type,
        "sender": arrival.sender,
        "state": arrival.state.value,
        "attempts": 0,
        "processed_at": clock.now() if is_done else None,
        "replayed_by": None,
        "alert_id": None,
        **columns_of(arrival.message),
    }
