"""Events become deliveries, in the transaction that moves the relay on: none is lost, none is written
twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from muster.events.schemas import EventView
from muster.events.types import Subscriber
from muster.outbound_webhooks.delivery_service import DeliveryService
from muster.tenancy import TenantScope


def subscribers() -> Sequence[Subscriber]:
    """Who of this room hears of events."""
    return (Subscriber("outbound_webhooks", _spread),)


async def _spread(session: AsyncSession, scope: TenantScope, events: Sequence[EventView]) -> None:
    await DeliveryService(session, scope).spread(events)
