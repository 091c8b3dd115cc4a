"""What `muster doctor` asks of this room."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from muster import clock
from muster.db import Database
from muster.providers.contract import Finding
from muster.schedules.repository import TickRepository

# Several ticks; a worker that has just been restarted is not a finding.
_LATE = timedelta(minutes=10)
# Half a day of tries.
_MANY_FAILURES = 7
_MOST = 1000


async def examine(database: Database) -> Sequence[Finding]:
    """Schedules that nobody runs, and integrations that wait for a person or have failed for long."""
    async with database.read(system=True) as session:
        repository = TickRepository(session)
        overdue, oldest = await repository.backlog(clock.now() - _LATE)
        troubled = await repository.troubled(_MANY_FAILURES, limit=_MOST)
    findings = []
    if overdue and oldest is not None:
        findings.append(
            Finding(
                code="schedules_overdue",
                level="warning",
                message=f"{overdue} schedules are overdue, the first since {oldest:%Y-%m-%d %H:%M} UTC.",
                remedy="Nobody runs them: start muster serve, or muster worker, and keep it running.",
            )
        )
    paused = {row["integration_id"]: row["paused_error"] for row in troubled if row["paused_error"]}
    paused = {each: error for each, error in paused.items() if error["code"] != "disconnected"}
    if paused:
        first = next(iter(paused.values()))
        findings.append(
            Finding(
                code="integrations_need_attention",
                level="warning",
                message=f"{len(paused)} integrations wait for a person; the first says: {first['message']}",
                remedy=first["remedy"] or "See: muster integration list",
            )
        )
    failing = {row["integration_id"] for row in troubled if row["paused_error"] is None}
    if failing:
        findings.append(
            Finding(
                code="integrations_failing",
                level="warning",
                message=f"{len(failing)} integrations have failed for hours.",
                remedy="See which and why: muster run list",
            )
        )
    return findings
