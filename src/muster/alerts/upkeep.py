"""What is looked after by itself: alerts that were over long ago. Over all tenants."""

from __future__ import annotations

from datetime import timedelta

from muster import clock
from muster.alerts.models import Alert
from muster.alerts.repository import over_before
from muster.db import Database, ageing
from muster.db.types import table_of

# Each takes its history with it.
_AT_ONCE = 100


async def delete_old(database: Database, days: int) -> int:
    """Delete alerts that ended more than so many days ago; gives their number."""
    before = clock.now() - timedelta(days=days)
    return await ageing.delete_old(database, table_of(Alert), over_before(before), at_once=_AT_ONCE)
