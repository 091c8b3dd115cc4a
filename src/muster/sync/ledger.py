"""The record of a run while it goes on: lease, progress, counters and entries, chunk by chunk."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, fields, replace
from typing import Any, Protocol
from uuid import UUID

import msgspec
import structlog
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.db import Database, bulk
from muster.db.types import new_id, table_of
from muster.errors import Conflict
from muster.events.service import EventService
from muster.providers.contract import ProviderErrorInfo, Traffic
from muster.sync import announcements, lease
from muster.sync.models import SyncRun, SyncRunEntry
from muster.sync.position import Position
from muster.sync.repository import RunRepository
from muster.sync.resume import Resumed, resumed
from muster.sync.types import Counters, Entry, RunStatus, SyncMode, SyncType
from muster.tenancy import TenantScope

log = structlog.get_logger(__name__)

_RUNS = table_of(SyncRun)
_ENTRIES = table_of(SyncRunEntry)
# In the cursor: [[phase, since], ...] in the order in which they began.
PHASES = "phases"

Apply = Callable[[AsyncSession], Awaitable[None]]
# Work that knows only when it is done what it comes to: the counters from then on, and its entries.
Work = Callable[[AsyncSession], Awaitable[tuple[Counters, Sequence[Entry]]]]


class LeaseLost(Conflict):
    """Another process took this run over while this one was silent; nothing more is written."""

    code = "lease_lost"


class Ledger(Protocol):
    """Where a sync reports: the database, or a preview's memory."""

    run_id: UUID
    counters: Counters
    traffic: Traffic
    phase: str
    total: int | None
    cursor: dict[str, Any]
    position: Position
    resumed: Resumed | None

    def pause(self) -> None:
        """A moment between two chunks: who wants the sync to end raises here."""

    async def commit(
        self, counters: Counters, entries: Sequence[Entry] = (), apply: Apply | None = None
    ) -> None:
        """Do `apply` and keep counters, entries, phase and cursor: all of it, or nothing."""

    async def carry_out(self, work: Work) -> None:
        """As `commit`, for work that itself says what it came to."""


Progress = Callable[[Ledger], None]
# Called between two chunks; what it raises ends the sync there, with everything written so far kept.
Checkpoint = Callable[[], None]


class RunLedger:
    """A run in the database. Every write is conditional on the lease: who lost it writes nothing."""

    def __init__(
        self,
        database: Database,
        scope: TenantScope,
        integration_id: UUID,
        provider: str,
        progress: Progress | None = None,
        *,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self._database = database
        self._scope = scope
        self._integration_id = integration_id
        self._provider = provider
        self._progress = progress
        self._checkpoint = checkpoint
        self._traffic_before = (0, 0)
        self._owner = lease.owner()
        self._entry_number = 0
        self._started = time.monotonic()
        self.run_id = new_id()
        self.counters = Counters()
        self.traffic = Traffic()
        self.cursor: dict[str, Any] = {}
        self.phase = "starting"
        self.total: int | None = None
        self.position = Position()
        self.resumed: Resumed | None = None

    @property
    def phase(self) -> str:
        """What the sync is at. Each phase's beginning is kept in the cursor, for the run's page."""
        return self._phase

    @phase.setter
    def phase(self, name: str) -> None:
        self._phase = name
        begun: list[list[str]] = self.cursor.setdefault(PHASES, [])
        if not begun or begun[-1][0] != name:
            begun.append([name, clock.now().isoformat()])

    async def resume(self, run_id: UUID) -> bool:
        """Take up a run that its process left half done: the same run goes on. False when there is none to
        take up; a new one then gets this id if it is still free.

        Whoever calls has made sure that nobody else works on it; if somebody does, he loses the lease.
        """
        async with self._database.write(self._scope) as session:
            runs = RunRepository(session, self._scope)
            row = await runs.held(run_id)
            if row is None:
                self.run_id = run_id
                return False
            if row["status"] != RunStatus.RUNNING:
                return False
            entries = await runs.record(run_id)
            found = resumed(row["started_at"], row["cursor"], entries)
            taken = await bulk.update_where(
                session,
                self._scope,
                _RUNS,
                {"lease_owner": self._owner, "heartbeat_at": clock.now()},
                where={"run_id": run_id, "status": row["status"], "lease_owner": row["lease_owner"]},
            )
            if taken != 1:
                raise Conflict("Another process has just taken this sync up.", code="busy")
            stale = [{"run_id": run_id, "entry_number": number} for number in found.stale]
            await bulk.delete(session, self._scope, _ENTRIES, stale, key=("run_id", "entry_number"))
        self._restore(row, found, max((entry["entry_number"] for entry in entries), default=0))
        return True

    def _restore(self, row: Mapping[str, Any], found: Resumed, entry_number: int) -> None:
        self.run_id, self.resumed, self._entry_number = row["run_id"], found, entry_number
        self.cursor, self.total, self.phase = dict(row["cursor"]), row["progress_total"], row["phase"]
        self.counters = Counters(**{each.name: row[each.name] for each in fields(Counters)})
        self._traffic_before = (row["requests"], row["bytes_received"])
        self._started = time.monotonic() - (clock.now() - row["started_at"]).total_seconds()

    async def release(self) -> None:
        """Leave the run half done, free to be taken up by anyone at once."""
        async with self._database.write(self._scope) as session:
            # Nothing else: what was not committed with its chunk has not happened.
            await self._claim(session, {"lease_owner": None})

    async def open(self, sync_type: SyncType, mode: SyncMode, trigger: str) -> None:
        """Take the integration's lease, from a dead owner too; Conflict while a living one holds it."""
        at = clock.now()
        row = {
            "run_id": self.run_id,
            "integration_id": self._integration_id,
            "sync_type": sync_type.value,
            "mode": mode.value,
            "trigger": trigger,
            "started_by": self._scope.actor,
            "status": RunStatus.RUNNING.value,
            "lease_owner": self._owner,
            "heartbeat_at": at,
            "started_at": at,
            "finished_at": None,
            "duration_ms": None,
            **self._state(),
            "error": None,
        }
        try:
            async with self._database.write() as session:
                await self._bury(session)
                await bulk.insert(session, self._scope, _RUNS, [row])
                started = announcements.run_started(
                    self._about(self.run_id), sync_type=sync_type.value, mode=mode.value, trigger=trigger
                )
                await EventService(session, self._scope).publish_many([started])
        except IntegrityError as taken:
            raise Conflict("Another sync of this integration has just started.", code="busy") from taken

    async def _bury(self, session: AsyncSession) -> None:
        running = await RunRepository(session, self._scope).running(self._integration_id)
        if running is None:
            return
        now = clock.now()
        if not lease.is_dead(running["lease_owner"], running["heartbeat_at"], now):
            raise Conflict(
                f"A sync of {running['sync_type']} is running since {running['started_at']:%H:%M:%S} UTC.",
                remedy="Wait for it; `muster run list` shows how far it is.",
                code="busy",
            )
        error = {
            "code": "interrupted",
            "message": "Its process ended before the sync did. What it had written is whole.",
            "remedy": "The sync that took over does the rest.",
        }
        await bulk.update_where(
            session,
            self._scope,
            _RUNS,
            {"status": RunStatus.INTERRUPTED.value, "finished_at": now, "error": error},
            where={
                "run_id": running["run_id"],
                "status": RunStatus.RUNNING.value,
                "lease_owner": running["lease_owner"],
            },
        )
        await self._tell_end(session, running["run_id"])

    def _about(self, run_id: UUID) -> announcements.About:
        return announcements.About(run_id, self._integration_id, self._provider)

    async def _tell_end(self, session: AsyncSession, run_id: UUID) -> None:
        run = await RunRepository(session, self._scope).run(run_id)
        if run is not None:
            ended = announcements.run_ended(self._about(run_id), run)
            await EventService(session, self._scope).publish_many([ended])

    def _state(self) -> dict[str, Any]:
        return {
            "phase": self.phase,
            "cursor": dict(self.cursor),
            "progress_total": self.total,
            **asdict(self.counters),
            "requests": self.traffic.requests + self._traffic_before[0],
            "bytes_received": self.traffic.bytes_received + self._traffic_before[1],
        }

    async def commit(
        self, counters: Counters, entries: Sequence[Entry] = (), apply: Apply | None = None
    ) -> None:
        """Do `apply` and keep counters, entries, phase and cursor: all of it, or nothing; LeaseLost."""
        before, self.counters = self.counters, replace(counters)
        try:
            async with self._database.write() as session:
                await self._claim(session, {**self._state(), "heartbeat_at": clock.now()})
                if apply is not None:
                    await apply(session)
                await self._enter(session, entries)
        except BaseException:
            self.counters = before
            raise
        self._entry_number += len(entries)
        self.pause()

    async def carry_out(self, work: Work) -> None:
        """As `commit`, for work that itself says what it came to; LeaseLost."""
        before = self.counters
        try:
            async with self._database.write(self._scope) as session:
                counters, entries = await work(session)
                self.counters = replace(counters)
                await self._claim(session, {**self._state(), "heartbeat_at": clock.now()})
                await self._enter(session, entries)
        except BaseException:
            self.counters = before
            raise
        self._entry_number += len(entries)
        self.pause()

    async def _enter(self, session: AsyncSession, entries: Sequence[Entry]) -> None:
        rows = [
            {"run_id": self.run_id, "entry_number": number, **entry_row(entry)}
            for number, entry in enumerate(entries, start=self._entry_number + 1)
        ]
        await bulk.insert(session, self._scope, _ENTRIES, rows)

    def pause(self) -> None:
        """A moment between two chunks: who watches is told, and who wants the sync to end raises here."""
        if self._progress:
            self._progress(self)
        if self._checkpoint:
            self._checkpoint()

    async def finish(
        self, status: RunStatus, error: ProviderErrorInfo | None, apply: Apply | None = None
    ) -> None:
        """Close the run and give the lease back."""
        async with self._database.write() as session:
            await self._claim(
                session,
                {
                    **self._state(),
                    "status": status.value,
                    "finished_at": clock.now(),
                    "duration_ms": round((time.monotonic() - self._started) * 1000),
                    "error": None
                    if error is None
                    else {"code": error.code, "message": error.message, "remedy": error.remedy},
                },
            )
            await self._tell_end(session, self.run_id)
            if apply is not None:
                await apply(session)

    async def _claim(self, session: AsyncSession, values: dict[str, Any]) -> None:
        ours = {"run_id": self.run_id, "status": RunStatus.RUNNING.value, "lease_owner": self._owner}
        if await bulk.update_where(session, self._scope, _RUNS, values, where=ours) != 1:
            raise LeaseLost("Another process took this sync over.")

    @asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """Give signs of life while the body runs; when the lease is lost, the body is stopped: LeaseLost."""
        body = asyncio.current_task()
        lost = asyncio.Event()
        heart = asyncio.create_task(self._beat(body, lost))
        try:
            yield
        except asyncio.CancelledError:
            if body is not None and lost.is_set() and body.uncancel() == 0:
                raise LeaseLost("Another process took this sync over.") from None
            raise
        finally:
            heart.cancel()
            await asyncio.wait([heart])

    async def _beat(self, body: asyncio.Task[Any] | None, lost: asyncio.Event) -> None:
        while True:
            await asyncio.sleep(lease.HEARTBEAT_SECONDS)
            try:
                async with self._database.write() as session:
                    await self._claim(session, {"heartbeat_at": clock.now()})
            except LeaseLost:
                lost.set()
                if body is not None:
                    body.cancel()
                return
            except SQLAlchemyError as error:
                log.warning("sync.heartbeat_failed", run_id=str(self.run_id), error=type(error).__name__)


def entry_row(entry: Entry) -> dict[str, Any]:
    """An entry's columns."""
    return {
        "item_type": entry.item_type,
        "action": entry.action.value,
        "reason": entry.reason,
        "external_id": entry.external_id,
        "organization_id": entry.organization_id,
        "asset_id": entry.asset_id,
        "name": entry.name,
        "message": entry.message,
        "changes": msgspec.to_builtins(list(entry.changes)) if entry.changes else None,
    }
