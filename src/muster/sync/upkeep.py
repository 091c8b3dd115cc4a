"""What `muster doctor` asks of this room."""

from __future__ import annotations

from collections.abc import Sequence

from muster import clock
from muster.db import Database
from muster.providers.contract import Finding
from muster.sync import lease
from muster.sync.repository import RunsRepository


async def examine(database: Database) -> Sequence[Finding]:
    """Runs that say they run, though the process that had them is gone."""
    now = clock.now()
    async with database.read(system=True) as session:
        running = await RunsRepository(session).running()
    stuck = [run for run in running if lease.is_dead(run["lease_owner"], run["heartbeat_at"], now)]
    if not stuck:
        return ()
    first = min(stuck, key=lambda run: run["started_at"])
    return (
        Finding(
            code="runs_stuck",
            level="warning",
            message=f"{len(stuck)} syncs were cut off, the first at {first['heartbeat_at']:%Y-%m-%d %H:%M}"
            " UTC: their process is gone.",
            remedy="A worker goes on with what it had begun; the next sync of the integration does the rest.",
        ),
    )
