"""Questions to the table of notices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from muster.alerts.models import Alert, AlertNotice
from muster.alerts.notices.types import DueNotice, NoticeState, NoticeView
from muster.db.repository import TenantRepository
from muster.db.types import table_of

_notices, _alerts = table_of(AlertNotice), table_of(Alert)
_TOLD = (
    "severity",
    "status",
    "message",
    "device_name",
    "organization_name",
    "opened_at",
    "occurrences",
    "rule_name",
)


class NoticeRepository(TenantRepository):
    """Notices of one tenant."""

    async def of_alert(self, alert_id: UUID) -> Sequence[NoticeView]:
        """The notices of one alert, oldest first."""
        statement = (
            select(_notices)
            .where(_notices.c.tenant_id == self.scope.tenant_id, _notices.c.alert_id == alert_id)
            .order_by(_notices.c.created_at, _notices.c.notice_id)
        )
        return [_view(row) for row in (await self.session.execute(statement)).mappings()]

    async def due(self, now: datetime, *, limit: int) -> Sequence[DueNotice]:
        """Waiting notices whose moment has come, the oldest first, with what is told of their alerts."""
        joined = _notices.join(
            _alerts,
            and_(_alerts.c.tenant_id == _notices.c.tenant_id, _alerts.c.alert_id == _notices.c.alert_id),
        )
        own = ("notice_id", "alert_id", "channel_id", "attempts", "error", "created_at")
        statement = (
            select(*(_notices.c[name] for name in own), *(_alerts.c[name] for name in _TOLD))
            .select_from(joined)
            .where(
                _notices.c.tenant_id == self.scope.tenant_id,
                _notices.c.state == NoticeState.WAITING,
                _notices.c.next_attempt_at <= now,
            )
            .order_by(_notices.c.next_attempt_at, _notices.c.notice_id)
            .limit(limit)
        )
        return [_due(row) for row in (await self.session.execute(statement)).mappings()]

    async def cut_off(self) -> Sequence[UUID]:
        """The notices that are being sent."""
        statement = select(_notices.c.notice_id).where(
            _notices.c.tenant_id == self.scope.tenant_id, _notices.c.state == NoticeState.SENDING
        )
        return (await self.session.execute(statement)).scalars().all()

    async def next_moment(self) -> datetime | None:
        """When the next waiting notice is due; None when none waits."""
        statement = select(func.min(_notices.c.next_attempt_at)).where(
            _notices.c.tenant_id == self.scope.tenant_id, _notices.c.state == NoticeState.WAITING
        )
        moment: datetime | None = (await self.session.execute(statement)).scalar_one()
        return moment

    async def messages_since(
        self, moment: datetime, channel_ids: Collection[UUID]
    ) -> Mapping[UUID, Sequence[datetime]]:
        """When messages went to these channels since a moment, oldest first; notices that went together in
        one message have one moment.
        """
        statement = (
            select(_notices.c.channel_id, _notices.c.sent_at)
            .where(
                _notices.c.tenant_id == self.scope.tenant_id,
                _notices.c.channel_id.in_(sorted(channel_ids)),
                _notices.c.sent_at > moment,
            )
            .distinct()
            .order_by(_notices.c.sent_at)
        )
        found: dict[UUID, list[datetime]] = defaultdict(list)
        for channel_id, sent_at in await self.session.execute(statement):
            found[channel_id].append(sent_at)
        return found


async def tenants_with_waiting_notices(session: AsyncSession, before: datetime) -> Sequence[UUID]:
    """The tenants that have notices which should have been sent before a moment. Across tenants."""
    statement = (
        select(_notices.c.tenant_id)
        .where(
            or_(
                and_(_notices.c.state == NoticeState.WAITING, _notices.c.next_attempt_at < before),
                _notices.c.state == NoticeState.SENDING,
            )
        )
        .distinct()
    )
    return (await session.execute(statement)).scalars().all()


def _view(row: RowMapping) -> NoticeView:
    values = {name: row[name] for name in NoticeView.__struct_fields__}
    return NoticeView(**{**values, "state": NoticeState(row["state"])})


def _due(row: RowMapping) -> DueNotice:
    values = {name: row[name] for name in DueNotice.__struct_fields__ if name != "is_again"}
    return DueNotice(**values, is_again=bool((row["error"] or {}).get("cut_off")))
