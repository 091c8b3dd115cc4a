"""What is looked after by itself: notices that wait although no job is at them. Over all tenants."""

from __future__ import annotations

from datetime import timedelta

from muster import clock
from muster.alerts.notices.repository import tenants_with_waiting_notices
from muster.alerts.notices.service import SEND_NOTICES
from muster.db import Database
from muster.jobs.service import JobService
from muster.tenancy import TenantScope

# What waits so long past its moment has been forgotten.
_FORGOTTEN = timedelta(minutes=1)


async def ask_for_forgotten(database: Database) -> int:
    """Ask for the jobs that are lacking, and give in how many tenants; a job that is open is joined."""
    async with database.read(system=True) as session:
        tenants = await tenants_with_waiting_notices(session, clock.now() - _FORGOTTEN)
    for tenant_id in tenants:
        scope = TenantScope(tenant_id)
        async with database.write(scope) as session:
            await JobService(session, scope).request(SEND_NOTICES, SEND_NOTICES, {})
    return len(tenants)
