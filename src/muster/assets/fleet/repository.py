"""Questions about the fleet as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import case, func, select

from muster.assets.fleet.models import FleetSample
from muster.assets.fleet.rules import Sample
from muster.assets.fleet.schemas import Mark
from muster.assets.models import Asset
from muster.assets.ordering import Freshness, effective_status
from muster.db.repository import TenantRepository
from muster.db.types import table_of

_assets = table_of(Asset)
_samples = table_of(FleetSample)
# Who did not answer comes first.
_ORDER = {"overdue": 0, "unknown": 1, "offline": 2, "online": 3}


class FleetRepository(TenantRepository):
    """Samples and marks of one tenant."""

    async def samples(self, since: datetime | None, until: datetime) -> Sequence[Sample]:
        """Samples of a stretch of time, oldest first; without `since` from the beginning."""
        columns = [_samples.c[name] for name in Sample.__struct_fields__]
        statement = (
            select(*columns)
            .where(_samples.c.tenant_id == self.scope.tenant_id, _samples.c.sampled_at <= until)
            .order_by(_samples.c.sampled_at)
        )
        if since is not None:
            statement = statement.where(_samples.c.sampled_at >= since)
        return [Sample(**row) for row in (await self.session.execute(statement)).mappings()]

    async def has_sample(self, at: datetime) -> bool:
        """Whether there is one of this moment."""
        statement = select(func.count()).where(
            _samples.c.tenant_id == self.scope.tenant_id, _samples.c.sampled_at == at
        )
        return bool((await self.session.execute(statement)).scalar_one())

    async def marks(self, freshness: Freshness, *, limit: int) -> Sequence[Mark]:
        """Assets that are not retired, those that did not answer first, then by name."""
        status = effective_status(freshness).label("status")
        rank = case(_ORDER, value=status, else_=len(_ORDER))
        columns = [_assets.c[name] for name in ("asset_id", "client_id", "name", "last_seen_at")]
        statement = (
            select(*columns, status)
            .where(_assets.c.tenant_id == self.scope.tenant_id, _assets.c.retired_at.is_(None))
            .order_by(rank, func.lower(_assets.c.name), _assets.c.asset_id)
            .limit(limit)
        )
        return [Mark(**row) for row in (await self.session.execute(statement)).mappings()]
