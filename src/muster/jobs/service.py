"""Jobs: the verbs of one tenant. A request is a row of the caller's own transaction: it is neither lost nor
done when that transaction is rolled back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.db import bulk
from muster.db.types import new_id, table_of
from muster.errors import Conflict, NotFound
from muster.jobs.board import workers
from muster.jobs.models import JobRequest
from muster.jobs.repository import JobRepository, RelayRepository
from muster.jobs.types import JobState, JobTicket, JobView, WorkerView
from muster.tenancy import TenantScope

_JOBS = table_of(JobRequest)
_TRIES = 5


class JobService:
    """Ask for background work, follow it, end it."""

    def __init__(self, session: AsyncSession, scope: TenantScope) -> None:
        self._session = session
        self._scope = scope
        self._repository = JobRepository(session, scope)

    async def request(
        self,
        kind: str,
        dedup_key: str,
        payload: Mapping[str, Any],
        *,
        lane: str | None = None,
        not_before: datetime | None = None,
        requested_by: str | None = None,
    ) -> JobTicket:
        """Ask for a job; while one with the same `dedup_key` is open, that one is joined, and is brought
        forward if it was to wait longer. `payload` is JSON and must hold no secret.
        """
        at = clock.now()
        wanted = not_before or at
        row = {
            "job_id": new_id(),
            "kind": kind,
            "dedup_key": dedup_key,
            "lane": lane,
            "payload": dict(payload),
            "state": JobState.REQUESTED.value,
            "requested_at": at,
            "not_before": wanted,
            "requested_by": requested_by or self._scope.actor,
            "started_at": None,
            "finished_at": None,
            "cancel_requested_at": None,
            "attempts": 0,
            "worker": None,
            "progress": None,
            "result": None,
            "error": None,
        }
        # The open one may end between the insert that it hinders and the look at it.
        for _ in range(_TRIES):
            await bulk.insert_new(self._session, self._scope, _JOBS, [row])
            found = await self._repository.open(dedup_key)
            if found is None:
                continue
            if found.job_id == row["job_id"]:
                return JobTicket(found.job_id, joined=False)
            if wanted < found.not_before:
                await self._set(found.job_id, JobState.REQUESTED, {"not_before": wanted})
            return JobTicket(found.job_id, joined=True)
        raise Conflict("This job cannot be asked for just now.", remedy="Try again.", code="busy")

    async def request_anew(
        self,
        kind: str,
        dedup_key: str,
        payload: Mapping[str, Any],
        *,
        lane: str | None = None,
        not_before: datetime | None = None,
    ) -> JobTicket:
        """Ask for a job that begins after the caller's transaction, for what that writes. One that waits is
        joined; behind one that has begun, and may have looked already, another waits.
        """
        key = dedup_key
        for _ in range(_TRIES):
            ticket = await self.request(kind, key, payload, lane=lane, not_before=not_before)
            # Writing to its row keeps a worker from taking it before this transaction ends.
            if not ticket.joined or await self._set(ticket.job_id, JobState.REQUESTED, {"lane": lane}):
                return ticket
            key = f"{dedup_key}:{ticket.job_id}"
        raise Conflict("This job cannot be asked for just now.", remedy="Try again.", code="busy")

    async def cancel(self, job_id: UUID) -> JobView:
        """End a job: at once while it waits, between two of its chunks while it runs; nothing when it has
        ended. NotFound when this tenant has none with that id.
        """
        at = clock.now()
        ended = {"state": JobState.CANCELLED.value, "finished_at": at, "cancel_requested_at": at}
        # In this order: a job that a worker takes between the two is told as one that runs.
        if not await self._set(job_id, JobState.REQUESTED, ended):
            await bulk.update_where(
                self._session,
                self._scope,
                _JOBS,
                {"cancel_requested_at": at},
                where={"job_id": job_id, "state": JobState.STARTED.value, "cancel_requested_at": None},
            )
        return await self.get(job_id)

    async def get(self, job_id: UUID) -> JobView:
        """One job, with how far it is; NotFound when this tenant has none with that id."""
        job = await self._repository.job(job_id)
        if job is None:
            raise NotFound(f"No job {job_id} here.", remedy="`muster job list` shows them.")
        return job

    async def open(self, dedup_key: str) -> JobView | None:
        """The job of that key that waits or runs; None when there is none."""
        return await self._repository.open(dedup_key)

    async def list(
        self, states: Sequence[str] = (), *, kinds: Sequence[str] = (), limit: int = 100
    ) -> Sequence[JobView]:
        """Jobs, newest first; without states or kinds all of them."""
        return await self._repository.jobs(states, kinds, limit=limit)

    async def _set(self, job_id: UUID, state: JobState, values: Mapping[str, Any]) -> int:
        where = {"job_id": job_id, "state": state.value}
        return await bulk.update_where(self._session, self._scope, _JOBS, values, where=where)


class WorkerService:
    """The processes that carry out jobs. Needs a session across tenants."""

    def __init__(self, session: AsyncSession) -> None:
        self._relay = RelayRepository(session)

    async def list(self) -> Sequence[WorkerView]:
        """Every worker that has not said goodbye; `dead` ones are taken off by the next living one."""
        return await workers(self._relay)
