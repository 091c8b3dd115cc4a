"""The engine of a worker: takes waiting jobs, has DBOS remember that they were begun, runs their handlers,
and takes over from workers that died.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from muster import clock
from muster.db import Database
from muster.errors import MusterError
from muster.jobs import liveness
from muster.jobs.board import Begun, Board
from muster.jobs.durable import Durable
from muster.jobs.types import Handler, JobCancelled, JobFailed, JobPostponed, JobState, JobSuspended
from muster.tenancy import TenantScope

log = structlog.get_logger(__name__)

_CLEAN_SECONDS = 3600.0
# A job that its worker has by the table, but does not run: DBOS takes a second or two to hand it over.
_UNSTARTED_SECONDS = 30.0
_MOST_ATTEMPTS = 100
_OVERLOAD = 2
_KEPT_BY_DBOS = timedelta(hours=1)
_INTERNAL = "Muster made a mistake; its log says which."


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """`jobs`: at a time in this process; `per_lane`: at a time of one lane in all of them. `poll` and
    `grace` are seconds: between looks for work, and for running jobs to end by themselves at the close.
    """

    jobs: int = 4
    per_lane: int = 1
    poll: float = 1.0
    grace: float = 20.0
    kept: timedelta = timedelta(days=7)
    heartbeat: float = liveness.HEARTBEAT_SECONDS


class JobEngine:
    """One for a process. `running` is its life."""

    def __init__(
        self,
        database: Database,
        folder: Path,
        handlers: Mapping[str, Handler],
        options: EngineOptions | None = None,
    ) -> None:
        """`folder` is where DBOS keeps its file when the database is SQLite; `handlers` by kind of job."""
        self.executor_id = liveness.owner()
        self._options = options or EngineOptions()
        self._handlers = dict(handlers)
        self._board = Board(database, self.executor_id)
        self._durable = Durable(database.url, folder, self.executor_id)
        self._running: dict[UUID, _Context] = {}
        self._handed_over: dict[UUID, float] = {}
        self._wake = asyncio.Event()
        self._in_trouble: set[str] = set()
        self._cleaned = time.monotonic()
        self._stopping = False

    @property
    def busy(self) -> int:
        """How many jobs this process carries out or is about to."""
        return len(self._running.keys() | self._handed_over.keys())

    def wake(self) -> None:
        """Look for work now: a job was requested in this process."""
        self._wake.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Carry out jobs while the body runs. At its end running jobs get `grace` to finish; what is left
        is stopped between two writes and goes on in another worker, or here after the next start.
        """
        await self._board.beat()
        self._durable.launch(self._carry_out)
        loops = [asyncio.create_task(self._relay()), asyncio.create_task(self._heart())]
        log.info("worker.started", worker=self.executor_id, jobs=self._options.jobs)
        try:
            yield
        finally:
            self._stopping = True
            for loop in loops:
                loop.cancel()
            await asyncio.shield(asyncio.ensure_future(self._close(loops)))

    async def _close(self, loops: Sequence[asyncio.Task[None]]) -> None:
        await asyncio.wait(loops)
        tasks = [context.task for context in self._running.values()]
        if tasks:
            log.info("worker.finishing", jobs=len(tasks))
            await asyncio.wait(tasks, timeout=self._options.grace)
            left = [task for task in tasks if not task.done()]
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left, timeout=self._options.grace)
        await self._durable.close()
        try:
            await self._board.leave()
        except (SQLAlchemyError, OSError) as error:
            log.warning("worker.not_struck_off", error=type(error).__name__)
        log.info("worker.stopped", worker=self.executor_id)

    # --- the loops -----------------------------------------------------------------------------------------

    async def _relay(self) -> None:
        while True:
            await self._carefully("relay", self._take_work())
            try:
                async with asyncio.timeout(self._options.poll):
                    await self._wake.wait()
            except TimeoutError:
                continue
            self._wake.clear()

    async def _heart(self) -> None:
        while True:
            await self._carefully("heartbeat", self._beat())
            await asyncio.sleep(self._options.heartbeat)

    async def _carefully(self, what: str, work: Awaitable[None]) -> None:
        """A worker outlives its database's bad hours; it tells when they begin and end, not each failure."""
        try:
            await work
        except Exception as error:
            if what not in self._in_trouble:
                self._in_trouble.add(what)
                log.exception("worker.in_trouble", doing=what, error=type(error).__name__)
            return
        if what in self._in_trouble:
            self._in_trouble.remove(what)
            log.info("worker.recovered", doing=what)

    async def _take_work(self) -> None:
        await self._follow_running()
        free = self._options.jobs - self.busy
        if free > 0:
            for job_id in await self._board.claim(free=free, per_lane=self._options.per_lane):
                await self._hand_over(job_id)

    async def _beat(self) -> None:
        await self._board.beat()
        # What a dead worker had is more than was planned for here, but must not be all of it.
        free = _OVERLOAD * self._options.jobs - self.busy
        for job_id in await self._board.adopt(limit=free):
            log.info("job.taken_over", job=str(job_id), worker=self.executor_id)
            await self._hand_over(job_id)
        await self._hand_over_again()
        if time.monotonic() - self._cleaned > _CLEAN_SECONDS:
            self._cleaned = time.monotonic()
            now = clock.now()
            await self.forget_before(now - self._options.kept, durable=now - _KEPT_BY_DBOS)

    async def forget_before(self, moment: datetime, *, durable: datetime) -> int:
        """Delete jobs that ended before a moment, and what DBOS keeps of those that ended before `durable`;
        bounded, so that a large heap takes several turns. Gives the number of deleted jobs.
        """
        await self._durable.forget_before(durable)
        return await self._board.forget_before(moment)

    async def _follow_running(self) -> None:
        """Tell running jobs that their end is asked for, and others how far they are."""
        if not self._running:
            return
        for job_id, cancelled in (await self._board.mine()).items():
            if cancelled and (context := self._running.get(job_id)) is not None:
                context.cancel_requested = True
        for context in list(self._running.values()):
            if (progress := context.take_report()) is not None:
                await self._board.report(context.job, progress)

    async def _hand_over(self, job_id: UUID) -> None:
        self._handed_over[job_id] = time.monotonic()
        await self._durable.ensure(job_id)

    async def _hand_over_again(self) -> None:
        """DBOS may have lost one: its file was deleted, or it could not be written at the wrong moment."""
        mine = await self._board.mine()
        now = time.monotonic()
        for job_id in self._handed_over.keys() - mine.keys():
            # Another worker was faster, or it has ended.
            self._handed_over.pop(job_id, None)
        for job_id in mine.keys() - self._running.keys():
            if now - self._handed_over.setdefault(job_id, now) > _UNSTARTED_SECONDS:
                log.warning("job.handed_over_again", job=str(job_id))
                await self._hand_over(job_id)

    # --- one job -------------------------------------------------------------------------------------------

    async def _carry_out(self, job_id: UUID) -> None:
        job = await self._board.begin(job_id)
        self._handed_over.pop(job_id, None)
        if job is None:
            return
        context = _Context(job, self)
        self._running[job_id] = context
        bound = {"tenant": str(job.scope.tenant_id), "job": str(job_id), "kind": job.kind}
        try:
            with structlog.contextvars.bound_contextvars(**bound):
                log.info("job.started", attempt=job.attempt)
                await self._handle(job, context)
        finally:
            del self._running[job_id]
            self.wake()

    async def _handle(self, job: Begun, context: _Context) -> None:
        try:
            result = await self._called(job, context)
        except (JobSuspended, asyncio.CancelledError):
            log.info("job.suspended")
            await self._board.give_back(job)
            # DBOS then keeps it as begun.
            raise asyncio.CancelledError from None
        except JobCancelled:
            await self._ended(context, JobState.CANCELLED)
        except JobPostponed as later:
            log.info("job.postponed", until=later.until.isoformat())
            await self._board.postpone(job, later.until)
        except JobFailed as failed:
            error = {"code": failed.code, "message": failed.message, "remedy": failed.remedy}
            await self._ended(context, JobState.FAILED, failed.result, error)
        except MusterError as refused:
            error = {"code": refused.code, "message": refused.message, "remedy": refused.remedy}
            await self._ended(context, JobState.FAILED, None, error)
        except Exception:
            # The edge of the process: nobody is above who could tell.
            log.exception("job.broke")
            broken = {"code": "internal", "message": _INTERNAL, "remedy": None}
            await self._ended(context, JobState.FAILED, None, broken)
        else:
            await self._ended(context, JobState.SUCCEEDED, result)

    async def _called(self, job: Begun, context: _Context) -> Mapping[str, Any] | None:
        handler = self._handlers.get(job.kind)
        if handler is None:
            raise JobFailed(
                "unknown_kind",
                f"This version of Muster has no job of the kind {job.kind}.",
                remedy="Update the worker that said so.",
            )
        if job.attempt > _MOST_ATTEMPTS:
            raise JobFailed(
                "gave_up",
                f"{_MOST_ATTEMPTS} processes ended while they were at it.",
                remedy="Look into the workers' logs; then ask for it again.",
            )
        return await handler(context)

    async def _ended(
        self,
        context: _Context,
        state: JobState,
        result: Mapping[str, Any] | None = None,
        error: Mapping[str, Any] | None = None,
    ) -> None:
        progress = context.take_report()
        counted = await self._board.finish(context.job, state, result=result, error=error, progress=progress)
        log.info("job.ended", state=state.value, counted=counted, code=(error or {}).get("code"))

    @property
    def stopping(self) -> bool:
        """Whether this process is to end."""
        return self._stopping


class _Context:
    """What a handler gets: types.JobContext."""

    def __init__(self, job: Begun, engine: JobEngine) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a job runs in a task")
        self.task = task
        self.cancel_requested = job.cancelled
        self.job = job
        self._engine = engine
        self._progress: Mapping[str, Any] | None = None

    @property
    def scope(self) -> TenantScope:
        """On whose behalf."""
        return self.job.scope

    @property
    def job_id(self) -> UUID:
        """The job's id."""
        return self.job.job_id

    @property
    def payload(self) -> Mapping[str, Any]:
        """What was asked."""
        return self.job.payload

    @property
    def attempt(self) -> int:
        """1 the first time."""
        return self.job.attempt

    def cancelled(self) -> bool:
        """Whether someone asked for its end."""
        return self.cancel_requested

    def stopping(self) -> bool:
        """Whether this process is to end."""
        return self._engine.stopping

    def report(self, progress: Mapping[str, Any]) -> None:
        """Let others read how far it is."""
        self._progress = progress

    def take_report(self) -> Mapping[str, Any] | None:
        """What was reported and is not written yet."""
        taken, self._progress = self._progress, None
        return taken
