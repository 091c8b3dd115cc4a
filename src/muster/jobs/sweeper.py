"""What is looked after now and then: work that waits although nobody was asked for it, rows that are too old.

A request for a job that is just ending joins it and is not seen by it any more; a process that dies can leave
things half done. A sweep finds both. Any number of processes may run one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from muster import clock
from muster.db.failures import DATABASE_ERRORS
from muster.errors import MusterError

log = structlog.get_logger(__name__)

SECONDS = 60.0
_FAILURES: tuple[type[Exception], ...] = (*DATABASE_ERRORS, MusterError)


@dataclass(frozen=True, slots=True)
class Sweep:
    """Something to look after, again whenever `every` has passed; `work` gives how much it found."""

    name: str
    work: Callable[[], Awaitable[int]]
    every: timedelta = timedelta(minutes=1)


class Sweeper:
    """Carries out sweeps in turn."""

    def __init__(self, sweeps: Sequence[Sweep], *, seconds: float = SECONDS) -> None:
        """`seconds` from one look at the clock to the next."""
        self._sweeps = tuple(sweeps)
        self._seconds = seconds
        self._done: dict[str, datetime] = {}

    async def run(self) -> None:
        """Sweep for ever; an error is logged, and the next turn does what this one could not."""
        while True:
            await self.sweep()
            await asyncio.sleep(self._seconds)

    async def sweep(self) -> int:
        """Carry out what is due, and give how much was found."""
        now, found = clock.now(), 0
        for sweep in self._sweeps:
            last = self._done.get(sweep.name)
            if last is not None and now - last < sweep.every:
                continue
            try:
                count = await sweep.work()
            except _FAILURES as error:
                log.warning(
                    "sweep.failed", sweep=sweep.name, error=type(error).__name__, detail=str(error)[:300]
                )
                continue
            self._done[sweep.name] = now
            found += count
            if count:
                log.info("sweep.found", sweep=sweep.name, count=count)
        return found
