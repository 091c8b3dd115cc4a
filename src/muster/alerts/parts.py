"""What other rooms' pages show of alerts: of a device, of a client, of all."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Request
from sqlalchemy.ext.asyncio import AsyncSession

from muster.accounts.types import Actor
from muster.alerts import words
from muster.alerts.filters import PATH
from muster.alerts.listing import stamp
from muster.alerts.schemas import AlertFilter, AlertOrder, AlertSort
from muster.alerts.service import AlertService
from muster.alerts.types import OPEN, AlertStatus
from muster.db import Database
from muster.errors import NotFound
from muster.tenancy import TenantScope
from muster.web.frame import Part, PartSource
from muster.web.paging import address

# Rows of a tab and of a card; the list has all of them.
_IN_TAB, _IN_CARD = 50, 5
_WORST = AlertOrder(AlertSort.SEVERITY)


def asset_tab(database: Database) -> PartSource:
    """The tab Alerts of a device's page."""

    async def part(request: Request[Any, Any, Any], asset_id: UUID | None) -> Part:
        actor: Actor = request.user
        async with database.read(actor.scope) as session:
            return await of_asset(session, actor.scope, _known(asset_id))

    return part


async def of_asset(session: AsyncSession, scope: TenantScope, asset_id: UUID) -> Part:
    """A device's alerts, the latest first, over ones included; what the tab asks for again is this, too."""
    service = AlertService(session, scope)
    alerts = await service.of_asset(asset_id, limit=_IN_TAB)
    total = await service.count(AlertFilter(asset_id=asset_id))
    return Part(
        "alerts/_asset.html",
        {
            "alerts": alerts,
            "total": total,
            "all": address(PATH, {"asset": str(asset_id), "status": "all"}),
            "live": f"{PATH}/of-device/{asset_id}",
            "stamp": stamp([alerts, total]),
            "path": PATH,
            "words": words,
        },
    )


async def count_of_asset(session: AsyncSession, scope: TenantScope, asset_id: UUID) -> int:
    """The figure of the tab: a device's open alerts."""
    return (await AlertService(session, scope).open_by_asset([asset_id])).get(asset_id, 0)


def asset_card(database: Database) -> PartSource:
    """The card with a device's open alerts, on the overview of its page."""

    async def part(request: Request[Any, Any, Any], asset_id: UUID | None) -> Part:
        wanted = AlertFilter(asset_id=_known(asset_id), statuses=OPEN)
        return await _card(
            database, request.user, "alerts/_asset_card.html", wanted, f"/assets/{asset_id}/alerts"
        )

    return part


def client_section(database: Database) -> PartSource:
    """The section Alerts of a client's page: the worst of what is open."""

    async def part(request: Request[Any, Any, Any], client_id: UUID | None) -> Part:
        wanted = AlertFilter(client_id=_known(client_id), statuses=OPEN)
        there = address(PATH, {"client": str(client_id), "status": "all"})
        return await _card(database, request.user, "alerts/_client.html", wanted, there)

    return part


def dashboard_card(database: Database) -> PartSource:
    """The dashboard's card: how many active alerts of which severity, and the newest."""

    async def part(request: Request[Any, Any, Any], _: UUID | None) -> Part:
        wanted = AlertFilter(statuses=(AlertStatus.ACTIVE,))
        async with database.read(request.user.scope) as session:
            service = AlertService(session, request.user.scope)
            severities = (await service.counts(wanted)).by_severity
            newest, total = await service.list(wanted, limit=1)
        context = {"severities": severities, "newest": newest, "total": total, "path": PATH, "words": words}
        return Part("alerts/_dashboard.html", context)

    return part


async def _card(database: Database, actor: Actor, template: str, wanted: AlertFilter, there: str) -> Part:
    async with database.read(actor.scope) as session:
        alerts, total = await AlertService(session, actor.scope).list(wanted, _WORST, limit=_IN_CARD)
    return Part(template, {"alerts": alerts, "total": total, "there": there, "path": PATH, "words": words})


def _known(subject: UUID | None) -> UUID:
    if subject is None:
        raise NotFound("There is nothing here.", remedy="Look for it from the dashboard.")
    return subject
