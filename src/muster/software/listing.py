"""Software as a person sees it: with the names of the clients it is counted for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from muster.assets.service import AssetService
from muster.clients.service import ClientService
from muster.errors import NotFound
from muster.software.schemas import (
    AssetSoftware,
    ChangeFilter,
    ClientCount,
    InstallFilter,
    InstallOrder,
    InstallView,
    SoftwareChangeView,
    TitleDetail,
)
from muster.software.service import SoftwareCatalog
from muster.tenancy import TenantScope


class InstallRow(InstallView, frozen=True, kw_only=True):
    """A version of a title on a machine, with the name of the machine's client."""

    client_name: str | None


class ChangeRow(SoftwareChangeView, frozen=True, kw_only=True):
    """What changed on a machine, with the name of its client."""

    client_name: str | None


class TitleClient(ClientCount, frozen=True, kw_only=True):
    """How many machines of a client have a title: each counts once, whatever versions it has."""

    client_name: str | None


class TitleSheet(TitleDetail, frozen=True, kw_only=True):
    """A title with the names of the clients that have it."""

    clients: Sequence[TitleClient]


class SoftwareListing:
    """Reads software of one tenant with the names of clients."""

    def __init__(self, session: AsyncSession, scope: TenantScope) -> None:
        self._catalog = SoftwareCatalog(session, scope)
        self._assets = AssetService(session, scope)
        self._clients = ClientService(session, scope)

    async def title(self, software_id: UUID) -> TitleSheet:
        """One title; NotFound when this tenant has none with that id."""
        detail = await self._catalog.title(software_id)
        names = await self._names(count.client_id for count in detail.clients)
        clients = [
            TitleClient(
                client_id=each.client_id, machines=each.machines, client_name=names.get(each.client_id)
            )
            for each in detail.clients
        ]
        return TitleSheet(**{**msgspec.structs.asdict(detail), "clients": clients})

    async def installs(
        self, wanted: InstallFilter, order: InstallOrder, *, limit: int, offset: int = 0
    ) -> tuple[Sequence[InstallRow], int]:
        """A part of the installs that match, and how many match in all."""
        views, total = await self._catalog.installs(wanted, order, limit=limit, offset=offset)
        names = await self._names(view.client_id for view in views)
        rows = [
            InstallRow(**msgspec.structs.asdict(view), client_name=names.get(view.client_id))
            for view in views
        ]
        return rows, total

    async def changes(
        self, wanted: ChangeFilter, *, limit: int, offset: int = 0
    ) -> tuple[Sequence[ChangeRow], int]:
        """A part of the changes that match, the latest first, and how many match in all."""
        views, total = await self._catalog.changes(wanted, limit=limit, offset=offset)
        names = await self._names(view.client_id for view in views)
        rows = [
            ChangeRow(**msgspec.structs.asdict(view), client_name=names.get(view.client_id)) for view in views
        ]
        return rows, total

    async def of_asset(
        self, asset_id: UUID, *, search: str | None = None, limit: int, offset: int = 0
    ) -> AssetSoftware:
        """What an asset has installed; NotFound when this tenant has none with that id."""
        if not await self._assets.belongings([asset_id]):
            raise NotFound("There is no such asset here.", remedy="Look for it among the assets.")
        return await self._catalog.of_asset(asset_id, search=search, limit=limit, offset=offset)

    async def _names(self, ids: Iterable[UUID]) -> dict[UUID, str]:
        return await self._clients.names(set(ids))
