"""Hands that tick and do the jobs that the ticks asked for, while the test moves the time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from muster import bootstrap, clock
from muster.bootstrap import Application
from muster.events.schemas import EventView
from muster.events.service import EventService
from muster.jobs.board import Begun, Board
from muster.jobs.service import JobService
from muster.jobs.types import JobFailed, JobState, JobView
from muster.schedules.repository import TickRepository
from muster.schedules.schemas import ScheduleView
from muster.schedules.service import ScheduleService
from muster.schedules.tick import ScheduleTicker, Ticked
from muster.simulator import SimulatorServer
from tests.support.job import Job
from tests.support.opening import impatient
from tests.support.time import Time
from tests.support.world import World


class Hands:
    """Does jobs one after the other, as a worker would."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ticker = ScheduleTicker(world.database, world.box)
        self._board = Board(world.database, "host/1/1.00")
        application = Application(world.settings, world.database, world.box, impatient())
        self._handlers = bootstrap.job_handlers(application)

    async def tick(self) -> Ticked:
        return await self.ticker.tick()

    async def work(self) -> list[str]:
        """Do every job that waits, of each server one after the other; gives what was done."""
        done = []
        while claimed := await self._board.claim(free=1000, per_lane=1):
            done += [await self._do(job_id) for job_id in claimed]
        return done

    async def _do(self, job_id: UUID) -> str:
        job = await self._board.begin(job_id)
        assert isinstance(job, Begun)
        state = JobState.SUCCEEDED
        try:
            await self._handlers[job.kind](Job(job.scope, job.job_id, job.payload))
        except JobFailed:
            state = JobState.FAILED
        assert await self._board.finish(job, state)
        return " ".join([job.kind, str(job.payload.get("mode", ""))]).strip()

    async def tick_and_work(self) -> list[str]:
        await self.tick()
        return await self.work()

    async def due(self) -> list[datetime]:
        """When each schedule that is on acts next."""
        async with self.world.database.read(system=True) as session:
            far = clock.now() + timedelta(days=3650)
            return [due.next_run_at for due in await TickRepository(session).due(far, limit=10_000)]

    async def schedules(self, integration_id: UUID) -> dict[str, ScheduleView]:
        async with self.world.database.read() as session:
            service = ScheduleService(session, self.world.scope, self.world.box)
            return {schedule.kind: schedule for schedule in await service.list(integration_id)}

    async def set(self, integration_id: UUID, kind: str, **changes: Any) -> ScheduleView:
        async with self.world.database.write() as session:
            service = ScheduleService(session, self.world.scope, self.world.box)
            return await service.set(integration_id, kind, **changes)

    async def jobs(self) -> Sequence[JobView]:
        async with self.world.database.read() as session:
            return await JobService(session, self.world.scope).list(limit=1000)

    async def told(self) -> list[str]:
        """The events about the integration's state, oldest first."""
        async with self.world.database.read() as session:
            events: Sequence[EventView] = await EventService(session, self.world.scope).list(limit=1000)
        wanted = ("FAILING", "RECOVERED", "NEEDS_ATTENTION")
        return [e.type.removeprefix("RMM_INTEGRATION_") for e in reversed(events) if e.type.endswith(wanted)]


def logins(server: SimulatorServer) -> int:
    return sum(request.path.startswith("/v2/") for request in server.requests)


async def run_on(hands: Hands, time: Time, **span: float) -> list[str]:
    """Let time pass as minutes with ticks, the last one at its end; those in which nothing can be due are
    passed over.
    """
    end, done = time.now + timedelta(**span), await hands.tick_and_work()
    while time.now < end:
        due = min(await hands.due(), default=end)
        minutes = max(1, -(-(min(due, end) - time.now).total_seconds() // 60))
        time.pass_(minutes=minutes)
        done += await hands.tick_and_work()
    return done


async def until_something_runs(hands: Hands, time: Time) -> list[str]:
    """Let time pass until a tick led to work."""
    while not (done := await run_on(hands, time, minutes=1)):
        continue
    return done
