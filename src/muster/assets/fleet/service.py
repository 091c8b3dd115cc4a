"""The fleet as a whole: the roll call, and samples of how many answered when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from muster.assets.fleet import rules
from muster.assets.fleet.models import FleetSample
from muster.assets.fleet.repository import FleetRepository
from muster.assets.fleet.rules import STATUSES, Range, Sample
from muster.assets.fleet.schemas import ClientRoll, Mark, RollCall
from muster.assets.ordering import Freshness
from muster.assets.schemas import StatusCounts
from muster.assets.service import AssetService
from muster.clients.service import ClientService
from muster.db import bulk
from muster.db.types import table_of
from muster.tenancy import TenantScope

_SAMPLES = table_of(FleetSample)
# More marks than that are no longer seen as single ones (UI.md), more clients no longer read.
MARKS, CLIENTS = 500, 20


class FleetService:
    """One tenant's fleet."""

    def __init__(self, session: AsyncSession, scope: TenantScope) -> None:
        self._session = session
        self._scope = scope
        self._repository = FleetRepository(session, scope)

    async def roll_call(self, freshness: Freshness) -> RollCall:
        """Every device by client; of more than 20 clients the worst 20, of more than 500 devices the numbers
        only.
        """
        by_client = await AssetService(self._session, self._scope).count_by_client(freshness)
        counts = {name: sum(each[name] for each in by_client.values()) for name in STATUSES}
        names = await ClientService(self._session, self._scope).names(by_client)
        marks = await self._marks(freshness) if sum(counts.values()) <= MARKS else {}
        rolls = [
            ClientRoll(
                client_id=client_id, name=names[client_id], counts=each, marks=marks.get(client_id, ())
            )
            for client_id, each in by_client.items()
        ]
        rolls.sort(key=lambda roll: (roll.name.casefold(), roll.client_id))
        if len(rolls) > CLIENTS:
            rolls.sort(key=lambda roll: _trouble(roll.counts), reverse=True)
        return RollCall(counts=counts, clients=rolls[:CLIENTS], more=max(0, len(rolls) - CLIENTS))

    async def over_time(self, wanted: Range, now: datetime) -> Sequence[Sample]:
        """A sample for each step of a range that has any, oldest first."""
        samples = await self._repository.samples(now - wanted.length, now)
        return rules.series(samples, wanted, now)

    async def is_sampled(self, at: datetime) -> bool:
        """Whether the sample of this moment is taken."""
        return await self._repository.has_sample(at)

    async def sample(self, freshness: Freshness, at: datetime) -> None:
        """Take the sample of a moment; nothing when another worker has, or when there is no asset."""
        counts = await AssetService(self._session, self._scope).count_by_status(freshness)
        if sum(counts.values()):
            row = {"sampled_at": at, **{name: counts[name] for name in STATUSES}}
            await bulk.insert_new(self._session, self._scope, _SAMPLES, [row])

    async def thin(self, now: datetime) -> int:
        """Let old samples stand for hours and days, and give the number of those that went."""
        due = await self._repository.samples(None, now - rules.HOURS_AFTER)
        thinning = rules.thinned(due, now)
        rows = [msgspec.structs.asdict(sample) for sample in thinning.write]
        await bulk.upsert(self._session, self._scope, _SAMPLES, rows, key=("sampled_at",))
        gone = [{"sampled_at": moment} for moment in thinning.delete]
        await bulk.delete(self._session, self._scope, _SAMPLES, gone, key=("sampled_at",))
        return len(gone)

    async def _marks(self, freshness: Freshness) -> dict[UUID, list[Mark]]:
        marks: dict[UUID, list[Mark]] = defaultdict(list)
        for mark in await self._repository.marks(freshness, limit=MARKS):
            marks[mark.client_id].append(mark)
        return marks


def _trouble(counts: StatusCounts) -> tuple[int, ...]:
    return counts["overdue"], counts["unknown"], counts["offline"], sum(counts.values())
