"""Values of the event room: the kinds of event, a new event, a subscriber."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from muster.events.schemas import EventView
from muster.tenancy import TenantScope


class EventType(StrEnum):
    """The kinds of event there are. Others rely on these words: one that is published is never renamed."""

    SYNC_STARTED = "RMM_SYNC_STARTED"
    SYNC_COMPLETED = "RMM_SYNC_COMPLETED"
    SYNC_FAILED = "RMM_SYNC_FAILED"
    DEVICE_CREATED = "RMM_DEVICE_CREATED"
    DEVICE_UPDATED = "RMM_DEVICE_UPDATED"
    DEVICE_MISSING = "RMM_DEVICE_MISSING"
    AGENT_STATUS_CHANGED = "RMM_AGENT_STATUS_CHANGED"
    INTEGRATION_CONNECTED = "RMM_INTEGRATION_CONNECTED"
    INTEGRATION_DISCONNECTED = "RMM_INTEGRATION_DISCONNECTED"
    INTEGRATION_NEEDS_ATTENTION = "RMM_INTEGRATION_NEEDS_ATTENTION"
    # The first transient failure after a success, and the first success after that or after a pause.
    INTEGRATION_FAILING = "RMM_INTEGRATION_FAILING"
    INTEGRATION_RECOVERED = "RMM_INTEGRATION_RECOVERED"
    WEBHOOK_RECEIVED = "RMM_WEBHOOK_RECEIVED"
    ALERT_TRIGGERED = "RMM_ALERT_TRIGGERED"
    ALERT_RESOLVED = "RMM_ALERT_RESOLVED"
    ALERT_UPDATED = "RMM_ALERT_UPDATED"
    SOFTWARE_INSTALLED = "RMM_SOFTWARE_INSTALLED"
    SOFTWARE_UPDATED = "RMM_SOFTWARE_UPDATED"
    SOFTWARE_REMOVED = "RMM_SOFTWARE_REMOVED"


# Of these there can be thousands in a night: they are published only while somebody names them, and meant by
# nobody who asks for everything.
ON_REQUEST = frozenset({EventType.SOFTWARE_INSTALLED, EventType.SOFTWARE_UPDATED, EventType.SOFTWARE_REMOVED})


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event to publish. `subject` is the id of the thing it is about, `source` the path of where it
    happened, `data` what JSON can say (ids and moments become text), 64 KiB at most.
    """

    type: str
    subject: str | UUID
    data: Mapping[str, Any]
    source: str = "/muster"
    occurred_at: datetime | None = None


Handler = Callable[[AsyncSession, TenantScope, Sequence[EventView]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Who hears of events. `name` is kept with its place in the stream: renamed, it hears all again.

    `types` names what it hears of; empty means everything. `handler` gets the events of a tenant in order,
    some at a time, and works in the transaction that moves its place, so what it writes there happens once;
    anything else it does can happen twice. When it fails on some, it gets them again one by one, to find out
    on which. It must be quick (SQLite has one writer) and never talks to the network: it asks for a job
    instead.
    """

    name: str
    handler: Handler
    types: frozenset[str] = field(default_factory=frozenset)
