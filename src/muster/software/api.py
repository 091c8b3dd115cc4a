"""Software for programs, as JSON under /api/v1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Request, get
from litestar.di import NamedDependency, Provide
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery, QueryParameter

from muster import clock
from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.db import Database
from muster.software import filters
from muster.software.chips import Chooser
from muster.software.filters import ChangeQuery, MachineQuery, TitleQuery
from muster.software.listing import ChangeRow, InstallRow, SoftwareListing, TitleSheet
from muster.software.schemas import AssetSoftware, TitleView
from muster.software.service import SoftwareCatalog
from muster.web.filters import TEXT_LIMIT, as_in_address
from muster.web.paging import Limit, Offset

Meant = Literal["below", "at_most", "is", "at_least", "above"]
Kind = Literal["installed", "updated", "removed"]
Days = Literal["1", "7", "30", "90", "all"]
_Text = Annotated[str | None, QueryParameter(max_length=TEXT_LIMIT)]
_READ = [needs(Permission.SOFTWARE_READ)]
_TAGS = ["Software"]


class TitleList(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the titles, and how many match in all."""

    items: Sequence[TitleView]
    total: int


class InstallList(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a title's installs, and how many match in all."""

    items: Sequence[InstallRow]
    total: int


class SoftwareChangeList(msgspec.Struct, frozen=True, kw_only=True):
    """A part of what changed, and how much matches in all."""

    items: Sequence[ChangeRow]
    total: int


def provide_titles(
    *,
    request: Request[Actor, Any, Any],
    q: _Text = None,
    publisher: _Text = None,
    version: _Text = None,
    op: FromQuery[Meant | None] = None,
    client: FromQuery[UUID | None] = None,
    sort: _Text = None,
) -> TitleQuery:
    """The filters of a search; read as the page reads its address, so that the same comes of both."""
    given = {"q": q, "publisher": publisher, "version": version, "op": op, "client": client, "sort": sort}
    return filters.titles(as_in_address(given, request.query_params.multi_items()))


def provide_machines(
    *,
    request: Request[Actor, Any, Any],
    software_id: FromPath[UUID],
    version: _Text = None,
    op: FromQuery[Meant | None] = None,
    exact: FromQuery[UUID | None] = None,
    client: FromQuery[UUID | None] = None,
    sort: _Text = None,
) -> MachineQuery:
    """The filters of a title's installs, as for titles."""
    given = {"version": version, "op": op, "exact": exact, "client": client, "sort": sort}
    return filters.machines(as_in_address(given, request.query_params.multi_items()), software_id)


def provide_changes(
    *,
    request: Request[Actor, Any, Any],
    kind: FromQuery[Kind | None] = None,
    days: FromQuery[Days | None] = None,
    client: FromQuery[UUID | None] = None,
    title: FromQuery[UUID | None] = None,
    asset: FromQuery[UUID | None] = None,
) -> ChangeQuery:
    """The filters of changes, as for titles."""
    given = {"kind": kind, "days": days, "client": client, "title": title, "asset": asset}
    return filters.changes(as_in_address(given, request.query_params.multi_items()), clock.now())


@get(
    "/software",
    guards=_READ,
    dependencies={"asked": Provide(provide_titles, sync_to_thread=False)},
    operation_id="listSoftware",
    tags=_TAGS,
)
async def title_list(
    *,
    asked: NamedDependency[TitleQuery],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    limit: Limit = 100,
    offset: Offset = 0,
) -> TitleList:
    """Titles that are installed on a machine and match every filter. `q` looks into name and publisher;
    `version` with `op` below, at_most, is, at_least or above asks for those installed in such a version, and
    counts these; so does "OpenSSL below 3.0.15" as `q`. `sort` is name, publisher, machines or first_seen,
    with a minus before it for the other way round.
    """
    async with database.read(actor.scope) as session:
        await Chooser(session, actor.scope).of_titles(asked)
        catalog = SoftwareCatalog(session, actor.scope)
        rows, total = await catalog.titles(asked.wanted, asked.order, limit=limit, offset=offset)
    return TitleList(items=rows, total=total)


@get("/software/{software_id:uuid}", guards=_READ, operation_id="getSoftware", tags=_TAGS)
async def title_get(
    *, software_id: FromPath[UUID], actor: NamedDependency[Actor], database: NamedDependency[Database]
) -> TitleSheet:
    """One title with its versions, newest first, and on how many machines of which client it is installed."""
    async with database.read(actor.scope) as session:
        return await SoftwareListing(session, actor.scope).title(software_id)


@get(
    "/software/{software_id:uuid}/machines",
    guards=_READ,
    dependencies={"asked": Provide(provide_machines, sync_to_thread=False)},
    operation_id="listSoftwareMachines",
    tags=_TAGS,
)
async def machine_list(
    *,
    software_id: FromPath[UUID],
    asked: NamedDependency[MachineQuery],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    limit: Limit = 100,
    offset: Offset = 0,
) -> InstallList:
    """Where a title is installed: an item for each version on each machine. `version` and `op` as for titles;
    `exact` is the id of one version. `sort` is machine, client, title, version, installed or first_seen.
    """
    async with database.read(actor.scope) as session:
        listing = SoftwareListing(session, actor.scope)
        sheet = await listing.title(software_id)
        await Chooser(session, actor.scope).of_machines(asked, sheet)
        rows, total = await listing.installs(asked.wanted, asked.order, limit=limit, offset=offset)
    return InstallList(items=rows, total=total)


@get(
    "/software/changes",
    guards=_READ,
    dependencies={"asked": Provide(provide_changes, sync_to_thread=False)},
    operation_id="listSoftwareChanges",
    tags=_TAGS,
)
async def change_list(
    *,
    asked: NamedDependency[ChangeQuery],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    limit: Limit = 100,
    offset: Offset = 0,
) -> SoftwareChangeList:
    """What was installed, updated and removed, the latest first: within 7 days unless `days` says otherwise.
    What a machine's first report lists is no change.
    """
    async with database.read(actor.scope) as session:
        await Chooser(session, actor.scope).of_changes(asked)
        rows, total = await SoftwareListing(session, actor.scope).changes(
            asked.wanted, limit=limit, offset=offset
        )
    return SoftwareChangeList(items=rows, total=total)


@get("/assets/{asset_id:uuid}/software", guards=_READ, operation_id="listAssetSoftware", tags=_TAGS)
async def asset_software(
    *,
    asset_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    q: _Text = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> AssetSoftware:
    """What an asset has installed, by name. Where `reported` is false nobody knows: that is not nothing."""
    async with database.read(actor.scope) as session:
        listing = SoftwareListing(session, actor.scope)
        return await listing.of_asset(asset_id, search=q, limit=limit, offset=offset)


ROUTES: list[BaseRouteHandler] = [title_list, title_get, machine_list, change_list, asset_software]
