"""The list of assets, its export, and the page of one asset."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Stream, Template
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.assets import export, filters
from muster.assets.chips import PATH, Chooser
from muster.assets.filters import AssetQuery
from muster.assets.listing import AssetListing
from muster.assets.service import AssetService
from muster.assets.sheet import AssetSheet, SheetService
from muster.db import Database
from muster.encryption import SecretBox
from muster.errors import InvalidInput, NotFound
from muster.integrations.service import IntegrationService
from muster.mappings.service import MappingService
from muster.providers import registry
from muster.providers.contract import AssetType
from muster.tenancy import TenantScope
from muster.web import spreadsheet
from muster.web.forms import Form
from muster.web.frame import Frame, Toast, go
from muster.web.paging import Page, address

_RECENT_CHANGES = 5
_EXPORT_NAME = "assets.csv"


@get(PATH, guards=[needs(Permission.ASSET_READ)])
async def asset_list(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
) -> Template:
    """Assets that match the address' filters, a page of them."""
    query = _read(request)
    async with database.read(actor.scope) as session:
        listing = AssetListing(session, actor.scope, secrets)
        page = Page.wanted(query.page, query.rows)
        rows, total = await listing.rows(query.wanted, query.order, limit=page.size, offset=page.offset)
        if total <= page.offset > 0:
            # Past the end, since assets have gone: the last page is.
            page = page.of(total)
            rows, total = await listing.rows(query.wanted, query.order, limit=page.size, offset=page.offset)
        present = frame.figure("assets") or 0
        choices = await Chooser(session, actor.scope, secrets).choices(query)
        steps = await _steps(session, actor, secrets) if not present and not query.count else None
    return frame.page(
        "assets/list.html",
        title="Assets",
        place="assets",
        rows=rows,
        page=page.of(total),
        present=present,
        query=query,
        choices=choices,
        fields=filters.FIELDS,
        steps=steps,
        path=PATH,
        link=address,
        export=address("/assets.csv", {k: v for k, v in query.address.items() if k != "rows"}),
    )


@get("/assets.csv", guards=[needs(Permission.ASSET_READ)])
async def asset_export(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
) -> Stream:
    """All assets that match the address' filters, as comma-separated values."""
    query = _read(request)
    async with database.read(actor.scope) as session:
        await Chooser(session, actor.scope, secrets).choices(query)
        ids = await AssetListing(session, actor.scope, secrets).ids(query.wanted, query.order)
    return spreadsheet.download(export.lines(database, actor.scope, secrets, ids), _EXPORT_NAME)


@get("/assets/{asset_id:uuid}", guards=[needs(Permission.ASSET_READ)])
async def asset_page(
    *,
    asset_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
) -> Template:
    """One asset: vitals, hardware, disks, its place on the server, latest changes."""
    async with database.read(actor.scope) as session:
        sheet = await SheetService(session, actor.scope, secrets).sheet(asset_id, limit=_RECENT_CHANGES)
        tabs = await _tabs(session, actor, frame, sheet)
    cards = await frame.filled("asset-overview", asset_id)
    return await _page(actor, frame, "assets/overview.html", sheet, tabs, tab="", cards=cards)


@get("/assets/{asset_id:uuid}/{tab:str}", guards=[needs(Permission.ASSET_READ)])
async def asset_tab(
    *,
    asset_id: FromPath[UUID],
    tab: FromPath[str],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
    page: FromQuery[int | None] = None,
    rows: FromQuery[int | None] = None,
) -> Template:
    """A tab of the asset's page: its history, or what another room knows of it."""
    wanted = Page.wanted(page, rows)
    is_history = tab == "history"
    async with database.read(actor.scope) as session:
        service = SheetService(session, actor.scope, secrets)
        limit, offset = (wanted.size, wanted.offset) if is_history else (0, 0)
        sheet = await service.sheet(asset_id, limit=limit, offset=offset)
        tabs = await _tabs(session, actor, frame, sheet)
    if is_history:
        return await _page(
            actor,
            frame,
            "assets/history.html",
            sheet,
            tabs,
            tab=tab,
            page=wanted.of(sheet.changes_total),
            query={} if rows is None else {"rows": str(rows)},
            path=f"{PATH}/{asset_id}/history",
            link=address,
        )
    filled = await frame.filled("asset", asset_id, only=tab)
    if not filled:
        raise NotFound("This asset has no such page.", remedy="Choose one of its tabs.")
    return await _page(actor, frame, "assets/tab.html", sheet, tabs, tab=tab, part=filled[0])


@post("/assets/{asset_id:uuid}/type", guards=[needs(Permission.ASSET_UPDATE)], status_code=303)
async def choose_type(
    *,
    request: Request[Actor, Any, Any],
    asset_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
) -> Redirect:
    """Choose the asset's type by hand, or give the choice back to the server."""
    chosen = (await Form.read(request)).text("asset_type")
    if chosen not in ("auto", *filters.TYPE_WORDS):
        raise InvalidInput("That is no type of asset.", remedy="Choose one from the list.")
    async with database.write(actor.scope) as session:
        asset_type = None if chosen == "auto" else AssetType(chosen)
        await AssetService(session, actor.scope).set_type(asset_id, asset_type)
    text = (
        "The type is the server's again, from the next read of the device on."
        if chosen == "auto"
        else f"Type set to {filters.TYPE_WORDS[chosen].lower()}. Syncs leave it alone."
    )
    return go(request, f"{PATH}/{asset_id}", Toast(text))


async def count_present(session: AsyncSession, scope: TenantScope) -> int:
    """The figure beside the place in the navigation."""
    return await AssetService(session, scope).count_present()


ROUTES: list[BaseRouteHandler] = [asset_list, asset_export, asset_page, asset_tab, choose_type]


def _read(request: Request[Actor, Any, Any]) -> AssetQuery:
    return filters.read(request.query_params.multi_items(), clock.now())


async def _tabs(
    session: AsyncSession, actor: Actor, frame: Frame, sheet: AssetSheet
) -> list[tuple[str, str, int | None]]:
    """(key, label, figure) of every tab; the first has no key."""
    tabs: list[tuple[str, str, int | None]] = [("", "Overview", None)]
    for slot in frame.slots("asset"):
        count = None if slot.count is None else await slot.count(session, actor.scope, sheet.row.asset_id)
        tabs.append((slot.key, slot.label, count))
    return [*tabs, ("history", "History", sheet.changes_total)]


async def _page(
    actor: Actor,
    frame: Frame,
    template: str,
    sheet: AssetSheet,
    tabs: list[tuple[str, str, int | None]],
    *,
    tab: str,
    **context: Any,
) -> Template:
    return frame.page(
        template,
        title=sheet.row.name,
        place="assets",
        trail=[("Assets", PATH)],
        sheet=sheet,
        asset=sheet.row,
        tabs=tabs,
        tab=tab,
        may_update=actor.may(Permission.ASSET_UPDATE),
        update_permission=str(Permission.ASSET_UPDATE),
        types=filters.TYPE_WORDS,
        platforms=filters.PLATFORM_WORDS,
        actions=await frame.filled("asset-actions", sheet.row.asset_id),
        **context,
    )


async def _steps(session: AsyncSession, actor: Actor, secrets: SecretBox) -> dict[str, Any]:
    """What is done and what comes next before there is an asset."""
    integrations = await IntegrationService(session, actor.scope, secrets).list(limit=1)
    integration = integrations[0] if integrations else None
    counts = None
    if integration is not None:
        counts = await MappingService(session, actor.scope).counts(integration.integration_id)
    return {
        "integration": integration,
        "counts": counts,
        "may_update": actor.may(Permission.SETTINGS_UPDATE),
        "providers": registry.display_names(),
    }
