"""What is looked after by itself, and what `muster doctor` asks of this room."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from muster import clock
from muster.db import Database, ageing
from muster.db.types import table_of
from muster.providers.contract import Finding
from muster.sync import lease
from muster.sync.models import SyncRun
from muster.sync.repository import RunsRepository, over_before

# A first sync has an entry for every device.
_AT_ONCE = 5


async def delete_old(database: Database, days: int) -> int:
    """Delete runs, and their entries, that ended more than so many days ago; gives the number of runs."""
    before = clock.now() - timedelta(days=days)
    return await ageing.delete_old(database, table_of(SyncRun), over_before(before), at_once=_AT_ONCE)


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
