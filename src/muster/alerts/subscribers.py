"""What this room does when something happened elsewhere: alerts follow their devices."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from muster.alerts.repository import AlertRepository
from muster.alerts.requests import request_following
from muster.events.schemas import EventView
from muster.events.types import EventType, Subscriber
from muster.jobs.service import JobService
from muster.tenancy import TenantScope

_SYNCED = frozenset({EventType.SYNC_COMPLETED.value, EventType.SYNC_FAILED.value})
# A person said that a device stands for another asset.
_BY_PERSON = frozenset({"linked", "separated"})


def subscribers() -> tuple[Subscriber, ...]:
    """Who hears of events in this room. Devices come by the hundred: alerts follow them at the end of their
    sync, and not one by one.
    """
    types = _SYNCED | {EventType.DEVICE_UPDATED.value}
    return (Subscriber("alerts.follow_devices", _follow, frozenset(types)),)


async def _follow(session: AsyncSession, scope: TenantScope, events: Sequence[EventView]) -> None:
    # One look for each integration, after the last of what moved its devices.
    last = {UUID(event.data["integration_id"]): event for event in events if _moves_devices(event)}
    for integration_id, event in last.items():
        if await AlertRepository(session, scope).to_place(integration_id, None, limit=1):
            await request_following(JobService(session, scope), integration_id, str(event.id))


def _moves_devices(event: EventView) -> bool:
    data = event.data
    if event.type not in _SYNCED:
        return data.get("reason") in _BY_PERSON
    return data.get("sync_type") == "devices" and bool(data["items_created"] + data["items_updated"])
