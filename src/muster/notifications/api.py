"""Channels as JSON: the same verbs as the pages."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec
from litestar import delete, get, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, JSONBody

from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.db import Database
from muster.encryption import SecretBox
from muster.notifications import channels
from muster.notifications.notifier import Notifier
from muster.notifications.schemas import ChannelInput, ChannelTest, ChannelView
from muster.notifications.service import ChannelService
from muster.notifications.types import TargetUsers

_READ, _UPDATE = [needs(Permission.SETTINGS_READ)], [needs(Permission.SETTINGS_UPDATE)]
_TAGS = ["Channels"]
_ONE = "/channels/{channel_id:uuid}"


class ChannelList(msgspec.Struct, frozen=True, kw_only=True):
    """Every channel, by name."""

    items: Sequence[ChannelView]
    total: int


@get("/channels", guards=_READ, operation_id="listChannels", tags=_TAGS)
async def channel_list(
    actor: NamedDependency[Actor], database: NamedDependency[Database], secrets: NamedDependency[SecretBox]
) -> ChannelList:
    """The channels that alerts can be sent to."""
    async with database.read(actor.scope) as session:
        items = await ChannelService(session, actor.scope, secrets).list()
    return ChannelList(items=items, total=len(items))


@post("/channels", guards=_UPDATE, operation_id="createChannel", tags=_TAGS)
async def channel_create(
    data: JSONBody[ChannelInput],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    sender: NamedDependency[Notifier],
) -> ChannelView:
    """Add a channel; nothing is sent. 409 when one is called so already."""
    return await channels.add_channel(
        database, actor.scope, secrets, sender, name=data.name, kind=data.kind, fields=data.fields
    )


@get(_ONE, guards=_READ, operation_id="getChannel", tags=_TAGS)
async def channel_get(
    channel_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
) -> ChannelView:
    """One channel, without the secrets of its address."""
    async with database.read(actor.scope) as session:
        return await ChannelService(session, actor.scope, secrets).get(channel_id)


@post(f"{_ONE}/test", guards=_UPDATE, operation_id="testChannel", tags=_TAGS, status_code=200)
async def channel_test(
    channel_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    sender: NamedDependency[Notifier],
) -> ChannelTest:
    """Send a test message now, and tell what became of it."""
    outcome = await channels.test_channel(database, actor.scope, secrets, sender, channel_id)
    return ChannelTest(ok=outcome.ok, error=outcome.error)


@delete(_ONE, guards=_UPDATE, operation_id="removeChannel", tags=_TAGS)
async def channel_remove(
    channel_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    target_users: NamedDependency[TargetUsers],
) -> None:
    """Remove a channel. 409 while a rule has it as target."""
    async with database.write(actor.scope) as session:
        await ChannelService(session, actor.scope, secrets).remove(channel_id, target_users.names)


ROUTES: list[BaseRouteHandler] = [channel_list, channel_create, channel_get, channel_test, channel_remove]
