"""Subscriptions and their deliveries as JSON: the same verbs as the pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import delete, get, post, put
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.clock import as_utc
from muster.db import Database
from muster.encryption import SecretBox
from muster.errors import InvalidInput
from muster.notifications.types import TargetUsers
from muster.outbound_webhooks.delivery_service import DeliveryService
from muster.outbound_webhooks.schemas import (
    DeliveryView,
    SubscriptionInput,
    SubscriptionSecret,
    SubscriptionView,
)
from muster.outbound_webhooks.service import SubscriptionService
from muster.outbound_webhooks.types import DeliveryState, Networks
from muster.web.paging import Limit, Offset

_READ, _UPDATE = [needs(Permission.SETTINGS_READ)], [needs(Permission.SETTINGS_UPDATE)]
_TAGS = ["Subscriptions"]
_ALL = "/subscriptions"
_ONE = "/subscriptions/{subscription_id:uuid}"


class SubscriptionList(msgspec.Struct, frozen=True, kw_only=True):
    """Every subscription, by name."""

    items: Sequence[SubscriptionView]
    total: int


class SubscriptionSwitch(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a subscription is on."""

    on: bool


class DeliveryList(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a subscription's deliveries, and how many match in all."""

    items: Sequence[DeliveryView]
    total: int


class DeliveryDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery with what is sent."""

    delivery: DeliveryView
    payload: dict[str, Any]


class Redelivery(msgspec.Struct, frozen=True, kw_only=True):
    """What to send again: one delivery, or everything that failed or was dropped since a moment."""

    delivery_id: UUID | None = None
    failed_since: datetime | None = None


class Redelivered(msgspec.Struct, frozen=True, kw_only=True):
    """How many deliveries go again."""

    deliveries: int


class TrialDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """The delivery of a test event."""

    delivery_id: UUID


@get(_ALL, guards=_READ, operation_id="listSubscriptions", tags=_TAGS)
async def subscription_list(
    actor: NamedDependency[Actor], database: NamedDependency[Database], secrets: NamedDependency[SecretBox]
) -> SubscriptionList:
    """Who is told of events by webhook."""
    async with database.read(actor.scope) as session:
        items = await SubscriptionService(session, actor.scope, secrets).list()
    return SubscriptionList(items=items, total=len(items))


@post(_ALL, guards=_UPDATE, operation_id="createSubscription", tags=_TAGS)
async def subscription_create(
    data: JSONBody[SubscriptionInput],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    outbound_networks: NamedDependency[Networks],
) -> SubscriptionSecret:
    """Add a subscription. The answer holds its secret, which is never shown again."""
    plain = bool(outbound_networks)
    async with database.write(actor.scope) as session:
        return await SubscriptionService(session, actor.scope, secrets, plain_allowed=plain).add(data)


@get(_ONE, guards=_READ, operation_id="getSubscription", tags=_TAGS)
async def subscription_get(
    subscription_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
) -> SubscriptionView:
    """One subscription."""
    async with database.read(actor.scope) as session:
        return await SubscriptionService(session, actor.scope, secrets).get(subscription_id)


@put(_ONE, guards=_UPDATE, operation_id="updateSubscription", tags=_TAGS)
async def subscription_update(
    *,
    data: JSONBody[SubscriptionInput],
    subscription_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    outbound_networks: NamedDependency[Networks],
) -> SubscriptionView:
    """Change name, address and chosen events; the secret stays."""
    plain = bool(outbound_networks)
    async with database.write(actor.scope) as session:
        service = SubscriptionService(session, actor.scope, secrets, plain_allowed=plain)
        return await service.update(subscription_id, data)


@post(f"{_ONE}/rotate", guards=_UPDATE, operation_id="rotateSubscriptionSecret", tags=_TAGS, status_code=200)
async def subscription_rotate(
    subscription_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
) -> SubscriptionSecret:
    """Make a new secret; the old one signs beside it for a day."""
    async with database.write(actor.scope) as session:
        return await SubscriptionService(session, actor.scope, secrets).rotate(subscription_id)


@post(f"{_ONE}/switch", guards=_UPDATE, operation_id="switchSubscription", tags=_TAGS, status_code=200)
async def subscription_switch(
    data: JSONBody[SubscriptionSwitch],
    subscription_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
) -> SubscriptionView:
    """Switch a subscription on or off. While it is off, events pass it by."""
    async with database.write(actor.scope) as session:
        return await SubscriptionService(session, actor.scope, secrets).switch(subscription_id, on=data.on)


@post(f"{_ONE}/test", guards=_UPDATE, operation_id="testSubscription", tags=_TAGS, status_code=202)
async def subscription_test(
    subscription_id: FromPath[UUID], actor: NamedDependency[Actor], database: NamedDependency[Database]
) -> TrialDelivery:
    """Have a test event sent; its delivery tells what became of it."""
    async with database.write(actor.scope) as session:
        delivery_id = await DeliveryService(session, actor.scope).test(subscription_id)
    return TrialDelivery(delivery_id=delivery_id)


@delete(_ONE, guards=_UPDATE, operation_id="removeSubscription", tags=_TAGS)
async def subscription_remove(
    subscription_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    target_users: NamedDependency[TargetUsers],
) -> None:
    """Remove a subscription and the log of its deliveries. 409 while a rule has it as target."""
    async with database.write(actor.scope) as session:
        await SubscriptionService(session, actor.scope, secrets).remove(subscription_id, target_users.names)


@get(f"{_ONE}/deliveries", guards=_READ, operation_id="listDeliveries", tags=_TAGS)
async def delivery_list(
    *,
    subscription_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    in_state: Annotated[DeliveryState | None, QueryParameter(name="state")] = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> DeliveryList:
    """The deliveries of a subscription, newest first."""
    async with database.read(actor.scope) as session:
        items, total = await DeliveryService(session, actor.scope).list(
            subscription_id, [] if in_state is None else [in_state], limit=limit, offset=offset
        )
    return DeliveryList(items=items, total=total)


@get("/deliveries/{delivery_id:uuid}", guards=_READ, operation_id="getDelivery", tags=_TAGS)
async def delivery_get(
    delivery_id: FromPath[UUID], actor: NamedDependency[Actor], database: NamedDependency[Database]
) -> DeliveryDetail:
    """One delivery with its payload."""
    async with database.read(actor.scope) as session:
        delivery, payload = await DeliveryService(session, actor.scope).get(delivery_id)
    return DeliveryDetail(delivery=delivery, payload=dict(payload))


@post(f"{_ONE}/redeliver", guards=_UPDATE, operation_id="redeliver", tags=_TAGS, status_code=202)
async def delivery_again(
    data: JSONBody[Redelivery],
    subscription_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
) -> Redelivered:
    """Send again: one delivery, or everything that came to nothing since a moment."""
    async with database.write(actor.scope) as session:
        service = DeliveryService(session, actor.scope)
        await service.look_for(subscription_id)
        if (data.delivery_id is None) == (data.failed_since is None):
            raise InvalidInput(
                "It says not, or twice, what to send again.", remedy="Give one of the two fields."
            )
        wanted: Sequence[UUID] = [data.delivery_id] if data.delivery_id is not None else ()
        if data.failed_since is not None:
            wanted = await service.failed_since(subscription_id, _moment(data.failed_since))
        count = await service.again(subscription_id, wanted)
    return Redelivered(deliveries=count)


ROUTES: list[BaseRouteHandler] = [
    subscription_list,
    subscription_create,
    subscription_get,
    subscription_update,
    subscription_rotate,
    subscription_switch,
    subscription_test,
    subscription_remove,
    delivery_list,
    delivery_get,
    delivery_again,
]


def _moment(given: datetime) -> datetime:
    try:
        return as_utc(given)
    except ValueError:
        raise InvalidInput(
            "The moment has no time zone.", remedy="Write it as 2026-01-31T12:00:00Z."
        ) from None
