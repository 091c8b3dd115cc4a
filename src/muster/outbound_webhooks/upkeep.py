"""What is looked after by itself, over all tenants: deliveries that wait although no job is at them, and old
ones.
"""

from __future__ import annotations

from datetime import timedelta

from muster import clock
from muster.db import Database
from muster.jobs.service import JobService
from muster.outbound_webhooks.delivery_service import DELIVER, DeliveryService
from muster.outbound_webhooks.repository import (
    tenants_with_deliveries_before,
    tenants_with_waiting_deliveries,
)
from muster.tenancy import TenantScope

# What waits so long past its moment has been forgotten.
_FORGOTTEN = timedelta(minutes=1)


async def ask_for_forgotten(database: Database) -> int:
    """Ask for the jobs that are lacking, and give in how many tenants; a job that is open is joined."""
    async with database.read(system=True) as session:
        tenants = await tenants_with_waiting_deliveries(session, clock.now() - _FORGOTTEN)
    for tenant_id in tenants:
        scope = TenantScope(tenant_id)
        async with database.write(scope) as session:
            await JobService(session, scope).request(DELIVER, DELIVER, {})
    return len(tenants)


async def delete_old(database: Database, days: int) -> int:
    """Delete deliveries that are older than so many days and wait for nothing; gives their number."""
    before = clock.now() - timedelta(days=days)
    async with database.read(system=True) as session:
        tenants = await tenants_with_deliveries_before(session, before)
    count = 0
    for tenant_id in tenants:
        scope = TenantScope(tenant_id)
        while True:
            async with database.write(scope) as session:
                deleted = await DeliveryService(session, scope).forget_before(before)
            count += deleted
            if not deleted:
                break
    return count
