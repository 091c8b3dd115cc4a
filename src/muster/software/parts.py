"""What other rooms' pages show of software: of a device, of a client, of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from litestar import Request
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.accounts.types import Actor
from muster.assets.listing import AssetListing
from muster.db import Database
from muster.encryption import SecretBox
from muster.errors import NotFound
from muster.software import words
from muster.software.filters import CHANGES_PATH, PATH
from muster.software.schemas import ChangeFilter, TitleFilter, TitleOrder, TitleSort
from muster.software.service import SoftwareCatalog
from muster.tenancy import TenantScope
from muster.web.filters import Field, Filters
from muster.web.frame import Part, PartSource
from muster.web.paging import Page, address

# Rows of a card; the lists have all of them.
_IN_CARD, _IN_HISTORY = 5, 12
_MOST_FIRST = TitleOrder(TitleSort.MACHINES, descending=True)
_NO_FIELDS: Sequence[Field] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Why nothing is known of a device's software: when its integration's was last read, None for never;
    and a platform whose agents tell of none.
    """

    read_at: datetime | None
    platform: str | None


def asset_tab(database: Database, secrets: SecretBox) -> PartSource:
    """The tab Software of a device's page."""

    async def part(request: Request[Any, Any, Any], asset_id: UUID | None) -> Part:
        actor: Actor = request.user
        query = Filters.read(request.query_params.multi_items(), _NO_FIELDS, sorts=["title"], usual="title")
        async with database.read(actor.scope) as session:
            return await _of_asset(session, actor.scope, secrets, _known(asset_id), query)

    return part


async def count_of_asset(session: AsyncSession, scope: TenantScope, asset_id: UUID) -> int | None:
    """The figure of the tab: how much is installed, None where the device does not report it."""
    found = await SoftwareCatalog(session, scope).of_asset(asset_id, limit=0)
    return found.total if found.reported else None


def client_section(database: Database) -> PartSource:
    """The section Software of a client's page: what most of its machines have."""

    async def part(request: Request[Any, Any, Any], client_id: UUID | None) -> Part:
        client, scope = _known(client_id), request.user.scope
        async with database.read(scope) as session:
            catalog = SoftwareCatalog(session, scope)
            titles, total = await catalog.titles(TitleFilter(client_id=client), _MOST_FIRST, limit=_IN_CARD)
            changes = await catalog.change_counts(ChangeFilter(client_id=client, since=_a_week_ago()))
        context = {
            "titles": titles,
            "total": total,
            "changes": sum(changes.values()),
            "client": str(client),
            "there": address(PATH, {"client": str(client)}),
            "changed": address(CHANGES_PATH, {"client": str(client)}),
            "link": address,
        }
        return Part("software/_client.html", context)

    return part


def dashboard_card(database: Database) -> PartSource:
    """The dashboard's card: how much is known, and how much changed this week."""

    async def part(request: Request[Any, Any, Any], _: UUID | None) -> Part:
        scope, since = request.user.scope, _a_week_ago()
        async with database.read(scope) as session:
            catalog = SoftwareCatalog(session, scope)
            counts = await catalog.counts()
            found = await catalog.change_counts(ChangeFilter(since=since))
        changes = {kind: found.get(kind, 0) for kind in words.KINDS}
        context = {"counts": counts, "changes": changes, "path": PATH, "link": address, "words": words}
        return Part("software/_dashboard.html", context)

    return part


async def _of_asset(
    session: AsyncSession, scope: TenantScope, secrets: SecretBox, asset_id: UUID, query: Filters
) -> Part:
    catalog = SoftwareCatalog(session, scope)
    page = Page.wanted(query.page, query.rows)
    search = query.search or None
    report = await catalog.of_asset(asset_id, search=search, limit=page.size, offset=page.offset)
    if report.total <= page.offset > 0:
        page = page.of(report.total)
        report = await catalog.of_asset(asset_id, search=search, limit=page.size, offset=page.offset)
    changes, changes_total = await catalog.changes(ChangeFilter(asset_id=asset_id), limit=_IN_HISTORY)
    path = f"/assets/{asset_id}/software"
    return Part(
        "software/_asset.html",
        {
            "report": report,
            "installed": await count_of_asset(session, scope, asset_id) if search else report.total,
            "silence": None if report.reported else await _silence(session, scope, secrets, asset_id),
            "changes": changes,
            "changes_total": changes_total,
            "all_changes": address(CHANGES_PATH, {"asset": str(asset_id), "days": "all"}),
            "export": f"{path}.csv",
            "page": page.of(report.total),
            "query": query,
            "path": path,
            "link": address,
            "words": words,
        },
    )


async def _silence(session: AsyncSession, scope: TenantScope, secrets: SecretBox, asset_id: UUID) -> Silence:
    asset = await AssetListing(session, scope, secrets).row(asset_id)
    integration_id = asset.rmm_integration_id
    catalog = SoftwareCatalog(session, scope)
    return Silence(
        read_at=None if integration_id is None else await catalog.read_at(integration_id),
        platform=words.SILENT_PLATFORMS.get(asset.os_type or ""),
    )


def _a_week_ago() -> datetime:
    return clock.now() - timedelta(days=int(words.USUAL_DAYS))


def _known(subject: UUID | None) -> UUID:
    if subject is None:
        raise NotFound("There is nothing here.", remedy="Look for it from the dashboard.")
    return subject
