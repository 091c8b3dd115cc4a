"""Verbs on channels that talk to the other side, and so hold no transaction while they do."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from muster import clock
from muster.audit.service import AuditService
from muster.db import Database
from muster.encryption import SecretBox
from muster.errors import InvalidInput
from muster.notifications import addresses
from muster.notifications.schemas import ChannelView
from muster.notifications.service import ChannelService
from muster.notifications.types import ChannelKind, Outcome, Post, Sender
from muster.tenancy import TenantScope

_TITLE = "Test of Muster"
_BODY = 'This is a test of the channel "{name}". Alerts that a rule sends here arrive like this.'
_FIELD = {ChannelKind.MAIL: "host"}


async def add_channel(
    database: Database,
    scope: TenantScope,
    secrets: SecretBox,
    sender: Sender,
    *,
    name: str,
    kind: ChannelKind,
    fields: Mapping[str, str],
) -> ChannelView:
    """Add a channel by what was typed into its kind's form; nothing is sent. InvalidInput, with its field,
    for what cannot be used.
    """
    url = addresses.address_of(kind, fields)
    look = await sender.look(url)
    if look.error is not None:
        raise InvalidInput(look.error, remedy="Check what was typed.", field=_FIELD.get(kind, "url"))
    shown = addresses.mail_shown(fields) if kind is ChannelKind.MAIL else look.shown
    async with database.write(scope) as session:
        return await ChannelService(session, scope, secrets).add(name, kind, url, shown)


async def test_channel(
    database: Database, scope: TenantScope, secrets: SecretBox, sender: Sender, channel_id: UUID
) -> Outcome:
    """Send a test message now, and keep what became of it."""
    async with database.read(scope) as session:
        service = ChannelService(session, scope, secrets)
        view, url = await service.get(channel_id), await service.address(channel_id)
    post = Post(key="test", url=url, title=_TITLE, body=_BODY.format(name=view.name))
    outcome = (await sender.send([post]))[post.key]
    async with database.write(scope) as session:
        await ChannelService(session, scope, secrets).note(channel_id, outcome, at=clock.now())
        await AuditService(session, scope).record(
            "channel.tested", "channel", subject=view.name, subject_id=channel_id, delivered=outcome.ok
        )
    return outcome
