"""Tables of events, their counters, and how far each subscriber has come."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from muster.db.types import Base, TenantOwned, new_id, of_tenant


class Event(TenantOwned, Base):
    """A fact for others. `sequence` counts within the tenant in the order of commits, without gaps."""

    __tablename__ = "events"
    __table_args__ = (
        of_tenant(),
        UniqueConstraint("tenant_id", "event_id"),
        Index(None, "tenant_id", "occurred_at"),
    )

    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    event_id: Mapped[UUID] = mapped_column(default=new_id)
    type: Mapped[str]
    source: Mapped[str]
    subject: Mapped[str]
    occurred_at: Mapped[datetime]
    data: Mapped[dict[str, Any]]


class EventSequence(TenantOwned, Base):
    """The last sequence given to an event of this tenant. Whoever publishes holds this row until commit."""

    __tablename__ = "event_sequences"
    __table_args__ = (of_tenant(),)

    last: Mapped[int] = mapped_column(BigInteger)


class EventCursor(TenantOwned, Base):
    """How far a subscriber has come in a tenant's events. While its handler fails, `failures` counts and
    `next_attempt_at` holds it back; `error` is {type, message} of the last failure.
    """

    __tablename__ = "event_cursors"
    __table_args__ = (of_tenant(),)

    subscriber: Mapped[str] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    failures: Mapped[int]
    next_attempt_at: Mapped[datetime | None]
    error: Mapped[dict[str, Any] | None]
    updated_at: Mapped[datetime]
