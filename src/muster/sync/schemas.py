"""Shapes of runs as others see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
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
