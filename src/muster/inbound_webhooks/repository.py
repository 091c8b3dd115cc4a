"""Questions to the tables of receipts and endpoints."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, Select, and_, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from muster.db.repository import TenantRepository
from muster.db.types import table_of
from muster.inbound_webhooks.models import WebhookEndpoint, WebhookReceipt
from muster.inbound_webhooks.schemas import ReceiptFilter
from muster.inbound_webhooks.types import SETTLED, UNSETTLED, ReceiptState

_receipts = table_of(WebhookReceipt)
_endpoints = table_of(WebhookEndpoint)
# All but the body, which lists do not show.
_SHOWN = [
    *(column for column in _receipts.c if column.name not in ("tenant_id", "body")),
    func.length(_receipts.c.body).label("size"),
]
# In these words, not with a parameter, or SQLite does not use the index of those that wait.
_IS_WAITING = text("webhook_receipts.state = 'waiting'")


class EndpointRepository(TenantRepository):
    """Endpoints of one tenant."""

    async def endpoint(self, integration_id: UUID, *, for_update: bool = False) -> RowMapping | None:
        """An integration's endpoint; `for_update` keeps others from changing it meanwhile."""
        query = select(_endpoints).where(
            _endpoints.c.tenant_id == self.scope.tenant_id, _endpoints.c.integration_id == integration_id
        )
        if for_update:
            query = query.with_for_update()
        return (await self.session.execute(query)).mappings().one_or_none()

    async def previous_until(self, integration_ids: Collection[UUID]) -> Mapping[UUID, datetime]:
        """Until when the secret before the last rotation holds, for those that have one."""
        query = select(_endpoints.c.integration_id, _endpoints.c.previous_until).where(
            _endpoints.c.tenant_id == self.scope.tenant_id,
            _endpoints.c.integration_id.in_(integration_ids),
            _endpoints.c.previous_until.is_not(None),
        )
        return {row.integration_id: row.previous_until for row in await self.session.execute(query)}


class ReceiptRepository(TenantRepository):
    """Receipts of one tenant."""

    async def receipt(self, receipt_id: UUID) -> RowMapping | None:
        """One receipt, with its body."""
        query = select(*_SHOWN, _receipts.c.body).where(self._own, _receipts.c.receipt_id == receipt_id)
        return (await self.session.execute(query)).mappings().one_or_none()

    async def page(self, wanted: ReceiptFilter, *, limit: int, offset: int) -> Sequence[RowMapping]:
        """Receipts without their bodies, newest first."""
        query = select(*_SHOWN).where(*self._conditions(wanted))
        query = query.order_by(_receipts.c.received_at.desc(), _receipts.c.receipt_id.desc())
        return (await self.session.execute(query.limit(limit).offset(offset))).mappings().all()

    async def count(self, wanted: ReceiptFilter) -> int:
        """How many receipts match."""
        query = select(func.count()).select_from(_receipts).where(*self._conditions(wanted))
        return int((await self.session.execute(query)).scalar_one())

    async def counts(self, wanted: ReceiptFilter) -> Mapping[str, int]:
        """How many match, by state."""
        query = select(_receipts.c.state, func.count()).where(*self._conditions(wanted))
        found = await self.session.execute(query.group_by(_receipts.c.state))
        return {row[0]: row[1] for row in found}

    async def to_replay(self, wanted: ReceiptFilter, *, limit: int) -> Sequence[RowMapping]:
        """Ids of matching receipts that do not wait already, oldest first, and whose they are."""
        query = select(_receipts.c.receipt_id, _receipts.c.integration_id).where(*self._conditions(wanted))
        query = (
            query.where(_receipts.c.state != ReceiptState.WAITING.value)
            .order_by(_receipts.c.receipt_id)
            .limit(limit)
        )
        return (await self.session.execute(query)).mappings().all()

    # --- draining ------------------------------------------------------------------------------------------

    async def fresh(self, integration_id: UUID, *, limit: int) -> Sequence[RowMapping]:
        """The oldest waiting receipts that nobody has tried yet."""
        query = self._waiting(integration_id).where(_receipts.c.attempts == 0)
        query = query.order_by(_receipts.c.receipt_id).limit(limit)
        return (await self.session.execute(query)).mappings().all()

    async def tried(self, integration_id: UUID, but: Collection[UUID]) -> Sequence[RowMapping]:
        """Of the waiting receipts that were tried in vain the one tried least, not among `but`."""
        query = self._waiting(integration_id).where(
            _receipts.c.attempts > 0, _receipts.c.receipt_id.not_in(but)
        )
        query = query.order_by(_receipts.c.attempts, _receipts.c.receipt_id).limit(1)
        return (await self.session.execute(query)).mappings().all()

    async def waiting_for_update(self, receipt_ids: Collection[UUID]) -> set[UUID]:
        """Those that still wait, held until commit; what another worker holds is passed over."""
        query = (
            select(_receipts.c.receipt_id)
            .where(self._own, _receipts.c.receipt_id.in_(receipt_ids), _IS_WAITING)
            .order_by(_receipts.c.receipt_id)
            .with_for_update(skip_locked=True)
        )
        return set((await self.session.execute(query)).scalars())

    async def count_waiting(self, integration_id: UUID, *, most: int) -> int:
        """How many wait, counted up to `most`."""
        some = self._waiting(integration_id).limit(most).subquery()
        return int((await self.session.execute(select(func.count()).select_from(some))).scalar_one())

    def _waiting(self, integration_id: UUID) -> Select[tuple[UUID, datetime, bytes, int]]:
        columns = (_receipts.c.receipt_id, _receipts.c.received_at, _receipts.c.body, _receipts.c.attempts)
        return select(*columns).where(self._own, _receipts.c.integration_id == integration_id, _IS_WAITING)

    def _conditions(self, wanted: ReceiptFilter) -> Sequence[ColumnElement[bool]]:
        conditions = [self._own]
        if wanted.integration_id is not None:
            conditions.append(_receipts.c.integration_id == wanted.integration_id)
        if wanted.state is not None:
            conditions.append(_receipts.c.state == wanted.state.value)
        if wanted.device_id is not None:
            conditions.append(_receipts.c.device_id == wanted.device_id)
        if wanted.since is not None:
            conditions.append(_receipts.c.received_at >= wanted.since)
        if wanted.until is not None:
            conditions.append(_receipts.c.received_at < wanted.until)
        return conditions

    @property
    def _own(self) -> ColumnElement[bool]:
        return _receipts.c.tenant_id == self.scope.tenant_id


class AllReceiptsRepository:
    """What background work asks about receipts and endpoints of all tenants."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def waiting(self) -> Sequence[RowMapping]:
        """The integrations for which receipts wait: how many, and since when."""
        query = (
            select(
                _receipts.c.tenant_id,
                _receipts.c.integration_id,
                func.count().label("count"),
                func.min(_receipts.c.received_at).label("since"),
            )
            .where(_IS_WAITING)
            .group_by(_receipts.c.tenant_id, _receipts.c.integration_id)
            .order_by(_receipts.c.tenant_id, _receipts.c.integration_id)
        )
        return (await self.session.execute(query)).mappings().all()

    async def ended_overlaps(self, now: datetime) -> Sequence[RowMapping]:
        """The endpoints whose secret from before the last rotation holds no longer."""
        query = select(_endpoints.c.tenant_id, _endpoints.c.integration_id).where(
            _endpoints.c.previous_until <= now
        )
        return (await self.session.execute(query)).mappings().all()

    async def failed(self) -> int:
        """How many receipts failed and were not replayed."""
        query = select(func.count()).where(_receipts.c.state == ReceiptState.FAILED.value)
        return int((await self.session.execute(query)).scalar_one())


def over_before(settled_before: datetime, unsettled_before: datetime) -> ColumnElement[bool]:
    """The receipts whose time is over: of what was settled, and of what was not."""
    settled = and_(
        _receipts.c.state.in_([state.value for state in SETTLED]), _receipts.c.received_at < settled_before
    )
    unsettled = and_(
        _receipts.c.state.in_([state.value for state in UNSETTLED]),
        _receipts.c.received_at < unsettled_before,
    )
    # The first term is what the index is for.
    return and_(_receipts.c.received_at < max(settled_before, unsettled_before), or_(settled, unsettled))
