"""Clients as a person looks through them: with what the rooms above know of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from muster.clients.schemas import ClientView, view
from muster.clients.service import ClientService, ContactService
from muster.clients.types import ClientFigures, FigureSource
from muster.providers.contract import AgentStatus
from muster.tenancy import TenantScope


class ClientSort(StrEnum):
    """The orders there are; a minus turns them round."""

    NAME = "name"
    NAME_DOWN = "-name"
    ASSETS = "assets"
    ASSETS_DOWN = "-assets"
    OVERDUE = "overdue"
    OVERDUE_DOWN = "-overdue"


class ClientRow(ClientView, frozen=True, kw_only=True):
    """A client with its figures: assets by status, mapped organizations, contacts."""

    assets: Mapping[str, int]
    asset_count: int
    organizations: int
    contacts: int


class ClientListing:
    """Reads the clients of one tenant with what belongs to them in other rooms."""

    def __init__(self, session: AsyncSession, scope: TenantScope, figures: FigureSource) -> None:
        self._session = session
        self._scope = scope
        self._figures = figures
        self._clients = ClientService(session, scope)
        self._contacts = ContactService(session, scope)

    async def page(
        self, *, search: str = "", sort: ClientSort = ClientSort.NAME, limit: int, offset: int = 0
    ) -> tuple[Sequence[ClientRow], int]:
        """Clients whose name contains what is looked for, and how many there are. Past the end it is the
        last page.
        """
        found = await self._clients.search(search)
        ids = [client_id for client_id, _ in found]
        if sort not in (ClientSort.NAME, ClientSort.NAME_DOWN):
            ids.sort(key=_figure_of(sort, await self._figures(self._session, self._scope, None)))
        if sort.value.startswith("-"):
            ids.reverse()
        start = min(offset, max(0, (len(ids) - 1) // limit * limit))
        return await self._rows(ids[start : start + limit]), len(ids)

    async def row(self, client_id: UUID) -> ClientRow:
        """One client; NotFound also for another tenant's."""
        client = await self._clients.get(client_id)
        (row,) = await self._rows([client.client_id])
        return row

    async def _rows(self, ids: Sequence[UUID]) -> Sequence[ClientRow]:
        clients = await self._clients.by_ids(ids)
        figures = await self._figures(self._session, self._scope, ids)
        contacts = await self._contacts.counts(ids)
        rows = []
        for client_id in ids:
            known = figures.get(client_id, ClientFigures())
            own = view(clients[client_id])
            rows.append(
                ClientRow(
                    id=own.id,
                    client_id=own.client_id,
                    name=own.name,
                    created_at=own.created_at,
                    assets=known.statuses,
                    asset_count=known.assets,
                    organizations=known.organizations,
                    contacts=contacts.get(client_id, 0),
                )
            )
        return rows


def _figure_of(sort: ClientSort, figures: Mapping[UUID, ClientFigures]) -> Callable[[UUID], int]:
    by_assets = sort in (ClientSort.ASSETS, ClientSort.ASSETS_DOWN)

    def figure(client_id: UUID) -> int:
        known = figures.get(client_id, ClientFigures())
        return known.assets if by_assets else known.statuses[AgentStatus.OVERDUE.value]

    return figure
