"""Questions to the tables of subscriptions and deliveries."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from muster.db.repository import TenantRepository
from muster.db.types import table_of
from muster.outbound_webhooks.models import WebhookDelivery, WebhookSubscription
from muster.outbound_webhooks.schemas import DeliveryView
from muster.outbound_webhooks.types import DeliveryState, Due, Listener

_subscriptions, _deliveries = table_of(WebhookSubscription), table_of(WebhookDelivery)


class SubscriptionRepository(TenantRepository):
    """Subscriptions of one tenant."""

    async def all(self) -> Sequence[WebhookSubscription]:
        """Every subscription, by name."""
        statement = (
            select(WebhookSubscription)
            .where(WebhookSubscription.tenant_id == self.scope.tenant_id)
            .order_by(WebhookSubscription.name_key, WebhookSubscription.subscription_id)
        )
        return (await self.session.scalars(statement)).all()

    async def by_id(self, subscription_id: UUID) -> WebhookSubscription | None:
        """One subscription as the database has it now."""
        return await self.session.get(
            WebhookSubscription, (self.scope.tenant_id, subscription_id), populate_existing=True
        )

    async def by_name_key(self, key: str) -> WebhookSubscription | None:
        """The subscription whose folded name is this."""
        statement = select(WebhookSubscription).where(
            WebhookSubscription.tenant_id == self.scope.tenant_id, WebhookSubscription.name_key == key
        )
        return (await self.session.scalars(statement)).one_or_none()

    async def names(self) -> Sequence[tuple[UUID, str]]:
        """Id and name of every subscription, by name."""
        statement = (
            select(_subscriptions.c.subscription_id, _subscriptions.c.name)
            .where(_subscriptions.c.tenant_id == self.scope.tenant_id)
            .order_by(_subscriptions.c.name_key, _subscriptions.c.subscription_id)
        )
        return [(row[0], row[1]) for row in await self.session.execute(statement)]

    async def listeners(self) -> Sequence[Listener]:
        """Who is to hear of events: the subscriptions that are not switched off."""
        statement = select(_subscriptions.c.subscription_id, _subscriptions.c.event_types).where(
            _subscriptions.c.tenant_id == self.scope.tenant_id, _subscriptions.c.disabled_at.is_(None)
        )
        return [Listener(row[0], frozenset(row[1])) for row in await self.session.execute(statement)]


class DeliveryRepository(TenantRepository):
    """Deliveries of one tenant."""

    async def due(self, now: datetime, *, limit: int) -> Sequence[Due]:
        """Waiting deliveries whose moment has come, the oldest first."""
        joined = _deliveries.join(
            _subscriptions,
            and_(
                _subscriptions.c.tenant_id == _deliveries.c.tenant_id,
                _subscriptions.c.subscription_id == _deliveries.c.subscription_id,
            ),
        )
        own = [_deliveries.c[name] for name in Due.__struct_fields__ if name != "disabled"]
        statement = (
            select(*own, _subscriptions.c.disabled_at.is_not(None).label("disabled"))
            .select_from(joined)
            .where(
                self._own(),
                _deliveries.c.state == DeliveryState.WAITING,
                _deliveries.c.next_attempt_at <= now,
            )
            .order_by(_deliveries.c.next_attempt_at, _deliveries.c.delivery_id)
            .limit(limit)
        )
        return [Due(**row) for row in (await self.session.execute(statement)).mappings()]

    async def next_moment(self) -> datetime | None:
        """When the next waiting delivery is due; None when none waits."""
        statement = select(func.min(_deliveries.c.next_attempt_at)).where(
            self._own(), _deliveries.c.state == DeliveryState.WAITING
        )
        moment: datetime | None = (await self.session.execute(statement)).scalar_one()
        return moment

    async def page(
        self, subscription_id: UUID, states: Collection[str], *, limit: int, offset: int
    ) -> Sequence[DeliveryView]:
        """A subscription's deliveries, newest first; of the given states if there are any."""
        columns = [_deliveries.c[name] for name in DeliveryView.__struct_fields__]
        statement = (
            select(*columns)
            .where(self._of(subscription_id, states))
            .order_by(_deliveries.c.created_at.desc(), _deliveries.c.delivery_id.desc())
            .limit(limit)
            .offset(offset)
        )
        rows = (await self.session.execute(statement)).mappings()
        return [DeliveryView(**{**row, "state": DeliveryState(row["state"])}) for row in rows]

    async def count(self, subscription_id: UUID, states: Collection[str]) -> int:
        """How many deliveries a subscription has, of the given states if there are any."""
        statement = select(func.count()).where(self._of(subscription_id, states))
        return int((await self.session.execute(statement)).scalar_one())

    async def by_state(self) -> Mapping[UUID, Mapping[str, int]]:
        """How many deliveries each subscription has in each state."""
        statement = (
            select(_deliveries.c.subscription_id, _deliveries.c.state, func.count())
            .where(self._own())
            .group_by(_deliveries.c.subscription_id, _deliveries.c.state)
        )
        found: dict[UUID, dict[str, int]] = {}
        for subscription_id, state, count in await self.session.execute(statement):
            found.setdefault(subscription_id, {})[state] = count
        return found

    async def one(self, delivery_id: UUID) -> Mapping[str, Any] | None:
        """A whole delivery."""
        statement = select(_deliveries).where(self._own(), _deliveries.c.delivery_id == delivery_id)
        row = (await self.session.execute(statement)).mappings().one_or_none()
        return None if row is None else dict(row)

    async def failed_since(self, subscription_id: UUID, since: datetime, *, limit: int) -> Sequence[UUID]:
        """Deliveries that were given up or dropped, made at or after a moment, the oldest first."""
        ended = (DeliveryState.FAILED, DeliveryState.DROPPED)
        statement = (
            select(_deliveries.c.delivery_id)
            .where(self._of(subscription_id, ended), _deliveries.c.created_at >= since)
            .order_by(_deliveries.c.created_at, _deliveries.c.delivery_id)
            .limit(limit)
        )
        return (await self.session.execute(statement)).scalars().all()

    def _own(self) -> ColumnElement[bool]:
        return _deliveries.c.tenant_id == self.scope.tenant_id

    def _of(self, subscription_id: UUID, states: Collection[str]) -> ColumnElement[bool]:
        conditions = [self._own(), _deliveries.c.subscription_id == subscription_id]
        if states:
            conditions.append(_deliveries.c.state.in_(sorted(states)))
        return and_(*conditions)


async def tenants_with_waiting_deliveries(session: AsyncSession, before: datetime) -> Sequence[UUID]:
    """The tenants that have deliveries which should have been sent before a moment. Across tenants."""
    statement = (
        select(_deliveries.c.tenant_id)
        .where(_deliveries.c.state == DeliveryState.WAITING, _deliveries.c.next_attempt_at < before)
        .distinct()
    )
    return (await session.execute(statement)).scalars().all()


def over_before(moment: datetime) -> ColumnElement[bool]:
    """The deliveries from before a moment that wait for nothing."""
    return and_(_deliveries.c.created_at < moment, _deliveries.c.state != DeliveryState.WAITING)
