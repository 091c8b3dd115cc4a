"""Tables of subscriptions and deliveries."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from muster.db.types import SECRET, Base, JsonType, TenantOwned, new_id, of_tenant, part_of


class WebhookSubscription(TenantOwned, Base):
    """Somebody who wants to hear of events at `url`. `event_types` empty: none but those a rule sends him.
    `disabled_at` with its reason: switched off by a person, or by Muster after long failure. `failures` are
    the failed tries since `failing_since`.
    """

    __tablename__ = "webhook_subscriptions"
    __table_args__ = (of_tenant(), UniqueConstraint("tenant_id", "name_key"))

    subscription_id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    name_key: Mapped[str]
    url: Mapped[str]
    sealed_secret: Mapped[bytes] = mapped_column(info=SECRET)
    sealed_previous_secret: Mapped[bytes | None] = mapped_column(info=SECRET)
    previous_until: Mapped[datetime | None]
    event_types: Mapped[list[Any]] = mapped_column(JsonType)
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[str | None]
    failing_since: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(default=0)
    last_success_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class WebhookDelivery(TenantOwned, Base):
    """One event on its way to one subscription: `state` is waiting, delivered, failed (given up) or dropped.
    `requested_at` is when the day began that it has to succeed in. `answer` is the beginning of what the
    other side said.
    """

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        part_of("webhook_subscriptions", "subscription_id"),
        UniqueConstraint("tenant_id", "subscription_id", "event_id"),
        Index(
            None,
            "tenant_id",
            "next_attempt_at",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
        Index(None, "tenant_id", "subscription_id", "created_at"),
        # What is deleted when it is old, over all tenants.
        Index("ix_webhook_deliveries_created_at", "created_at"),
    )

    delivery_id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    subscription_id: Mapped[UUID]
    event_id: Mapped[UUID]
    event_type: Mapped[str]
    payload: Mapped[dict[str, Any]]
    state: Mapped[str]
    attempts: Mapped[int]
    next_attempt_at: Mapped[datetime | None]
    requested_at: Mapped[datetime]
    last_attempt_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    status_code: Mapped[int | None]
    answer: Mapped[str | None]
    error: Mapped[str | None]
    created_at: Mapped[datetime]
