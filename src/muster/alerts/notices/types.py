"""Values that notices are made of."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec


class NoticeState(StrEnum):
    """`sending` is a notice whose message is under way: found at the beginning of a job, its process died
    between sending and noting it.
    """

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"


class NoticeView(msgspec.Struct, frozen=True, kw_only=True):
    """One message about an alert to one channel. `error` is {message, at} of the last failed attempt."""

    notice_id: UUID
    alert_id: UUID
    channel_id: UUID
    occasion: str
    state: NoticeState
    attempts: int
    next_attempt_at: datetime | None
    sent_at: datetime | None
    error: dict[str, Any] | None
    created_at: datetime


class DueNotice(msgspec.Struct, frozen=True, kw_only=True):
    """A notice that can be sent now, with what its message tells of the alert. `is_again`: it was sent before
    by a process that died before it could note that.
    """

    notice_id: UUID
    alert_id: UUID
    channel_id: UUID
    attempts: int
    is_again: bool
    created_at: datetime
    severity: str
    status: str
    message: str | None
    device_name: str | None
    organization_name: str | None
    opened_at: datetime | None
    occurrences: int
    rule_name: str | None
