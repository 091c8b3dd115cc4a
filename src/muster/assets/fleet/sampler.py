"""Takes the samples of all tenants' fleets every quarter of an hour. Any number of processes may run one."""

from __future__ import annotations

import asyncio
from datetime import datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError

from muster import clock
from muster.assets.fleet import rules
from muster.assets.fleet.service import FleetService
from muster.db import Database
from muster.encryption import SecretBox
from muster.integrations.service import IntegrationService
from muster.tenancy import TenantScope
from muster.tenants.service import TenantService

log = structlog.get_logger(__name__)

SECONDS = 60.0


class FleetSampler:
    """Samples in the first minute of each quarter, and thins once an hour."""

    def __init__(self, database: Database, secrets: SecretBox, *, seconds: float = SECONDS) -> None:
        """`seconds` from one look at the clock to the next."""
        self._database = database
        self._secrets = secrets
        self._seconds = seconds
        self._sampled: datetime | None = None
        self._thinned: datetime | None = None

    async def run(self) -> None:
        """Sample for ever; an error is logged, and the next look does what this one could not."""
        while True:
            try:
                await self.look()
            except (SQLAlchemyError, OSError) as error:
                log.warning("fleet.sampling_failed", error=type(error).__name__, detail=str(error)[:300])
            await asyncio.sleep(self._seconds)

    async def look(self) -> None:
        """Take the samples of this quarter that nobody has taken, and thin old ones when it is time."""
        now = clock.now()
        quarter, hour = rules.floor(now, rules.QUARTER), rules.floor(now, rules.HOUR)
        if self._sampled == quarter:
            return
        thins = self._thinned != hour
        async with self._database.read(system=True) as session:
            tenants = [TenantScope(tenant.tenant_id) for tenant in await TenantService(session).list()]
        for scope in tenants:
            await self._sample(scope, quarter)
            if thins:
                await self._thin(scope, now)
        self._sampled, self._thinned = quarter, hour

    async def _sample(self, scope: TenantScope, quarter: datetime) -> None:
        async with self._database.read(scope) as session:
            if await FleetService(session, scope).is_sampled(quarter):
                return
        async with self._database.write(scope) as session:
            integrations = IntegrationService(session, scope, self._secrets)
            freshness = await integrations.freshness(clock.now())
            await FleetService(session, scope).sample(freshness, quarter)

    async def _thin(self, scope: TenantScope, now: datetime) -> None:
        async with self._database.write(scope) as session:
            await FleetService(session, scope).thin(now)
