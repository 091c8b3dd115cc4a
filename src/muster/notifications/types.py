"""Values that notifications are made of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from muster.tenancy import TenantScope


class ChannelKind(StrEnum):
    """What a channel was made from: a form of its own, or an Apprise address."""

    MAIL = "mail"
    SLACK = "slack"
    TEAMS = "teams"
    APPRISE = "apprise"


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """One message on its way to one address. `key` tells its outcome from others; `url` is the Apprise
    address in clear, so that this lives in memory only.
    """

    key: str
    url: str
    title: str
    body: str

    def __repr__(self) -> str:
        return f"Post({self.key!r}, {self.title!r})"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a message. `error` is a sentence, null for a success; `refused`: an address was one that
    may not be reached, which no second try changes.
    """

    ok: bool
    error: str | None = None
    refused: bool = False


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What an Apprise address is: the service's name and what a screen may show of the address; `error` says
    why it cannot be used.
    """

    service: str = ""
    shown: str = ""
    error: str | None = None


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the process that Apprise works in (child.py) is to do: send `posts` one after the other, or say
    what `look` is.
    """

    allowed_networks: tuple[str, ...]
    posts: tuple[Post, ...] = ()
    look: str | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One line of its answer: what became of the post of that key, or what was looked at."""

    key: str = ""
    outcome: Outcome | None = None
    look: Look | None = None


class Sender(Protocol):
    """What sends messages and looks at addresses."""

    async def send(self, posts: Sequence[Post]) -> Mapping[str, Outcome]:
        """Send messages and give what became of each, by its key; never raises for one that fails."""

    async def look(self, url: str) -> Look:
        """What an address is; nothing is sent."""


# Who has something as target, by name.
UserSource = Callable[[AsyncSession, TenantScope, UUID], Awaitable[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class TargetUsers:
    """Who has a channel or a subscription to webhooks as target: the rooms above, bound in bootstrap."""

    names: UserSource
