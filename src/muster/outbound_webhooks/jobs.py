"""The job that sends webhooks: drains what waits in one tenant, some at a time, in no promised order.

A delivery is noted after its answer came. A process that dies in between has sent it, and it is sent again
under the same id, which is what that id is for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.db import Database
from muster.encryption import CannotOpen, SecretBox
from muster.errors import NotFound
from muster.jobs.types import Handler, JobCancelled, JobContext, JobPostponed, JobSuspended
from muster.outbound_webhooks.courier import Courier
from muster.outbound_webhooks.delivery_service import DELIVER, DeliveryService
from muster.outbound_webhooks.service import SubscriptionService
from muster.outbound_webhooks.types import Attempt, Due, Target
from muster.tenancy import TenantScope

_BATCH = 100
# To all subscriptions of a tenant together; the door bounds those to one server.
_AT_ONCE = 8
# Looked at once more after it did something: what is asked for while a job ends would join it in vain.
_LAST_LOOK = timedelta(seconds=2)


def job_handlers(database: Database, secrets: SecretBox, courier: Courier) -> Mapping[str, Handler]:
    """The handlers by kind of job."""

    async def deliver(job: JobContext) -> Mapping[str, Any] | None:
        delivering = _Delivering(database, secrets, courier, job.scope)
        worked = False
        while True:
            if job.cancelled():
                raise JobCancelled
            if job.stopping():
                raise JobSuspended
            if not await delivering.send_some():
                break
            worked = True
        now = clock.now()
        moment = await delivering.next_moment()
        if moment is not None or worked:
            raise JobPostponed(max(moment or now, now + _LAST_LOOK))
        return None

    return {DELIVER: deliver}


class _Delivering:
    """Sends what waits in one tenant."""

    def __init__(self, database: Database, secrets: SecretBox, courier: Courier, scope: TenantScope) -> None:
        self._database = database
        self._secrets = secrets
        self._courier = courier
        self._scope = scope
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def next_moment(self) -> datetime | None:
        """When there is something to do again."""
        async with self._database.read(self._scope) as session:
            return await DeliveryService(session, self._scope).next_moment()

    async def send_some(self) -> bool:
        """Send a batch of what is due; whether there was any."""
        now = clock.now()
        async with self._database.read(self._scope) as session:
            due = await DeliveryService(session, self._scope).due(now, limit=_BATCH)
            targets = await self._targets(session, {each.subscription_id for each in due}, now)
        if not due:
            return False
        attempts = await asyncio.gather(*(self._carried(targets, each) for each in due))
        async with self._database.write(self._scope) as session:
            await DeliveryService(session, self._scope).settle(list(zip(due, attempts, strict=True)))
        return True

    async def _targets(
        self, session: AsyncSession, subscription_ids: set[UUID], at: datetime
    ) -> Mapping[UUID, Target | str]:
        """Where each subscription's deliveries go, or why they cannot."""
        service = SubscriptionService(session, self._scope, self._secrets)
        found: dict[UUID, Target | str] = {}
        for subscription_id in subscription_ids:
            try:
                found[subscription_id] = await service.target(subscription_id, at=at)
            except (NotFound, CannotOpen) as lost:
                found[subscription_id] = lost.message
        return found

    async def _carried(self, targets: Mapping[UUID, Target | str], due: Due) -> Attempt | None:
        """One try; None where the subscription was switched off."""
        if due.disabled:
            return None
        target = targets[due.subscription_id]
        if isinstance(target, str):
            return Attempt(at=clock.now(), error=target)
        async with self._places:
            return await self._courier.carry(target, due)
