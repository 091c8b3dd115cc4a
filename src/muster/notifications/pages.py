"""Channels: the list, the form of each kind, and a test message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
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
from muster.errors import Conflict, InvalidInput, NotFound
from muster.notifications import channels
from muster.notifications.addresses import SECURITIES
from muster.notifications.notifier import Notifier
from muster.notifications.service import ChannelService
from muster.notifications.types import ChannelKind, TargetUsers
from muster.web.forms import Form
from muster.web.frame import Frame, Toast, go

PATH = "/settings/channels"
_ONE = f"{PATH}/{{channel_id:uuid}}"
_TRAIL: Sequence[tuple[str, str | None]] = (("Settings", "/settings"), ("Notifications", PATH))
_READ, _UPDATE = [needs(Permission.SETTINGS_READ)], [needs(Permission.SETTINGS_UPDATE)]


class Kind(NamedTuple):
    """A kind of channel as the pages name it."""

    key: ChannelKind
    label: str
    icon: str
    text: str


KINDS: Mapping[str, Kind] = {
    kind.key.value: kind
    for kind in (
        Kind(ChannelKind.MAIL, "Mail", "mail", "By your own mail server."),
        Kind(ChannelKind.SLACK, "Slack", "message", "To a Slack channel, by an incoming webhook."),
        Kind(ChannelKind.TEAMS, "Teams", "message", "To a Teams channel, by a workflow."),
        Kind(
            ChannelKind.APPRISE,
            "Other service",
            "send",
            "Discord, Telegram, ntfy and a hundred more, by an Apprise address.",
        ),
    )
}
_DEFAULTS: Mapping[ChannelKind, Mapping[str, str]] = {ChannelKind.MAIL: {"security": "starttls"}}


@get(PATH, guards=_READ)
async def channel_list(
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
) -> Template:
    """Who can be told of alerts."""
    async with database.read(actor.scope) as session:
        found = await ChannelService(session, actor.scope, secrets).list()
    return frame.page(
        "channels/list.html",
        title="Notifications",
        place="settings",
        trail=_TRAIL[:1],
        channels=found,
        kinds=KINDS,
    )


@get(f"{PATH}/new/{{kind:str}}", guards=_UPDATE)
async def channel_new(kind: FromPath[str], frame: NamedDependency[Frame]) -> Template:
    """The form for another channel."""
    known = _kind(kind)
    return _form_page(frame, known, Form(_DEFAULTS.get(known.key, {})))


@post(f"{PATH}/new/{{kind:str}}", guards=_UPDATE, status_code=200)
async def channel_create(
    *,
    request: Request[Actor, Any, Any],
    kind: FromPath[str],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    sender: NamedDependency[Notifier],
    frame: NamedDependency[Frame],
) -> Response[Any]:
    """Add a channel; nothing is sent."""
    known = _kind(kind)
    form = await Form.read(request)
    try:
        view = await channels.add_channel(
            database,
            actor.scope,
            secrets,
            sender,
            name=form.text("name"),
            kind=known.key,
            fields=form.values,
        )
    except InvalidInput as refused:
        form.refuse_named(refused)
        return _form_page(frame, known, form)
    except Conflict as refused:
        form.refuse(refused, "name")
        return _form_page(frame, known, form)
    return go(request, PATH, Toast(f"{view.name} added. Send a test to see whether it works."))


@post(f"{_ONE}/test", guards=_UPDATE, status_code=303)
async def channel_test(
    *,
    request: Request[Actor, Any, Any],
    channel_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    sender: NamedDependency[Notifier],
) -> Redirect:
    """Send a test message now."""
    outcome = await channels.test_channel(database, actor.scope, secrets, sender, channel_id)
    toast = Toast("Test sent.") if outcome.ok else Toast(f"Not sent. {outcome.error}", kind="problem")
    return go(request, PATH, toast)


@get(f"{_ONE}/remove", guards=_UPDATE)
async def ask_remove(
    channel_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
) -> Template:
    """The question before a channel is removed."""
    async with database.read(actor.scope) as session:
        view = await ChannelService(session, actor.scope, secrets).get(channel_id)
    return _remove_page(frame, view.name, channel_id, Form())


@post(f"{_ONE}/remove", guards=_UPDATE, status_code=200)
async def channel_remove(
    *,
    request: Request[Actor, Any, Any],
    channel_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    target_users: NamedDependency[TargetUsers],
    frame: NamedDependency[Frame],
) -> Response[Any]:
    """Remove a channel that no rule uses."""
    try:
        async with database.write(actor.scope) as session:
            service = ChannelService(session, actor.scope, secrets)
            view = await service.remove(channel_id, target_users.names)
    except Conflict as refused:
        form = Form()
        form.refuse(refused)
        async with database.read(actor.scope) as session:
            view = await ChannelService(session, actor.scope, secrets).get(channel_id)
        return _remove_page(frame, view.name, channel_id, form)
    return go(request, PATH, Toast(f"{view.name} removed."))


ROUTES: list[BaseRouteHandler] = [
    channel_list,
    channel_new,
    channel_create,
    channel_test,
    ask_remove,
    channel_remove,
]


def _kind(key: str) -> Kind:
    if key not in KINDS:
        raise NotFound(f"There is no kind of channel {key[:50]}.")
    return KINDS[key]


def _form_page(frame: Frame, kind: Kind, form: Form) -> Template:
    return frame.page(
        "channels/form.html",
        title=f"Add {kind.label.lower() if kind.key is not ChannelKind.APPRISE else 'channel'}",
        place="settings",
        trail=_TRAIL,
        status_code=422 if form.errors else 200,
        kind=kind,
        form=form,
        securities=list(SECURITIES.items()),
    )


def _remove_page(frame: Frame, name: str, channel_id: UUID, form: Form) -> Template:
    return frame.page(
        "channels/remove.html",
        title="Remove",
        place="settings",
        trail=[*_TRAIL, (name, None)],
        status_code=409 if form.errors else 200,
        name=name,
        path=f"{PATH}/{channel_id}",
        back=PATH,
        form=form,
    )
