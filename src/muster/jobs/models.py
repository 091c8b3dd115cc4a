"""Tables of job requests and of the processes that carry them out."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from muster.db.types import Base, TenantOwned, new_id, of_tenant

# A query must say it in these words, not with parameters, or SQLite does not use the indexes below.
IS_OPEN = "state IN ('requested', 'started')"


class JobRequest(TenantOwned, Base):
    """Something to be done in the background; `state` is a JobState. While it is open no second one with
    the same `dedup_key` can be made.

    `lane` names what bounds how many run at once over all workers (for a sync the server's origin).
    `worker` is the executor_id of the process that works on it; `attempts` counts the processes that began.
    `error` is {code, message, remedy}; `progress` and `result` are the handler's own.
    """

    __tablename__ = "job_requests"
    __table_args__ = (
        of_tenant(),
        Index(
            "uq_job_requests_open",
            "tenant_id",
            "dedup_key",
            unique=True,
            sqlite_where=text(IS_OPEN),
            postgresql_where=text(IS_OPEN),
        ),
        Index(None, "tenant_id", "requested_at"),
        # What relays look for, over all tenants: the open ones, which are few.
        Index(
            "ix_job_requests_state",
            "state",
            "not_before",
            sqlite_where=text(IS_OPEN),
            postgresql_where=text(IS_OPEN),
        ),
    )

    job_id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    dedup_key: Mapped[str]
    lane: Mapped[str | None]
    payload: Mapped[dict[str, Any]]
    state: Mapped[str]
    requested_at: Mapped[datetime]
    not_before: Mapped[datetime]
    requested_by: Mapped[str | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    cancel_requested_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None]
    progress: Mapped[dict[str, Any] | None]
    result: Mapped[dict[str, Any] | None]
    error: Mapped[dict[str, Any] | None]


class Worker(Base):
    """A process that carries out jobs, of any tenant. It is believed to live while `heartbeat_at` moves."""

    __tablename__ = "workers"

    executor_id: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str]
    pid: Mapped[int]
    version: Mapped[str]
    started_at: Mapped[datetime]
    heartbeat_at: Mapped[datetime]
