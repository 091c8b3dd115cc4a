"""Values that subscriptions and deliveries are made of."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

# The operator's own networks, in which webhooks may go by http, too; as he wrote them.
Networks = tuple[str, ...]


class DeliveryState(StrEnum):
    """`failed`: given up after a day; `dropped`: its subscription was switched off before it could go."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"
    DROPPED = "dropped"


class DisabledReason(StrEnum):
    """Why a subscription is switched off: by a person, because it failed for days, or because the other side
    answered 410 (Gone).
    """

    PERSON = "person"
    FAILING = "failing"
    GONE = "gone"


class Listener(NamedTuple):
    """A subscription and the kinds of event that it has chosen."""

    subscription_id: UUID
    event_types: frozenset[str]


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery that can be tried now. `attempts` are those made since `requested_at`; `disabled`: its
    subscription was switched off meanwhile.
    """

    delivery_id: UUID
    subscription_id: UUID
    event_id: UUID
    payload: dict[str, Any]
    attempts: int
    requested_at: datetime
    disabled: bool


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where deliveries of a subscription go, and what they are signed with (the newest secret first). It
    lives in memory only.
    """

    subscription_id: UUID
    url: str
    secrets: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Target({self.subscription_id})"


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one try. `status_code` is None when no answer came, and `error` then says why;
    `retry_after` are the seconds that the other side asks to wait.
    """

    at: datetime
    status_code: int | None = None
    answer: str | None = None
    error: str | None = None
    retry_after: float | None = None

    @property
    def ok(self) -> bool:
        """Whether the other side took it: any 2xx."""
        return self.status_code is not None and 200 <= self.status_code < 300

    @property
    def gone(self) -> bool:
        """Whether the other side wants nothing any more."""
        return self.status_code == 410
