"""The tick: one look a minute at what is due, over all tenants. Any number of processes may tick."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from muster import clock
from muster.db import Database
from muster.encryption import SecretBox
from muster.errors import MusterError
from muster.integrations.directory import IntegrationDirectory, Standing, views
from muster.schedules import kinds
from muster.schedules.repository import TickRepository
from muster.schedules.service import ScheduleService
from muster.schedules.types import Due

log = structlog.get_logger(__name__)

SECONDS = 60.0
_LOOK = 500
# Schedules claimed in one transaction: on SQLite others wait for it.
_CHUNK = 25
# Changes committed late by a transaction that began before the last look.
_OVERLAP = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Ticked:
    """What one tick did: schedules due, and jobs asked for (those that others claimed or cover are not)."""

    due: int = 0
    requested: int = 0


class ScheduleTicker:
    """Asks for the jobs of schedules whose moment has come, and keeps schedules in step with integrations."""

    def __init__(
        self,
        database: Database,
        secrets: SecretBox,
        *,
        seconds: float = SECONDS,
        asked: Callable[[], None] | None = None,
    ) -> None:
        """`seconds` from tick to tick; `asked` is called when a tick has asked for jobs."""
        self._database = database
        self._secrets = secrets
        self._seconds = seconds
        self._asked = asked
        self._looked: datetime | None = None

    async def run(self) -> None:
        """Tick for ever; an error is logged, and the next tick does what this one could not."""
        while True:
            try:
                await self.tick()
            except (SQLAlchemyError, OSError, MusterError) as error:
                log.warning("tick.failed", error=type(error).__name__, detail=str(error)[:300])
            await asyncio.sleep(self._seconds)

    async def tick(self) -> Ticked:
        """One look. What became due several times since the last one is asked for once."""
        now = clock.now()
        await self._keep_in_step(now)
        due = requested = 0
        while True:
            async with self._database.read(system=True) as session:
                rows = await TickRepository(session).due(now, limit=_LOOK)
            claimed = 0
            for chunk in _chunks(rows):
                done = await self._ask(chunk, now)
                claimed += done.due
                requested += done.requested
            due += claimed
            if requested and self._asked is not None:
                self._asked()
            # Rows that others claim meanwhile are not there the next time; nothing claimed is no progress.
            if len(rows) < _LOOK or not claimed:
                return Ticked(due, requested)

    async def _ask(self, chunk: Sequence[Due], now: datetime) -> Ticked:
        scope = chunk[0].scope
        async with self._database.write(scope) as session:
            service = ScheduleService(session, scope, self._secrets)
            claimed = [due for due in chunk if await service.claim(due, now)]
            wanted = _uncovered(claimed)
            found = await views(session, scope, list({due.integration_id for due in wanted}))
            for due in wanted:
                await service.request(due, found[due.integration_id])
        return Ticked(len(claimed), len(wanted))

    async def _keep_in_step(self, now: datetime) -> None:
        """New connections get their schedules; a changed integration that is paused is looked at again."""
        since = None if self._looked is None else self._looked - _OVERLAP
        async with self._database.read(system=True) as session:
            changed = await IntegrationDirectory(session).changed(since)
            states = {
                (row["tenant_id"], row["integration_id"]): row
                for row in (await TickRepository(session).states() if changed else ())
            }
        for standing in changed:
            state = states.get((standing.scope.tenant_id, standing.integration_id))
            lacking = standing.connected and (state is None or state["schedules"] < _expected(standing))
            if lacking or (state is not None and state["paused"]):
                await self._look_at(standing, lacking=lacking)
        self._looked = now

    async def _look_at(self, standing: Standing, *, lacking: bool) -> None:
        async with self._database.write(standing.scope) as session:
            service = ScheduleService(session, standing.scope, self._secrets)
            if lacking:
                await service.ensure(standing.integration_id)
            await service.reconsider(standing.integration_id)


def _expected(standing: Standing) -> int:
    return len(kinds.offered(standing.provider))


def _chunks(rows: Sequence[Due]) -> Iterator[Sequence[Due]]:
    """Rows of one tenant each, all rows of an integration in the same chunk."""

    def owner(due: Due) -> tuple[UUID, UUID]:
        return due.scope.tenant_id, due.integration_id

    chunk: list[Due] = []
    for (tenant_id, _), group in groupby(sorted(rows, key=owner), key=owner):
        if chunk and (chunk[0].scope.tenant_id != tenant_id or len(chunk) >= _CHUNK):
            yield chunk
            chunk = []
        chunk.extend(group)
    if chunk:
        yield chunk


def _uncovered(claimed: Sequence[Due]) -> Sequence[Due]:
    """Of each integration, what no other one of its due schedules does as well; one check for all paused."""
    wanted: dict[tuple[UUID, str], Due] = {}
    covered = {
        (due.integration_id, name)
        for due in claimed
        if due.paused_code is None
        for name in kinds.KINDS[due.kind].covers
    }
    for due in claimed:
        if due.paused_code is not None:
            wanted.setdefault((due.integration_id, kinds.CHECK.kind), due)
        elif (due.integration_id, due.kind) not in covered:
            wanted[due.integration_id, due.kind] = due
    return list(wanted.values())
