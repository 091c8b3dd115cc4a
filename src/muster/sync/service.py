"""Syncs: the verbs. A sync opens a run, fetches, plans, applies, and says what it did."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.db import Database
from muster.encryption import SecretBox
from muster.errors import Conflict, InvalidInput, NotFound
from muster.integrations.connections import Connector
from muster.integrations.schemas import IntegrationView
from muster.integrations.service import IntegrationService
from muster.jobs.types import JobCancelled, JobContext, JobSuspended
from muster.mappings.service import MappingService
from muster.providers.contract import CheckResult, ProviderConnection, ProviderError, ProviderErrorInfo
from muster.schedules.service import ScheduleService
from muster.schedules.types import Attempt
from muster.settings import Settings
from muster.sync.devices import DeviceSync, DeviceSyncOptions, Outcome
from muster.sync.ledger import Checkpoint, LeaseLost, Ledger, PreviewLedger, Progress, RunLedger
from muster.sync.organizations import record_listing
from muster.sync.repository import RunRepository
from muster.sync.schemas import EntryView, Preview, RunView
from muster.sync.types import RunStatus, SyncMode, SyncType
from muster.tenancy import TenantScope

log = structlog.get_logger(__name__)

Work = Callable[[ProviderConnection, Ledger], Awaitable[Outcome]]


class RunService:
    """What runs did, of one tenant."""

    def __init__(self, session: AsyncSession, scope: TenantScope) -> None:
        self._repository = RunRepository(session, scope)

    async def list(self, integration_id: UUID | None = None, *, limit: int = 100) -> Sequence[RunView]:
        """Runs, newest first."""
        return await self._repository.runs(integration_id, limit=limit)

    async def get(self, run_id: UUID) -> RunView:
        """One run; NotFound when this tenant has none with that id."""
        run = await self._repository.run(run_id)
        if run is None:
            raise NotFound(f"No run {run_id} here.", remedy="`muster run list` shows them.")
        return run

    async def entries(self, run_id: UUID, *, limit: int = 1000) -> Sequence[EntryView]:
        """A run's entries, problems first."""
        return await self._repository.entries(run_id, limit=limit)


class SyncService:
    """Syncs integrations. Holds no transaction while it talks to a server."""

    def __init__(
        self, database: Database, secrets: SecretBox, connector: Connector, settings: Settings
    ) -> None:
        self._database = database
        self._secrets = secrets
        self._connector = connector
        self._settings = settings

    async def organizations(
        self,
        scope: TenantScope,
        integration_id: UUID,
        *,
        trigger: str = "manual",
        preview: bool = False,
        progress: Progress | None = None,
        job: JobContext | None = None,
    ) -> RunView | Preview:
        """Fetch what the server lists as organizations into the mapping table.

        With `preview` nothing is written. What goes wrong on the way is in the run, not raised; Conflict
        while another sync of this integration runs. As a `job` the run has the job's id, goes on where an
        earlier attempt ended, and ends between two chunks when the job is to.
        """

        async def work(connection: ProviderConnection, ledger: Ledger) -> Outcome:
            if ledger.cursor.get("listed"):
                return Outcome(RunStatus.SUCCEEDED)
            ledger.phase = "organizations"
            snapshot = await connection.organizations()
            ledger.cursor["listed"] = True
            ledger.total = len(snapshot.records) + len(snapshot.rejected)
            async with self._database.read() as session:
                current = await MappingService(session, scope).list(integration_id)
            await record_listing(scope, integration_id, current, snapshot, ledger, counted=True)
            return Outcome(RunStatus.SUCCEEDED)

        integration = await self._integration(scope, integration_id)
        order = _Order(scope, integration, SyncType.ORGANIZATIONS, SyncMode.FULL, trigger, work, job)
        return await (self._preview(order, progress) if preview else self._run(order, progress))

    async def devices(
        self,
        scope: TenantScope,
        integration_id: UUID,
        mode: SyncMode = SyncMode.FULL,
        *,
        device_id: str | None = None,
        accept_missing: bool = False,
        trigger: str = "manual",
        preview: bool = False,
        progress: Progress | None = None,
        job: JobContext | None = None,
    ) -> RunView | Preview:
        """Fetch devices of mapped organizations into assets; one device with mode single and `device_id`.

        `accept_missing` marks devices as missing even when so many are gone at once that a run would stop
        for a person. Otherwise as `organizations`.
        """
        if (mode is SyncMode.SINGLE) != (device_id is not None):
            raise InvalidInput("A single-device sync needs the device's id, and no other sync takes one.")
        wanted = None if device_id is None else _check_device_id(device_id)
        integration = await self._integration(scope, integration_id)
        options = DeviceSyncOptions(
            mode=mode,
            missing_share=self._settings.missing_share,
            detail_reads=self._settings.detail_reads,
            accept_missing=accept_missing,
        )

        async def work(connection: ProviderConnection, ledger: Ledger) -> Outcome:
            sync = DeviceSync(
                self._database, scope, integration, connection=connection, ledger=ledger, options=options
            )
            return await (sync.refresh() if wanted is None else sync.refresh_one(wanted))

        order = _Order(scope, integration, SyncType.DEVICES, mode, trigger, work, job)
        return await (self._preview(order, progress) if preview else self._run(order, progress))

    # --- inside ---

    async def _integration(self, scope: TenantScope, integration_id: UUID) -> IntegrationView:
        async with self._database.read() as session:
            return await IntegrationService(session, scope, self._secrets).get(integration_id)

    async def _run(self, order: _Order, progress: Progress | None) -> RunView:
        job = order.job
        if job is not None and (ended := await self._ended_before(order.scope, job)) is not None:
            return ended
        ledger = RunLedger(
            self._database,
            order.scope,
            order.integration_id,
            order.integration.provider,
            progress,
            checkpoint=None if job is None else checkpoint(job),
        )
        again = job is not None and await ledger.resume(job.job_id)
        if not again:
            await ledger.open(order.sync_type, order.mode, order.trigger)
        bound = log.bind(
            tenant=str(order.scope.tenant_id),
            integration=str(order.integration_id),
            run=str(ledger.run_id),
        )
        bound.info("sync.started", sync_type=order.sync_type.value, mode=order.mode.value, again=again)
        outcome = Outcome(RunStatus.FAILED, ProviderErrorInfo(code="internal", message=_INTERNAL))
        try:
            async with ledger.beating():
                outcome = await self._guarded(order, ledger)
        except JobCancelled:
            outcome = Outcome(RunStatus.CANCELLED, ProviderErrorInfo(code="cancelled", message=_CANCELLED))
            raise
        except JobSuspended:
            outcome = Outcome(RunStatus.RUNNING)
            raise
        except asyncio.CancelledError:
            suspended = job is not None and job.stopping()
            outcome = Outcome(
                RunStatus.RUNNING if suspended else RunStatus.FAILED,
                ProviderErrorInfo(code="cancelled", message=_CANCELLED),
            )
            raise
        except LeaseLost:
            outcome = Outcome(RunStatus.INTERRUPTED)
            raise
        finally:
            if outcome.status is RunStatus.RUNNING:
                await ledger.release()
            elif outcome.status is not RunStatus.INTERRUPTED:
                await self._finish(order, ledger, outcome)
            bound.info("sync.ended", status=outcome.status.value, **asdict(ledger.counters))
        async with self._database.read() as session:
            return await RunService(session, order.scope).get(ledger.run_id)

    async def _ended_before(self, scope: TenantScope, job: JobContext) -> RunView | None:
        """The run of this job when it has ended already: its process died before it could say so."""
        async with self._database.read(scope) as session:
            run = await RunRepository(session, scope).run(job.job_id)
        if run is None or run.status in (RunStatus.RUNNING, RunStatus.INTERRUPTED):
            return None
        if run.status == RunStatus.CANCELLED:
            raise JobCancelled
        return run

    async def _guarded(self, order: _Order, ledger: Ledger) -> Outcome:
        """The work within its time; what the other side does wrong becomes the outcome."""
        names = {"integration": str(order.integration_id), "run": str(ledger.run_id)}
        try:
            # So that each request's line in the log says what it was for.
            with structlog.contextvars.bound_contextvars(tenant=str(order.scope.tenant_id), **names):
                async with asyncio.timeout(self._settings.sync_timeout):
                    if failed := await self._check_first(order):
                        return Outcome(RunStatus.FAILED, failed)
                    return await self._connected(order, ledger)
        except TimeoutError:
            return Outcome(
                RunStatus.FAILED,
                ProviderErrorInfo(
                    code="timeout",
                    message=f"The sync took longer than {self._settings.sync_timeout} seconds.",
                    remedy="What it had written is whole; sync again, or raise MUSTER_SYNC_TIMEOUT.",
                    retryable=True,
                ),
            )

    async def _connected(self, order: _Order, ledger: Ledger) -> Outcome:
        try:
            async with self._connector.open(order.scope, order.integration_id) as connection:
                ledger.traffic = connection.traffic
                return await order.work(connection, ledger)
        except ProviderError as error:
            return Outcome(RunStatus.FAILED, error.info())
        except LeaseLost:
            raise
        except Conflict as error:
            info = ProviderErrorInfo(code=error.code, message=error.message, remedy=error.remedy)
            return Outcome(RunStatus.FAILED, info)

    async def _check_first(self, order: _Order) -> ProviderErrorInfo | None:
        """An integration that is not active is checked before its sync; what stands in the way, if any."""
        if order.integration.is_active:
            return None
        try:
            result = await self._connector.check(order.scope, order.integration_id)
        except Conflict as error:
            return ProviderErrorInfo(code=error.code, message=error.message, remedy=error.remedy)
        return _first_error(result)

    async def _finish(self, order: _Order, ledger: RunLedger, outcome: Outcome) -> None:
        devices = order.sync_type is SyncType.DEVICES

        async def apply(session: AsyncSession) -> None:
            await IntegrationService(session, order.scope, self._secrets).record_sync(
                order.integration_id,
                mode=order.mode.value if devices else order.sync_type.value,
                status=outcome.status.value,
                error=outcome.error,
                at=clock.now(),
            )
            attempt = Attempt(
                integration_id=order.integration_id,
                sync_type=order.sync_type.value,
                mode=order.mode.value,
                error=outcome.error if outcome.status in (RunStatus.FAILED, RunStatus.CANCELLED) else None,
            )
            await ScheduleService(session, order.scope, self._secrets).settle(attempt)

        if outcome.status is RunStatus.SUCCEEDED:
            ledger.phase = "finished"
        await ledger.finish(outcome.status, outcome.error, apply)

    async def _preview(self, order: _Order, progress: Progress | None) -> Preview:
        ledger, started = PreviewLedger(progress), time.monotonic()
        async with asyncio.timeout(self._settings.sync_timeout):
            outcome = await self._connected(order, ledger)
        return Preview(
            sync_type=order.sync_type.value,
            mode=order.mode.value,
            status=outcome.status.value,
            **asdict(ledger.counters),
            requests=ledger.traffic.requests,
            bytes_received=ledger.traffic.bytes_received,
            duration_ms=round((time.monotonic() - started) * 1000),
            error=outcome.error,
            entries=ledger.entries,
        )


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be synced, and the work that does it."""

    scope: TenantScope
    integration: IntegrationView
    sync_type: SyncType
    mode: SyncMode
    trigger: str
    work: Work
    job: JobContext | None = None

    @property
    def integration_id(self) -> UUID:
        """Whose devices or organizations."""
        return self.integration.integration_id


_INTERNAL = "Muster made a mistake; its log says which. What had been written is whole."
_CANCELLED = "It was cancelled. What it had written is whole."


def checkpoint(job: JobContext) -> Checkpoint:
    """Ends a sync between two chunks when its job is to end, or its process is."""

    def look() -> None:
        if job.cancelled():
            raise JobCancelled
        if job.stopping():
            raise JobSuspended

    return look


def _first_error(result: CheckResult) -> ProviderErrorInfo | None:
    if result.ok:
        return None
    first = next((finding for finding in result.findings if finding.level == "error"), None)
    if first is None:
        return ProviderErrorInfo(code="check_failed", message="The connection's check did not pass.")
    return ProviderErrorInfo(code=first.code, message=first.message, remedy=first.remedy)


def _check_device_id(text: str) -> str:
    text = text.strip()
    if not 1 <= len(text) <= 255 or any(ord(character) < 33 for character in text):
        raise InvalidInput("That cannot be a device's id.", remedy="`muster asset list` shows rmm_device_id.")
    return text
