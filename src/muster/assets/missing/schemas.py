"""Shapes of the review of missing devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from muster.assets.types import AssetContent
from muster.mappings.missing.types import DeviceMapping


class Decision(StrEnum):
    """What a person decided about a missing device: nothing yet, and that it is to be kept, retired, or is
    the same machine as another agent.
    """

    OPEN = "open"
    KEPT = "kept"
    RETIRED = "retired"
    LINKED = "linked"


class MissingFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which devices; every given condition must hold."""

    decision: Decision = Decision.OPEN
    client_id: UUID | None = None
    integration_id: UUID | None = None


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A field of two assets; equal values are worth knowing too."""

    field: str
    old: str | None
    new: str | None


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """Another asset that looks like the same machine. `same` names what both share: serial_number, name,
    client, site. `first_seen_at` is when Muster met it.
    """

    asset_id: UUID
    name: str
    device_id: str
    client_name: str | None
    same: Sequence[str]
    first_seen_at: datetime
    differences: Sequence[Difference] = ()


class MissingView(msgspec.Struct, frozen=True, kw_only=True):
    """A device that its server lists no longer, with the evidence: since when, how many complete answers
    lacked it, the latest of them, and when the agent was last seen. `decided_at` and `decided_by` tell of
    the person's decision.
    """

    id: UUID
    asset_id: UUID
    name: str
    serial_number: str | None
    asset_type: str
    client_id: UUID
    client_name: str | None
    integration_id: UUID | None
    integration_name: str | None
    provider_name: str | None
    device_id: str | None
    organization_name: str | None
    site_name: str | None
    last_seen_at: datetime | None
    missing_since: datetime | None
    missed_answers: int
    last_missed_at: datetime | None
    decision: Decision
    decided_at: datetime | None
    decided_by: str | None
    linked_to: UUID | None = None
    linked_name: str | None = None
    suggestion: Suggestion | None = None


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """An asset with a living agent that a missing device may be linked to."""

    asset_id: UUID
    name: str
    serial_number: str | None
    client_id: UUID
    client_name: str | None
    site_name: str | None
    device_id: str
    agent_status: str
    last_seen_at: datetime | None
    created_at: datetime


class LinkRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What an asset was before it took over another agent, with the mapping of its own one."""

    content: AssetContent
    provider: str | None
    integration_id: UUID
    device_id: str
    agent_status: str
    last_seen_at: datetime | None
    last_rmm_sync_at: datetime | None
    device: DeviceMapping


DecisionCounts = Mapping[Decision, int]


class Successor(msgspec.Struct, frozen=True, kw_only=True):
    """The asset that took over another one's agent: since when, and by whose decision."""

    asset_id: UUID
    name: str
    linked_at: datetime
    linked_by: str | None
