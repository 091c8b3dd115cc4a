"""Shapes of subscriptions and deliveries as others see them. No secret is in one but SubscriptionSecret."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from muster.outbound_webhooks.models import WebhookSubscription
from muster.outbound_webhooks.types import DeliveryState


class SubscriptionView(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is told of events at `url`. `event_types` empty: only of those that a rule sends.
    `previous_until`: both secrets sign until then. `deliveries` counts those kept, by state.
    """

    subscription_id: UUID
    name: str
    url: str
    event_types: list[str]
    previous_until: datetime | None
    disabled_at: datetime | None
    disabled_reason: str | None
    failing_since: datetime | None
    last_success_at: datetime | None
    created_at: datetime
    updated_at: datetime
    deliveries: dict[str, int]


class SubscriptionInput(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription as it is added or changed."""

    name: Annotated[str, msgspec.Meta(max_length=300)]
    url: Annotated[str, msgspec.Meta(max_length=2_000)]
    event_types: Annotated[list[str], msgspec.Meta(max_length=100)] = []


class SubscriptionSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription with its secret, which is shown this once."""

    subscription: SubscriptionView
    secret: str


class DeliveryView(msgspec.Struct, frozen=True, kw_only=True):
    """One event on its way to one subscription. `event_id` is the webhook-id of every attempt; `answer` is
    the beginning of what the other side said to the last one.
    """

    delivery_id: UUID
    subscription_id: UUID
    event_id: UUID
    event_type: str
    state: DeliveryState
    attempts: int
    next_attempt_at: datetime | None
    last_attempt_at: datetime | None
    delivered_at: datetime | None
    status_code: int | None
    answer: str | None
    error: str | None
    created_at: datetime


def view_of(row: WebhookSubscription, deliveries: Mapping[str, int]) -> SubscriptionView:
    """A subscription's row as others see it."""
    return SubscriptionView(
        subscription_id=row.subscription_id,
        name=row.name,
        url=row.url,
        event_types=list(row.event_types),
        previous_until=row.previous_until,
        disabled_at=row.disabled_at,
        disabled_reason=row.disabled_reason,
        failing_since=row.failing_since,
        last_success_at=row.last_success_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
        deliveries=dict(deliveries),
    )
