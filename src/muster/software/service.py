"""Software: what pages, the API and the command line ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from muster.clients.service import ClientService
from muster.errors import NotFound
from muster.software.history.repository import HistoryRepository
from muster.software.installs.repository import InstallRepository
from muster.software.repository import SoftwareRepository
from muster.software.schemas import (
    AssetSoftware,
    ChangeFilter,
    ClientCount,
    InstallFilter,
    InstallOrder,
    InstallSort,
    InstallView,
    SoftwareChangeView,
    SoftwareCounts,
    TitleDetail,
    TitleFilter,
    TitleOrder,
    TitleView,
)
from muster.software.titles.repository import TitleRepository
from muster.software.types import seen_at
from muster.tenancy import TenantScope

_BY_NAME = TitleOrder()
_BY_MACHINE = InstallOrder()
_BY_TITLE = InstallOrder(InstallSort.TITLE)


class SoftwareCatalog:
    """What is installed where, of one tenant. Retired assets count nowhere."""

    def __init__(self, session: AsyncSession, scope: TenantScope) -> None:
        self._session = session
        self._scope = scope
        self._repository = SoftwareRepository(session, scope)
        self._titles = TitleRepository(session, scope)
        self._installs = InstallRepository(session, scope)
        self._history = HistoryRepository(session, scope)

    async def titles(
        self, wanted: TitleFilter, order: TitleOrder = _BY_NAME, *, limit: int, offset: int = 0
    ) -> tuple[Sequence[TitleView], int]:
        """A part of the titles that match, and how many match in all."""
        return await self._titles.page(wanted, order, limit=limit, offset=offset)

    async def title(self, software_id: UUID) -> TitleDetail:
        """One title; NotFound when this tenant has none with that id."""
        view = await self._titles.view(software_id)
        if view is None:
            raise NotFound(f"There is no title {software_id}.", remedy="See: muster software search")
        return TitleDetail(
            **msgspec.structs.asdict(view),
            version_list=await self._titles.versions(software_id),
            clients=await self._titles.clients(software_id),
            namesakes=await self._titles.namesakes(software_id),
        )

    async def counts_by_client(self, software_id: UUID) -> Sequence[ClientCount]:
        """On how many assets of each client a title is installed, most first: a basis for licences."""
        return await self._titles.clients(software_id)

    async def installs(
        self, wanted: InstallFilter, order: InstallOrder = _BY_MACHINE, *, limit: int, offset: int = 0
    ) -> tuple[Sequence[InstallView], int]:
        """A part of the installs that match, and how many match in all. Those of a retired asset match only
        where this one is asked for.
        """
        if order.by is not InstallSort.CLIENT:
            return await self._installs.page(wanted, order, limit=limit, offset=offset)
        clients = [each.client_id for each in await ClientService(self._session, self._scope).list()]
        ordered = clients[::-1] if order.descending else clients
        return await self._installs.page_by_client(wanted, ordered, limit=limit, offset=offset)

    async def of_asset(
        self, asset_id: UUID, *, search: str | None = None, limit: int, offset: int = 0
    ) -> AssetSoftware:
        """What an asset has, by the titles' names; of an asset that is not there nothing is reported."""
        report = await self._repository.report(asset_id)
        if report is None:
            return AssetSoftware(
                reported=False,
                first_reported_at=None,
                seen_at=None,
                missed_since=None,
                changed_at=None,
                installs=(),
                total=0,
            )
        wanted = InstallFilter(asset_id=asset_id, search=search)
        installs, total = await self._installs.page(wanted, _BY_TITLE, limit=limit, offset=offset)
        return AssetSoftware(
            reported=True,
            first_reported_at=report.first_reported_at,
            seen_at=seen_at(report.seen_at, report.missed_since, report.read_at),
            missed_since=report.missed_since,
            changed_at=report.changed_at,
            installs=installs,
            total=total,
        )

    async def changes(
        self, wanted: ChangeFilter, *, limit: int, offset: int = 0
    ) -> tuple[Sequence[SoftwareChangeView], int]:
        """A part of the changes that match, the latest first, and how many match in all. As for installs,
        those of a retired asset match only where this one is asked for.
        """
        total = sum((await self._history.counts(wanted)).values())
        if limit == 0 or total <= offset:
            return [], total
        return await self._history.page(wanted, limit=limit, offset=offset), total

    async def change_counts(self, wanted: ChangeFilter) -> Mapping[str, int]:
        """How many changes match, by kind; a kind of which there is none is absent."""
        return await self._history.counts(wanted)

    async def counts(self) -> SoftwareCounts:
        """How much there is in all."""
        return await self._titles.counts()

    async def read_at(self, integration_id: UUID | None = None) -> datetime | None:
        """When an integration, or the latest of all, was last read whole."""
        return await self._repository.read_at(integration_id)
