"""What failures and successes do to an integration's schedules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.db import bulk
from muster.db.types import table_of
from muster.encryption import CannotOpen
from muster.errors import Conflict
from muster.events.service import EventService
from muster.events.types import EventType
from muster.integrations.schemas import IntegrationView
from muster.integrations.service import IntegrationService
from muster.jobs.service import JobService
from muster.jobs.types import JobState
from muster.providers.contract import ProviderErrorInfo
from muster.schedules import kinds, rules
from muster.schedules.models import Schedule
from muster.schedules.repository import ScheduleRepository
from muster.schedules.rules import Failure
from muster.schedules.schemas import ScheduleView
from muster.schedules.types import BY_SCHEDULE, Attempt
from muster.tenancy import TenantScope

log = structlog.get_logger(__name__)

_SCHEDULES = table_of(Schedule)
UNPAUSED: Mapping[str, Any] = {
    "failures": 0,
    "paused_code": None,
    "paused_at": None,
    "paused_revision": None,
    "paused_error": None,
}

DISCONNECTED = ProviderErrorInfo(
    code="disconnected",
    message="The integration was disconnected.",
    remedy="Give it credentials and check it; it then goes on by itself.",
)


class Settling:
    """Moves the schedules of one tenant's integrations after what was tried."""

    def __init__(self, session: AsyncSession, scope: TenantScope, integrations: IntegrationService) -> None:
        self._session = session
        self._scope = scope
        self._repository = ScheduleRepository(session, scope)
        self._integrations = integrations

    async def locked(self, integration_id: UUID) -> Sequence[ScheduleView]:
        """An integration's schedules, which nobody else changes before this transaction ends."""
        return await self._repository.of(integration_id, for_update=True)

    async def settle(self, attempt: Attempt) -> bool:
        """Let the end of a sync or a check move the schedules, in the transaction that records that end.
        Tells whether nothing at all can be read before a person has changed something.

        A transient error delays, ever longer; one of configuration pauses all of them at once, unless it is
        a permission that only the sync itself takes; a success ends either. The first failure and the
        recovery are logged and become events, not each failure.
        """
        schedules = await self.locked(attempt.integration_id)
        tried = kinds.tried_by(attempt.sync_type, attempt.mode)
        apart = bool(tried) and all(kinds.KINDS[name].apart for name in tried)
        failure = None if attempt.error is None else rules.classify(attempt.error.code, apart=apart)
        if not schedules:
            return failure is Failure.CONFIGURATION
        view = await self._integrations.get(attempt.integration_id)
        if attempt.error is None:
            await self._succeeded(schedules, view, tried)
        elif failure is Failure.CONFIGURATION:
            await self.pause(schedules, view, attempt.error)
        elif failure is Failure.TRANSIENT:
            await self._delay(schedules, view, attempt)
        elif failure is Failure.APART:
            await self._put_off(schedules, tried)
        return failure is Failure.CONFIGURATION

    async def _succeeded(
        self, schedules: Sequence[ScheduleView], view: IntegrationView, tried: tuple[str, ...]
    ) -> None:
        if any(schedule.paused_code for schedule in schedules):
            await self.recovered(view)
            return
        now = clock.now()
        mended = [
            s
            for s in schedules
            if s.kind in tried and (s.failures or rules.is_put_off(s.next_run_at, s.minutes, now))
        ]
        for schedule in mended:
            following = rules.next_run(view.integration_id, schedule.kind, schedule.minutes, now)
            await self.change(view.integration_id, schedule.kind, {"failures": 0, "next_run_at": following})
        failed = [s for s in schedules if s.failures]
        if failed and all(s in mended for s in failed):
            await self._tell(EventType.INTEGRATION_RECOVERED, view, None)

    async def recovered(self, view: IntegrationView) -> None:
        """End a pause. What was missed is made up for soon, spread over a quarter of an hour."""
        schedules, now = await self.locked(view.integration_id), clock.now()
        for schedule in schedules:
            soon = min(schedule.minutes, int(rules.FIRST_RETRY.total_seconds() // 60))
            at = rules.first_run(view.integration_id, schedule.kind, soon, now)
            await self.change(view.integration_id, schedule.kind, {**UNPAUSED, "next_run_at": at})
        if any(s.paused_code not in (None, DISCONNECTED.code) for s in schedules):
            await self._tell(EventType.INTEGRATION_RECOVERED, view, None)

    async def pause(
        self,
        schedules: Sequence[ScheduleView],
        view: IntegrationView,
        error: ProviderErrorInfo,
        *,
        quiet: bool = False,
    ) -> None:
        """Stop all of an integration's schedules until somebody has changed something; `quiet`: that is no
        news.
        """
        now = clock.now()
        known = all(s.paused_code == error.code for s in schedules)
        values = {
            "next_run_at": rules.next_probe(error.code, view.auth_mode, now),
            "paused_code": error.code,
            "paused_error": {"code": error.code, "message": error.message, "remedy": error.remedy},
            "paused_revision": await self.revision(view.integration_id),
        }
        for schedule in schedules:
            since = schedule.paused_at or now
            await self.change(view.integration_id, schedule.kind, {**values, "paused_at": since})
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
                # A server that asks for a pause means all requests, those that wait already as well.
                values["next_run_at"] = max(schedule.next_run_at, now + delay)
                await self._withdraw(schedule)
            if values:
                await self.change(view.integration_id, schedule.kind, values)
        if fresh and counted and error is not None:
            await self._tell(EventType.INTEGRATION_FAILING, view, error)

    async def _withdraw(self, schedule: ScheduleView) -> None:
        """Take back what a schedule has asked for, if it has not begun."""
        order = kinds.KINDS[schedule.kind].order
        jobs = JobService(self._session, self._scope)
        job = await jobs.open(order.key(schedule.integration_id))
        if job is not None and job.state == JobState.REQUESTED and job.requested_by == BY_SCHEDULE:
            await jobs.cancel(job.job_id)

    async def _put_off(self, schedules: Sequence[ScheduleView], tried: tuple[str, ...]) -> None:
        """Try rarely what the credentials may not do, and leave everything else alone."""
        at = clock.now() + rules.LONGEST_RETRY
        for schedule in schedules:
            if schedule.kind in tried and schedule.paused_code is None:
                values = {"next_run_at": max(schedule.next_run_at or at, at)}
                await self.change(schedule.integration_id, schedule.kind, values)

    async def revision(self, integration_id: UUID) -> str | None:
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

    async def change(self, integration_id: UUID, kind: str, values: Mapping[str, Any]) -> None:
        """Set columns of one schedule."""
        await bulk.update_where(
            self._session,
            self._scope,
            _SCHEDULES,
            {**values, "updated_at": clock.now()},
            where={"integration_id": integration_id, "kind": kind},
        )
