"""A row in every table of tenants, whatever tables there are: for tests that walk them all."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import sqlalchemy as sa
from sqlalchemy import Column, Table

from muster.db import Database, bulk
from muster.db.types import tenant_tables
from muster.tenancy import TenantScope
from muster.tenants.service import TenantService

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


async def tenant_with_everything(database: Database, name: str) -> TenantScope:
    """A tenant with one row in each of its tables."""
    async with database.write() as session:
        scope = TenantScope((await TenantService(session).create(name)).tenant_id)
        for table in tenant_tables():
            await bulk.insert(session, scope, table, [row_of(table, scope)])
    return scope


def row_of(table: Table, scope: TenantScope) -> dict[str, Any]:
    """A row of a table, without tenant_id; it refers to the tenant's rows that `row_of` makes elsewhere."""
    return {
        column.name: _value(column, scope.tenant_id) for column in table.columns if column.name != "tenant_id"
    }


def _value(column: Column[Any], tenant_id: UUID) -> Any:
    for key in column.foreign_keys:
        return _value(key.column, tenant_id)
    match column.type:
        case sa.Uuid():
            return uuid5(tenant_id, f"{column.table.name}.{column.name}")
        case sa.JSON():
            return {"of": str(tenant_id)}
        case sa.LargeBinary():
            return f"secret of {tenant_id}".encode()
        case sa.Boolean():
            return True
        case sa.Integer() | sa.Float():
            return 1
        case sa.String():
            prefix = "secret" if column.info.get("secret") else column.name
            return f"{prefix} of {tenant_id}"
        case _:
            return MOMENT
