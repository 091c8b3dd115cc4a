"""Webhooks to others: the list of subscriptions, the form of one, its secret shown once. A subscription's own
page is in `log_pages`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect, Template

from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.db import Database
from muster.encryption import SecretBox
from muster.errors import Conflict, InvalidInput
from muster.notifications.types import TargetUsers
from muster.outbound_webhooks import words
from muster.outbound_webhooks.schemas import SubscriptionInput, SubscriptionSecret, SubscriptionView
from muster.outbound_webhooks.service import SubscriptionService
from muster.outbound_webhooks.types import Networks
from muster.web.forms import Form
from muster.web.frame import Frame, Toast, go

PATH = "/settings/webhooks"
ONE = f"{PATH}/{{subscription_id:uuid}}"
TRAIL: Sequence[tuple[str, str | None]] = (("Settings", "/settings"), ("Webhooks", PATH))
_READ, _UPDATE = [needs(Permission.SETTINGS_READ)], [needs(Permission.SETTINGS_UPDATE)]


@get(PATH, guards=_READ)
async def subscription_list(
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
) -> Template:
    """Who is told of events by webhook."""
    async with database.read(actor.scope) as session:
        found = await SubscriptionService(session, actor.scope, secrets).list()
    return frame.page(
        "subscriptions/list.html",
        title="Webhooks",
        place="settings",
        trail=TRAIL[:1],
        rows=[(view, words.state_of(view), words.events_text(view)) for view in found],
    )


@get(f"{PATH}/new", guards=_UPDATE)
async def subscription_new(
    frame: NamedDependency[Frame], outbound_networks: NamedDependency[Networks]
) -> Template:
    """The form for another subscription."""
    chosen = ["RMM_ALERT_TRIGGERED", "RMM_ALERT_RESOLVED"]
    return _form_page(frame, outbound_networks, None, Form(several={"event_types": chosen}))


@post(f"{PATH}/new", guards=_UPDATE, status_code=200)
async def subscription_create(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    outbound_networks: NamedDependency[Networks],
    frame: NamedDependency[Frame],
) -> Response[Any]:
    """Add a subscription. Its secret is shown once, in the answer."""
    form = await Form.read(request)
    plain = bool(outbound_networks)
    try:
        async with database.write(actor.scope) as session:
            service = SubscriptionService(session, actor.scope, secrets, plain_allowed=plain)
            made = await service.add(_wanted(form))
    except InvalidInput as refused:
        form.refuse_named(refused)
        return _form_page(frame, outbound_networks, None, form)
    except Conflict as refused:
        form.refuse(refused, "name")
        return _form_page(frame, outbound_networks, None, form)
    return _secret_page(frame, made, is_new=True)


@get(f"{ONE}/edit", guards=_UPDATE)
async def subscription_edit(
    *,
    subscription_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    outbound_networks: NamedDependency[Networks],
    frame: NamedDependency[Frame],
) -> Template:
    """The form of a subscription."""
    async with database.read(actor.scope) as session:
        view = await SubscriptionService(session, actor.scope, secrets).get(subscription_id)
    form = Form({"name": view.name, "url": view.url}, several={"event_types": view.event_types})
    return _form_page(frame, outbound_networks, view, form)


@post(f"{ONE}/edit", guards=_UPDATE, status_code=200)
async def subscription_update(
    *,
    request: Request[Actor, Any, Any],
    subscription_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    outbound_networks: NamedDependency[Networks],
    frame: NamedDependency[Frame],
) -> Response[Any]:
    """Change a subscription; its secret stays."""
    form = await Form.read(request)
    plain = bool(outbound_networks)
    async with database.read(actor.scope) as session:
        known = await SubscriptionService(session, actor.scope, secrets).get(subscription_id)
    try:
        async with database.write(actor.scope) as session:
            service = SubscriptionService(session, actor.scope, secrets, plain_allowed=plain)
            view = await service.update(subscription_id, _wanted(form))
    except InvalidInput as refused:
        form.refuse_named(refused)
        return _form_page(frame, outbound_networks, known, form)
    except Conflict as refused:
        form.refuse(refused, "name")
        return _form_page(frame, outbound_networks, known, form)
    return go(request, f"{PATH}/{subscription_id}", Toast(f"{view.name} saved."))


@post(f"{ONE}/rotate", guards=_UPDATE, status_code=200)
async def subscription_rotate(
    subscription_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
) -> Template:
    """Make a new secret and show it once; the old one signs beside it for a day."""
    async with database.write(actor.scope) as session:
        made = await SubscriptionService(session, actor.scope, secrets).rotate(subscription_id)
    return _secret_page(frame, made, is_new=False)


@post(f"{ONE}/switch", guards=_UPDATE, status_code=303)
async def subscription_switch(
    request: Request[Actor, Any, Any],
    subscription_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
) -> Redirect:
    """Switch a subscription on or off."""
    on = (await Form.read(request)).text("to") == "on"
    async with database.write(actor.scope) as session:
        view = await SubscriptionService(session, actor.scope, secrets).switch(subscription_id, on=on)
    toast = Toast(f"{view.name} switched {'on' if on else 'off'}.")
    return go(request, f"{PATH}/{subscription_id}", toast)


@get(f"{ONE}/remove", guards=_UPDATE)
async def ask_remove(
    subscription_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
) -> Template:
    """The question before a subscription is removed."""
    async with database.read(actor.scope) as session:
        view = await SubscriptionService(session, actor.scope, secrets).get(subscription_id)
    return _remove_page(frame, view, Form())


@post(f"{ONE}/remove", guards=_UPDATE, status_code=200)
async def subscription_remove(
    *,
    request: Request[Actor, Any, Any],
    subscription_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    target_users: NamedDependency[TargetUsers],
    frame: NamedDependency[Frame],
) -> Response[Any]:
    """Remove a subscription that no rule uses."""
    try:
        async with database.write(actor.scope) as session:
            service = SubscriptionService(session, actor.scope, secrets)
            view = await service.remove(subscription_id, target_users.names)
    except Conflict as refused:
        form = Form()
        form.refuse(refused)
        async with database.read(actor.scope) as session:
            view = await SubscriptionService(session, actor.scope, secrets).get(subscription_id)
        return _remove_page(frame, view, form)
    return go(request, PATH, Toast(f"{view.name} removed."))


ROUTES: list[BaseRouteHandler] = [
    subscription_list,
    subscription_new,
    subscription_create,
    subscription_edit,
    subscription_update,
    subscription_rotate,
    subscription_switch,
    ask_remove,
    subscription_remove,
]


def _wanted(form: Form) -> SubscriptionInput:
    events = list(form.several.get("event_types", ()))
    return SubscriptionInput(name=form.text("name"), url=form.text("url"), event_types=events)


def _form_page(frame: Frame, networks: Networks, view: SubscriptionView | None, form: Form) -> Template:
    return frame.page(
        "subscriptions/form.html",
        title="Add webhook" if view is None else f"Change {view.name}",
        place="settings",
        trail=TRAIL if view is None else [*TRAIL, (view.name, f"{PATH}/{view.subscription_id}")],
        status_code=422 if form.errors else 200,
        view=view,
        form=form,
        action=f"{PATH}/new" if view is None else f"{PATH}/{view.subscription_id}/edit",
        back=PATH if view is None else f"{PATH}/{view.subscription_id}",
        events=words.event_choices(form.several.get("event_types", ())),
        networks=networks,
    )


def _secret_page(frame: Frame, made: SubscriptionSecret, *, is_new: bool) -> Template:
    view = made.subscription
    return frame.page(
        "subscriptions/secret.html",
        title="Webhook added" if is_new else "New secret",
        place="settings",
        trail=[*TRAIL, (view.name, f"{PATH}/{view.subscription_id}")],
        view=view,
        secret=made.secret,
        is_new=is_new,
        back=f"{PATH}/{view.subscription_id}",
    )


def _remove_page(frame: Frame, view: SubscriptionView, form: Form) -> Template:
    return frame.page(
        "subscriptions/remove.html",
        title="Remove",
        place="settings",
        trail=[*TRAIL, (view.name, f"{PATH}/{view.subscription_id}")],
        status_code=409 if form.errors else 200,
        view=view,
        back=f"{PATH}/{view.subscription_id}",
        form=form,
    )
