"""Shapes of schedules as others see them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
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


class ScheduleControl(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule with what a person may choose: any number of minutes from `least` to `most`; `usual` are
    the periods that are offered, the one in use among them.
    """

    schedule: ScheduleView
    title: str
    least: int
    most: int
    usual: list[int]


class ScheduleChange(msgspec.Struct, kw_only=True):
    """What is to be changed of a schedule; what is not given stays."""

    minutes: Annotated[int, msgspec.Meta(ge=1, le=100_000)] | None = None
    enabled: bool | None = None


class ScheduleList(msgspec.Struct, kw_only=True):
    """An integration's schedules; none before its connection was checked."""

    items: list[ScheduleView]
    total: int
