"""Refresh now: the button on an asset's page, and what it does."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Request, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect

from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.assets.listing import AssetListing
from muster.db import Database
from muster.encryption import SecretBox
from muster.errors import Conflict
from muster.integrations.service import IntegrationService
from muster.sync.refresh import refresh
from muster.sync.schemas import RunView
from muster.sync.service import SyncService
from muster.sync.types import RunStatus
from muster.web.frame import Part, PartSource, Toast, go


@post("/assets/{asset_id:uuid}/refresh", guards=[needs(Permission.RMM_SYNC)], status_code=303)
async def refresh_now(
    *,
    request: Request[Actor, Any, Any],
    asset_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    sync: NamedDependency[SyncService],
) -> Redirect:
    """Read the device now; back to the asset, which says what came of it."""
    try:
        toast = _toast(await refresh(database, secrets, sync, actor.scope, asset_id))
    except Conflict as refused:
        toast = Toast(str(refused), "problem")
    return go(request, f"/assets/{asset_id}", toast)


ROUTES: list[BaseRouteHandler] = [refresh_now]


def button(database: Database, secrets: SecretBox) -> PartSource:
    """The part of an asset's header. Without a device, or an integration that could be asked, it is empty."""

    async def part(request: Request[Actor, Any, Any], asset_id: UUID | None) -> Part:
        if asset_id is None:
            raise ValueError("the button is some asset's")
        scope, may_ask = request.user.scope, request.user.may(Permission.RMM_SYNC)
        async with database.read(scope) as session:
            asset = await AssetListing(session, scope, secrets).row(asset_id)
            known = asset.rmm_integration_id
            integration = (
                None if known is None else await IntegrationService(session, scope, secrets).get(known)
            )
        can_ask = integration is not None and integration.is_active and asset.external_entity_id is not None
        return Part("sync/_refresh.html", {"asset_id": asset_id, "can_ask": can_ask, "may_ask": may_ask})

    return part


def _toast(run: RunView) -> Toast:
    if run.status != RunStatus.SUCCEEDED or run.failed:
        error = run.error or {}
        words = [error.get("message", "The device could not be read."), error.get("remedy")]
        return Toast(" ".join(word for word in words if word), "problem")
    seconds = (run.duration_ms or 0) / 1000
    what = "with changes" if run.updated else "nothing changed"
    return Toast(f"Read in {seconds:.1f} s, {what}.")
