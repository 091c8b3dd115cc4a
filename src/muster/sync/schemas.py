"""Shapes of runs as others see them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from muster.providers.contract import ProviderErrorInfo


class RunView(msgspec.Struct, kw_only=True):
    """One execution of a sync. `requests` counts retries too; `bytes_received` are body bytes."""

    id: UUID
    run_id: UUID
    integration_id: UUID
    sync_type: str
    mode: str
    trigger: str
    started_by: str | None
    status: str
    phase: str
    started_at: datetime
    finished_at: datetime | None
    duration_ms: int | None
    cursor: dict[str, Any]
    progress_total: int | None
    processed: int
    created: int
    updated: int
    unchanged: int
    missing: int
    deleted: int
    failed: int
    requests: int
    bytes_received: int
    error: dict[str, Any] | None
    heartbeat_at: datetime


class EntryView(msgspec.Struct, kw_only=True):
    """One line of a run's record."""

    entry_number: int
    item_type: str
    action: str
    reason: str
    external_id: str | None
    organization_id: str | None
    asset_id: UUID | None
    name: str | None
    message: str | None
    changes: list[dict[str, Any]] | None


class SyncOrder(msgspec.Struct, kw_only=True):
    """A sync to start: `kind` is everything, or one of the others. The first sync of devices is a full one,
    whichever was asked for. A backfill of alerts goes back `days`, 30 if they are not given.
    """

    kind: Literal[
        "everything", "organizations", "devices", "devices_full", "alerts", "alerts_backfill", "software"
    ] = "everything"
    days: Annotated[int, msgspec.Meta(ge=1, le=3650)] | None = None


class SyncTicket(msgspec.Struct, kw_only=True):
    """A sync that was asked for: its run will have the id `run_id`. `joined`: it was under way already."""

    run_id: UUID
    kind: str
    joined: bool


class SyncTickets(msgspec.Struct, kw_only=True):
    """The syncs that an order led to, in the order in which they are done."""

    items: list[SyncTicket]
    total: int


class RunList(msgspec.Struct, kw_only=True):
    """Runs, newest first, and how many match in all."""

    items: list[RunView]
    total: int


class EntryList(msgspec.Struct, kw_only=True):
    """Entries of a run, problems first, and how many match in all."""

    items: list[EntryView]
    total: int


class CancelView(msgspec.Struct, kw_only=True):
    """What became of a sync that was to end: `state` is cancelled, or started until its next safe point."""

    run_id: UUID
    state: str


class RunFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs are wanted; None leaves a side open. `since`: begun then or later."""

    integration_id: UUID | None = None
    sync_type: str | None = None
    mode: str | None = None
    status: str | None = None
    trigger: str | None = None
    since: datetime | None = None


class EntryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries of a run are wanted: of these actions (none: all), with this text in name or id, about
    this kind of thing only (`item_type`), or about any but that (`besides`).
    """

    actions: tuple[str, ...] = ()
    text: str | None = None
    item_type: str | None = None
    besides: str | None = None


class Preview(msgspec.Struct, kw_only=True):
    """What a sync would do: its counters and entries; nothing was written."""

    sync_type: str
    mode: str
    status: str
    processed: int
    created: int
    updated: int
    unchanged: int
    missing: int
    deleted: int
    failed: int
    requests: int
    bytes_received: int
    duration_ms: int
    error: ProviderErrorInfo | None
    entries: list[EntryView]
