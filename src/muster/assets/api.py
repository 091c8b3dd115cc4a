"""Assets for programs, as JSON under /api/v1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Request, get, patch
from litestar.di import NamedDependency, Provide
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from muster import clock
from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.assets import filters
from muster.assets.chips import Chooser
from muster.assets.filters import AssetQuery
from muster.assets.listing import AssetListing, AssetRow
from muster.assets.schemas import ChangeView, StatusCounts
from muster.assets.service import AssetService
from muster.db import Database
from muster.encryption import SecretBox
from muster.integrations.service import IntegrationService
from muster.providers.contract import AgentStatus, AssetType
from muster.web.filters import TEXT_LIMIT, as_in_address
from muster.web.paging import Limit, Offset

YesNo = Literal["yes", "no"]
Retired = Literal["no", "yes", "all"]
Platform = Literal["windows", "linux", "macos"]
_Text = Annotated[str | None, QueryParameter(max_length=TEXT_LIMIT)]


class AssetList(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the assets, and how many match in all."""

    items: Sequence[AssetRow]
    total: int


class ChangeList(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an asset's history, and how long it is."""

    items: Sequence[ChangeView]
    total: int


class TypeChoice(msgspec.Struct, frozen=True, kw_only=True):
    """The asset's type as a person says; null gives the choice back to the server."""

    asset_type: AssetType | None


def provide_query(
    *,
    request: Request[Actor, Any, Any],
    q: _Text = None,
    client: FromQuery[UUID | None] = None,
    site: _Text = None,
    status: FromQuery[list[AgentStatus] | None] = None,
    asset_type: Annotated[AssetType | None, QueryParameter(name="type")] = None,
    platform: FromQuery[list[Platform] | None] = None,
    provider: _Text = None,
    integration: FromQuery[UUID | None] = None,
    seen: Annotated[str | None, QueryParameter(pattern="^(within|older)-[1-9][0-9]{0,3}$")] = None,
    reboot: FromQuery[YesNo | None] = None,
    maintenance: FromQuery[YesNo | None] = None,
    missing: FromQuery[YesNo | None] = None,
    retired: FromQuery[Retired | None] = None,
    sort: _Text = None,
) -> AssetQuery:
    """The filters of a request; read as the page reads its address, so that the same list comes of both."""
    given = {
        "q": q,
        "client": client,
        "site": site,
        "status": status,
        "type": asset_type,
        "platform": platform,
        "provider": provider,
        "integration": integration,
        "seen": seen,
        "reboot": reboot,
        "maintenance": maintenance,
        "missing": missing,
        "retired": retired,
        "sort": sort,
    }
    return filters.read(as_in_address(given, request.query_params.multi_items()), clock.now())


@get(
    "/assets",
    guards=[needs(Permission.ASSET_READ)],
    dependencies={"asked": Provide(provide_query, sync_to_thread=False)},
    operation_id="listAssets",
    tags=["Assets"],
)
async def asset_list(
    *,
    asked: NamedDependency[AssetQuery],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    limit: Limit = 100,
    offset: Offset = 0,
) -> AssetList:
    """Assets that match every filter. `status` and `platform` may be given several times; `seen` is within-N
    or older-N, in days; retired assets are left out unless `retired` asks for them; `site` is the name of one
    of the client's. `sort` is name, status, client, user, lan_ip, system or last_seen, with a minus before it
    for the other way round.
    """
    async with database.read(actor.scope) as session:
        await Chooser(session, actor.scope, secrets).choices(asked)
        listing = AssetListing(session, actor.scope, secrets)
        rows, total = await listing.rows(asked.wanted, asked.order, limit=limit, offset=offset)
    return AssetList(items=rows, total=total)


@get("/assets/status", guards=[needs(Permission.ASSET_READ)], operation_id="countAssets", tags=["Assets"])
async def status_counts(
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
) -> StatusCounts:
    """How many assets, those retired left out, have each of the four statuses."""
    async with database.read(actor.scope) as session:
        freshness = await IntegrationService(session, actor.scope, secrets).freshness(clock.now())
        return await AssetService(session, actor.scope).count_by_status(freshness)


@get(
    "/assets/{asset_id:uuid}",
    guards=[needs(Permission.ASSET_READ)],
    operation_id="getAsset",
    tags=["Assets"],
)
async def asset_get(
    *,
    asset_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
) -> AssetRow:
    """One asset."""
    async with database.read(actor.scope) as session:
        return await AssetListing(session, actor.scope, secrets).row(asset_id)


@get(
    "/assets/{asset_id:uuid}/history",
    guards=[needs(Permission.ASSET_READ)],
    operation_id="listAssetChanges",
    tags=["Assets"],
)
async def asset_history(
    *,
    asset_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    limit: Limit = 100,
    offset: Offset = 0,
) -> ChangeList:
    """What changed of an asset, newest first. `cause` is a run's id or the person."""
    async with database.read(actor.scope) as session:
        await AssetListing(session, actor.scope, secrets).row(asset_id)
        assets = AssetService(session, actor.scope)
        items = await assets.history(asset_id, limit=limit, offset=offset)
        return ChangeList(items=items, total=await assets.count_changes(asset_id))


@patch(
    "/assets/{asset_id:uuid}",
    guards=[needs(Permission.ASSET_UPDATE)],
    operation_id="changeAsset",
    tags=["Assets"],
)
async def asset_change(
    *,
    asset_id: FromPath[UUID],
    data: JSONBody[TypeChoice],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
) -> AssetRow:
    """Choose the asset's type by hand; null gives the choice back to the server."""
    async with database.write(actor.scope) as session:
        await AssetService(session, actor.scope).set_type(asset_id, data.asset_type)
    async with database.read(actor.scope) as session:
        return await AssetListing(session, actor.scope, secrets).row(asset_id)


ROUTES: list[BaseRouteHandler] = [asset_list, status_counts, asset_get, asset_history, asset_change]
