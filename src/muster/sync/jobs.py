"""Syncs as background jobs: how one is asked for, and the handlers that carry it out."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from muster import clock
from muster.errors import Conflict
from muster.integrations.schemas import IntegrationView
from muster.jobs.service import JobService
from muster.jobs.types import Handler, JobContext, JobFailed, JobPostponed, JobTicket
from muster.schedules.types import dedup_key, lane_of
from muster.sync.ledger import Ledger, Progress
from muster.sync.schemas import Preview, RunView
from muster.sync.service import SyncService
from muster.sync.software import CONTINUES
from muster.sync.types import RunStatus, SyncMode

ORGANIZATIONS, DEVICES = "sync_organizations", "sync_devices"
ALERTS, SOFTWARE = "sync_alerts", "sync_software"

# What sets the key of a sync of alerts with days apart.
BACKFILL = "backfill"

# What sets the key of a job apart that reads what another one has left over; and how long it waits at least.
_REST = "rest"
_IN_BETWEEN = timedelta(minutes=1)

# Another sync of the same integration runs, started by hand: it has the lease.
_BUSY = timedelta(seconds=15)


async def request_organizations(
    jobs: JobService, integration: IntegrationView, *, trigger: str = "manual"
) -> JobTicket:
    """Ask for a sync of organizations, in the caller's transaction; one that is open is joined."""
    return await jobs.request(
        ORGANIZATIONS,
        dedup_key(ORGANIZATIONS, integration.integration_id),
        {"integration_id": str(integration.integration_id), "trigger": trigger},
        lane=lane_of(integration),
    )


async def request_devices(
    jobs: JobService,
    integration: IntegrationView,
    mode: SyncMode = SyncMode.FULL,
    *,
    device_id: str | None = None,
    accept_missing: bool = False,
    trigger: str = "manual",
    not_before: datetime | None = None,
) -> JobTicket:
    """Ask for a sync of devices, in the caller's transaction; an open one of the same mode (and device) is
    joined. The parameters are those of SyncService.devices.
    """
    payload: dict[str, Any] = {"mode": mode.value}
    parts = [mode.value]
    if device_id is not None:
        payload["device_id"] = device_id
        parts.append(device_id)
    if accept_missing:
        payload["accept_missing"] = True
        parts.append("accept_missing")
    return await jobs.request(
        DEVICES,
        dedup_key(DEVICES, integration.integration_id, *parts),
        {"integration_id": str(integration.integration_id), **payload, "trigger": trigger},
        lane=lane_of(integration),
        not_before=not_before,
    )


async def request_alerts(
    jobs: JobService,
    integration: IntegrationView,
    *,
    days: int | None = None,
    trigger: str = "manual",
    not_before: datetime | None = None,
) -> JobTicket:
    """Ask for a sync of alerts, in the caller's transaction; an open one is joined, and so is an open one
    with `days`, whatever their number. The parameters are those of SyncService.alerts.
    """
    payload: dict[str, Any] = {} if days is None else {"days": days}
    parts = () if days is None else (BACKFILL,)
    return await jobs.request(
        ALERTS,
        dedup_key(ALERTS, integration.integration_id, *parts),
        {"integration_id": str(integration.integration_id), **payload, "trigger": trigger},
        lane=lane_of(integration),
        not_before=not_before,
    )


async def request_software(
    jobs: JobService,
    integration: IntegrationView,
    *,
    trigger: str = "manual",
    not_before: datetime | None = None,
) -> JobTicket:
    """Ask for what is installed to be read, in the caller's transaction; a request that is open is joined."""
    return await jobs.request(
        SOFTWARE,
        dedup_key(SOFTWARE, integration.integration_id),
        {"integration_id": str(integration.integration_id), "trigger": trigger},
        lane=lane_of(integration),
        not_before=not_before,
    )


async def request_rest_of_software(
    jobs: JobService, integration: IntegrationView, *, trigger: str
) -> JobTicket:
    """Ask for what a run has left over that reads device by device; others have their turn before it."""
    return await jobs.request_anew(
        SOFTWARE,
        dedup_key(SOFTWARE, integration.integration_id, _REST),
        {"integration_id": str(integration.integration_id), _REST: True, "trigger": trigger},
        lane=lane_of(integration),
        not_before=clock.now() + _IN_BETWEEN,
    )


def job_handlers(sync: SyncService) -> Mapping[str, Handler]:
    """The handlers by kind of job."""

    async def organizations(job: JobContext) -> Mapping[str, Any]:
        return await carried_out(
            sync.organizations(
                job.scope, _integration_id(job), trigger=_trigger(job), progress=_progress(job), job=job
            )
        )

    async def devices(job: JobContext) -> Mapping[str, Any]:
        return await carried_out(
            sync.devices(
                job.scope,
                _integration_id(job),
                SyncMode(job.payload["mode"]),
                device_id=job.payload.get("device_id"),
                accept_missing=bool(job.payload.get("accept_missing")),
                trigger=_trigger(job),
                progress=_progress(job),
                job=job,
            )
        )

    async def alerts(job: JobContext) -> Mapping[str, Any]:
        return await carried_out(
            sync.alerts(
                job.scope,
                _integration_id(job),
                days=job.payload.get("days"),
                trigger=_trigger(job),
                progress=_progress(job),
                job=job,
            )
        )

    async def software(job: JobContext) -> Mapping[str, Any]:
        return await carried_out(_software(sync, job))

    return {ORGANIZATIONS: organizations, DEVICES: devices, ALERTS: alerts, SOFTWARE: software}


async def _software(sync: SyncService, job: JobContext) -> RunView | Preview:
    """A reading; what it leaves over, the next job reads."""
    run = await sync.software(
        job.scope,
        _integration_id(job),
        trigger=_trigger(job),
        progress=_progress(job),
        job=job,
        rest=bool(job.payload.get(_REST)),
    )
    if isinstance(run, RunView) and run.error and run.error["code"] == CONTINUES:
        follow = partial(request_rest_of_software, trigger=run.trigger)
        await sync.ask(job.scope, run.integration_id, follow)
    return run


async def carried_out(work: Awaitable[RunView | Preview]) -> Mapping[str, Any]:
    """The work's run as the job's result; JobFailed when it failed, JobPostponed while another sync of the
    integration runs. What was better left alone has no run.
    """
    try:
        run = await work
    except Conflict as refused:
        if refused.code == "held":
            return {"run_id": "", "status": refused.code, "why": refused.message}
        if refused.code != "busy":
            raise
        raise JobPostponed(clock.now() + _BUSY) from refused
    names = ("status", "processed", "created", "updated", "unchanged", "missing", "failed")
    result = {"run_id": str(getattr(run, "run_id", "")), **{name: getattr(run, name) for name in names}}
    if run.status != RunStatus.FAILED:
        return result
    error = run.error if isinstance(run.error, dict) else {}
    raise JobFailed(
        error.get("code", "failed"),
        error.get("message", "The sync failed."),
        remedy=error.get("remedy"),
        result=result,
    )


def _integration_id(job: JobContext) -> UUID:
    return UUID(job.payload["integration_id"])


def _trigger(job: JobContext) -> str:
    """What caused it, as its run says; what asks without a word of its own is named by who it is."""
    return str(job.payload.get("trigger") or job.scope.actor or "job")


def _progress(job: JobContext) -> Progress:
    def moved(ledger: Ledger) -> None:
        position = ledger.position
        job.report(
            {
                "run_id": str(ledger.run_id),
                "phase": ledger.phase,
                "processed": ledger.counters.processed,
                "total": ledger.total,
                "read": position.read if position.pass_name else None,
                "read_total": position.total,
                "organization": position.organization,
                "organizations": position.organizations,
                "reads": dict(position.reads) if position.of_organizations else None,
                "ended": sorted(position.ended),
                "rate": position.rate(),
            }
        )

    return moved
