"""What pages of software say of their filters: a chip for each one set, and the choices for the client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from muster.assets.service import AssetService
from muster.clients.service import ClientService
from muster.errors import NotFound
from muster.naming import as_id
from muster.software import words
from muster.software.filters import (
    CHANGE_FIELDS,
    CHANGES_PATH,
    GOES_WITH,
    MACHINE_FIELDS,
    PATH,
    TITLE_FIELDS,
    ChangeQuery,
    MachineQuery,
    TitleQuery,
    operator_of,
)
from muster.software.schemas import TitleDetail
from muster.software.service import SoftwareCatalog
from muster.tenancy import TenantScope
from muster.web.filters import Choices, Field, Filters, chip

_WHAT: Mapping[str, str] = {
    "client": "client",
    "title": "title",
    "asset": "machine",
    "exact": "version of this title",
}


class Chooser:
    """Gathers what the filters of one tenant can be set to. NotFound when what a filter names is not the
    tenant's.
    """

    def __init__(self, session: AsyncSession, scope: TenantScope) -> None:
        self._assets = AssetService(session, scope)
        self._clients = ClientService(session, scope)
        self._catalog = SoftwareCatalog(session, scope)

    async def of_titles(self, query: TitleQuery) -> Choices:
        """The choices of the search of the fleet."""
        return await self._choices(query, TITLE_FIELDS, PATH, _bound(query))

    async def of_machines(self, query: MachineQuery, sheet: TitleDetail) -> Choices:
        """The choices of a title's machines."""
        exact = {str(each.version_id): each.version or "not stated" for each in sheet.version_list}
        path = f"{PATH}/{sheet.software_id}"
        return await self._choices(query, MACHINE_FIELDS, path, {**_bound(query), "exact": exact})

    async def of_changes(self, query: ChangeQuery) -> Choices:
        """The choices of the list of changes."""
        more: dict[str, Mapping[str, str]] = {"title": {}, "asset": {}}
        if (software_id := query.wanted.software_id) is not None:
            more["title"] = {str(software_id): (await self._catalog.title(software_id)).name}
        if (asset_id := query.wanted.asset_id) is not None:
            found = await self._assets.belongings([asset_id])
            more["asset"] = {str(known): each.name for known, each in found.items()}
        return await self._choices(query, CHANGE_FIELDS, CHANGES_PATH, more)

    async def _choices(
        self, query: Filters, fields: Sequence[Field], path: str, more: Mapping[str, Mapping[str, str]]
    ) -> Choices:
        clients = {str(client.client_id): client.name for client in await self._clients.list()}
        known = {**more, "client": clients}
        for name, what in _WHAT.items():
            for value in query.values.get(name, ()):
                if str(as_id(value)) not in known[name]:
                    raise NotFound(f"There is no {what} with this id here.", remedy="Choose another one.")
        chips = [
            chip(
                field,
                query,
                known.get(field.key, {}),
                path,
                query.address,
                with_it=GOES_WITH.get(field.key, ()),
            )
            for field in fields
            if field.key in query.values
        ]
        return Choices({"client": clients}, chips)


def _bound(query: Filters) -> Mapping[str, Mapping[str, str]]:
    version = query.text("version")
    return {} if version is None else {"version": {version: words.bound(operator_of(query), version)}}
