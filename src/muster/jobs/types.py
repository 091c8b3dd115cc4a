"""Values that jobs are made of, and what a handler gets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

import msgspec

from muster.tenancy import TenantScope


class JobState(StrEnum):
    """`requested` waits for its moment and a free worker; `started` belongs to a worker, or to the one that
    takes over from it; the others are ends.
    """

    REQUESTED = "requested"
    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = (JobState.REQUESTED, JobState.STARTED)


@dataclass(frozen=True, slots=True)
class JobTicket:
    """The job that a request led to; `joined` when it was there already."""

    job_id: UUID
    joined: bool


class JobView(msgspec.Struct, kw_only=True):
    """A job as others see it."""

    id: UUID
    job_id: UUID
    kind: str
    dedup_key: str
    lane: str | None
    payload: dict[str, Any]
    state: str
    requested_at: datetime
    not_before: datetime
    requested_by: str | None
    started_at: datetime | None
    finished_at: datetime | None
    cancel_requested_at: datetime | None
    attempts: int
    worker: str | None
    progress: dict[str, Any] | None
    result: dict[str, Any] | None
    error: dict[str, Any] | None


class WorkerView(msgspec.Struct, kw_only=True):
    """A process that carries out jobs; `dead` when its process is gone or it fell silent."""

    executor_id: str
    host: str
    pid: int
    version: str
    started_at: datetime
    heartbeat_at: datetime
    dead: bool


class JobContext(Protocol):
    """What a handler gets: whose job it is, what was asked, and how it can say how far it is."""

    @property
    def scope(self) -> TenantScope:
        """On whose behalf."""

    @property
    def job_id(self) -> UUID:
        """The job's id, the same in every attempt."""

    @property
    def payload(self) -> Mapping[str, Any]:
        """What was asked."""

    @property
    def attempt(self) -> int:
        """1 the first time; more when an earlier process died at it or was stopped."""

    def cancelled(self) -> bool:
        """Whether someone asked for its end; the handler then raises JobCancelled between two chunks."""

    def stopping(self) -> bool:
        """Whether this process is to end; the handler then raises JobSuspended between two chunks."""

    def report(self, progress: Mapping[str, Any]) -> None:
        """Let others read how far it is; written within about a second, and only the last of several."""


Handler = Callable[[JobContext], Awaitable[Mapping[str, Any] | None]]


class JobCancelled(Exception):
    """The handler stopped because someone asked for it."""


class JobSuspended(Exception):
    """The handler stopped because its process ends; another attempt goes on where it was."""


class JobPostponed(Exception):
    """The handler cannot do it now; the job waits again until a moment."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"postponed until {until:%H:%M:%S}")
        self.until = until


class JobFailed(Exception):
    """The handler's work came to nothing for a reason that a person can read."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        remedy: str | None = None,
        result: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy
        self.result = result
