"""Webhooks and their receipts as JSON: the same verbs as the pages."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.db import Database
from muster.encryption import SecretBox
from muster.inbound_webhooks.receipts import ReceiptService
from muster.inbound_webhooks.schemas import (
    EndpointView,
    ReceiptDetail,
    ReceiptFilter,
    ReceiptList,
    ReceiptView,
    Replayed,
    ReplayRequest,
    RotateRequest,
    SecretView,
)
from muster.inbound_webhooks.service import WebhookService
from muster.inbound_webhooks.types import ReceiptState
from muster.integrations.service import IntegrationService
from muster.web.paging import Limit, Offset
from muster.web.security import base_url

_READ, _UPDATE = [needs(Permission.SETTINGS_READ)], [needs(Permission.SETTINGS_UPDATE)]
_REPLAY = [needs(Permission.ALERT_UPDATE)]
_TAGS = ["Webhooks"]
_ONE = "/integrations/{integration_id:uuid}"

Text = Annotated[str | None, QueryParameter(max_length=200)]


@get(f"{_ONE}/webhook", guards=_READ, operation_id="getWebhook", tags=_TAGS)
async def webhook_get(
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    integration_id: FromPath[UUID],
) -> EndpointView:
    """Where and how the integration's server calls Muster, the bodies to set it up with, and how it goes."""
    async with database.read(actor.scope) as session:
        return await WebhookService(session, actor.scope, secrets).endpoint(integration_id)


@post(f"{_ONE}/webhook/reveal", guards=_UPDATE, operation_id="revealWebhook", tags=_TAGS, status_code=200)
async def webhook_reveal(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    public_url: NamedDependency[str | None],
    integration_id: FromPath[UUID],
) -> SecretView:
    """Address, header and secret in clear, for setting the server up; the secret is made if there is none
    yet. It is put on record.
    """
    async with database.write(actor.scope) as session:
        service = WebhookService(session, actor.scope, secrets)
        return await service.reveal(integration_id, base_url(request, public_url))


@post(f"{_ONE}/webhook/rotate", guards=_UPDATE, operation_id="rotateWebhook", tags=_TAGS, status_code=200)
async def webhook_rotate(
    data: JSONBody[RotateRequest],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    integration_id: FromPath[UUID],
) -> EndpointView:
    """Make a new secret; the one so far holds beside it for `overlap_hours`."""
    async with database.write(actor.scope) as session:
        service = WebhookService(session, actor.scope, secrets)
        return await service.rotate(integration_id, timedelta(hours=data.overlap_hours))


@get(f"{_ONE}/receipts", guards=_READ, operation_id="listReceipts", tags=_TAGS)
async def receipt_list(
    *,
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    integration_id: FromPath[UUID],
    receipt_state: Annotated[ReceiptState | None, QueryParameter(name="state")] = None,
    device_id: Text = None,
    since: FromQuery[datetime | None] = None,
    until: FromQuery[datetime | None] = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> ReceiptList:
    """Webhooks that the integration's server sent, newest first, and what became of each."""
    wanted = ReceiptFilter(
        integration_id=integration_id, state=receipt_state, device_id=device_id, since=since, until=until
    )
    async with database.read(actor.scope) as session:
        await IntegrationService(session, actor.scope, secrets).get(integration_id)
        service = ReceiptService(session, actor.scope, secrets)
        items = await service.list(wanted, limit=limit, offset=offset)
        return ReceiptList(items=list(items), total=await service.count(wanted))


@post(f"{_ONE}/receipts/replay", guards=_REPLAY, operation_id="replayReceipts", tags=_TAGS, status_code=200)
async def receipts_replay(
    data: JSONBody[ReplayRequest],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    integration_id: FromPath[UUID],
) -> Replayed:
    """Process every receipt again that matches; at most 10,000 at once, the oldest first."""
    wanted = ReceiptFilter(state=data.state, device_id=data.device_id, since=data.since, until=data.until)
    async with database.write(actor.scope) as session:
        service = ReceiptService(session, actor.scope, secrets)
        return Replayed(count=await service.replay_all(integration_id, wanted))


@get("/receipts/{receipt_id:uuid}", guards=_READ, operation_id="getReceipt", tags=_TAGS)
async def receipt_get(
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    receipt_id: FromPath[UUID],
) -> ReceiptDetail:
    """A receipt with the body as it came, and what that is understood as."""
    async with database.read(actor.scope) as session:
        return await ReceiptService(session, actor.scope, secrets).get(receipt_id)


@post(
    "/receipts/{receipt_id:uuid}/replay",
    guards=_REPLAY,
    operation_id="replayReceipt",
    tags=_TAGS,
    status_code=200,
)
async def receipt_replay(
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    receipt_id: FromPath[UUID],
) -> ReceiptView:
    """Process a receipt again. 409 while its integration is disconnected."""
    async with database.write(actor.scope) as session:
        return await ReceiptService(session, actor.scope, secrets).replay(receipt_id)


ROUTES: list[BaseRouteHandler] = [
    webhook_get,
    webhook_reveal,
    webhook_rotate,
    receipt_list,
    receipts_replay,
    receipt_get,
    receipt_replay,
]
