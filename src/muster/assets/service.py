"""Assets: the verbs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import FromClause
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.assets import repository
from muster.assets.index import INDEX_FIELDS, indexed
from muster.assets.models import Asset, AssetChange, ServerAsset, WorkstationAsset
from muster.assets.ordering import Freshness
from muster.assets.repository import AssetRepository
from muster.assets.schemas import (
    AssetFilter,
    AssetOrder,
    AssetSort,
    AssetView,
    ChangeView,
    StatusCounts,
)
from muster.assets.types import (
    ASSET_FIELDS,
    EXTENSION_FIELDS,
    AssetContent,
    Belonging,
    ChangedAsset,
    FieldChange,
    NewAsset,
    Reading,
    SyncedAsset,
)
from muster.audit.service import AuditService
from muster.db import bulk
from muster.db.types import new_id, table_of
from muster.errors import NotFound
from muster.providers.contract import AgentStatus, AssetType
from muster.tenancy import TenantScope

_ASSETS = table_of(Asset)
_CHANGES = table_of(AssetChange)
_EXTENSIONS = {
    AssetType.WORKSTATION.value: table_of(WorkstationAsset),
    AssetType.SERVER.value: table_of(ServerAsset),
}
_asset_values = attrgetter(*ASSET_FIELDS)
_OWN_COLUMNS = (*ASSET_FIELDS, *INDEX_FIELDS)
_BY_NAME = AssetOrder()
# SQLite's older builds take 999 parameters in one statement.
_IDS_AT_A_TIME = 500
_extension_values = attrgetter(*EXTENSION_FIELDS)
# Vitals that move by themselves all day: kept current, but not worth a line of history.
_NO_HISTORY = frozenset({"disks", "boot_time"})


def assets() -> FromClause:
    """The table of assets, for questions of the rooms above: join it by tenant and asset, for an asset's name
    (sorted by `name_key`), its client, and whether it is retired.
    """
    return repository.assets()


class AssetService:
    """Assets of one tenant. `freshness` says for each active integration how old a reading may be."""

    def __init__(self, session: AsyncSession, scope: TenantScope) -> None:
        self._session = session
        self._scope = scope
        self._repository = AssetRepository(session, scope)

    async def page(
        self,
        wanted: AssetFilter,
        freshness: Freshness,
        order: AssetOrder = _BY_NAME,
        *,
        limit: int,
        offset: int = 0,
        clients: Sequence[UUID] = (),
    ) -> tuple[Sequence[UUID], int]:
        """The ids of a part of the assets that match, and how many match in all. Sorted by client, they
        stand in the order of `clients`, which must be all of the tenant's.
        """
        if order.by is not AssetSort.CLIENT:
            return await self._repository.page(wanted, freshness, order, limit=limit, offset=offset)
        ordered = clients[::-1] if order.descending else clients
        return await self._repository.page_by_client(wanted, freshness, ordered, limit=limit, offset=offset)

    async def ordered(
        self,
        wanted: AssetFilter,
        freshness: Freshness,
        order: AssetOrder = _BY_NAME,
        *,
        clients: Sequence[UUID] = (),
    ) -> Sequence[UUID]:
        """The ids of all assets that match; `clients` as for `page`."""
        if order.by is not AssetSort.CLIENT:
            return [found async for found, _ in self._repository.ordered(wanted, freshness, order)]
        of_client: dict[UUID, list[UUID]] = {}
        async for asset_id, client_id in self._repository.ordered(wanted, freshness, _BY_NAME):
            of_client.setdefault(client_id, []).append(asset_id)
        ordered = clients[::-1] if order.descending else clients
        return [asset_id for client_id in ordered for asset_id in of_client.get(client_id, ())]

    async def views(self, asset_ids: Sequence[UUID], freshness: Freshness) -> Sequence[AssetView]:
        """Some assets in this order; those that are not there any more are left out."""
        now = clock.now()
        views: list[AssetView] = []
        for start in range(0, len(asset_ids), _IDS_AT_A_TIME):
            some = asset_ids[start : start + _IDS_AT_A_TIME]
            found = await self._repository.views(some, freshness)
            views.extend(_view(found[asset_id], now) for asset_id in some if asset_id in found)
        return views

    async def get(self, asset_id: UUID, freshness: Freshness) -> AssetView:
        """One asset; NotFound when this tenant has none with that id."""
        row = await self._repository.view(asset_id, freshness)
        if row is None:
            raise NotFound(f"No asset {asset_id} here.", remedy="`muster asset list` shows them.")
        return _view(row, clock.now())

    async def count(self, wanted: AssetFilter, freshness: Freshness) -> int:
        """How many assets match."""
        return await self._repository.count(wanted, freshness)

    async def count_present(self) -> int:
        """How many assets are not retired."""
        return await self._repository.count_present()

    async def sites(self, client_id: UUID) -> Sequence[str]:
        """The names of the sites that a client's assets are at."""
        return await self._repository.sites(client_id)

    async def history(self, asset_id: UUID, *, limit: int = 100, offset: int = 0) -> Sequence[ChangeView]:
        """What changed, newest first."""
        return await self._repository.history(asset_id, limit=limit, offset=offset)

    async def count_changes(self, asset_id: UUID) -> int:
        """How many changes an asset's history holds."""
        return await self._repository.count_changes(asset_id)

    async def count_by_status(
        self, freshness: Freshness, *, integration_id: UUID | None = None
    ) -> StatusCounts:
        """Number of assets for each of the four statuses, zeros included."""
        totals: Counter[str] = Counter({status.value: 0 for status in AgentStatus})
        for _, status, number in await self._repository.count_by_status(
            freshness, integration_id=integration_id
        ):
            totals[status] += number
        return dict(totals)

    async def count_by_client(
        self, freshness: Freshness, client_ids: Collection[UUID] | None = None
    ) -> dict[UUID, StatusCounts]:
        """Number of assets by status for each client that has any, of some clients or of all."""
        totals: dict[UUID, Counter[str]] = defaultdict(Counter)
        for client_id, status, number in await self._repository.count_by_status(
            freshness, client_ids=client_ids
        ):
            totals[client_id][status] += number
        return {
            client_id: {status.value: counts[status.value] for status in AgentStatus}
            for client_id, counts in totals.items()
        }

    async def set_type(self, asset_id: UUID, asset_type: AssetType | None) -> None:
        """Choose the type by hand, so that no sync changes it; None gives the choice back to the sync, which
        settles it when it next reads the device whole. A person's choice is recorded.
        """
        contents = await self._repository.contents([asset_id])
        if asset_id not in contents:
            raise NotFound(f"No asset {asset_id} here.", remedy="`muster asset list` shows them.")
        before = contents[asset_id]
        await AuditService(self._session, self._scope).record(
            "asset.type_changed",
            "asset",
            subject=before.name,
            subject_id=asset_id,
            old=before.asset_type,
            new=None if asset_type is None else asset_type.value,
        )
        await bulk.update(
            self._session,
            self._scope,
            _ASSETS,
            [{"asset_id": asset_id, "asset_type_overridden": asset_type is not None}],
            key=("asset_id",),
        )
        if asset_type is None or asset_type.value == before.asset_type:
            return
        change = FieldChange(field="asset_type", old=before.asset_type, new=asset_type.value)
        changed = ChangedAsset(
            asset_id=asset_id,
            content=msgspec.structs.replace(before, asset_type=asset_type.value),
            changes=(change,),
            type_before=before.asset_type,
        )
        await self.save([changed], cause=self._scope.actor or "person", at=clock.now())

    # --- what a sync asks and writes -----------------------------------------------------------------------

    async def synced(
        self, integration_id: UUID, asset_ids: Sequence[UUID] | None = None
    ) -> Sequence[SyncedAsset]:
        """What every refresh compares, of all the integration's assets or of those named."""
        return await self._repository.synced(integration_id, asset_ids)

    async def contents(self, asset_ids: Sequence[UUID]) -> Mapping[UUID, AssetContent]:
        """The content of the given assets."""
        return await self._repository.contents(asset_ids) if asset_ids else {}

    async def belongings(self, asset_ids: Collection[UUID]) -> Mapping[UUID, Belonging]:
        """What some assets (a few hundred at most) are called and whose they are; retired ones, too."""
        return await self._repository.belongings(asset_ids) if asset_ids else {}

    async def create(self, assets: Sequence[NewAsset], at: datetime) -> None:
        """Insert assets with their extensions."""
        rows = [
            {
                "asset_id": new.asset_id,
                **_own(new.content),
                "asset_type_overridden": False,
                "rmm_provider": new.provider,
                "rmm_integration_id": new.integration_id,
                "rmm_device_id": new.device_id,
                "agent_status": new.agent_status.value,
                "last_seen_at": new.last_seen_at,
                "last_rmm_sync_at": at,
                "retired_at": None,
                "created_at": at,
                "updated_at": at,
            }
            for new in assets
        ]
        if rows:
            await bulk.insert(self._session, self._scope, _ASSETS, rows)
            await bulk.learn(self._session, _ASSETS)
            await self._save_extensions((new.asset_id, new.content) for new in assets)

    async def save(self, changed: Sequence[ChangedAsset], *, cause: str, at: datetime) -> None:
        """Write new content and its history; an asset whose type changed moves to the other extension."""
        rows = [
            {
                "asset_id": asset.asset_id,
                **_own(asset.content),
                "updated_at": at,
            }
            for asset in changed
            if asset.changes or not asset.extension_only
        ]
        await bulk.update(self._session, self._scope, _ASSETS, rows, key=("asset_id",))
        for asset_type, table in _EXTENSIONS.items():
            left = [
                {"asset_id": asset.asset_id}
                for asset in changed
                if asset.type_before == asset_type != asset.content.asset_type
            ]
            await bulk.delete(self._session, self._scope, table, left, key=("asset_id",))
        await self._save_extensions((asset.asset_id, asset.content) for asset in changed)
        history = [
            {
                "change_id": new_id(),
                "asset_id": asset.asset_id,
                "changed_at": at,
                "field": change.field,
                "old_value": change.old,
                "new_value": change.new,
                "cause": cause,
            }
            for asset in changed
            for change in asset.changes
            if change.field not in _NO_HISTORY
        ]
        await bulk.insert(self._session, self._scope, _CHANGES, history)

    async def _save_extensions(self, contents: Iterable[tuple[UUID, AssetContent]]) -> None:
        rows: dict[str, list[dict[str, Any]]] = {asset_type: [] for asset_type in _EXTENSIONS}
        for asset_id, content in contents:
            row = dict(zip(EXTENSION_FIELDS, _extension_values(content), strict=True))
            row["asset_id"] = asset_id
            rows[content.asset_type].append(row)
        for asset_type, table in _EXTENSIONS.items():
            await bulk.upsert(self._session, self._scope, table, rows[asset_type], key=("asset_id",))

    async def touch(self, readings: Sequence[Reading], at: datetime) -> None:
        """Write status and last seen: all that an unchanged agent costs."""
        rows = [
            {
                "asset_id": reading.asset_id,
                "agent_status": reading.agent_status.value,
                "last_seen_at": reading.last_seen_at,
                "last_rmm_sync_at": at,
            }
            for reading in readings
        ]
        await bulk.update(self._session, self._scope, _ASSETS, rows, key=("asset_id",))


def _own(content: AssetContent) -> dict[str, Any]:
    """The part of an asset's own row that its content makes."""
    return dict(zip(_OWN_COLUMNS, (*_asset_values(content), *indexed(content)), strict=True))


def _view(row: Mapping[str, Any], now: datetime) -> AssetView:
    status = row["effective_status"]
    uptime = None
    if status == AgentStatus.ONLINE and row["boot_time"] is not None:
        uptime = max(0, int((now - row["boot_time"]).total_seconds()))
    named = {name: row[name] for name in AssetView.__struct_fields__ if name in row}
    return AssetView(
        **{
            **named,
            "id": row["asset_id"],
            "agent_status": status,
            "last_known_status": row["agent_status"],
            "uptime_seconds": uptime,
        }
    )
