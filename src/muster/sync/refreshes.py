"""Devices read anew after an event of them: gathered for some seconds and read in one run, so that a storm of
alerts does not become a storm of requests.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.assets.service import AssetService
from muster.db import Database, bulk
from muster.db.types import table_of
from muster.encryption import SecretBox
from muster.integrations.schemas import IntegrationView
from muster.integrations.service import IntegrationService
from muster.jobs.service import JobService
from muster.jobs.types import Handler, JobContext
from muster.mappings.service import MappingService
from muster.schedules.service import ScheduleService
from muster.schedules.types import BY_ALERT, dedup_key, lane_of
from muster.sync import kinds
from muster.sync.history import RunHistory
from muster.sync.jobs import carried_out
from muster.sync.kinds import SyncKind
from muster.sync.models import SyncRefresh
from muster.sync.repository import RefreshRepository
from muster.sync.schemas import RunFilter, RunView
from muster.sync.service import SyncService
from muster.tenancy import TenantScope

REFRESH = "refresh_devices"

_REFRESHES = table_of(SyncRefresh)
# More alerts of the same event come within this.
_GATHER = timedelta(seconds=5)
# A device that was read so lately waits.
_SPACING = timedelta(seconds=10)
# So many devices are read by themselves in so long a time; more of them by their organizations' lists, which
# are some requests each and have their own spacing.
_MOST_SINGLE, _SINGLE_SPAN = 20, timedelta(minutes=1)
_LIST_SPACING = timedelta(minutes=2)
# Minutes between two lists where nobody says: a new device is looked for once in such a period.
_PERIOD = 15
_LOOK = 1000


async def request_refresh(
    session: AsyncSession, scope: TenantScope, integration: IntegrationView, device_ids: Collection[str]
) -> None:
    """Ask, in the caller's transaction, for these devices to be read anew within seconds. Nothing for an
    integration that is not connected.
    """
    if not device_ids or not integration.is_active:
        return
    now = clock.now()
    rows = [
        {"integration_id": integration.integration_id, "device_id": device_id, "requested_at": now}
        for device_id in dict.fromkeys(device_ids)
    ]
    await bulk.upsert(session, scope, _REFRESHES, rows, key=("integration_id", "device_id"))
    await _request(session, scope, integration, now + _GATHER)


async def _request(
    session: AsyncSession, scope: TenantScope, integration: IntegrationView, moment: datetime
) -> None:
    await JobService(session, scope).request_anew(
        REFRESH,
        dedup_key(REFRESH, integration.integration_id),
        {"integration_id": str(integration.integration_id), "trigger": BY_ALERT},
        lane=lane_of(integration),
        not_before=moment,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is to be done about devices that wait: `single` ones are read by themselves, or (`lists`) all by
    their organizations' lists; those to `drop` are left to the next list. The others wait until `again`.
    """

    single: tuple[str, ...] = ()
    lists: bool = False
    drop: tuple[str, ...] = ()
    again: datetime | None = None


def choose(
    pending: Collection[str],
    read_at: Mapping[str, datetime | None],
    *,
    now: datetime,
    listed_at: datetime | None,
    lately: int,
    may_look_for_new: bool,
) -> Choice:
    """Pure. `read_at` holds the devices that Muster knows, with the moment each was read last; `listed_at` is
    when the lists were, `lately` how many devices were read by themselves in the last minute. A new device is
    only in a list.
    """
    unknown = tuple(each for each in pending if each not in read_at)
    free_at = {
        each: read + _SPACING if (read := read_at[each]) is not None else now
        for each in pending
        if each in read_at
    }
    due = tuple(each for each, moment in free_at.items() if moment <= now)
    lists_at = now if listed_at is None else listed_at + _LIST_SPACING
    if unknown and may_look_for_new:
        return Choice(lists=True)
    if due and len(due) + lately > _MOST_SINGLE:
        if lists_at <= now:
            return Choice(lists=True)
        return Choice(drop=unknown, again=min(lists_at, now + _SINGLE_SPAN))
    waiting = [moment for moment in free_at.values() if moment > now]
    return Choice(single=due, drop=unknown, again=min(waiting, default=None))


class Refresher:
    """Carries out what was asked for."""

    def __init__(self, database: Database, secrets: SecretBox, sync: SyncService) -> None:
        self._database = database
        self._secrets = secrets
        self._sync = sync

    async def carry_out(self, job: JobContext) -> Mapping[str, Any]:
        """The job: read what waits, in one run at most. What is asked for meanwhile has another job."""
        scope = job.scope
        async with self._database.read(scope) as session:
            integrations = IntegrationService(session, scope, self._secrets)
            view = await integrations.get(UUID(job.payload["integration_id"]))
            pending = await RefreshRepository(session, scope).pending(view.integration_id, limit=_LOOK)
            choice = await self._choice(session, scope, view, pending)
        again = clock.now() + _GATHER if len(pending) == _LOOK else choice.again
        if not choice.lists and not choice.single:
            await self._let_go(scope, view, {each: pending[each] for each in choice.drop}, again)
            return {"devices": 0}

        async def read() -> RunView:
            run = await self._read(scope, view, choice, job)
            done = pending if choice.lists else [*choice.single, *choice.drop]
            # The run may be an earlier attempt's, which knew nothing of what was asked for since.
            gone = {each: at for each in done if (at := pending[each]) <= run.started_at}
            await self._let_go(scope, view, gone, again)
            return run

        return await carried_out(read())

    async def _choice(
        self, session: AsyncSession, scope: TenantScope, view: IntegrationView, pending: Collection[str]
    ) -> Choice:
        service = ScheduleService(session, scope, self._secrets)
        schedules = await service.list(view.integration_id)
        if not view.is_active or await service.held(view.integration_id, BY_ALERT):
            return Choice(drop=tuple(pending))
        now = clock.now()
        states = await MappingService(session, scope).device_states(view.integration_id, list(pending))
        assets = await AssetService(session, scope).synced(
            view.integration_id, [state.asset_id for state in states]
        )
        read_at = {asset.asset_id: asset.last_rmm_sync_at for asset in assets}
        period = next((each.minutes for each in schedules if each.kind == kinds.DEVICES.schedule), _PERIOD)
        history = RunHistory(session, scope)

        def ours(kind: SyncKind, since: datetime) -> RunFilter:
            return RunFilter(
                integration_id=view.integration_id,
                sync_type=kind.sync_type.value,
                mode=kind.mode.value,
                trigger=BY_ALERT,
                since=since,
            )

        single = await history.page(ours(kinds.DEVICE, now - _SINGLE_SPAN), limit=_MOST_SINGLE)
        new_looked_for = await history.count(ours(kinds.DEVICES, now - timedelta(minutes=period)))
        listed = [at for at in (view.last_full_sync_at, view.last_incremental_sync_at) if at is not None]
        return choose(
            pending,
            {state.external_entity_id: read_at.get(state.asset_id) for state in states},
            now=now,
            listed_at=max(listed, default=None),
            lately=sum(run.processed for run in single),
            may_look_for_new=not new_looked_for,
        )

    async def _read(
        self, scope: TenantScope, view: IntegrationView, choice: Choice, job: JobContext
    ) -> RunView:
        if not choice.lists:
            return await self._sync.refresh(
                scope, view.integration_id, choice.single, trigger=BY_ALERT, job=job
            )
        run = await self._sync.devices(
            scope, view.integration_id, kinds.DEVICES.mode, trigger=BY_ALERT, job=job
        )
        if not isinstance(run, RunView):
            raise TypeError("a sync that was not asked for a preview gave one")
        return run

    async def _let_go(
        self,
        scope: TenantScope,
        view: IntegrationView,
        done: Mapping[str, datetime],
        again: datetime | None,
    ) -> None:
        """Forget these requests, unless they were made anew meanwhile; see to the others at `again`."""
        rows = [
            {"integration_id": view.integration_id, "device_id": device_id, "requested_at": at}
            for device_id, at in done.items()
        ]
        async with self._database.write(scope) as session:
            await bulk.delete(
                session, scope, _REFRESHES, rows, key=("integration_id", "device_id", "requested_at")
            )
            if again is not None:
                await _request(session, scope, view, again)


def job_handlers(refresher: Refresher) -> Mapping[str, Handler]:
    """The handlers by kind of job."""
    return {REFRESH: refresher.carry_out}
