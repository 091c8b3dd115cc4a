"""Missing devices and what is decided about them, for programs."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody

from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.assets.missing.schemas import Decision, MissingFilter, MissingView
from muster.assets.missing.service import MissingService
from muster.db import Database
from muster.web.paging import Limit, Offset

_DECIDES = [needs(Permission.ASSET_UPDATE)]
_TAGS = ["Missing devices"]


class MissingList(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the devices that match, and how many match in all."""

    items: Sequence[MissingView]
    total: int


class LinkBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The asset whose agent is taken over."""

    asset_id: UUID


@get("/assets/missing", guards=[needs(Permission.ASSET_READ)], operation_id="listMissingDevices", tags=_TAGS)
async def list_missing(
    *,
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    decision: FromQuery[Decision] = Decision.OPEN,
    client_id: FromQuery[UUID | None] = None,
    integration_id: FromQuery[UUID | None] = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> MissingList:
    """Devices that their server lists no longer, by what a person decided about them; `open` ones with the
    asset that each was probably reinstalled as.
    """
    wanted = MissingFilter(decision=decision, client_id=client_id, integration_id=integration_id)
    async with database.read(actor.scope) as session:
        service = MissingService(session, actor.scope)
        items = await service.page(wanted, limit=limit, offset=offset)
        return MissingList(items=items, total=await service.count(wanted))


@post(
    "/assets/{asset_id:uuid}/retire",
    guards=_DECIDES,
    operation_id="retireAsset",
    tags=_TAGS,
    status_code=200,
)
async def retire(
    actor: NamedDependency[Actor], database: NamedDependency[Database], asset_id: FromPath[UUID]
) -> MissingView:
    """Take a missing device out of lists and counts. Should its agent answer again, it is back."""
    async with database.write(actor.scope) as session:
        return await MissingService(session, actor.scope).retire(asset_id)


@post(
    "/assets/{asset_id:uuid}/bring-back",
    guards=_DECIDES,
    operation_id="bringBackAsset",
    tags=_TAGS,
    status_code=204,
)
async def bring_back(
    actor: NamedDependency[Actor], database: NamedDependency[Database], asset_id: FromPath[UUID]
) -> None:
    """Take retiring back."""
    async with database.write(actor.scope) as session:
        await MissingService(session, actor.scope).bring_back(asset_id)


@post("/assets/{asset_id:uuid}/keep", guards=_DECIDES, operation_id="keepAsset", tags=_TAGS, status_code=200)
async def keep(
    actor: NamedDependency[Actor], database: NamedDependency[Database], asset_id: FromPath[UUID]
) -> MissingView:
    """Leave a missing device in lists, and out of the review until it has answered and is missed again."""
    async with database.write(actor.scope) as session:
        return await MissingService(session, actor.scope).keep(asset_id)


@post(
    "/assets/{asset_id:uuid}/review",
    guards=_DECIDES,
    operation_id="reviewAsset",
    tags=_TAGS,
    status_code=200,
)
async def review(
    actor: NamedDependency[Actor], database: NamedDependency[Database], asset_id: FromPath[UUID]
) -> MissingView:
    """Take keeping back: the device is in the review again."""
    async with database.write(actor.scope) as session:
        return await MissingService(session, actor.scope).review(asset_id)


@post("/assets/{asset_id:uuid}/link", guards=_DECIDES, operation_id="linkAsset", tags=_TAGS, status_code=204)
async def link(
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    asset_id: FromPath[UUID],
    data: JSONBody[LinkBody],
) -> None:
    """Have a missing device take over the agent of a newer asset, which leaves the lists."""
    async with database.write(actor.scope) as session:
        await MissingService(session, actor.scope).link(asset_id, data.asset_id)


@post(
    "/assets/{asset_id:uuid}/separate",
    guards=_DECIDES,
    operation_id="separateAsset",
    tags=_TAGS,
    status_code=204,
)
async def separate(
    actor: NamedDependency[Actor], database: NamedDependency[Database], asset_id: FromPath[UUID]
) -> None:
    """Take a link back; the id is that of the asset that left the lists."""
    async with database.write(actor.scope) as session:
        await MissingService(session, actor.scope).separate(asset_id)


ROUTES: list[BaseRouteHandler] = [list_missing, retire, bring_back, keep, review, link, separate]
