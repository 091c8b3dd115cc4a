"""What `muster doctor` asks of this room."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from muster import clock
from muster.db import Database
from muster.inbound_webhooks.repository import AllReceiptsRepository
from muster.providers.contract import Finding

# By then a worker that lives has looked several times.
_LATE = timedelta(minutes=5)


async def examine(database: Database) -> Sequence[Finding]:
    """Receipts that nobody processes, and those that could not be."""
    now = clock.now()
    async with database.read(system=True) as session:
        repository = AllReceiptsRepository(session)
        late = [row for row in await repository.waiting() if now - row["since"] > _LATE]
        failed = await repository.failed()
    findings = []
    if late:
        count, since = sum(row["count"] for row in late), min(row["since"] for row in late)
        findings.append(
            Finding(
                code="receipts_waiting",
                level="warning",
                message=f"{count} webhook receipts wait, the oldest since {since:%Y-%m-%d %H:%M} UTC.",
                remedy="Nothing is lost. Start a worker with: muster worker",
            )
        )
    if failed:
        findings.append(
            Finding(
                code="receipts_failed",
                level="warning",
                message=f"{failed} webhook receipts could not be processed.",
                remedy="See: muster receipt list --state failed. Replay them once the cause is gone.",
            )
        )
    return findings
