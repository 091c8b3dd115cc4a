"""How a sync is carried out, whatever it is about: its run, its lease, its time, and what its end moves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.db import Database
from muster.encryption import SecretBox
from muster.errors import Conflict, NotFound
from muster.integrations.connections import Connector
from muster.integrations.schemas import IntegrationView
from muster.integrations.service import IntegrationService
from muster.jobs.types import JobCancelled, JobContext, JobSuspended
from muster.providers.contract import CheckResult, ProviderConnection, ProviderError, ProviderErrorInfo
from muster.schedules.service import ScheduleService
from muster.schedules.types import BY_ITSELF, Attempt
from muster.settings import Settings
from muster.sync.ledger import Checkpoint, LeaseLost, Ledger, Progress, RunLedger
from muster.sync.preview import PreviewLedger
from muster.sync.repository import RunRepository
from muster.sync.schemas import Preview, RunView
from muster.sync.types import Outcome, RunStatus, SyncMode, SyncType
from muster.tenancy import TenantScope

log = structlog.get_logger(__name__)

Work = Callable[[ProviderConnection, Ledger], Awaitable[Outcome]]

_INTERNAL = "Muster made a mistake; its log says which. What had been written is whole."
_CANCELLED = "It was cancelled. What it had written is whole."


@dataclass(frozen=True, slots=True)
class Order:
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
        """Whose devices, organizations or alerts."""
        return self.integration.integration_id


class Execution:
    """Carries orders out. Holds no transaction while it talks to a server."""

    def __init__(
        self, database: Database, secrets: SecretBox, connector: Connector, settings: Settings
    ) -> None:
        self._database = database
        self._secrets = secrets
        self._connector = connector
        self._settings = settings

    async def run(self, order: Order, progress: Progress | None) -> RunView:
        """Open a run, or take a job's up again; do the work, close it. What goes wrong on the way is in the
        run, not raised; Conflict while another sync of this integration runs.
        """
        job = order.job
        if job is not None and (ended := await self._ended_before(order.scope, job)) is not None:
            return ended
        ledger, again = await self._begin(order, progress)
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
            ended = await RunRepository(session, order.scope).run(ledger.run_id)
        if ended is None:
            raise NotFound("The run is gone.", remedy="Its integration was deleted meanwhile.")
        return ended

    async def _begin(self, order: Order, progress: Progress | None) -> tuple[RunLedger, bool]:
        """The run that is written to: a new one, or the one of an earlier attempt at the job (True)."""
        job = order.job
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
            await self._look_before(order)
            await ledger.open(order.sync_type, order.mode, order.trigger)
        return ledger, again

    async def _look_before(self, order: Order) -> None:
        """Conflict for what nobody waits for, while the server is better left alone."""
        if order.trigger not in BY_ITSELF:
            return
        async with self._database.read(order.scope) as session:
            schedules = ScheduleService(session, order.scope, self._secrets)
            why = await schedules.held(order.integration_id, order.trigger)
        if why is not None:
            raise Conflict(why, code="held")

    async def _ended_before(self, scope: TenantScope, job: JobContext) -> RunView | None:
        """The run of this job when it has ended already: its process died before it could say so."""
        async with self._database.read(scope) as session:
            run = await RunRepository(session, scope).run(job.job_id)
        if run is None or run.status in (RunStatus.RUNNING, RunStatus.INTERRUPTED):
            return None
        if run.status == RunStatus.CANCELLED:
            raise JobCancelled
        return run

    async def _guarded(self, order: Order, ledger: Ledger) -> Outcome:
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

    async def _connected(self, order: Order, ledger: Ledger) -> Outcome:
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

    async def _check_first(self, order: Order) -> ProviderErrorInfo | None:
        """An integration that is not active is checked before its sync; what stands in the way, if any."""
        if order.integration.is_active:
            return None
        try:
            result = await self._connector.check(order.scope, order.integration_id)
        except Conflict as error:
            return ProviderErrorInfo(code=error.code, message=error.message, remedy=error.remedy)
        return _first_error(result)

    async def _finish(self, order: Order, ledger: RunLedger, outcome: Outcome) -> None:
        devices = order.sync_type is SyncType.DEVICES

        async def apply(session: AsyncSession) -> None:
            attempt = Attempt(
                integration_id=order.integration_id,
                sync_type=order.sync_type.value,
                mode=order.mode.value,
                error=outcome.error if outcome.status in (RunStatus.FAILED, RunStatus.CANCELLED) else None,
            )
            refused = await ScheduleService(session, order.scope, self._secrets).settle(attempt)
            # How these were read says nothing of the fleet, unless nothing at all can be read any more.
            if order.sync_type in (SyncType.ALERTS, SyncType.SOFTWARE) and not refused:
                return
            await IntegrationService(session, order.scope, self._secrets).record_sync(
                order.integration_id,
                mode=order.mode.value if devices else order.sync_type.value,
                status=outcome.status.value,
                error=outcome.error,
                at=clock.now(),
            )

        if outcome.status is RunStatus.SUCCEEDED:
            ledger.phase = "finished"
        await ledger.finish(outcome.status, outcome.error, apply)

    async def preview(self, order: Order, progress: Progress | None) -> Preview:
        """Do the work without keeping anything of it."""
        ledger, started = PreviewLedger(self._database, order.scope, progress), time.monotonic()
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
