"""What the templates of alerts are filled with, whichever page or action draws them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.alerts import filters, words
from muster.alerts.chips import Chooser
from muster.alerts.filters import FIELDS, PATH, AlertQuery
from muster.alerts.listing import AlertBoard, Board
from muster.encryption import SecretBox
from muster.errors import InvalidInput
from muster.web.paging import address


@dataclass(frozen=True, slots=True)
class Back:
    """Where a person goes on after an action: the list as it was filtered, or an alert's own page."""

    path: str
    query: AlertQuery | None = None

    @classmethod
    def read(cls, text: str, alert_id: UUID | None = None) -> Self:
        """What a form or a link carries as `back`; anything else than the list is the alert's page, or the
        plain list where no alert is meant.
        """
        there = urlsplit(text)
        if there.netloc or there.scheme or there.path != PATH:
            return cls(PATH if alert_id is None else f"{PATH}/{alert_id}")
        try:
            query = read(parse_qsl(there.query))
        except InvalidInput:
            return cls(PATH)
        return cls(here(query), query)


def read(items: Iterable[tuple[str, str]]) -> AlertQuery:
    """The query of an address."""
    return filters.read(items, clock.now())


def here(query: AlertQuery) -> str:
    """The address of the list as a query has it, its page included."""
    return address(PATH, query.address, page=query.page)


def table(actor: Actor, query: AlertQuery, board: Board) -> dict[str, Any]:
    """What the table needs."""
    return {
        "board": board,
        "query": query,
        "path": PATH,
        "here": here(query),
        "live": address(f"{PATH}/list", query.address, page=query.page),
        "link": address,
        "may_update": actor.may(Permission.ALERT_UPDATE),
        "may_see_rules": actor.may(Permission.SETTINGS_READ),
        "words": words,
    }


async def work(
    session: AsyncSession, actor: Actor, secrets: SecretBox, query: AlertQuery, *, unseen: int
) -> dict[str, Any]:
    """What the list needs with its filters and the alert beside it."""
    boards = AlertBoard(session, actor.scope)
    pane = None if query.chosen is None else await boards.sheet(query.chosen)
    return {
        **table(actor, query, await boards.board(query, unseen=unseen)),
        "choices": await Chooser(session, actor.scope, secrets).choices(query),
        "fields": FIELDS,
        "pane": pane,
        "back": here(query),
        "heading": "h2",
    }


async def page(session: AsyncSession, actor: Actor, alert_id: UUID) -> dict[str, Any]:
    """What an alert's own page needs; NotFound when this tenant has none with that id."""
    return {
        "pane": await AlertBoard(session, actor.scope).sheet(alert_id),
        "back": f"{PATH}/{alert_id}",
        "heading": "h1",
        "path": PATH,
        "may_update": actor.may(Permission.ALERT_UPDATE),
        "may_see_rules": actor.may(Permission.SETTINGS_READ),
        "words": words,
    }
