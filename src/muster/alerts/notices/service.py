"""Notices: who is to be told of an alert, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from muster.alerts.models import AlertNotice
from muster.alerts.notices.repository import NoticeRepository
from muster.alerts.notices.types import NoticeState, NoticeView
from muster.db import bulk
from muster.db.types import new_id, table_of
from muster.jobs.service import JobService
from muster.notifications.service import channel_names
from muster.tenancy import TenantScope

# The kind of job that sends what waits; one is open for each tenant.
SEND_NOTICES = "send_notices"
_NOTICES = table_of(AlertNotice)


class NoticeWish(NamedTuple):
    """A channel that is to be told of an occasion of an alert."""

    alert_id: UUID
    channel_id: UUID
    occasion: str


class NoticeService:
    """The verbs on the notices of one tenant."""

    def __init__(self, session: AsyncSession, scope: TenantScope) -> None:
        self._session = session
        self._scope = scope
        self._repository = NoticeRepository(session, scope)

    async def ask(self, wishes: Sequence[NoticeWish], *, at: datetime) -> None:
        """Have channels told, in the caller's transaction. A channel that is gone is passed over, and so is
        one that was told of this occasion or is about to be.
        """
        if not wishes:
            return
        known = await channel_names(self._session, self._scope)
        rows = [_row(wish, at) for wish in dict.fromkeys(wishes) if wish.channel_id in known]
        if not rows:
            return
        await bulk.insert_new(self._session, self._scope, _NOTICES, rows)
        await JobService(self._session, self._scope).request(SEND_NOTICES, SEND_NOTICES, {})

    async def of_alert(self, alert_id: UUID) -> Sequence[NoticeView]:
        """Whom an alert was or is to be told to, oldest first."""
        return await self._repository.of_alert(alert_id)


def _row(wish: NoticeWish, at: datetime) -> dict[str, Any]:
    return {
        "notice_id": new_id(),
        "alert_id": wish.alert_id,
        "channel_id": wish.channel_id,
        "occasion": wish.occasion,
        "state": NoticeState.WAITING.value,
        "attempts": 0,
        "next_attempt_at": at,
        "sent_at": None,
        "error": None,
        "created_at": at,
    }
