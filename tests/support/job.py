"""What a worker gives a handler, for tests that call handlers themselves."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from muster.tenancy import TenantScope


class Job:
    """An attempt at a job (muster.jobs.types.JobContext): told to end after some looks, or never."""

    def __init__(
        self,
        scope: TenantScope,
        job_id: UUID,
        payload: Mapping[str, Any] | None = None,
        *,
        end_after: int | None = None,
        how: str = "",
    ) -> None:
        """`how` is `cancel` or `stop`."""
        self.scope = scope
        self.job_id = job_id
        self.payload = payload or {}
        self.attempt = 1
        self.looks = 0
        self._end_after = end_after
        self._how = how

    def _told(self, how: str) -> bool:
        return self._how == how and self._end_after is not None and self.looks > self._end_after

    def cancelled(self) -> bool:
        self.looks += 1
        return self._told("cancel")

    def stopping(self) -> bool:
        return self._told("stop")

    def report(self, progress: Mapping[str, Any]) -> None:
        """Nobody reads it here."""
