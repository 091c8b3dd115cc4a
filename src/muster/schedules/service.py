"""Schedules: the verbs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.audit.service import AuditService
from muster.db import bulk
from muster.db.types import table_of
from muster.encryption import SecretBox
from muster.errors import Conflict
from muster.integrations.schemas import IntegrationView
from muster.integrations.service import IntegrationService
from muster.integrations.types import State
from muster.jobs.service import JobService
from muster.schedules import kinds, rules
from muster.schedules.models import Schedule
from muster.schedules.repository import ScheduleRepository
from muster.schedules.schemas import ScheduleControl, ScheduleView
from muster.schedules.settling import DISCONNECTED, UNPAUSED, Settling
from muster.schedules.types import (
    BY_ALERT,
    BY_ITSELF,
    BY_SCHEDULE,
    Attempt,
    Due,
    ScheduleKind,
    lane_of,
)
from muster.tenancy import TenantScope

_SCHEDULES = table_of(Schedule)
_READING = (kinds.DEVICES_REFRESH, kinds.DEVICES_FULL)
# Periods in minutes that most people choose from.
_USUAL = (5, 10, 15, 30, 60, 120, 240, 360, 720, 1440)


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
        self._settling = Settling(session, scope, self._integrations)

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
        await self._settling.change(view.integration_id, kind.name, values)
        if (every, on) != (old.minutes, old.enabled):
            await self._record(view, kind, old, every, on=on)
        now = {s.kind: s for s in await self._repository.of(view.integration_id)}
        await self._keep_period(view, now)
        return now[kind.name]

    # --- what the tick does ------------------------------------------------------------------------------

    async def ensure(self, integration_id: UUID) -> None:
        """Give an integration those schedules that it does not have yet; the others stay as they are."""
        view, now = await self._integrations.get(integration_id), clock.now()
        rows = [
            {
                "integration_id": integration_id,
                "kind": kind.name,
                "enabled": True,
                "minutes": kind.minutes,
                "next_run_at": rules.first_run(integration_id, kind.name, kind.minutes, now),
                "last_requested_at": None,
                **UNPAUSED,
                "created_at": now,
                "updated_at": now,
            }
            for kind in kinds.offered(view.provider)
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
            schedules = await self._settling.locked(view.integration_id)
            await self._settling.pause(schedules, view, DISCONNECTED, quiet=True)
            return
        order = kinds.CHECK if due.paused_code else kinds.KINDS[due.kind].order
        await JobService(self._session, self._scope).request(
            order.kind,
            order.key(view.integration_id),
            {"integration_id": str(view.integration_id), "trigger": BY_SCHEDULE, **order.payload},
            lane=lane_of(view),
            requested_by=BY_SCHEDULE,
        )

    async def reconsider(self, integration_id: UUID) -> None:
        """Look again at a paused integration that was changed: a passed check ends the pause, new
        credentials are tried once.
        """
        schedules = [s for s in await self._settling.locked(integration_id) if s.paused_code is not None]
        view = await self._integrations.get(integration_id)
        if not schedules:
            return
        if view.is_active and view.sync_error is None:
            await self._settling.recovered(view)
            return
        if schedules[0].paused_code == DISCONNECTED.code:
            return
        revision = await self._settling.revision(integration_id)
        if revision is not None and revision != schedules[0].paused_revision:
            for schedule in schedules:
                values = {"next_run_at": clock.now(), "paused_revision": revision}
                await self._settling.change(integration_id, schedule.kind, values)

    # --- what a sync or a check found ----------------------------------------------------------------------

    async def held(self, integration_id: UUID, trigger: str) -> str | None:
        """Why nothing is to be tried just now that nobody waits for; None: nothing speaks against it.

        While a person has to change something a login could lock the account. What an alert asks for also
        waits while the server fails: schedules try it, ever more rarely.
        """
        schedules = await self._repository.of(integration_id)
        if trigger in BY_ITSELF and any(schedule.paused_code for schedule in schedules):
            return "Its schedules are paused until somebody has changed something."
        if trigger == BY_ALERT and any(schedule.failures for schedule in schedules):
            return "Its server fails; schedules try again."
        return None

    async def settle(self, attempt: Attempt) -> bool:
        """Let the end of a sync or a check move the schedules, in the transaction that records that end.
        Tells whether nothing at all can be read before a person has changed something.
        """
        return await self._settling.settle(attempt)

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

    async def _keep_period(self, view: IntegrationView, schedules: Mapping[str, ScheduleView]) -> None:
        """Tell the integration how often its devices are read: a status is believed for three times that."""
        on = [s.minutes for name in _READING if (s := schedules.get(name)) is not None and s.enabled]
        kept = dict(view.settings.get("schedules") or {})
        kept["devices"] = {"minutes": min(on, default=kinds.KINDS[kinds.DEVICES_REFRESH].minutes)}
        await self._integrations.set_settings(view.integration_id, {"schedules": kept})


def _control(schedule: ScheduleView, kind: ScheduleKind) -> ScheduleControl:
    usual = {minutes for minutes in _USUAL if kind.least <= minutes <= kind.most} | {schedule.minutes}
    return ScheduleControl(
        schedule=schedule, title=kind.title, least=kind.least, most=kind.most, usual=sorted(usual)
    )
