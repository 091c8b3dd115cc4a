"""A receiver, and a tenant whose webhooks may go to the loopback."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Self
from uuid import UUID

import pytest

from muster.bootstrap import outbound
from muster.db import Database
from muster.events.relay import EventRelay
from muster.events.service import EventService
from muster.jobs.service import JobService
from muster.jobs.types import OPEN, Handler, JobPostponed
from muster.outbound_webhooks.delivery_service import DELIVER, DeliveryService
from muster.outbound_webhooks.schemas import DeliveryView, SubscriptionInput, SubscriptionView
from muster.outbound_webhooks.service import SubscriptionService
from tests.support.job import Job
from tests.support.receiver import Receiver, receiving
from tests.support.world import World

LOOPBACK = "127.0.0.0/8"
TRIGGERED = "RMM_ALERT_TRIGGERED"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A program that can be told things."""
    with receiving() as running:
        yield running


class Hooks:
    """The webhooks of one tenant, and what a worker would do about them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.database = world.database
        self.scope = world.scope
        self.handler: Handler = outbound.job_handlers(world.database, world.box, world.settings)[DELIVER]

    @classmethod
    async def make(cls, database: Database, name: str = "Acme IT", allow: str = LOOPBACK) -> Self:
        """Those of a new tenant."""
        return cls(await World.make(database, name, MUSTER_OUTBOUND_ALLOW=allow))

    async def subscribe(
        self, url: str, name: str = "Ticketing", events: Sequence[str] = (TRIGGERED,)
    ) -> tuple[UUID, str]:
        """A subscription and its secret."""
        async with self.database.write(self.scope) as session:
            service = SubscriptionService(session, self.scope, self.world.box, plain_allowed=True)
            made = await service.add(SubscriptionInput(name=name, url=url, event_types=list(events)))
        return made.subscription.subscription_id, made.secret

    async def happen(self, event_type: str = TRIGGERED, **data: Any) -> UUID:
        """An event, brought to its subscribers."""
        async with self.database.write(self.scope) as session:
            event_id = await EventService(session, self.scope).publish(event_type, "subject", data)
        await self.relay()
        return event_id

    async def relay(self) -> None:
        """Bring events to their subscribers."""
        await EventRelay(self.database, outbound.subscribers(), timedelta(days=30)).relay_once()

    async def work(self) -> None:
        """What a worker does until nothing is due."""
        try:
            await self.handler(Job(self.scope, UUID(int=1)))
        except JobPostponed:
            return

    async def view(self, subscription_id: UUID) -> SubscriptionView:
        """A subscription as it stands."""
        async with self.database.read(self.scope) as session:
            return await SubscriptionService(session, self.scope, self.world.box).get(subscription_id)

    async def log(self, subscription_id: UUID) -> Sequence[DeliveryView]:
        """Its deliveries, newest first."""
        async with self.database.read(self.scope) as session:
            found, total = await DeliveryService(session, self.scope).list(subscription_id, limit=250)
        assert total == len(found)
        return found

    async def only(self, subscription_id: UUID) -> DeliveryView:
        """Its one delivery."""
        (found,) = await self.log(subscription_id)
        return found

    async def open_jobs(self) -> Mapping[str, Any]:
        """The jobs that wait, by kind."""
        async with self.database.read(self.scope) as session:
            found = await JobService(session, self.scope).list([state.value for state in OPEN])
        return {job.kind: job for job in found}


@pytest.fixture
async def hooks(database: Database) -> Hooks:
    """The webhooks of a tenant."""
    return await Hooks.make(database)
