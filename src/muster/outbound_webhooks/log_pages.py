"""A subscription's page: its state, the log of its deliveries, tests and second tries."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Redirect, Template

from muster import clock
from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.db import Database
from muster.encryption import SecretBox
from muster.errors import Conflict, InvalidInput, NotFound
from muster.outbound_webhooks import words
from muster.outbound_webhooks.delivery_service import DeliveryService
from muster.outbound_webhooks.pages import ONE, PATH, TRAIL
from muster.outbound_webhooks.service import SubscriptionService
from muster.outbound_webhooks.types import DeliveryState
from muster.web.forms import Form
from muster.web.frame import Frame, Toast, go
from muster.web.paging import Page, address
from muster.web.wording import plural

_READ, _UPDATE = [needs(Permission.SETTINGS_READ)], [needs(Permission.SETTINGS_UPDATE)]
_DELIVERY = f"{ONE}/deliveries/{{delivery_id:uuid}}"
# How far back failed deliveries are sent again, as the page offers it.
_SINCE = {"1": "the last day", "7": "the last 7 days", "30": "the last 30 days"}


@get(ONE, guards=_READ)
async def subscription_page(
    *,
    subscription_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
    in_state: Annotated[str, QueryParameter(name="state", max_length=20)] = "",
    page: FromQuery[int | None] = None,
    rows: FromQuery[int | None] = None,
) -> Template:
    """One subscription with the log of its deliveries."""
    chosen = [DeliveryState(in_state)] if in_state in {each.value for each in DeliveryState} else []
    wanted = Page.wanted(page, rows)
    async with database.read(actor.scope) as session:
        view = await SubscriptionService(session, actor.scope, secrets).get(subscription_id)
        service = DeliveryService(session, actor.scope)
        deliveries, total = await service.list(
            subscription_id, chosen, limit=wanted.size, offset=wanted.offset
        )
        shown = wanted.of(total)
        if shown.number != wanted.number:
            deliveries, total = await service.list(
                subscription_id, chosen, limit=shown.size, offset=shown.offset
            )
    query = {"state": in_state} if chosen else {}
    return frame.page(
        "subscriptions/subscription.html",
        title=view.name,
        place="settings",
        trail=TRAIL,
        view=view,
        path=f"{PATH}/{subscription_id}",
        how=words.state_of(view),
        event_names=[words.event_name(each) for each in view.event_types],
        deliveries=deliveries,
        chosen=in_state if chosen else "",
        states=[(each.value, words.DELIVERY_WORDS[each][0]) for each in DeliveryState],
        words=words,
        page=shown,
        query=query if rows is None else {**query, "rows": str(rows)},
        link=address,
        since=list(_SINCE.items()),
        rotating=view.previous_until is not None and view.previous_until > clock.now(),
    )


@get(_DELIVERY, guards=_READ)
async def delivery_page(
    *,
    subscription_id: FromPath[UUID],
    delivery_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
) -> Template:
    """One delivery: what is sent, and what the other side said."""
    async with database.read(actor.scope) as session:
        view = await SubscriptionService(session, actor.scope, secrets).get(subscription_id)
        delivery, payload = await DeliveryService(session, actor.scope).get(delivery_id)
    if delivery.subscription_id != subscription_id:
        raise NotFound(f"There is no delivery {delivery_id}.")
    return frame.page(
        "subscriptions/delivery.html",
        title=words.event_name(delivery.event_type),
        place="settings",
        trail=[*TRAIL, (view.name, f"{PATH}/{subscription_id}")],
        view=view,
        delivery=delivery,
        path=f"{PATH}/{subscription_id}",
        words=words,
        payload=msgspec.json.format(msgspec.json.encode(payload), indent=2).decode(),
    )


@post(f"{ONE}/test", guards=_UPDATE, status_code=303)
async def subscription_test(
    request: Request[Actor, Any, Any],
    subscription_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
) -> Redirect:
    """Have a test event sent."""
    toast = Toast("A test is on its way: see the log.")
    try:
        async with database.write(actor.scope) as session:
            await DeliveryService(session, actor.scope).test(subscription_id)
    except Conflict as refused:
        toast = Toast(str(refused), kind="problem")
    return go(request, f"{PATH}/{subscription_id}", toast)


@post(f"{ONE}/redeliver", guards=_UPDATE, status_code=303)
async def redeliver(
    request: Request[Actor, Any, Any],
    subscription_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
) -> Redirect:
    """Send again: one delivery, or everything that came to nothing in the last days."""
    form = await Form.read(request)
    delivery_id, days = form.identity("delivery"), form.text("days")
    try:
        async with database.write(actor.scope) as session:
            service = DeliveryService(session, actor.scope)
            await service.look_for(subscription_id)
            if delivery_id is None and days not in _SINCE:
                raise InvalidInput("It does not say what to send again.", remedy="Choose from the list.")
            wanted = (
                [delivery_id]
                if delivery_id is not None
                else await service.failed_since(subscription_id, clock.now() - timedelta(days=int(days)))
            )
            count = await service.again(subscription_id, wanted)
        toast = Toast(
            f"{plural(count, 'webhook')} {'goes' if count == 1 else 'go'} out again."
            if count
            else f"Nothing failed in {_SINCE.get(days, 'that time')}."
        )
    except Conflict as refused:
        toast = Toast(str(refused), kind="problem")
    return go(request, f"{PATH}/{subscription_id}", toast)


ROUTES: list[BaseRouteHandler] = [subscription_page, delivery_page, subscription_test, redeliver]
