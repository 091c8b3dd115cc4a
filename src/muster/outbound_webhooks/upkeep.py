"""What is looked after by itself, over all tenants: deliveries that wait although no job is at them, and old
ones.
"""

from __future__ import annotations

from datetime import timedelta

from muster import clock
from muster.db import Database, ageing
from muster.db.types import table_of
from muster.jobs.service import JobService
from muster.outbound_webhooks.delivery_service import DELIVER
from muster.outbound_webhooks.models import WebhookDelivery
from muster.outbound_webhooks.repository import over_before, tenants_with_waiting_deliveries
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
    return await ageing.delete_old(database, table_of(WebhookDelivery), over_before(before))
