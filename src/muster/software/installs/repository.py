"""Questions of the list of installs, and the conditions that all questions about installs share.

Hundreds of thousands of installs are never sorted: what stands first in the order (assets, titles, versions,
clients: some thousands) is counted, and the counts tell what a part of the list falls on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, RowMapping, Select, and_, case, func, or_, select

from muster.assets.service import assets
from muster.db.plans import holds, scanned
from muster.db.repository import TenantRepository
from muster.db.types import table_of
from muster.software.models import (
    InstalledSoftware,
    SoftwareReading,
    SoftwareReported,
    SoftwareTitle,
    SoftwareVersion,
)
from muster.software.naming import publisher_key, search_words
from muster.software.schemas import InstallFilter, InstallOrder, InstallSort, InstallView
from muster.software.types import seen_at
from muster.software.versions import FIRST_KEY, VersionBound, key
from muster.tenancy import TenantScope

_titles = table_of(SoftwareTitle)
_versions = table_of(SoftwareVersion)
_installs = table_of(InstalledSoftware)
_reports = table_of(SoftwareReported)
_readings = table_of(SoftwareReading)
_assets = assets()
# SQLite's older builds take 999 parameters in one statement.
_GROUPS_AT_A_TIME = 500

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_BY_ASSET = (_assets.c.name_key, _assets.c.asset_id)
_BY_TITLE = (_titles.c.name_key, _titles.c.publisher_key, _titles.c.software_id)
_BY_VERSION = (_versions.c.version_key, _versions.c.version, _versions.c.version_id)


def matching(
    scope: TenantScope, wanted: InstallFilter, titles: Sequence[UUID] | None = None
) -> Iterator[ColumnElement[bool]]:
    """What must hold of an install, of some titles or of any. Those of retired assets match only where one
    asset is asked for.
    """
    columns = _installs.c
    # An asset's own rows are few; SQLite would rather look for each title on all assets.
    title = columns.software_id if wanted.asset_id is None else scanned(columns.software_id)
    yield columns.tenant_id == scope.tenant_id
    if titles is not None:
        yield columns.software_id.in_(titles)
    if wanted.removed is not None:
        yield columns.removed_at.is_not(None) if wanted.removed else columns.removed_at.is_(None)
    for name in ("software_id", "version_id", "asset_id"):
        if (value := getattr(wanted, name)) is not None:
            yield columns[name] == value
    if wanted.client_id is not None:
        yield columns.asset_id.in_(assets_of_client(scope, wanted.client_id))
    elif wanted.asset_id is None:
        yield columns.asset_id.not_in(retired_assets(scope))
    meant: Sequence[UUID] | Select[UUID] | None = titles
    if wanted.software_id is not None:
        meant = [wanted.software_id]
    if found := list(described(wanted.search, wanted.publisher)):
        meant = select(_titles.c.software_id).where(_titles.c.tenant_id == scope.tenant_id, *found)
        yield title.in_(meant)
    if wanted.bound is not None:
        versions = select(_versions.c.version_id).where(
            _versions.c.tenant_id == scope.tenant_id, *within(wanted.bound)
        )
        if meant is not None:
            versions = versions.where(_versions.c.software_id.in_(meant))
        yield columns.version_id.in_(versions)


def retired_assets(scope: TenantScope) -> Select[UUID]:
    """The ids of the assets that count nowhere."""
    # As a range: an index has these few, but SQLite takes a bigger one where it is only "not null".
    return select(_assets.c.asset_id).where(
        _assets.c.tenant_id == scope.tenant_id, _assets.c.retired_at > _LONG_AGO
    )


def assets_of_client(scope: TenantScope, client_id: UUID) -> Select[UUID]:
    """The ids of a client's assets that are not retired."""
    return select(_assets.c.asset_id).where(
        _assets.c.tenant_id == scope.tenant_id,
        _assets.c.client_id == client_id,
        _assets.c.retired_at.is_(None),
    )


def described(search: str | None, publisher: str | None) -> Iterator[ColumnElement[bool]]:
    """What must hold of a title that somebody looks for."""
    for in_name, in_publisher in search_words(search or ""):
        found = holds(_titles.c.name_key, in_name)
        yield or_(found, holds(_titles.c.publisher_key, in_publisher)) if in_publisher else found
    if publisher is not None:
        yield _titles.c.publisher_key == publisher_key(publisher)


def within(bound: VersionBound) -> Iterator[ColumnElement[bool]]:
    """What must hold of a version within a bound."""
    column, wanted = _versions.c.version_key, key(bound.version)
    match bound.op:
        case "=":
            yield column == wanted
        case "<":
            yield and_(column >= FIRST_KEY, column < wanted)
        case "<=":
            yield and_(column >= FIRST_KEY, column <= wanted)
        case ">":
            yield column > wanted
        case ">=":
            yield column >= wanted


class _Dimension(NamedTuple):
    """What can stand first in an order: an install's column, the table that it names a row of, and what that
    table's rows are sorted by.
    """

    column: ColumnElement[Any]
    table: FromClause
    keys: Sequence[ColumnElement[Any]]


class _Group(NamedTuple):
    """Something that stands first: how many installs stand under it, and how many up to and with it."""

    value: UUID
    number: int
    upto: int
    total: int


_ASSET = _Dimension(_installs.c.asset_id, _assets, _BY_ASSET)
_DIMENSIONS = {
    InstallSort.MACHINE: _ASSET,
    InstallSort.TITLE: _Dimension(_installs.c.software_id, _titles, _BY_TITLE),
    InstallSort.VERSION: _Dimension(_installs.c.version_id, _versions, _BY_VERSION),
}
_OWN = (
    *("asset_id", "software_id", "version_id", "installed_on", "size_bytes", "source", "first_seen_at"),
    "removed_at",
)
_DATES = {InstallSort.INSTALLED: _installs.c.installed_on, InstallSort.FIRST_SEEN: _installs.c.first_seen_at}


class InstallRepository(TenantRepository):
    """The list of one tenant's installs."""

    async def page(
        self, wanted: InstallFilter, order: InstallOrder, *, limit: int, offset: int
    ) -> tuple[Sequence[InstallView], int]:
        """A part of the installs that match, and how many match in all. Not sorted by client."""
        conditions = list(matching(self.scope, wanted))
        if limit == 0:
            return [], await self._count(conditions)
        dimension = _DIMENSIONS.get(order.by)
        if dimension is None or wanted.asset_id is not None:
            return await self._sorted(conditions, order, limit=limit, offset=offset)
        return await self._grouped(
            conditions, dimension, _directed(dimension.keys, order), limit=limit, offset=offset
        )

    async def page_by_client(
        self, wanted: InstallFilter, clients: Sequence[UUID], *, limit: int, offset: int
    ) -> tuple[Sequence[InstallView], int]:
        """As `page`, in the order of `clients`, which must be all of the tenant's."""
        conditions = list(matching(self.scope, wanted))
        numbers = await self._count_by_client(conditions)
        total = sum(numbers.values())
        shown, before, passed = [], 0, 0
        for client_id in clients:
            number = numbers.get(client_id, 0)
            if passed < offset + limit and passed + number > offset:
                shown.append(client_id)
            elif not shown:
                before += number
            passed += number
        if not shown:
            return [], total
        place = case({client_id: n for n, client_id in enumerate(shown)}, value=_assets.c.client_id)
        of_clients = select(_assets.c.asset_id).where(
            _assets.c.tenant_id == self.scope.tenant_id, _assets.c.client_id.in_(shown)
        )
        conditions.append(_installs.c.asset_id.in_(of_clients))
        rows, _ = await self._grouped(
            conditions, _ASSET, (place, *_BY_ASSET), limit=limit, offset=offset - before
        )
        return rows, total

    async def count(self, wanted: InstallFilter) -> int:
        """How many match."""
        return await self._count(list(matching(self.scope, wanted)))

    # --- inside ---

    async def _count(self, conditions: Sequence[ColumnElement[bool]]) -> int:
        statement = select(func.count()).select_from(_installs).where(*conditions)
        return int((await self.session.execute(statement)).scalar_one())

    async def _count_by_client(self, conditions: Sequence[ColumnElement[bool]]) -> dict[UUID, int]:
        counted = _counted(conditions, _installs.c.asset_id).subquery()
        statement = (
            select(_assets.c.client_id, func.sum(counted.c.number))
            .select_from(counted.join(_assets, self._is_row(_ASSET, counted.c.value)))
            .group_by(_assets.c.client_id)
        )
        return {row[0]: int(row[1]) for row in await self.session.execute(statement)}

    async def _grouped(
        self,
        conditions: Sequence[ColumnElement[bool]],
        dimension: _Dimension,
        keys: Sequence[ColumnElement[Any]],
        *,
        limit: int,
        offset: int,
    ) -> tuple[Sequence[InstallView], int]:
        groups = await self._groups(conditions, dimension, keys, limit=limit, offset=offset)
        if not groups:
            return [], await self._count(conditions)
        found: list[InstallView] = []
        skip = offset - (groups[0].upto - groups[0].number)
        for start in range(0, len(groups), _GROUPS_AT_A_TIME):
            some = [group.value for group in groups[start : start + _GROUPS_AT_A_TIME]]
            statement = self._shown().where(*conditions, dimension.column.in_(some))
            statement = statement.order_by(*keys, *_BY_ASSET, *_BY_TITLE, *_BY_VERSION)
            found += await self._views(statement.limit(limit - len(found)).offset(skip))
            skip = 0
        return found, groups[0].total

    async def _groups(
        self,
        conditions: Sequence[ColumnElement[bool]],
        dimension: _Dimension,
        keys: Sequence[ColumnElement[Any]],
        *,
        limit: int,
        offset: int,
    ) -> Sequence[_Group]:
        """What a part of the list falls on, in its order."""
        counted = _counted(conditions, dimension.column).subquery()
        number = counted.c.number
        ranked = (
            select(
                counted.c.value,
                number,
                func.sum(number).over(order_by=keys, rows=(None, 0)).label("upto"),
                func.sum(number).over().label("total"),
            )
            .select_from(counted.join(dimension.table, self._is_row(dimension, counted.c.value)))
            .subquery()
        )
        statement = (
            select(ranked)
            .where(ranked.c.upto > offset, ranked.c.upto - ranked.c.number < offset + limit)
            .order_by(ranked.c.upto)
        )
        found = await self.session.execute(statement)
        return [_Group(row[0], int(row[1]), int(row[2]), int(row[3])) for row in found]

    async def _sorted(
        self, conditions: Sequence[ColumnElement[bool]], order: InstallOrder, *, limit: int, offset: int
    ) -> tuple[Sequence[InstallView], int]:
        """A part of a list that is sorted whole: of one asset, or by a date, which no index has."""
        dimension = _DIMENSIONS.get(order.by)
        keys = dimension.keys if dimension is not None else [_DATES[order.by]]
        first = [each.nulls_last() for each in _directed(keys, order)]
        statement = self._shown().where(*conditions)
        statement = statement.order_by(*first, *_BY_ASSET, *_BY_TITLE, *_BY_VERSION)
        return await self._views(statement.limit(limit).offset(offset)), await self._count(conditions)

    def _shown(self) -> Select[Any]:
        """Installs with the names of what they are of and on, and when their lists were seen."""
        columns = _installs.c
        joined: FromClause = _installs
        for dimension in _DIMENSIONS.values():
            joined = joined.join(dimension.table, self._is_row(dimension, dimension.column))
        of_asset = and_(_reports.c.tenant_id == columns.tenant_id, _reports.c.asset_id == columns.asset_id)
        of_integration = and_(
            _readings.c.tenant_id == _reports.c.tenant_id,
            _readings.c.integration_id == _reports.c.integration_id,
        )
        return select(
            *(columns[name] for name in _OWN),
            columns.last_seen_at,
            _assets.c.name.label("asset_name"),
            _assets.c.client_id,
            _titles.c.name,
            _titles.c.publisher,
            _versions.c.version,
            _reports.c.seen_at,
            _reports.c.missed_since,
            _readings.c.read_at,
        ).select_from(joined.outerjoin(_reports, of_asset).outerjoin(_readings, of_integration))

    async def _views(self, statement: Select[Any]) -> list[InstallView]:
        found = await self.session.execute(statement)
        return [_view(row) for row in found.mappings()]

    def _is_row(self, dimension: _Dimension, value: ColumnElement[Any]) -> ColumnElement[bool]:
        """Whether a value is the id of a row of a dimension's table."""
        table = dimension.table
        return and_(table.c.tenant_id == self.scope.tenant_id, table.c[dimension.column.key or ""] == value)


def _view(row: RowMapping) -> InstallView:
    last_seen_at = row["last_seen_at"]
    if last_seen_at is None:
        last_seen_at = seen_at(row["seen_at"], row["missed_since"], row["read_at"])
    return InstallView(
        **{name: row[name] for name in _OWN},
        asset_name=row["asset_name"],
        client_id=row["client_id"],
        name=row["name"],
        publisher=row["publisher"],
        version=row["version"] or None,
        last_seen_at=last_seen_at or row["first_seen_at"],
    )


def _counted(conditions: Sequence[ColumnElement[bool]], column: ColumnElement[Any]) -> Select[Any]:
    """How many installs stand under each value of a column. In no index's order: SQLite would rather read a
    whole one that has it than the few rows that match.
    """
    return (
        select(column.label("value"), func.count().label("number"))
        .select_from(_installs)
        .where(*conditions)
        .group_by(scanned(column))
    )


def _directed(keys: Sequence[ColumnElement[Any]], order: InstallOrder) -> Sequence[ColumnElement[Any]]:
    return [each.desc() if order.descending else each.asc() for each in keys]
