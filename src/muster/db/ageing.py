"""Rows whose time is over: deleted some at a time, so that nobody who writes waits for it."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Table, select

from muster.db import bulk
from muster.db.session import Database
from muster.tenancy import TenantScope

_AT_ONCE = 500


async def delete_old(
    database: Database, table: Table, is_old: ColumnElement[bool], *, at_once: int = _AT_ONCE
) -> int:
    """Delete the rows of all tenants of which that holds, and give their number. `at_once`: in one
    transaction; fewer where much hangs on a row.
    """
    async with database.read(system=True) as session:
        tenants = (await session.scalars(select(table.c.tenant_id).where(is_old).distinct())).all()
    count = 0
    for tenant_id in tenants:
        count += await _of_tenant(database, TenantScope(tenant_id), table, is_old, at_once)
    return count


async def _of_tenant(
    database: Database, scope: TenantScope, table: Table, is_old: ColumnElement[bool], at_once: int
) -> int:
    key = [column for column in table.primary_key.columns if column.name != "tenant_id"]
    statement = select(*key).where(table.c.tenant_id == scope.tenant_id, is_old).limit(at_once)
    count = 0
    while True:
        async with database.write(scope) as session:
            rows = [dict(row) for row in (await session.execute(statement)).mappings()]
            await bulk.delete(session, scope, table, rows, key=[column.name for column in key])
        count += len(rows)
        if len(rows) < at_once:
            return count
        await database.give_way()
