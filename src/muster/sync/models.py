"""Tables of sync runs and their entries."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from muster.db.types import Base, JsonType, TenantOwned, new_id, part_of


class SyncRun(TenantOwned, Base):
    """One execution of a sync. While `status` is running it holds the integration's lease: `lease_owner`
    names the process, `heartbeat_at` its last sign of life.

    `started_by` is the person or program that asked for it; `cursor` says how far it came; `error` is
    {code, message, remedy}; `duration_ms` counts wall time.
    """

    __tablename__ = "sync_runs"
    __table_args__ = (
        part_of("rmm_integrations", "integration_id"),
        Index(
            "uq_sync_runs_running",
            "tenant_id",
            "integration_id",
            unique=True,
            sqlite_where=text("status = 'running'"),
            postgresql_where=text("status = 'running'"),
        ),
        Index(None, "tenant_id", "integration_id", "started_at"),
        # What metrics look for, over all tenants.
        Index("ix_sync_runs_finished_at", "finished_at"),
    )

    run_id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    integration_id: Mapped[UUID]
    sync_type: Mapped[str]
    mode: Mapped[str]
    trigger: Mapped[str]
    started_by: Mapped[str | None]
    status: Mapped[str]
    lease_owner: Mapped[str | None]
    heartbeat_at: Mapped[datetime]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    duration_ms: Mapped[int | None] = mapped_column(BigInteger)
    phase: Mapped[str]
    cursor: Mapped[dict[str, Any]] = mapped_column(default=dict)
    progress_total: Mapped[int | None]
    processed: Mapped[int] = mapped_column(default=0)
    created: Mapped[int] = mapped_column(default=0)
    updated: Mapped[int] = mapped_column(default=0)
    unchanged: Mapped[int] = mapped_column(default=0)
    missing: Mapped[int] = mapped_column(default=0)
    deleted: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    requests: Mapped[int] = mapped_column(default=0)
    bytes_received: Mapped[int] = mapped_column(BigInteger, default=0)
    error: Mapped[dict[str, Any] | None]


class SyncRefresh(TenantOwned, Base):
    """A device that is to be read anew, asked for since an event of it; the row goes once it was read."""

    __tablename__ = "sync_refreshes"
    __table_args__ = (part_of("rmm_integrations", "integration_id"),)

    integration_id: Mapped[UUID] = mapped_column(primary_key=True)
    device_id: Mapped[str] = mapped_column(primary_key=True)
    requested_at: Mapped[datetime]


class SyncRunEntry(TenantOwned, Base):
    """What a run did, or could not do, to one item, and why. `entry_number` counts within the run."""

    __tablename__ = "sync_run_entries"
    __table_args__ = (part_of("sync_runs", "run_id"),)

    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    entry_number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    item_type: Mapped[str]
    action: Mapped[str]
    reason: Mapped[str]
    external_id: Mapped[str | None]
    organization_id: Mapped[str | None]
    asset_id: Mapped[UUID | None]
    name: Mapped[str | None]
    message: Mapped[str | None]
    changes: Mapped[list[Any] | None] = mapped_column(JsonType)
