"""Values a sync works with."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from muster.assets.types import ChangedAsset, FieldChange, NewAsset, Reading
from muster.mappings.schemas import EntityState
from muster.providers.contract import DeviceChunk, DeviceRecord, ProviderErrorInfo, RejectedRow


class SyncType(StrEnum):
    """What is synced."""

    ORGANIZATIONS = "organizations"
    DEVICES = "devices"
    ALERTS = "alerts"
    SOFTWARE = "software"


class SyncMode(StrEnum):
    """How much of it: of devices everything with hardware, the light list only, or single ones; of alerts
    those of some days with what is resolved, or the open ones only. Software is always read in full.
    """

    FULL = "full"
    INCREMENTAL = "incremental"
    SINGLE = "single"


class RunStatus(StrEnum):
    """`partial`: it ended, but part of what was asked could not be read or waits for a person.
    `interrupted`: its process died; a later run took over. `cancelled`: someone asked for its end.
    """

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a sync ended."""

    status: RunStatus
    error: ProviderErrorInfo | None = None


class Action(StrEnum):
    """What an entry says was done, or not."""

    CREATED = "created"
    UPDATED = "updated"
    MOVED = "moved"
    MISSING = "missing"
    RETURNED = "returned"
    HELD = "held"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a run's record. `reason` is a stable word, `message` a sentence."""

    item_type: str
    action: Action
    reason: str
    external_id: str | None = None
    organization_id: str | None = None
    asset_id: UUID | None = None
    name: str | None = None
    message: str | None = None
    changes: tuple[FieldChange, ...] = ()


@dataclass(slots=True)
class Counters:
    """What a run counts. `deleted` stays 0: absence deletes nothing (DESIGN, deletion policy)."""

    processed: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    missing: int = 0
    deleted: int = 0
    failed: int = 0


@dataclass(slots=True)
class KnownDevice:
    """A device as Muster knows it before (and, while a run goes on, during) a sync."""

    entity: EntityState
    client_id: UUID
    agent_status: str
    last_seen_at: datetime | None
    asset_type_overridden: bool
    retired: bool

    def content_hash(self, source: str) -> str | None:
        """The hash of the last record from this kind of answer; single reads keep none."""
        return {"light": self.entity.light_hash, "detail": self.entity.detail_hash}.get(source)


@dataclass(slots=True)
class DeviceBatch:
    """Devices from one kind of answer, gathered from one or many organizations to be applied together:
    hundreds of small organizations must not become hundreds of small transactions.
    """

    source: str
    answered_at: datetime
    records: list[DeviceRecord] = field(default_factory=list)
    rejected: list[tuple[str, RejectedRow]] = field(default_factory=list)

    def add(self, chunk: DeviceChunk) -> None:
        """Take a chunk of the same source in."""
        self.records.extend(chunk.records)
        self.rejected.extend((chunk.organization_id, row) for row in chunk.rejected)
        self.answered_at = max(self.answered_at, chunk.answered_at)

    @property
    def size(self) -> int:
        """How many rows it holds."""
        return len(self.records) + len(self.rejected)


@dataclass(slots=True)
class DevicePlan:
    """What one batch of devices means for the database. All of it is applied, or none."""

    create: list[NewAsset] = field(default_factory=list)
    change: list[ChangedAsset] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    entities: list[EntityState] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    created: set[str] = field(default_factory=set)
    updated: set[str] = field(default_factory=set)
    rejected: int = 0
