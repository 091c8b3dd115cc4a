"""What workers do to the job and worker tables, over all tenants. Each change is conditional on the state it
was decided on, and its row count says whether it happened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from muster import __version__, clock
from muster.db import Database, bulk
from muster.db.types import table_of
from muster.jobs import liveness
from muster.jobs.models import JobRequest, Worker
from muster.jobs.repository import RelayRepository
from muster.jobs.rules import Running, Waiting, choose
from muster.jobs.types import JobState, WorkerView
from muster.tenancy import TenantScope

_JOBS = table_of(JobRequest)
_DELETED_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Begun:
    """A job that this process has begun to carry out; `attempt` and worker together are its fence."""

    scope: TenantScope
    job_id: UUID
    kind: str
    payload: Mapping[str, Any]
    attempt: int
    cancelled: bool


class Board:
    """The job table as one worker sees it."""

    def __init__(self, database: Database, executor_id: str) -> None:
        self._database = database
        self._me = executor_id

    # --- claiming ------------------------------------------------------------------------------------------

    async def claim(self, *, free: int, per_lane: int) -> list[UUID]:
        """Take waiting jobs, fairly and within bounds that hold over all workers together."""
        now = clock.now()
        async with self._database.read(system=True) as session:
            if not await RelayRepository(session).waits(now):
                return []
        claimed: list[UUID] = []
        async with self._database.write(system=True) as session:
            relay = RelayRepository(session)
            # One worker counts and takes at a time, or two would fill the same lane.
            await relay.lock()
            rows = await relay.candidates(now, each=free)
            waiting = [Waiting(r["tenant_id"], r["job_id"], r["lane"], r["requested_at"]) for r in rows]
            running = [Running(r["tenant_id"], r["lane"]) for r in await relay.started()]
            for job in choose(waiting, running, free=free, per_lane=per_lane):
                taken = await bulk.update_where(
                    session,
                    TenantScope(job.tenant_id),
                    _JOBS,
                    {"state": JobState.STARTED.value, "worker": self._me, "started_at": now},
                    where={"job_id": job.job_id, "state": JobState.REQUESTED.value},
                )
                claimed += [job.job_id] * taken
        return claimed

    async def adopt(self, *, limit: int) -> list[UUID]:
        """Take jobs that were begun by workers that live no more, or were given back by one."""
        async with self._database.read(system=True) as session:
            started = await RelayRepository(session).started()
        # In this order: who has a job was on the roll before, so that no newcomer passes for dead.
        living = await self.roll_call()
        adopted: list[UUID] = []
        orphans = [row for row in started if row["worker"] not in living]
        for row in orphans[: max(limit, 0)]:
            async with self._database.write(system=True) as session:
                taken = await bulk.update_where(
                    session,
                    TenantScope(row["tenant_id"]),
                    _JOBS,
                    {"worker": self._me},
                    where={
                        "job_id": row["job_id"],
                        "state": JobState.STARTED.value,
                        "worker": row["worker"],
                    },
                )
            adopted += [row["job_id"]] * taken
        return adopted

    async def mine(self) -> Mapping[UUID, bool]:
        """The jobs this worker has by the table, and whether each one's end was asked for."""
        async with self._database.read(system=True) as session:
            rows = await RelayRepository(session).started()
        return {r["job_id"]: r["cancel_requested_at"] is not None for r in rows if r["worker"] == self._me}

    # --- carrying out --------------------------------------------------------------------------------------

    async def begin(self, job_id: UUID) -> Begun | None:
        """Make this process the one that carries a job out; None when there is nothing left to do."""
        async with self._database.write(system=True) as session:
            row = await RelayRepository(session).owner(job_id)
            if row is None or row["state"] != JobState.STARTED:
                return None
            scope = TenantScope(row["tenant_id"], row["requested_by"])
            attempt = row["attempts"] + 1
            taken = await bulk.update_where(
                session,
                scope,
                _JOBS,
                {"worker": self._me, "attempts": attempt},
                where={"job_id": job_id, "state": JobState.STARTED.value, "attempts": row["attempts"]},
            )
        if not taken:
            return None
        cancelled = row["cancel_requested_at"] is not None
        return Begun(scope, job_id, row["kind"], row["payload"], attempt, cancelled)

    async def report(self, job: Begun, progress: Mapping[str, Any]) -> bool:
        """Keep how far a job is; False when it is another worker's by now."""
        return await self._set(job, {"progress": msgspec.to_builtins(progress)})

    async def finish(
        self,
        job: Begun,
        state: JobState,
        *,
        result: Mapping[str, Any] | None = None,
        error: Mapping[str, Any] | None = None,
        progress: Mapping[str, Any] | None = None,
    ) -> bool:
        """Close a job; False when it is another worker's by now, and this end does not count."""
        values = {
            "state": state.value,
            "finished_at": clock.now(),
            "result": msgspec.to_builtins(result),
            "error": msgspec.to_builtins(error),
        }
        last = {} if progress is None else {"progress": msgspec.to_builtins(progress)}
        return await self._set(job, {**values, **last})

    async def postpone(self, job: Begun, until: datetime) -> bool:
        """Have a job wait again; False when it is another worker's by now."""
        values = {"state": JobState.REQUESTED.value, "not_before": until, "worker": None, "started_at": None}
        # Attempts count processes that ended half way; this one did not.
        return await self._set(job, {**values, "attempts": job.attempt - 1})

    async def give_back(self, job: Begun) -> bool:
        """Leave a begun job to whoever takes it first."""
        return await self._set(job, {"worker": None})

    async def _set(self, job: Begun, values: Mapping[str, Any]) -> bool:
        ours = {
            "job_id": job.job_id,
            "state": JobState.STARTED.value,
            "worker": self._me,
            "attempts": job.attempt,
        }
        async with self._database.write(job.scope) as session:
            return await bulk.update_where(session, job.scope, _JOBS, values, where=ours) == 1

    # --- workers -------------------------------------------------------------------------------------------

    async def beat(self) -> None:
        """Say that this worker lives; the first time it enters itself."""
        now = clock.now()
        place, _, process = self._me.rpartition("/")[0].rpartition("/")
        async with self._database.write(system=True) as session:
            worker = await RelayRepository(session).worker(self._me)
            if worker is not None:
                worker.heartbeat_at = now
                return
            session.add(
                Worker(
                    executor_id=self._me,
                    host=place,
                    pid=int(process),
                    version=__version__,
                    started_at=now,
                    heartbeat_at=now,
                )
            )

    async def leave(self) -> None:
        """Say that this worker ends; jobs it still has are free for others at once."""
        await self._strike([self._me])

    async def roll_call(self) -> list[str]:
        """The workers that live; entries of dead ones are struck off."""
        async with self._database.read(system=True) as session:
            views = await workers(RelayRepository(session))
        await self._strike([view.executor_id for view in views if view.dead])
        return [view.executor_id for view in views if not view.dead]

    async def _strike(self, names: Sequence[str]) -> None:
        if not names:
            return
        async with self._database.write(system=True) as session:
            relay = RelayRepository(session)
            for name in names:
                if (worker := await relay.worker(name)) is not None:
                    await session.delete(worker)

    async def forget_before(self, moment: datetime) -> int:
        """Delete jobs that ended before a moment, a bounded number; gives how many."""
        async with self._database.write(system=True) as session:
            old = await RelayRepository(session).finished_before(moment, limit=_DELETED_AT_ONCE)
            by_tenant: dict[UUID, list[dict[str, Any]]] = {}
            for row in old:
                by_tenant.setdefault(row["tenant_id"], []).append({"job_id": row["job_id"]})
            for tenant_id, rows in by_tenant.items():
                await bulk.delete(session, TenantScope(tenant_id), _JOBS, rows, key=["job_id"])
        return len(old)


async def workers(relay: RelayRepository) -> list[WorkerView]:
    """Every worker on the roll, and whether it is dead."""
    now = clock.now()
    return [
        WorkerView(
            executor_id=row.executor_id,
            host=row.host,
            pid=row.pid,
            version=row.version,
            started_at=row.started_at,
            heartbeat_at=row.heartbeat_at,
            dead=liveness.is_dead(row.executor_id, row.heartbeat_at, now),
        )
        for row in await relay.workers()
    ]
