"""What rooms above know about clients; `bootstrap` binds it, so that this room need not know them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from muster.providers.contract import AgentStatus
from muster.tenancy import TenantScope


def _none() -> dict[str, int]:
    return {status.value: 0 for status in AgentStatus}


class ClientFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers about one client: its assets by status, and how many organizations stand for it."""

    statuses: Mapping[str, int] = msgspec.field(default_factory=_none)
    organizations: int = 0

    @property
    def assets(self) -> int:
        """All its assets."""
        return sum(self.statuses.values())


# Figures of the clients named, or with None of all. A client of which nothing is known is absent.
FigureSource = Callable[
    [AsyncSession, TenantScope, Collection[UUID] | None], Awaitable[Mapping[UUID, ClientFigures]]
]
# Makes whatever names a contact let go of it, in the transaction that removes it.
ContactHolder = Callable[[AsyncSession, TenantScope, UUID], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ClientNeighbours:
    """What the rooms above tell of clients, and what in them holds contacts."""

    figures: FigureSource
    let_go: ContactHolder
