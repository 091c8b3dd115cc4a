"""Shapes of the fleet as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from muster.assets.schemas import StatusCounts


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """One device of the roll call."""

    asset_id: UUID
    client_id: UUID
    name: str
    status: str
    last_seen_at: datetime | None


class ClientRoll(msgspec.Struct, frozen=True, kw_only=True):
    """A client's devices: how many by status and, in a small enough fleet, each one, absent ones first."""

    client_id: UUID
    name: str
    counts: StatusCounts
    marks: Sequence[Mark] = ()

    @property
    def total(self) -> int:
        """All devices."""
        return sum(self.counts.values())


class RollCall(msgspec.Struct, frozen=True, kw_only=True):
    """The roll: all devices by status, and the clients shown; `more` others are not."""

    counts: StatusCounts
    clients: Sequence[ClientRoll]
    more: int

    @property
    def total(self) -> int:
        """All devices."""
        return sum(self.counts.values())
