"""Questions to the asset tables."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from msgspec import structs
from sqlalchemy import (
    ColumnElement,
    FromClause,
    ScalarSelect,
    Select,
    and_,
    case,
    func,
    or_,
    select,
)

from muster.assets.index import INDEX_FIELDS, search_keys
from muster.assets.models import Asset, AssetChange, ServerAsset, WorkstationAsset
from muster.assets.ordering import TIES, Freshness, effective_status, sort_keys
from muster.assets.schemas import AssetFilter, AssetOrder, AssetSort, ChangeView
from muster.assets.types import ASSET_FIELDS, EXTENSION_FIELDS, AssetContent, Belonging, SyncedAsset
from muster.db.plans import by_row, holds, scanned
from muster.db.repository import TenantRepository
from muster.db.turns import rows
from muster.db.types import table_of
from muster.mappings.missing.service import devices

_assets = table_of(Asset)
_workstations = table_of(WorkstationAsset)
_servers = table_of(ServerAsset)
_changes = table_of(AssetChange)

_DEVICE = "device"
_PRESENT = AssetFilter()
# Rows to pass over, up to which SQLite sorts faster with a limit than without one.
_SHALLOW = 1000
# Indexes have all that are not retired in these orders.
_INDEXED = (AssetSort.NAME, AssetSort.USER)


def assets() -> FromClause:
    """The table of assets, to be joined by the rooms above."""
    return _assets.alias("assets_of_tenant")


def _with_extensions() -> FromClause:
    joined: FromClause = _assets
    for extension in (_workstations, _servers):
        joined = joined.outerjoin(
            extension,
            and_(
                extension.c.tenant_id == _assets.c.tenant_id,
                extension.c.asset_id == _assets.c.asset_id,
            ),
        )
    return joined


def _extension(field: str) -> ColumnElement[Any]:
    return func.coalesce(_workstations.c[field], _servers.c[field], type_=_workstations.c[field].type)


def _conditions(wanted: AssetFilter, freshness: Freshness) -> Iterator[ColumnElement[bool]]:
    """What an asset's own row can tell."""
    columns = _assets.c
    if wanted.retired is not None:
        yield columns.retired_at.is_not(None) if wanted.retired else columns.retired_at.is_(None)
    if wanted.statuses:
        yield effective_status(freshness).in_([status.value for status in wanted.statuses])
    if wanted.asset_type is not None:
        yield columns.asset_type == wanted.asset_type.value
    if wanted.platforms:
        yield columns.os_type.in_(wanted.platforms)
    if wanted.provider is not None:
        yield columns.rmm_provider == wanted.provider
    if wanted.integration_id is not None:
        yield scanned(columns.rmm_integration_id) == wanted.integration_id
    if wanted.seen_since is not None:
        yield columns.last_seen_at >= wanted.seen_since
    if wanted.unseen_since is not None:
        yield or_(columns.last_seen_at < wanted.unseen_since, columns.last_seen_at.is_(None))
    for column, flag in (
        (columns.needs_reboot, wanted.needs_reboot),
        (columns.maintenance_mode, wanted.maintenance),
    ):
        if flag is not None:
            yield column.is_(True) if flag else or_(column.is_(False), column.is_(None))
    if wanted.search and (keys := search_keys(wanted.search)):
        yield or_(*(holds(columns.search_text, key) for key in keys))


class AssetRepository(TenantRepository):
    """Assets of one tenant."""

    async def synced(
        self, integration_id: UUID, asset_ids: Sequence[UUID] | None = None
    ) -> list[SyncedAsset]:
        """What every refresh compares, of all the integration's assets or of those named."""
        statement = select(*(_assets.c[field] for field in SyncedAsset.__struct_fields__)).where(
            _assets.c.tenant_id == self.scope.tenant_id,
            _assets.c.rmm_integration_id == integration_id,
        )
        if asset_ids is not None:
            statement = statement.where(_assets.c.asset_id.in_(asset_ids))
        return [
            SyncedAsset(
                asset_id=row[0],
                client_id=row[1],
                agent_status=row[2],
                last_seen_at=row[3],
                asset_type_overridden=row[4],
                retired_at=row[5],
                last_rmm_sync_at=row[6],
            )
            async for row in rows(self.session, statement)
        ]

    async def contents(self, asset_ids: Sequence[UUID]) -> dict[UUID, AssetContent]:
        """The content of the given assets."""
        statement = (
            select(
                _assets.c.asset_id,
                *(_assets.c[field] for field in ASSET_FIELDS),
                *(_extension(field).label(field) for field in EXTENSION_FIELDS),
            )
            .select_from(_with_extensions())
            .where(_assets.c.tenant_id == self.scope.tenant_id, _assets.c.asset_id.in_(asset_ids))
        )
        fields = (*ASSET_FIELDS, *EXTENSION_FIELDS)
        return {
            row[0]: AssetContent(**dict(zip(fields, row[1:], strict=True)))
            async for row in rows(self.session, statement)
        }

    async def belongings(self, asset_ids: Collection[UUID]) -> dict[UUID, Belonging]:
        """Name and client of the given assets."""
        statement = select(_assets.c.asset_id, _assets.c.name, _assets.c.client_id).where(
            _assets.c.tenant_id == self.scope.tenant_id, _assets.c.asset_id.in_(asset_ids)
        )
        return {row[0]: Belonging(row[1], row[2]) for row in await self.session.execute(statement)}

    async def page(
        self, wanted: AssetFilter, freshness: Freshness, order: AssetOrder, *, limit: int, offset: int
    ) -> tuple[Sequence[UUID], int]:
        """The ids of one part of the list, and how many assets match in all. Not sorted by client."""
        is_indexed = wanted == _PRESENT and order.by in _INDEXED
        matching = self._matching(wanted, freshness, _assets.c.asset_id, by_index=is_indexed)
        keys = sort_keys(order, freshness, by_index=is_indexed)
        if self._is_sqlite() and not is_indexed and (wanted.search or offset > _SHALLOW):
            return await self._in_one_pass(matching.order_by(*keys), limit=limit, offset=offset)
        total = await self.count(wanted, freshness)
        if total <= offset:
            return [], total
        statement = matching.order_by(*keys).limit(limit).offset(offset)
        return (await self.session.scalars(statement)).all(), total

    async def page_by_client(
        self,
        wanted: AssetFilter,
        freshness: Freshness,
        clients: Sequence[UUID],
        *,
        limit: int,
        offset: int,
    ) -> tuple[Sequence[UUID], int]:
        """As `page`, in the order of `clients`: the number of each one's assets tells which clients the part
        falls on, and only theirs are sorted.
        """
        statement = self._matching(wanted, freshness, _assets.c.client_id, func.count())
        counts = {
            row[0]: row[1] for row in await self.session.execute(statement.group_by(_assets.c.client_id))
        }
        shown, before, passed = [], 0, 0
        for client_id in clients:
            number = counts.get(client_id, 0)
            if passed < offset + limit and passed + number > offset:
                shown.append(client_id)
            elif not shown:
                before += number
            passed += number
        total = sum(counts.values())
        if not shown:
            return [], total
        place = case({client_id: n for n, client_id in enumerate(shown)}, value=_assets.c.client_id)
        matching = self._matching(wanted, freshness, _assets.c.asset_id, clients=shown)
        statement = matching.order_by(place, *TIES).limit(limit).offset(offset - before)
        return (await self.session.scalars(statement)).all(), total

    async def ordered(
        self, wanted: AssetFilter, freshness: Freshness, order: AssetOrder
    ) -> AsyncIterator[tuple[UUID, UUID]]:
        """(asset, client) of all that match. Not sorted by client."""
        statement = self._matching(wanted, freshness, _assets.c.asset_id, _assets.c.client_id)
        async for row in rows(self.session, statement.order_by(*sort_keys(order, freshness))):
            yield row[0], row[1]

    async def views(
        self, asset_ids: Sequence[UUID], freshness: Freshness
    ) -> Mapping[UUID, Mapping[str, Any]]:
        """Some assets (a few hundred at most) with `effective_status`, by id."""
        statement = self._select(freshness).where(
            _assets.c.tenant_id == self.scope.tenant_id, _assets.c.asset_id.in_(asset_ids)
        )
        found = (await self.session.execute(statement)).mappings()
        return {row["asset_id"]: row for row in found}

    async def view(self, asset_id: UUID, freshness: Freshness) -> Mapping[str, Any] | None:
        """One asset with `effective_status`, or None."""
        statement = self._select(freshness).where(
            _assets.c.tenant_id == self.scope.tenant_id, _assets.c.asset_id == asset_id
        )
        row: Mapping[str, Any] | None = (await self.session.execute(statement)).mappings().one_or_none()
        return row

    def _select(self, freshness: Freshness) -> Select[Any]:
        return select(
            *(column for column in _assets.c if column.name not in INDEX_FIELDS),
            *(_extension(field).label(field) for field in EXTENSION_FIELDS),
            effective_status(freshness).label("effective_status"),
        ).select_from(_with_extensions())

    def _matching(
        self,
        wanted: AssetFilter,
        freshness: Freshness,
        *columns: ColumnElement[Any],
        clients: Sequence[UUID] | None = None,
        by_index: bool = False,
    ) -> Select[Any]:
        """The columns of all assets that match, read from their own rows alone; `by_index` where an index
        leads to few of them, or has them in their order.
        """
        if wanted.client_id is not None:
            clients = [wanted.client_id]
        by_index = by_index or clients is not None or wanted.missing is True
        tenant: ColumnElement[Any] = _assets.c.tenant_id
        statement = select(*columns).where(
            (tenant if by_index else scanned(tenant)) == self.scope.tenant_id,
            *_conditions(wanted, freshness),
        )
        if clients is not None:
            statement = statement.where(_assets.c.client_id.in_(clients))
        if wanted.missing is not None or wanted.site is not None:
            statement = statement.where(self._device_is(wanted))
        return statement

    def _device_is(self, wanted: AssetFilter) -> ColumnElement[bool]:
        """What the device's mapping says of it."""
        conditions: list[ColumnElement[bool]] = []
        if wanted.missing is not None:
            device = devices()
            missing = select(device.c.asset_id).where(
                device.c.tenant_id == self.scope.tenant_id,
                device.c.entity_type == _DEVICE,
                device.c.missing_since.is_not(None),
            )
            is_missing = _assets.c.asset_id.in_(missing)
            conditions.append(is_missing if wanted.missing else ~is_missing)
        if wanted.site is not None:
            conditions.append(self._site_name() == wanted.site)
        return and_(*conditions)

    def _site_name(self) -> ScalarSelect[str]:
        """An asset's site, looked up asset by asset: of a few of them, a client's. As a join it tempts
        PostgreSQL, which knows nothing of what is in JSON, to begin with all devices there are.
        """
        device = devices()
        return (
            select(device.c.metadata["site_name"].as_string())
            .where(
                device.c.tenant_id == self.scope.tenant_id,
                device.c.entity_type == _DEVICE,
                device.c.asset_id == _assets.c.asset_id,
            )
            .limit(1)
            .scalar_subquery()
        )

    async def _in_one_pass(
        self, ordered: Select[Any], *, limit: int, offset: int
    ) -> tuple[Sequence[UUID], int]:
        """SQLite sorts with a limit by putting each row into a tree of as many as are to be passed over; to
        sort them all at once is twice as fast, and their number comes with it.
        """
        place = by_row(_assets.c.asset_id).label("place")
        everything = (
            ordered.with_only_columns(place).cte("everything").prefix_with("MATERIALIZED", dialect="sqlite")
        )
        total = select(func.count()).select_from(everything).scalar_subquery()
        asset_id = select(_assets.c.asset_id).where(place.element == everything.c.place).correlate(everything)
        statement = select(asset_id.label("asset_id"), total.label("total")).select_from(everything)
        found = (await self.session.execute(statement.limit(limit).offset(offset))).all()
        if found:
            return [row.asset_id for row in found], found[0].total
        return [], (await self.session.execute(select(total))).scalar_one()

    def _is_sqlite(self) -> bool:
        return self.session.get_bind().dialect.name == "sqlite"

    async def count(self, wanted: AssetFilter, freshness: Freshness) -> int:
        """How many assets match."""
        if wanted == _PRESENT:
            return await self.count_present()
        if wanted.missing is False:
            # The missing ones are few, and found by an index.
            missing = await self.count(structs.replace(wanted, missing=True), freshness)
            return await self.count(structs.replace(wanted, missing=None), freshness) - missing
        return int((await self.session.execute(self._matching(wanted, freshness, func.count()))).scalar_one())

    async def count_present(self) -> int:
        """How many assets are not retired; read from indexes, for it stands on every page."""
        of_tenant = select(func.count()).where(_assets.c.tenant_id == self.scope.tenant_id)
        retired = of_tenant.where(_assets.c.retired_at.is_not(None))
        statement = select(of_tenant.scalar_subquery() - retired.scalar_subquery())
        return int((await self.session.execute(statement)).scalar_one())

    async def sites(self, client_id: UUID) -> list[str]:
        """The names of the sites that a client's assets are at."""
        name = self._site_name()
        statement = (
            select(name)
            .where(
                _assets.c.tenant_id == self.scope.tenant_id,
                _assets.c.client_id == client_id,
                name.is_not(None),
            )
            .distinct()
        )
        return sorted(await self.session.scalars(statement))

    async def count_by_status(
        self,
        freshness: Freshness,
        *,
        integration_id: UUID | None = None,
        client_ids: Collection[UUID] | None = None,
    ) -> Sequence[tuple[UUID, str, int]]:
        """(client, effective status, number) of assets not retired."""
        status = effective_status(freshness).label("status")
        tenant: ColumnElement[Any] = _assets.c.tenant_id
        statement = (
            select(_assets.c.client_id, status, func.count())
            .where(
                (scanned(tenant) if client_ids is None else tenant) == self.scope.tenant_id,
                _assets.c.retired_at.is_(None),
            )
            .group_by(_assets.c.client_id, status)
        )
        if integration_id is not None:
            statement = statement.where(scanned(_assets.c.rmm_integration_id) == integration_id)
        if client_ids is not None:
            statement = statement.where(_assets.c.client_id.in_(client_ids))
        return [(row[0], row[1], row[2]) for row in await self.session.execute(statement)]

    async def history(self, asset_id: UUID, *, limit: int, offset: int) -> list[ChangeView]:
        """What changed, newest first."""
        columns = _changes.c
        statement = (
            select(columns.changed_at, columns.field, columns.old_value, columns.new_value, columns.cause)
            .where(columns.tenant_id == self.scope.tenant_id, columns.asset_id == asset_id)
            .order_by(columns.changed_at.desc(), columns.change_id.desc())
            .limit(limit)
            .offset(offset)
        )
        return [ChangeView(**row) for row in (await self.session.execute(statement)).mappings()]

    async def count_changes(self, asset_id: UUID) -> int:
        """How many changes an asset's history holds."""
        statement = select(func.count()).where(
            _changes.c.tenant_id == self.scope.tenant_id, _changes.c.asset_id == asset_id
        )
        return int((await self.session.execute(statement)).scalar_one())
