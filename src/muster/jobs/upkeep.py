"""What `muster doctor` asks of this room."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from muster import clock
from muster.db import Database
from muster.jobs.board import workers
from muster.jobs.repository import RelayRepository
from muster.providers.contract import Finding

_PATIENCE = timedelta(minutes=2)


async def examine(database: Database) -> Sequence[Finding]:
    """Jobs that wait without a worker, and workers that died."""
    now = clock.now()
    async with database.read(system=True) as session:
        relay = RelayRepository(session)
        waiting = (await relay.depth(now - _PATIENCE))["requested"]
        roll = await workers(relay)
    dead = [worker for worker in roll if worker.dead]
    findings = []
    if waiting and len(dead) == len(roll):
        findings.append(
            Finding(
                code="workers_absent",
                level="error",
                message=f"{waiting} jobs wait, and no worker lives.",
                remedy="Start one: muster serve, or muster worker.",
            )
        )
    if dead:
        first = dead[0]
        findings.append(
            Finding(
                code="workers_dead",
                level="warning",
                message=f"{len(dead)} workers ended without a goodbye; the first, process {first.pid}, was"
                f" last heard of on {first.heartbeat_at:%Y-%m-%d at %H:%M} UTC.",
                remedy="What they had goes on in another worker by itself. Look into their logs for why.",
            )
        )
    return findings
