"""Assets as a person sees them: with the names of what they hang on, gathered from the rooms below."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.assets.schemas import AssetFilter, AssetOrder, AssetSort, AssetView, ChangeView, StatusCounts
from muster.assets.service import AssetService
from muster.clients.service import ClientService
from muster.encryption import SecretBox
from muster.integrations.service import IntegrationService
from muster.mappings.schemas import EntityView
from muster.mappings.service import MappingService
from muster.tenancy import TenantScope

_BY_NAME = AssetOrder()


class AssetRow(AssetView, kw_only=True):
    """An asset with its client's name and its place on the server: `external_entity_id` is the agent's id,
    `external_realm_id` the organization's; `site_id` and `site_name` come from the mapping's metadata.
    `missing_since`: the first complete list without it.
    """

    client_name: str | None
    integration_name: str | None
    external_entity_id: str | None
    external_realm_id: str | None
    external_pk: int | None
    site_id: str | None
    site_name: str | None
    missing_since: datetime | None


class AssetDetail(AssetRow, kw_only=True):
    """An asset with its latest changes, newest first."""

    history: Sequence[ChangeView]


class AssetListing:
    """Reads assets of one tenant across the rooms."""

    def __init__(self, session: AsyncSession, scope: TenantScope, secrets: SecretBox) -> None:
        self._assets = AssetService(session, scope)
        self._clients = ClientService(session, scope)
        self._integrations = IntegrationService(session, scope, secrets)
        self._mappings = MappingService(session, scope)

    async def rows(
        self, wanted: AssetFilter, order: AssetOrder = _BY_NAME, *, limit: int, offset: int = 0
    ) -> tuple[Sequence[AssetRow], int]:
        """A part of the assets that match, and how many match in all."""
        freshness = await self._integrations.freshness(clock.now())
        clients = await self._in_order(order)
        ids, total = await self._assets.page(
            wanted, freshness, order, limit=limit, offset=offset, clients=clients
        )
        return await self._named(await self._assets.views(ids, freshness)), total

    async def ids(self, wanted: AssetFilter, order: AssetOrder = _BY_NAME) -> Sequence[UUID]:
        """All assets that match, in their order."""
        freshness = await self._integrations.freshness(clock.now())
        return await self._assets.ordered(wanted, freshness, order, clients=await self._in_order(order))

    async def some(self, asset_ids: Sequence[UUID]) -> Sequence[AssetRow]:
        """These assets in this order; those that are not there any more are left out."""
        freshness = await self._integrations.freshness(clock.now())
        return await self._named(await self._assets.views(asset_ids, freshness))

    async def row(self, asset_id: UUID) -> AssetRow:
        """One asset without its history; NotFound when this tenant has none with that id."""
        view = await self._assets.get(asset_id, await self._integrations.freshness(clock.now()))
        (row,) = await self._named([view])
        return row

    async def _in_order(self, order: AssetOrder) -> Sequence[UUID]:
        if order.by is not AssetSort.CLIENT:
            return ()
        return [client.client_id for client in await self._clients.list()]

    async def detail(self, asset_id: UUID) -> AssetDetail:
        """One asset with its history; NotFound when this tenant has none with that id."""
        row = await self.row(asset_id)
        history = await self._assets.history(asset_id)
        return AssetDetail(**msgspec.structs.asdict(row), history=history)

    async def by_status_and_client(self) -> dict[str, StatusCounts]:
        """For each client's name, the number of assets by status."""
        counts = await self._assets.count_by_client(await self._integrations.freshness(clock.now()))
        names = await self._clients.names(list(counts))
        named = {names[client_id]: by_status for client_id, by_status in counts.items()}
        return dict(sorted(named.items(), key=lambda item: item[0].casefold()))

    async def _named(self, views: Sequence[AssetView]) -> Sequence[AssetRow]:
        clients = await self._clients.names({view.client_id for view in views})
        integrations = {view.id: view.name for view in await self._integrations.list(limit=1000)}
        entities: dict[UUID, EntityView] = {}
        for start in range(0, len(views), 500):
            ids = [view.asset_id for view in views[start : start + 500]]
            entities |= await self._mappings.devices_of_assets(ids)
        return [
            AssetRow(
                **msgspec.structs.asdict(view),
                client_name=clients.get(view.client_id),
                integration_name=integrations.get(view.rmm_integration_id)
                if view.rmm_integration_id
                else None,
                **_place(entities.get(view.asset_id)),
            )
            for view in views
        ]


def _place(entity: EntityView | None) -> dict[str, Any]:
    return {
        "external_entity_id": entity.external_entity_id if entity else None,
        "external_realm_id": entity.external_realm_id if entity else None,
        "external_pk": entity.external_pk if entity else None,
        "site_id": entity.metadata.get("site_id") if entity else None,
        "site_name": entity.metadata.get("site_name") if entity else None,
        "missing_since": entity.missing_since if entity else None,
    }
