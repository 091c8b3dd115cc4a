"""Refresh now for programs."""

from __future__ import annotations

from uuid import UUID

from litestar import post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath

from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.db import Database
from muster.encryption import SecretBox
from muster.sync.refresh import refresh
from muster.sync.schemas import RunView
from muster.sync.service import SyncService


@post(
    "/assets/{asset_id:uuid}/refresh",
    guards=[needs(Permission.RMM_SYNC)],
    status_code=200,
    operation_id="refreshAsset",
    tags=["Assets"],
)
async def refresh_asset(
    *,
    asset_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    sync: NamedDependency[SyncService],
) -> RunView:
    """Read the asset's device now and answer with the run that did: its status and error say what came of it.
    409 while another sync of the integration runs.
    """
    return await refresh(database, secrets, sync, actor.scope, asset_id)


ROUTES: list[BaseRouteHandler] = [refresh_asset]
