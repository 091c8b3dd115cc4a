"""Questions of the list of alerts. They answer with ids: rows are wide, and few of them are shown."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, or_, select

from muster.alerts.models import Alert
from muster.alerts.schemas import AlertFilter, AlertOrder, AlertSort
from muster.alerts.types import OPEN_VALUES, AlertStatus
from muster.db.plans import by_row, holds, scanned
from muster.db.repository import TenantRepository
from muster.db.types import table_of
from muster.naming import folded
from muster.providers.alerting import AlertSeverity

_alerts = table_of(Alert)
_ROW = by_row(_alerts.c.alert_id)
_LATEST = (_alerts.c.raised_at.desc(), _ROW.desc())
_SEVERITIES = {severity.value: place for place, severity in enumerate(reversed(AlertSeverity))}
_STATUSES = {status.value: place for place, status in enumerate(reversed(AlertStatus))}
_EQUAL = ("integration_id", "client_id", "asset_id", "device_id", "suppressed", "hidden", "confirmed")

# The integrations of the wanted provider; None where none is wanted.
Among = Collection[UUID] | None


class BoardRepository(TenantRepository):
    """The list of one tenant's alerts."""

    async def page(
        self, wanted: AlertFilter, order: AlertOrder, *, limit: int, offset: int, among: Among = None
    ) -> Sequence[UUID]:
        """A part of the alerts that match. Not sorted by client."""
        is_indexed = _is_few(wanted) or (_is_plain(wanted) and order.by is AlertSort.RAISED)
        statement = (
            select(_alerts.c.alert_id)
            .where(*self._conditions(wanted, among, by_index=is_indexed))
            .order_by(*_sort_keys(order))
            .limit(limit)
            .offset(offset)
        )
        return (await self.session.scalars(statement)).all()

    async def page_by_client(
        self,
        wanted: AlertFilter,
        clients: Sequence[UUID],
        *,
        limit: int,
        offset: int,
        among: Among = None,
    ) -> Sequence[UUID]:
        """As `page`, in the order of `clients`, those of none last, each one's latest first. The number of
        each one's alerts tells which clients the part falls on, and only theirs are sorted.
        """
        client = _alerts.c.client_id
        conditions = list(self._conditions(wanted, among, by_index=_is_few(wanted) or _is_plain(wanted)))
        # Of all alerts an index has their clients; of some of them another one leads there.
        grouped = scanned(client) if wanted.statuses else client
        counted = select(client, func.count()).where(*conditions).group_by(grouped)
        numbers = {row[0]: row[1] for row in await self.session.execute(counted)}
        shown, before = _fallen_on([(each, numbers.get(each, 0)) for each in (*clients, None)], limit, offset)
        if not shown:
            return []
        known = [each for each in shown if each is not None]
        order: list[ColumnElement[Any]] = list(_LATEST)
        if known:
            place = {each: number for number, each in enumerate(known)}
            order.insert(0, case(place, value=client, else_=len(known)))
        nobody = [client.is_(None)] if None in shown else []
        statement = (
            select(_alerts.c.alert_id)
            .where(*self._conditions(wanted, among, by_index=True), or_(client.in_(known), *nobody))
            .order_by(*order)
            .limit(limit)
            .offset(offset - before)
        )
        return (await self.session.scalars(statement)).all()

    async def count(self, wanted: AlertFilter, among: Among = None) -> int:
        """How many match."""
        by_index = _is_few(wanted) or _is_plain(wanted)
        statement = (
            select(func.count())
            .select_from(_alerts)
            .where(*self._conditions(wanted, among, by_index=by_index))
        )
        return int((await self.session.execute(statement)).scalar_one())

    async def counts(self, wanted: AlertFilter, among: Among = None) -> Sequence[tuple[str, str, int]]:
        """(status, severity, number) of those that match."""
        by_index = _is_few(wanted) or _is_plain(wanted)
        statement = (
            select(_alerts.c.status, _alerts.c.severity, func.count())
            .where(*self._conditions(wanted, among, by_index=by_index))
            .group_by(_alerts.c.status, _alerts.c.severity)
        )
        return [(row[0], row[1], row[2]) for row in await self.session.execute(statement)]

    async def count_open_by(self, column: str, ids: Collection[UUID]) -> dict[UUID, int]:
        """How many open alerts each of some assets (`asset_id`) or clients (`client_id`) has."""
        key = _alerts.c[column]
        statement = (
            select(key, func.count())
            .where(
                _alerts.c.tenant_id == self.scope.tenant_id,
                key.in_(ids),
                _alerts.c.status.in_(sorted(OPEN_VALUES)),
            )
            .group_by(key)
        )
        return {row[0]: row[1] for row in await self.session.execute(statement)}

    def _conditions(
        self, wanted: AlertFilter, among: Among, *, by_index: bool
    ) -> Iterator[ColumnElement[bool]]:
        """What must hold; `by_index` where an index leads to few rows, or has all that is asked for."""
        columns = _alerts.c
        tenant: ColumnElement[Any] = columns.tenant_id
        yield (tenant if by_index else scanned(tenant)) == self.scope.tenant_id
        for name in _EQUAL:
            if (value := getattr(wanted, name)) is not None:
                yield columns[name] == value
        several = (
            (columns.status, wanted.statuses),
            (columns.severity, wanted.severities),
            (columns.alert_type, wanted.types),
        )
        for column, values in several:
            if values:
                yield column.in_([each.value for each in values])
        spans = (
            (columns.raised_at, wanted.raised_since, wanted.raised_before),
            (columns.last_seen_at, wanted.seen_since, wanted.seen_before),
        )
        for moment, since, before in spans:
            if since is not None:
                yield moment >= since
            if before is not None:
                yield moment < before
        if among is not None:
            yield columns.integration_id.in_(among)
        if wanted.linked is not None:
            yield columns.asset_id.is_not(None) if wanted.linked else columns.asset_id.is_(None)
        if wanted.search:
            device = func.coalesce(func.lower(columns.device_name), "")
            yield or_(holds(columns.message_key, folded(wanted.search)), holds(device, wanted.search.lower()))


def _fallen_on(
    numbers: Sequence[tuple[UUID | None, int]], limit: int, offset: int
) -> tuple[Sequence[UUID | None], int]:
    """The clients that a part of the list falls on, and how many alerts stand before the first of them."""
    shown: list[UUID | None] = []
    before = passed = 0
    for client_id, number in numbers:
        if number and passed < offset + limit and passed + number > offset:
            shown.append(client_id)
        elif not shown:
            before += number
        passed += number
    return shown, before


def _is_few(wanted: AlertFilter) -> bool:
    """Whether an index leads to the few alerts that can match: a client's, a device's, or open ones."""
    one = wanted.client_id is not None or wanted.asset_id is not None or wanted.device_id is not None
    return one or (bool(wanted.statuses) and all(status in OPEN_VALUES for status in wanted.statuses))


def _is_plain(wanted: AlertFilter) -> bool:
    """Whether nothing is asked for but what one index has in it."""
    plain = AlertFilter(statuses=wanted.statuses, severities=wanted.severities, suppressed=wanted.suppressed)
    return wanted == plain


def _sort_keys(order: AlertOrder) -> Sequence[ColumnElement[Any]]:
    columns = _alerts.c
    key: ColumnElement[Any]
    match order.by:
        case AlertSort.RAISED:
            return _LATEST if order.descending else (columns.raised_at.asc(), _ROW.asc())
        case AlertSort.LAST_SEEN:
            key = columns.last_seen_at
        case AlertSort.SEVERITY:
            key = case(_SEVERITIES, value=columns.severity, else_=-1)
        case AlertSort.STATUS:
            key = case(_STATUSES, value=columns.status, else_=-1)
        case AlertSort.DEVICE:
            key = func.lower(columns.device_name)
        case AlertSort.OCCURRENCES:
            key = columns.occurrences
        case AlertSort.CLIENT:
            raise ValueError("clients are another room's: their order is given from outside")
    directed = key.desc() if order.descending else key.asc()
    return directed.nulls_last(), *_LATEST
