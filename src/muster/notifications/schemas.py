"""Shapes of channels as others see them. No address with its secrets is ever in one of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from muster.notifications.models import Channel
from muster.notifications.types import ChannelKind

Text = Annotated[str, msgspec.Meta(max_length=2_000)]


class ChannelView(msgspec.Struct, frozen=True, kw_only=True):
    """A way to tell somebody. `shown` is its address without secrets; `error` is {message, at} of the last
    failure, null after a success.
    """

    channel_id: UUID
    name: str
    kind: ChannelKind
    shown: str
    last_sent_at: datetime | None
    error: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime


class ChannelInput(msgspec.Struct, frozen=True, kw_only=True):
    """A channel as it is added. `fields` are those of its kind: `url` for slack, teams and apprise; for mail
    `host`, `port`, `security` (starttls, ssl or none), `user`, `password`, `sender` and `recipients`.
    """

    name: Text
    kind: ChannelKind
    fields: dict[str, Text]


class ChannelTest(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a test message."""

    ok: bool
    error: str | None


def view_of(row: Channel) -> ChannelView:
    """A channel's row as others see it."""
    return ChannelView(
        channel_id=row.channel_id,
        name=row.name,
        kind=ChannelKind(row.kind),
        shown=row.shown,
        last_sent_at=row.last_sent_at,
        error=row.error,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
