"""The table of schedules."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from muster.db.types import Base, TenantOwned, part_of

# A query must say it in these words, not with parameters, or SQLite does not use the index below.
CAN_BE_DUE = "enabled AND next_run_at IS NOT NULL"


class Schedule(TenantOwned, Base):
    """How often one kind of sync of an integration is done by itself.

    `next_run_at` is when the tick acts next; null while only a person can help. `failures` counts the
    transient ones in a row. While `paused_code` is set nothing is synced: at `next_run_at` the connection is
    checked instead, and only if that cannot lock anybody out. `paused_error` is {code, message, remedy};
    `paused_revision` stands for the address and credentials that failed.
    """

    __tablename__ = "sync_schedules"
    __table_args__ = (
        part_of("rmm_integrations", "integration_id"),
        # What the tick looks for, over all tenants.
        Index(
            "ix_sync_schedules_due",
            "next_run_at",
            sqlite_where=text(CAN_BE_DUE),
            postgresql_where=text(CAN_BE_DUE),
        ),
    )

    integration_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    enabled: Mapped[bool] = mapped_column(default=True)
    minutes: Mapped[int]
    next_run_at: Mapped[datetime | None]
    last_requested_at: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(default=0)
    paused_code: Mapped[str | None]
    paused_at: Mapped[datetime | None]
    paused_revision: Mapped[str | None]
    paused_error: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
