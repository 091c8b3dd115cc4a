"""What is looked after by itself: changes of long ago, and installs that are gone since. Over all tenants."""

from __future__ import annotations

from datetime import timedelta

from muster import clock
from muster.db import Database, ageing
from muster.db.types import table_of
from muster.software.history.repository import changed_before, removed_before
from muster.software.models import InstalledSoftware, SoftwareChange


async def delete_old(database: Database, days: int) -> int:
    """Delete changes, and installs that are gone, of more than so many days ago; gives their number."""
    before = clock.now() - timedelta(days=days)
    count = await ageing.delete_old(database, table_of(SoftwareChange), changed_before(before))
    return count + await ageing.delete_old(database, table_of(InstalledSoftware), removed_before(before))
