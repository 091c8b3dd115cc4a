"""Software of the whole fleet: the search, a title, what changed; and each list as a file."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Protocol, TypeVar
from uuid import UUID

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath
from litestar.response import Stream, Template
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.db import Database
from muster.encryption import SecretBox
from muster.integrations.service import IntegrationService
from muster.software import export, filters, words
from muster.software.chips import Chooser
from muster.software.filters import CHANGES_PATH, CLIENT, PATH, ChangeQuery, MachineQuery
from muster.software.listing import SoftwareListing, TitleSheet
from muster.software.schemas import ChangeFilter
from muster.software.service import SoftwareCatalog
from muster.web import spreadsheet
from muster.web.filters import Filters
from muster.web.frame import Frame
from muster.web.paging import Page, address

_READ = [needs(Permission.SOFTWARE_READ)]
_RECENT_CHANGES = 8
# More than a machine has: its whole list.
_ALL = 100_000

T_co = TypeVar("T_co", covariant=True)


class Asked(Protocol[T_co]):
    """A list that is asked for a part of it, and says how long it is."""

    def __call__(self, *, limit: int, offset: int) -> Awaitable[tuple[Sequence[T_co], int]]:
        """So many rows after so many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionLine:
    """A version of a title as its page shows it: `there` leads to the machines that have it, `is_wanted`
    says whether the filters do.
    """

    version: str | None
    machines: int
    first_seen_at: datetime
    there: str
    is_wanted: bool


@get(PATH, guards=_READ)
async def title_list(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
) -> Template:
    """Titles that match the address' filters, a page of them."""
    query = filters.titles(request.query_params.multi_items())
    async with database.read(actor.scope) as session:
        catalog = SoftwareCatalog(session, actor.scope)
        choices = await Chooser(session, actor.scope).of_titles(query)
        rows, page = await _turned(query, partial(catalog.titles, query.wanted, query.order))
        counts, read_at = await catalog.counts(), await catalog.read_at()
        steps = await _steps(session, actor, secrets) if read_at is None and not counts.reporting else None
    return frame.page(
        "software/list.html",
        title="Software",
        place="software",
        rows=rows,
        page=page,
        counts=counts,
        read_at=read_at,
        query=query,
        choices=choices,
        carried=filters.carried(query),
        steps=steps,
        export=_file(f"{PATH}.csv", query.address),
        **_ground(PATH),
    )


@get(f"{PATH}.csv", guards=_READ)
async def title_export(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
) -> Stream:
    """All titles that match the address' filters, as comma-separated values."""
    query = filters.titles(request.query_params.multi_items())
    async with database.read(actor.scope) as session:
        await Chooser(session, actor.scope).of_titles(query)
    return spreadsheet.download(export.titles(database, actor.scope, query), "software.csv")


@get(f"{PATH}/{{software_id:uuid}}", guards=_READ)
async def title_page(
    *,
    request: Request[Actor, Any, Any],
    software_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
) -> Template:
    """One title: its versions, who has it, what changed with it; the filters are those of its machines."""
    query = filters.machines(request.query_params.multi_items(), software_id)
    path = f"{PATH}/{software_id}"
    async with database.read(actor.scope) as session:
        listing = SoftwareListing(session, actor.scope)
        sheet = await listing.title(software_id)
        choices = await Chooser(session, actor.scope).of_machines(query, sheet)
        rows, page = await _turned(query, partial(listing.installs, query.wanted, query.order))
        changes, changes_total = await listing.changes(
            ChangeFilter(software_id=software_id), limit=_RECENT_CHANGES
        )
    return frame.page(
        "software/title.html",
        title=sheet.name,
        place="software",
        trail=[("Software", address(PATH, filters.carried(query)))],
        sheet=sheet,
        carried=filters.carried(query),
        versions=_versions(sheet, query, path),
        meant=_meant(query),
        rows=rows,
        page=page,
        query=query,
        choices=choices,
        changes=changes,
        changes_total=changes_total,
        all_changes=address(CHANGES_PATH, {"title": str(software_id), "days": "all"}),
        export=_file(f"{path}/machines.csv", query.address),
        export_clients=f"{path}/clients.csv",
        **_ground(path),
    )


@get(f"{PATH}/{{software_id:uuid}}/machines.csv", guards=_READ)
async def machine_export(
    *,
    request: Request[Actor, Any, Any],
    software_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
) -> Stream:
    """All installs of a title that match the address' filters, as comma-separated values."""
    query = filters.machines(request.query_params.multi_items(), software_id)
    async with database.read(actor.scope) as session:
        sheet = await SoftwareListing(session, actor.scope).title(software_id)
        await Chooser(session, actor.scope).of_machines(query, sheet)
    return spreadsheet.download(export.machines(database, actor.scope, query), "software-machines.csv")


@get(f"{PATH}/{{software_id:uuid}}/clients.csv", guards=_READ)
async def client_export(
    *,
    software_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
) -> Stream:
    """On how many machines of which client a title is installed, as comma-separated values."""
    async with database.read(actor.scope) as session:
        sheet = await SoftwareListing(session, actor.scope).title(software_id)
    return spreadsheet.download(export.clients(sheet.clients), "software-clients.csv")


@get(CHANGES_PATH, guards=_READ)
async def change_list(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
) -> Template:
    """What changed, a page of it: within a week unless the address says otherwise."""
    query = filters.changes(request.query_params.multi_items(), clock.now())
    async with database.read(actor.scope) as session:
        listing = SoftwareListing(session, actor.scope)
        choices = await Chooser(session, actor.scope).of_changes(query)
        rows, page = await _turned(query, partial(listing.changes, query.wanted))
    return frame.page(
        "software/changes.html",
        title="What changed",
        place="software",
        trail=[("Software", PATH)],
        rows=rows,
        page=page,
        query=query,
        choices=choices,
        export=_file(f"{CHANGES_PATH}.csv", query.address),
        **_ground(CHANGES_PATH),
    )


@get(f"{CHANGES_PATH}.csv", guards=_READ)
async def change_export(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
) -> Stream:
    """All changes that match the address' filters, as comma-separated values."""
    query: ChangeQuery = filters.changes(request.query_params.multi_items(), clock.now())
    async with database.read(actor.scope) as session:
        await Chooser(session, actor.scope).of_changes(query)
    return spreadsheet.download(export.changes(database, actor.scope, query), "software-changes.csv")


@get("/assets/{asset_id:uuid}/software.csv", guards=_READ)
async def asset_export(
    *,
    asset_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
) -> Stream:
    """All that a machine has installed, as comma-separated values."""
    async with database.read(actor.scope) as session:
        found = await SoftwareListing(session, actor.scope).of_asset(asset_id, limit=_ALL)
    return spreadsheet.download(export.installed(found.installs), "software-of-machine.csv")


ROUTES: list[BaseRouteHandler] = [
    title_list,
    title_export,
    title_page,
    machine_export,
    client_export,
    change_list,
    change_export,
    asset_export,
]


def _ground(path: str) -> dict[str, Any]:
    """What the lists' templates share; of their filters a menu has the choices of the client alone."""
    return {"path": path, "link": address, "words": words, "fields": (CLIENT,)}


def _file(path: str, query: Mapping[str, Any]) -> str:
    return address(path, {name: value for name, value in query.items() if name != "rows"})


async def _turned(query: Filters, asked: Asked[T_co]) -> tuple[Sequence[T_co], Page]:
    """The rows of the page that an address asks for; past the end, since rows have gone, the last page is."""
    page = Page.wanted(query.page, query.rows)
    rows, total = await asked(limit=page.size, offset=page.offset)
    if total <= page.offset > 0:
        page = page.of(total)
        rows, total = await asked(limit=page.size, offset=page.offset)
    return rows, page.of(total)


def _versions(sheet: TitleSheet, query: MachineQuery, path: str) -> Sequence[VersionLine]:
    bound, exact = query.wanted.bound, query.wanted.version_id
    return [
        VersionLine(
            version=each.version,
            machines=each.machines,
            first_seen_at=each.first_seen_at,
            there=address(path, query.address, exact=str(each.version_id), version=None, op=None),
            is_wanted=(bound is None or bound.holds(each.version or "")) and exact in (None, each.version_id),
        )
        for each in sheet.version_list
    ]


def _meant(query: MachineQuery) -> str | None:
    """`below 3.0.15`: the bound of the machines' filter."""
    version = query.text("version")
    return None if version is None else words.bound(filters.operator_of(query), version)


async def _steps(session: AsyncSession, actor: Actor, secrets: SecretBox) -> dict[str, Any]:
    """What comes next before software was read."""
    integrations = await IntegrationService(session, actor.scope, secrets).list(limit=1)
    return {
        "integration": next((each for each in integrations if each.is_active), None),
        "may_update": actor.may(Permission.SETTINGS_UPDATE),
    }
