"""What runs without being asked: the worker's engine, the tick of the schedules, the relay of events, the
sampler of the fleet, and the sweeper of what was forgotten or is old.

Every process that works runs all of them; any number of them may.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog

from muster import bootstrap
from muster.bootstrap import Application, upkeep
from muster.events.relay import EventRelay
from muster.jobs.engine import EngineOptions, JobEngine
from muster.jobs.sweeper import Sweeper
from muster.schedules import tick
from muster.schedules.tick import ScheduleTicker

log = structlog.get_logger(__name__)


class Background:
    """The loops of a process, while they run."""

    def __init__(self, engine: JobEngine, loops: Mapping[str, asyncio.Task[None]]) -> None:
        self.engine = engine
        self._loops = dict(loops)

    def verdicts(self) -> Mapping[str, str | None]:
        """What is wrong with each loop; None while it runs."""
        return {name: "It has ended." if loop.done() else None for name, loop in self._loops.items()}


@asynccontextmanager
async def background(
    application: Application, *, tick_seconds: float = tick.SECONDS
) -> AsyncIterator[Background]:
    """Work while the body runs. At its end nothing new is begun; what runs gets the engine's grace to
    finish, and the rest goes on elsewhere or after the next start.
    """
    settings = application.settings
    engine = JobEngine(
        application.database,
        settings.data_dir,
        bootstrap.job_handlers(application),
        EngineOptions(jobs=settings.worker_jobs, per_lane=settings.server_jobs),
    )
    ticker = ScheduleTicker(
        application.database, application.secrets, seconds=tick_seconds, asked=engine.wake
    )
    relay = EventRelay(
        application.database,
        bootstrap.subscribers(),
        timedelta(days=settings.event_retention_days),
    )
    sampler = bootstrap.fleet_sampler(application)
    sweeper = Sweeper(upkeep.sweeps(application, engine.wake))
    stop = asyncio.Event()
    # What the start has made stays: looked at again by each full collection, it would stop the event loop,
    # and with it every request, for a tenth of a second.
    gc.freeze()
    async with engine.running():
        loops = {
            "tick": asyncio.create_task(ticker.run(), name="muster-tick"),
            "relay": asyncio.create_task(relay.run(stop), name="muster-relay"),
            "sampler": asyncio.create_task(sampler.run(), name="muster-sampler"),
            "sweeper": asyncio.create_task(sweeper.run(), name="muster-sweeper"),
        }
        for loop in loops.values():
            loop.add_done_callback(_report)
        try:
            yield Background(engine, loops)
        finally:
            # The relay ends between two batches; the others leave nothing half done when they are cut off.
            stop.set()
            for name in ("tick", "sampler", "sweeper"):
                loops[name].cancel()
            await asyncio.wait(loops.values())
            gc.unfreeze()


def _report(loop: asyncio.Task[None]) -> None:
    if not loop.cancelled() and (error := loop.exception()) is not None:
        log.error("background.broke", loop=loop.get_name(), exc_info=error)
