"""Shapes of schedules as others see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec


class ScheduleView(msgspec.Struct, frozen=True, kw_only=True):
    """One schedule. `paused_error` is {code, message, remedy}; while it is there, the connection is checked
    at `next_run_at` in place of a sync, and a null `next_run_at` waits for a person.
    """

    integration_id: UUID
    kind: str
    enabled: bool
    minutes: int
    next_run_at: datetime | None
    last_requested_at: datetime | None
    failures: int
    paused_code: str | None
    paused_at: datetime | None
    paused_error: dict[str, Any] | None
    paused_revision: str | None
