"""Schedules: the verbs, and what failures and successes do to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.audit.service import AuditService
from muster.db import bulk
from muster.db.types import table_of
from muster.encryption import CannotOpen, SecretBox
from muster.errors import Conflict
from muster.events.service import EventService
from muster.events.types import EventType
from muster.integrations.schemas import IntegrationView
from muster.integrations.service import IntegrationService
from muster.integrations.types import State
from muster.jobs.service import JobService
from muster.providers.contract import ProviderErrorInfo
from muster.schedules import kinds, rules
from muster.schedules.models import Schedule
from muster.schedules.repository import ScheduleRepository
from muster.schedules.rules import Failure
from muster.schedules.schemas import ScheduleControl, ScheduleView
from muster.schedules.types import Attempt, Due, ScheduleKind, dedup_key, lane_of
from muster.tenancy import TenantScope

log = structlog.get_logger(__name__)

_SCHEDULES = table_of(Schedule)
_READING = (kinds.DEVICES_REFRESH, kinds.DEVICES_FULL)
# Periods in minutes that most people choose from.
_USUAL = (5, 10, 15, 30, 60, 120, 240, 360, 720, 1440)
_UNPAUSED: Mapping[str, Any] = {
    "failures": 0,
    "paused_code": None,
    "paused_at": None,
    "paused_revision": None,
    "paused_error": None,
}


async def schedules_of(session: AsyncSession, scope: TenantScope, integration_id: UUID) -> Mapping[str, Any]:
    """What an integration's page shows: the next runs, and why there are none."""
    schedules = await ScheduleRepository(session, scope).of(integration_id)
    attention = next((s.paused_error for s in schedules if s.paused_error is not None), None)
    names = ("enabled", "minutes", "next_run_at", "failures", "paused_code")
    return {
        "schedules": {s.kind: {name: getattr(s, name) for name in names} for s in schedules},
        "needs_attention": attention,
    }


class ScheduleService:
    """Schedules of one tenant's integrations."""

    def __init__(self, session: AsyncSession, scope: TenantScope, secrets: SecretBox) -> None:
        self._session = session
        self._scope = scope
        self._repository = ScheduleRepository(session, scope)
        self._integrations = IntegrationService(session, scope, secrets)

    # --- what a person does ------------------------------------------------------------------------------

    async def list(self, integration_id: UUID) -> Sequence[ScheduleView]:
        """An integration's schedules; none before a check of its connection has passed."""
        return await self._repository.of(integration_id)

    async def controls(self, integration_id: UUID) -> Mapping[str, ScheduleControl]:
        """An integration's schedules by kind, with what may be chosen."""
        return {
            schedule.kind: _control(schedule, kinds.get(schedule.kind))
            for schedule in await self.list(integration_id)
        }

    async def set(
        self,
        reference: str | UUID,
        kind_name: str,
        *,
        minutes: int | None = None,
        enabled: bool | None = None,
    ) -> ScheduleView:
        """Change how often, or whether, something is done by itself; what is not given stays.

        NotFound for the integration; InvalidInput for a kind or number that there is not; Conflict when its
        connection has never been checked.
        """
        view = await self._integrations.get(reference)
        kind = kinds.get(kind_name)
        if view.is_active:
            await self.ensure(view.integration_id)
        found = {s.kind: s for s in await self._repository.of(view.integration_id, for_update=True)}
        old = found.get(kind.name)
        if old is None:
            raise Conflict(
                f"{view.name!r} has no schedules before its connection works.",
                remedy=f"First: muster integration check {view.name!r}",
                code="not_connected",
            )
        every = old.minutes if minutes is None else rules.check_minutes(kind, minutes)
        on = old.enabled if enabled is None else enabled
        values: dict[str, Any] = {"minutes": every, "enabled": on}
        # What waits for a failing server, or for a person, goes on waiting.
        if (every, on) != (old.minutes, old.enabled) and old.paused_code is None and not old.failures:
            values["next_run_at"] = rules.first_run(view.integration_id, kind.name, every, clock.now())
        await self._change(view.integration_id, kind.name, values)
        if (every, on) != (old.minutes, old.enabled):
            await self._record(view, kind, old, every, on=on)
        now = {s.kind: s for s in await self._repository.of(view.integration_id)}
        await self._keep_period(view, now)
        return now[kind.name]

    # --- what the tick does ------------------------------------------------------------------------------

    async def ensure(self, integration_id: UUID) -> None:
        """Give an integration those schedules that it does not have yet; the others stay as they are."""
        now = clock.now()
        rows = [
            {
                "integration_id": integration_id,
                "kind": kind.name,
                "enabled": True,
                "minutes": kind.minutes,
                "next_run_at": rules.first_run(integration_id, kind.name, kind.minutes, now),
                "last_requested_at": None,
                **_UNPAUSED,
                "created_at": now,
                "updated_at": now,
            }
            for kind in kinds.KINDS.values()
        ]
        await bulk.insert_new(self._session, self._scope, _SCHEDULES, rows)

    async def claim(self, due: Due, now: datetime) -> bool:
        """Take a due schedule: its next moment is set, and this tick alone may ask for its job."""
        if due.paused_code is None:
            following = rules.next_run(due.integration_id, due.kind, due.minutes, now)
        else:
            following = now + rules.PROBE_EVERY
        taken = await bulk.update_where(
            self._session,
            self._scope,
            _SCHEDULES,
            {"next_run_at": following, "last_requested_at": now, "updated_at": now},
            where={
                "integration_id": due.integration_id,
                "kind": due.kind,
                "next_run_at": due.next_run_at,
                "enabled": True,
                "paused_code": due.paused_code,
            },
        )
        return taken == 1

    async def request(self, due: Due, view: IntegrationView) -> None:
        """Ask for the job of a claimed schedule; for a paused one, for a check of the connection."""
        if due.paused_code is None and view.state is State.DISCONNECTED:
            await self._pause(await self._locked(view.integration_id), view, _DISCONNECTED, quiet=True)
            return
        order = kinds.CHECK if due.paused_code else kinds.KINDS[due.kind].order
        await JobService(self._session, self._scope).request(
            order.kind,
            dedup_key(order.kind, view.integration_id, *order.payload.values()),
            {"integration_id": str(view.integration_id), "trigger": "schedule", **order.payload},
            lane=lane_of(view),
            requested_by="schedule",
        )

    async def reconsider(self, integration_id: UUID) -> None:
        """Look again at a paused integration that was changed: a passed check ends the pause, new
        credentials are tried once.
        """
        schedules = [s for s in await self._locked(integration_id) if s.paused_code is not None]
        view = await self._integrations.get(integration_id)
        if not schedules:
            return
        if view.is_active and view.sync_error is None:
            await self._recovered(view)
            return
        if schedules[0].paused_code == _DISCONNECTED.code:
            return
        revision = await self._revision(integration_id)
        if revision is not None and revision != schedules[0].paused_revision:
            for schedule in schedules:
                values = {"next_run_at": clock.now(), "paused_revision": revision}
                await self._change(integration_id, schedule.kind, values)

    # --- what a sync or a check found ----------------------------------------------------------------------

    async def settle(self, attempt: Attempt) -> None:
        """Let the end of a sync or a check move the schedules, in the transaction that records that end.

        A transient error delays, ever longer; one of configuration pauses all of them at once; a success
        ends either. The first failure and the recovery are logged and become events, not each failure.
        """
        schedules = await self._locked(attempt.integration_id)
        if not schedules:
            return
        view = await self._integrations.get(attempt.integration_id)
        if attempt.error is None:
            await self._succeeded(schedules, view, kinds.tried_by(attempt.sync_type, attempt.mode))
            return
        match rules.classify(attempt.error.code):
            case Failure.CONFIGURATION:
                await self._pause(schedules, view, attempt.error)
            case Failure.TRANSIENT:
                await self._delay(schedules, view, attempt)
            case Failure.NONE:
                pass

    # --- inside ------------------------------------------------------------------------------------------

    async def _record(
        self, view: IntegrationView, kind: ScheduleKind, old: ScheduleView, minutes: int, *, on: bool
    ) -> None:
        await AuditService(self._session, self._scope).record(
            "schedule.changed",
            "integration",
            subject=view.name,
            subject_id=view.integration_id,
            schedule=kind.title,
            minutes=[old.minutes, minutes],
            enabled=[old.enabled, on],
        )

    async def _locked(self, integration_id: UUID) -> Sequence[ScheduleView]:
        return await self._repository.of(integration_id, for_update=True)

    async def _succeeded(
        self, schedules: Sequence[ScheduleView], view: IntegrationView, tried: tuple[str, ...]
    ) -> None:
        if any(schedule.paused_code for schedule in schedules):
            await self._recovered(view)
            return
        mended = [s for s in schedules if s.failures and s.kind in tried]
        now = clock.now()
        for schedule in mended:
            following = rules.next_run(view.integration_id, schedule.kind, schedule.minutes, now)
            await self._change(view.integration_id, schedule.kind, {"failures": 0, "next_run_at": following})
        if mended and not any(s.failures for s in schedules if s not in mended):
            await self._tell(EventType.INTEGRATION_RECOVERED, view, None)

    async def _recovered(self, view: IntegrationView) -> None:
        """End a pause. What was missed is made up for soon, spread over a quarter of an hour."""
        schedules, now = await self._locked(view.integration_id), clock.now()
        for schedule in schedules:
            soon = min(schedule.minutes, int(rules.FIRST_RETRY.total_seconds() // 60))
            at = rules.first_run(view.integration_id, schedule.kind, soon, now)
            await self._change(view.integration_id, schedule.kind, {**_UNPAUSED, "next_run_at": at})
        if any(s.paused_code not in (None, _DISCONNECTED.code) for s in schedules):
            await self._tell(EventType.INTEGRATION_RECOVERED, view, None)

    async def _pause(
        self,
        schedules: Sequence[ScheduleView],
        view: IntegrationView,
        error: ProviderErrorInfo,
        *,
        quiet: bool = False,
    ) -> None:
        now = clock.now()
        known = all(s.paused_code == error.code for s in schedules)
        values = {
            "next_run_at": rules.next_probe(error.code, view.auth_mode, now),
            "paused_code": error.code,
            "paused_error": {"code": error.code, "message": error.message, "remedy": error.remedy},
            "paused_revision": await self._revision(view.integration_id),
        }
        for schedule in schedules:
            since = schedule.paused_at or now
            await self._change(view.integration_id, schedule.kind, {**values, "paused_at": since})
        if not known and not quiet:
            await self._tell(EventType.INTEGRATION_NEEDS_ATTENTION, view, error)

    async def _delay(
        self, schedules: Sequence[ScheduleView], view: IntegrationView, attempt: Attempt
    ) -> None:
        error, now = attempt.error, clock.now()
        retry_after = error.retry_after if error else None
        tried = kinds.tried_by(attempt.sync_type, attempt.mode)
        fresh = not any(s.failures or s.paused_code for s in schedules)
        counted = False
        for schedule in schedules:
            if schedule.paused_code is not None:
                continue
            values: dict[str, Any] = {}
            delay = rules.asked_pause(retry_after)
            if schedule.kind in tried:
                counted = True
                values["failures"] = schedule.failures + 1
                delay = rules.retry_delay(schedule.failures + 1, schedule.minutes, retry_after)
                values["next_run_at"] = now + delay
            elif delay and schedule.next_run_at is not None:
                # A server that asks for a pause means all requests.
                values["next_run_at"] = max(schedule.next_run_at, now + delay)
            if values:
                await self._change(view.integration_id, schedule.kind, values)
        if fresh and counted and error is not None:
            await self._tell(EventType.INTEGRATION_FAILING, view, error)

    async def _keep_period(self, view: IntegrationView, schedules: Mapping[str, ScheduleView]) -> None:
        """Tell the integration how often its devices are read: a status is believed for three times that."""
        on = [s.minutes for name in _READING if (s := schedules.get(name)) is not None and s.enabled]
        kept = dict(view.settings.get("schedules") or {})
        kept["devices"] = {"minutes": min(on, default=kinds.KINDS[kinds.DEVICES_REFRESH].minutes)}
        await self._integrations.set_settings(view.integration_id, {"schedules": kept})

    async def _revision(self, integration_id: UUID) -> str | None:
        """What stands for the address and credentials in use; None when there are none that open."""
        try:
            return (await self._integrations.connection(integration_id)).revision
        except (Conflict, CannotOpen):
            return None

    async def _tell(
        self, event_type: EventType, view: IntegrationView, error: ProviderErrorInfo | None
    ) -> None:
        problem = error and {"code": error.code, "message": error.message, "remedy": error.remedy}
        data = {
            "integration_id": view.integration_id,
            "provider": view.provider,
            "name": view.name,
            "error": problem,
        }
        await EventService(self._session, self._scope).publish(event_type, view.integration_id, data)
        write = log.info if error is None else log.warning
        write(
            f"integration.{event_type.removeprefix('RMM_INTEGRATION_').lower()}",
            tenant=str(self._scope.tenant_id),
            integration=str(view.integration_id),
            name=view.name,
            **(problem or {}),
        )

    async def _change(self, integration_id: UUID, kind: str, values: Mapping[str, Any]) -> None:
        await bulk.update_where(
            self._session,
            self._scope,
            _SCHEDULES,
            {**values, "updated_at": clock.now()},
            where={"integration_id": integration_id, "kind": kind},
        )


def _control(schedule: ScheduleView, kind: ScheduleKind) -> ScheduleControl:
    usual = {minutes for minutes in _USUAL if kind.least <= minutes <= kind.most} | {schedule.minutes}
    return ScheduleControl(
        schedule=schedule, title=kind.title, least=kind.least, most=kind.most, usual=sorted(usual)
    )


_DISCONNECTED = ProviderErrorInfo(
    code="disconnected",
    message="The integration was disconnected.",
    remedy="Give it credentials and check it; it then goes on by itself.",
)
