"""Deliveries: write them for events, hand out what is due, note what became of it, send again."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.audit.service import AuditService
from muster.db import bulk
from muster.db.types import new_id, table_of
from muster.errors import Conflict, NotFound
from muster.events.schemas import EventView
from muster.jobs.service import JobService
from muster.outbound_webhooks import rules, signing
from muster.outbound_webhooks.models import WebhookDelivery, WebhookSubscription
from muster.outbound_webhooks.repository import DeliveryRepository, SubscriptionRepository
from muster.outbound_webhooks.schemas import DeliveryView
from muster.outbound_webhooks.types import Attempt, DeliveryState, DisabledReason, Due, Listener
from muster.tenancy import TenantScope

log = structlog.get_logger(__name__)

# The kind of job that sends what waits; one is open for each tenant.
DELIVER = "deliver_webhooks"
# The type of the event that only tries whether a subscription works.
TEST = "MUSTER_TEST"
_DELIVERIES = table_of(WebhookDelivery)
_MOST_AGAIN = 10_000


class DeliveryService:
    """The verbs on the deliveries of one tenant."""

    def __init__(
        self, session: AsyncSession, scope: TenantScope, *, jitter: Callable[[], float] = random.random
    ) -> None:
        """`jitter` (0 to 1) spreads second tries."""
        self._session = session
        self._scope = scope
        self._jitter = jitter
        self._repository = DeliveryRepository(session, scope)
        self._subscriptions = SubscriptionRepository(session, scope)

    # --- what is to be sent --------------------------------------------------------------------------------

    async def spread(self, events: Sequence[EventView]) -> int:
        """Write the deliveries of events in the caller's transaction: for who has chosen their type, and for
        who a rule has named in their data (`deliver_to`). Gives their number.
        """
        listeners = await self._subscriptions.listeners()
        rows = [
            _waiting(listener.subscription_id, event.id, event.type, signing.payload_of(event))
            for event in events
            for listener in listeners
            if _hears(listener, event)
        ]
        await self._write(rows)
        return len(rows)

    async def test(self, subscription_id: UUID) -> UUID:
        """Have an event sent that only tries whether the subscription works; gives its delivery's id."""
        row = await self._subscription(subscription_id)
        if row.disabled_at is not None:
            raise Conflict(f"{row.name} is switched off.", remedy="Switch it on first.", code="disabled")
        event_id, now = new_id(), clock.now()
        payload = {
            "type": TEST,
            "timestamp": now.isoformat().replace("+00:00", "Z"),
            "tenant_id": str(self._scope.tenant_id),
            "subject": str(subscription_id),
            "data": {"subscription_id": str(subscription_id), "name": row.name},
        }
        waiting = _waiting(subscription_id, event_id, TEST, payload)
        await self._write([waiting])
        await AuditService(self._session, self._scope).record(
            "subscription.tested", "subscription", subject=row.name, subject_id=subscription_id
        )
        delivery_id: UUID = waiting["delivery_id"]
        return delivery_id

    async def look_for(self, subscription_id: UUID) -> None:
        """NotFound when this tenant has no such subscription."""
        await self._subscription(subscription_id)

    async def again(self, subscription_id: UUID, delivery_ids: Collection[UUID]) -> int:
        """Have deliveries sent again, whatever became of them, with a day to succeed in; gives their number.
        They keep their id, by which the other side knows that it has had one.
        """
        row = await self._subscription(subscription_id)
        if row.disabled_at is not None:
            raise Conflict(f"{row.name} is switched off.", remedy="Switch it on first.", code="disabled")
        now = clock.now()
        count = 0
        for delivery_id in delivery_ids:
            count += await bulk.update_where(
                self._session,
                self._scope,
                _DELIVERIES,
                {
                    "state": DeliveryState.WAITING.value,
                    "attempts": 0,
                    "next_attempt_at": now,
                    "requested_at": now,
                },
                where={"delivery_id": delivery_id, "subscription_id": subscription_id},
            )
        await self._ask()
        if count:
            await AuditService(self._session, self._scope).record(
                "subscription.redelivered",
                "subscription",
                subject=row.name,
                subject_id=subscription_id,
                deliveries=count,
            )
        return count

    async def failed_since(self, subscription_id: UUID, since: datetime) -> Sequence[UUID]:
        """Deliveries that came to nothing since a moment, at most 10,000."""
        await self._subscription(subscription_id)
        return await self._repository.failed_since(subscription_id, since, limit=_MOST_AGAIN)

    # --- sending -------------------------------------------------------------------------------------------

    async def due(self, now: datetime, *, limit: int) -> Sequence[Due]:
        """What can be sent now."""
        return await self._repository.due(now, limit=limit)

    async def next_moment(self) -> datetime | None:
        """When there is something to send again."""
        return await self._repository.next_moment()

    async def settle(self, attempts: Sequence[tuple[Due, Attempt | None]]) -> None:
        """Note what became of tries, and switch off subscriptions that want no more or failed for days. None:
        there was no try, since the subscription is switched off.
        """
        made = [(due, attempt) for due, attempt in attempts if attempt is not None]
        rows = [self._after(due, attempt) for due, attempt in made]
        await bulk.update(self._session, self._scope, _DELIVERIES, rows, key=["delivery_id"])
        by_subscription: dict[UUID, list[Attempt]] = {}
        for due, attempt in made:
            by_subscription.setdefault(due.subscription_id, []).append(attempt)
        for subscription_id in {due.subscription_id for due, attempt in attempts if attempt is None}:
            await self.drop(subscription_id)
        for subscription_id, tries in by_subscription.items():
            await self._judge(subscription_id, tries)

    async def drop(self, subscription_id: UUID) -> None:
        """Let nothing of a subscription wait any more; it can be sent again by hand."""
        await bulk.update_where(
            self._session,
            self._scope,
            _DELIVERIES,
            {"state": DeliveryState.DROPPED.value, "next_attempt_at": None},
            where={"subscription_id": subscription_id, "state": DeliveryState.WAITING.value},
        )

    def _after(self, due: Due, attempt: Attempt) -> dict[str, Any]:
        attempts = due.attempts + 1
        again = (
            None
            if attempt.ok or attempt.gone
            else rules.next_attempt(due.requested_at, attempt.at, attempts, attempt.retry_after, self._jitter)
        )
        state = (
            DeliveryState.DELIVERED
            if attempt.ok
            else DeliveryState.WAITING
            if again is not None
            else DeliveryState.FAILED
        )
        return {
            "delivery_id": due.delivery_id,
            "state": state.value,
            "attempts": attempts,
            "next_attempt_at": again,
            "last_attempt_at": attempt.at,
            "delivered_at": attempt.at if attempt.ok else None,
            "status_code": attempt.status_code,
            "answer": attempt.answer,
            "error": attempt.error,
        }

    async def _judge(self, subscription_id: UUID, attempts: Sequence[Attempt]) -> None:
        """What tries say of their subscription."""
        row = await self._subscriptions.by_id(subscription_id)
        if row is None or row.disabled_at is not None:
            return
        last = attempts[-1].at
        if any(attempt.ok for attempt in attempts):
            row.failing_since, row.failures = None, 0
            row.last_success_at = max(attempt.at for attempt in attempts if attempt.ok)
        else:
            row.failing_since = row.failing_since or attempts[0].at
            row.failures += len(attempts)
        if any(attempt.gone for attempt in attempts):
            await self._disable(row, DisabledReason.GONE, last)
        elif rules.is_to_be_disabled(row.failing_since, row.failures, last):
            await self._disable(row, DisabledReason.FAILING, last)

    async def _disable(self, row: WebhookSubscription, reason: DisabledReason, at: datetime) -> None:
        row.disabled_at, row.disabled_reason, row.updated_at = at, reason.value, at
        log.warning(
            "subscription.disabled",
            tenant=str(self._scope.tenant_id),
            subscription=str(row.subscription_id),
            reason=reason.value,
        )
        await AuditService(self._session, TenantScope(self._scope.tenant_id, "Muster")).record(
            "subscription.disabled",
            "subscription",
            subject=row.name,
            subject_id=row.subscription_id,
            reason=reason.value,
        )
        await self.drop(row.subscription_id)

    # --- reading -------------------------------------------------------------------------------------------

    async def list(
        self, subscription_id: UUID, states: Collection[DeliveryState] = (), *, limit: int, offset: int = 0
    ) -> tuple[Sequence[DeliveryView], int]:
        """A subscription's deliveries, newest first, and how many there are; of the given states if there are
        any.
        """
        await self._subscription(subscription_id)
        wanted = [state.value for state in states]
        rows = await self._repository.page(subscription_id, wanted, limit=limit, offset=offset)
        return rows, await self._repository.count(subscription_id, wanted)

    async def get(self, delivery_id: UUID) -> tuple[DeliveryView, Mapping[str, Any]]:
        """One delivery with its payload; NotFound when this tenant has none with that id."""
        row = await self._repository.one(delivery_id)
        if row is None:
            raise NotFound(f"There is no delivery {delivery_id}.")
        values = {name: row[name] for name in DeliveryView.__struct_fields__}
        return DeliveryView(**{**values, "state": DeliveryState(row["state"])}), row["payload"]

    async def _subscription(self, subscription_id: UUID) -> WebhookSubscription:
        row = await self._subscriptions.by_id(subscription_id)
        if row is None:
            raise NotFound(
                f"There is no subscription {subscription_id}.", remedy="See: muster subscription list"
            )
        return row

    async def _write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            await bulk.insert_new(self._session, self._scope, _DELIVERIES, rows)
            await self._ask()

    async def _ask(self) -> None:
        await JobService(self._session, self._scope).request(DELIVER, DELIVER, {})


def _hears(listener: Listener, event: EventView) -> bool:
    named = event.data.get("deliver_to") or ()
    return event.type in listener.event_types or str(listener.subscription_id) in map(str, named)


def _waiting(
    subscription_id: UUID, event_id: UUID, event_type: str, payload: Mapping[str, Any]
) -> Mapping[str, Any]:
    now = clock.now()
    return {
        "delivery_id": new_id(),
        "subscription_id": subscription_id,
        "event_id": event_id,
        "event_type": event_type,
        "payload": dict(payload),
        "state": DeliveryState.WAITING.value,
        "attempts": 0,
        "next_attempt_at": now,
        "requested_at": now,
        "last_attempt_at": None,
        "delivered_at": None,
        "status_code": None,
        "answer": None,
        "error": None,
        "created_at": now,
    }
