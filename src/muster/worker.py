"""`muster worker`: a process that carries out background jobs. Several may run, on several machines."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from muster import bootstrap
from muster.background import background
from muster.terminal import Bare


async def worker(bare: Bare) -> None:
    """Carry out background jobs until Ctrl-C or SIGTERM; then finish or hand over what runs.

    It also does its part of what every such process does: ask for what is due, and relay events.
    """
    async with (
        bootstrap.open_application(bare.settings) as application,
        until_told() as told,
        background(application) as work,
    ):
        executor_id = work.engine.executor_id
        if not bare.output.json({"worker": executor_id}):
            bare.output.say(f"Worker {executor_id} waits for jobs. Ctrl-C ends it.")
        # Whoever started it may wait for this line.
        sys.stdout.flush()
        await told.wait()
        if not bare.output.as_json:
            bare.output.say("Ending: running jobs get a moment to finish; what is left goes on later.")


@asynccontextmanager
async def until_told() -> AsyncIterator[asyncio.Event]:
    """An event that SIGTERM or Ctrl-C sets, so that a process can end in good order. A second one kills."""
    loop, told = asyncio.get_running_loop(), asyncio.Event()

    def tell() -> None:
        told.set()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, tell)
    try:
        yield told
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
