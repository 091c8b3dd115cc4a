"""The list of alerts with one of them beside it, and the page of one. What is done with them is in
`action_pages`.
"""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, QueryParameter
from litestar.response import Template
from sqlalchemy.ext.asyncio import AsyncSession

from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.alerts import parts, words, workspace
from muster.alerts.filters import PATH
from muster.alerts.listing import AlertBoard, Board
from muster.alerts.service import AlertService
from muster.alerts.workspace import Back
from muster.assets.service import AssetService
from muster.db import Database
from muster.encryption import SecretBox
from muster.errors import NotFound
from muster.integrations.service import IntegrationService
from muster.tenancy import TenantScope
from muster.web.frame import Frame, fragment, go, is_part
from muster.web.wording import plural

_READ = [needs(Permission.ALERT_READ)]
# What a part that is shown says of itself when it asks whether there is news: its stamp.
_SEEN = "x-muster-seen"
_NO_NEWS = 204
# The stamp of the page that shows no list yet, since there has never been an alert.
_NOBODY = "nobody"

BackTo = Annotated[str, QueryParameter(name="back", max_length=2000)]


@get(PATH, guards=_READ)
async def alert_list(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
) -> Template:
    """Alerts that match the address' filters, a page of them, with the chosen one beside them."""
    query = workspace.read(request.query_params.multi_items())
    async with database.read(actor.scope) as session:
        context = await workspace.work(session, actor, secrets, query, unseen=frame.figure("alerts") or 0)
        steps = await _steps(session, actor, secrets) if _is_bare(context["board"], query.count) else None
    if is_part(request):
        return fragment("alerts/_work.html", **context)
    return frame.page(
        "alerts/list.html",
        title="Alerts",
        place="alerts",
        steps=steps,
        facts=await frame.filled("alerts-facts"),
        actions=await frame.filled("alerts-actions"),
        **context,
    )


@get(f"{PATH}/list", guards=_READ)
async def list_again(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
) -> Response[Any]:
    """The table alone, which asks whether it is still as it was; the list's page for who is not htmx."""
    query = workspace.read(request.query_params.multi_items())
    if not is_part(request):
        return go(request, workspace.here(query))
    async with database.read(actor.scope) as session:
        unseen = await AlertService(session, actor.scope).count_unseen()
        board = await AlertBoard(session, actor.scope).board(query, unseen=unseen)
    if request.headers.get(_SEEN) == _NOBODY and not _is_bare(board, query.count):
        # The whole page is another one now.
        return Response(None, headers={"HX-Refresh": "true"})
    if request.headers.get(_SEEN) in (board.stamp, _NOBODY):
        return Response(None, status_code=_NO_NEWS)
    return fragment(
        "alerts/_list_and_figures.html",
        **workspace.table(actor, query, board),
        unseen=unseen,
        spoken=_spoken(board),
    )


@get(f"{PATH}/{{alert_id:uuid}}", guards=_READ)
async def alert_page(
    *,
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
    alert_id: FromPath[UUID],
) -> Template:
    """One alert: how it stands, what can be done, its history."""
    async with database.read(actor.scope) as session:
        context = await workspace.page(session, actor, alert_id)
    return frame.page(
        "alerts/alert.html",
        title=words.title(context["pane"].alert),
        place="alerts",
        trail=[("Alerts", PATH)],
        **context,
    )


@get(f"{PATH}/{{alert_id:uuid}}/live", guards=_READ)
async def alert_again(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    alert_id: FromPath[UUID],
    back: BackTo = "",
) -> Response[Any]:
    """One alert, which asks whether it is still as it was; its page for who is not htmx."""
    if not is_part(request):
        return go(request, f"{PATH}/{alert_id}")
    there = Back.read(back, alert_id)
    async with database.read(actor.scope) as session:
        context = await workspace.page(session, actor, alert_id)
    if request.headers.get(_SEEN) == context["pane"].stamp:
        return Response(None, status_code=_NO_NEWS)
    heading = "h1" if there.query is None else "h2"
    return fragment("alerts/_alert.html", **{**context, "back": there.path, "heading": heading})


@get(f"{PATH}/of-device/{{asset_id:uuid}}", guards=_READ)
async def of_device_again(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    asset_id: FromPath[UUID],
) -> Response[Any]:
    """A device's alerts, which ask whether they are still as they were; its page for who is not htmx."""
    async with database.read(actor.scope) as session:
        if not await AssetService(session, actor.scope).belongings([asset_id]):
            raise NotFound("There is no such device here.", remedy="Look for it among the assets.")
        part = await parts.of_asset(session, actor.scope, asset_id)
    if not is_part(request):
        return go(request, f"/assets/{asset_id}/alerts")
    if request.headers.get(_SEEN) == part.context["stamp"]:
        return Response(None, status_code=_NO_NEWS)
    return fragment(part.template, **part.context)


async def count_unseen(session: AsyncSession, scope: TenantScope) -> int:
    """The figure beside the place in the navigation."""
    return await AlertService(session, scope).count_unseen()


ROUTES: list[BaseRouteHandler] = [alert_list, list_again, alert_page, alert_again, of_device_again]


def _is_bare(board: Board, filters: int) -> bool:
    """Whether there has never been an alert."""
    return not filters and not any(board.parts.values())


def _spoken(board: Board) -> str:
    """What a screen reader says when the table has changed."""
    newest = f" First in the list: {words.title(board.rows[0]).rstrip('.')}." if board.rows else ""
    return f"The list has changed: {plural(board.active, 'active alert')}.{newest}"


async def _steps(session: AsyncSession, actor: Actor, secrets: SecretBox) -> dict[str, Any]:
    """What is done and what comes next before there is an alert."""
    integrations = await IntegrationService(session, actor.scope, secrets).list(limit=1)
    return {
        "integration": integrations[0] if integrations else None,
        "may_update": actor.may(Permission.SETTINGS_UPDATE),
    }
