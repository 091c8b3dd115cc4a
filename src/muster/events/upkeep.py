"""What `muster doctor` asks of this room."""

from __future__ import annotations

from collections.abc import Sequence

from muster.db import Database
from muster.events.relay import STUCK_AFTER
from muster.events.repository import failing
from muster.providers.contract import Finding


async def examine(database: Database) -> Sequence[Finding]:
    """Subscribers that cannot get past an event."""
    async with database.read(system=True) as session:
        stuck = await failing(session, STUCK_AFTER)
    if not stuck:
        return ()
    names = sorted({row["subscriber"] for row in stuck})
    return (
        Finding(
            code="subscribers_stuck",
            level="warning",
            message=f"Events cannot get past {', '.join(names)} in {len(stuck)} tenants.",
            remedy="It is tried again by itself; the log of the worker says what goes wrong.",
        ),
    )
