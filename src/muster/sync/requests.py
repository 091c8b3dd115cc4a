"""Syncs as people ask for them: started, joined and cancelled as durable jobs, and put on record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.audit.service import AuditService
from muster.encryption import SecretBox
from muster.errors import Conflict, NotFound
from muster.integrations.schemas import IntegrationView
from muster.integrations.service import IntegrationService
from muster.jobs.service import JobService
from muster.jobs.types import OPEN, JobView
from muster.schedules.types import dedup_key
from muster.sync import kinds
from muster.sync.jobs import (
    ALERTS,
    BACKFILL,
    DEVICES,
    ORGANIZATIONS,
    SOFTWARE,
    request_alerts,
    request_devices,
    request_organizations,
    request_software,
)
from muster.sync.kinds import SyncKind
from muster.sync.refreshes import REFRESH
from muster.sync.repository import RunRepository
from muster.sync.schemas import RunView
from muster.sync.types import RunStatus, SyncMode, SyncType
from muster.tenancy import TenantScope

# Of a sync of everything the organizations come first; a listing takes less than this.
_AFTER_ORGANIZATIONS = timedelta(seconds=2)
_AFTER_DEVICES = 2 * _AFTER_ORGANIZATIONS
# What is installed is read of assets only: after devices that had to wait for the organizations once.
_AFTER_ALERTS = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Asked:
    """A sync that was asked for; its run will have the job's id. `joined`: it was asked for already."""

    kind: SyncKind
    job_id: UUID
    joined: bool


async def record_started(
    session: AsyncSession, scope: TenantScope, integration: IntegrationView, kind: SyncKind
) -> None:
    """Put on record that somebody started a sync."""
    await AuditService(session, scope).record(
        "sync.started",
        "integration",
        subject=integration.name,
        subject_id=integration.integration_id,
        kind=kind.key,
    )


class SyncRequests:
    """What a person asks of one tenant's syncs."""

    def __init__(self, session: AsyncSession, scope: TenantScope, secrets: SecretBox) -> None:
        self._session = session
        self._scope = scope
        self._integrations = IntegrationService(session, scope, secrets)
        self._jobs = JobService(session, scope)
        self._runs = RunRepository(session, scope)

    async def start(
        self,
        integration_id: UUID,
        kind: SyncKind,
        *,
        days: int | None = None,
        trigger: str = "manual",
        after: timedelta | None = None,
    ) -> Asked:
        """Ask for a sync, `after` a while if that is given; one that is open is joined. `days` says how far
        back a backfill of alerts goes.

        The first sync of devices is a full one, whichever was asked for: there is nothing to refresh yet.
        NotFound for the integration, Conflict for what its provider cannot do.
        """
        view = await self._integrations.get(integration_id)
        kinds.check_offered(kind, view)
        kinds.check_days(kind, days)
        moment = None if after is None else clock.now() + after
        if kind is kinds.DEVICES and view.last_full_sync_at is None:
            kind = kinds.DEVICES_FULL
        if kind.sync_type is SyncType.ORGANIZATIONS:
            ticket = await request_organizations(self._jobs, view, trigger=trigger)
        elif kind.sync_type is SyncType.ALERTS:
            ticket = await request_alerts(self._jobs, view, days=days, trigger=trigger, not_before=moment)
        elif kind.sync_type is SyncType.SOFTWARE:
            ticket = await request_software(self._jobs, view, trigger=trigger, not_before=moment)
        else:
            ticket = await request_devices(self._jobs, view, kind.mode, trigger=trigger, not_before=moment)
        await record_started(self._session, self._scope, view, kind)
        return Asked(kind, ticket.job_id, ticket.joined)

    async def start_everything(self, integration_id: UUID) -> tuple[Asked, ...]:
        """Ask for organizations, then for devices, and then for alerts and software where there are any."""
        offered = kinds.offered(await self._integrations.get(integration_id))
        wanted = {
            kinds.ORGANIZATIONS: None,
            kinds.DEVICES: _AFTER_ORGANIZATIONS,
            kinds.ALERTS: _AFTER_DEVICES,
            kinds.SOFTWARE: _AFTER_ALERTS,
        }
        return tuple(
            [
                await self.start(integration_id, kind, after=after)
                for kind, after in wanted.items()
                if kind in offered
            ]
        )

    async def again(self, run_id: UUID) -> Asked:
        """Ask for what an earlier run did."""
        run = await self._run(run_id)
        kind = kinds.of(run.sync_type, run.mode)
        if kind.mode is SyncMode.SINGLE:
            raise Conflict(
                "A refresh of one device is asked for on its own page.", remedy="Open the asset there."
            )
        return await self.start(run.integration_id, kind, days=run.cursor.get(kinds.DAYS))

    async def open(self, integration_id: UUID) -> Mapping[str, JobView]:
        """The integration's jobs that wait or run, by kind of sync."""
        found = {}
        for kind in kinds.PANEL:
            if (job := await self._jobs.open(_key(integration_id, kind))) is not None:
                found[kind.key] = job
        return found

    async def job(self, job_id: UUID) -> JobView | None:
        """The job of this id if it is one of this tenant's syncs."""
        try:
            job = await self._jobs.get(job_id)
        except NotFound:
            return None
        return job if job.kind in (ORGANIZATIONS, DEVICES, ALERTS, SOFTWARE, REFRESH) else None

    async def cancel(self, integration_id: UUID, kind: SyncKind | None = None) -> int:
        """End the integration's syncs of a kind, or all; gives how many were told to end."""
        view = await self._integrations.get(integration_id)
        jobs = await self.open(integration_id)
        wanted = [job for key, job in jobs.items() if kind is None or key == kind.key]
        for job in wanted:
            await self._end(view, job)
        return len(wanted)

    async def cancel_run(self, run_id: UUID) -> JobView:
        """End the sync whose run, or job that waits, has this id.

        NotFound when there is none, Conflict when it has ended or is no job.
        """
        job = await self.job(run_id)
        run = await self._runs.run(run_id)
        if job is None and run is None:
            raise NotFound("There is no such run.", remedy="Sync runs lists them.")
        if job is None and run is not None and run.status == RunStatus.RUNNING:
            raise Conflict(
                "This sync runs in a terminal, not in a worker.",
                remedy="End it there with Ctrl-C.",
                code="not_a_job",
            )
        if job is None or job.state not in OPEN:
            raise Conflict("This sync has ended already.", code="ended")
        view = await self._integrations.get(UUID(job.payload["integration_id"]))
        return await self._end(view, job)

    async def _end(self, view: IntegrationView, job: JobView) -> JobView:
        await AuditService(self._session, self._scope).record(
            "sync.cancelled",
            "integration",
            subject=view.name,
            subject_id=view.integration_id,
            kind=kind_of(job).key,
            run_id=str(job.job_id),
        )
        return await self._jobs.cancel(job.job_id)

    async def _run(self, run_id: UUID) -> RunView:
        run = await self._runs.run(run_id)
        if run is None:
            raise NotFound("There is no such run.", remedy="Sync runs lists them.")
        return run


def kind_of(job: JobView) -> SyncKind:
    """The kind of sync that a job is for."""
    if job.kind == ORGANIZATIONS:
        return kinds.ORGANIZATIONS
    if job.kind == REFRESH:
        return kinds.DEVICE
    if job.kind == ALERTS:
        return kinds.ALERTS_BACKFILL if "days" in job.payload else kinds.ALERTS
    if job.kind == SOFTWARE:
        return kinds.SOFTWARE
    return kinds.of(SyncType.DEVICES, job.payload["mode"])


def _key(integration_id: UUID, kind: SyncKind) -> str:
    if kind.sync_type is SyncType.ORGANIZATIONS:
        return dedup_key(ORGANIZATIONS, integration_id)
    if kind.sync_type is SyncType.ALERTS:
        parts = (BACKFILL,) if kind is kinds.ALERTS_BACKFILL else ()
        return dedup_key(ALERTS, integration_id, *parts)
    if kind.sync_type is SyncType.SOFTWARE:
        return dedup_key(SOFTWARE, integration_id)
    return dedup_key(DEVICES, integration_id, kind.mode.value)
