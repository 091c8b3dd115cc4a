"""Questions to the table of tenants, which is global, and to everything that a tenant has."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Table, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from muster.db.repository import TenantRepository
from muster.tenants.models import Tenant

_ROWS = 1000


class TenantsRepository:
    """Named questions to `tenants`."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def all(self, *, limit: int | None = None) -> Sequence[Tenant]:
        """The tenants by name."""
        query = select(Tenant).order_by(Tenant.name, Tenant.tenant_id).limit(limit)
        return (await self.session.scalars(query)).all()

    async def by_id(self, tenant_id: UUID) -> Tenant | None:
        """One tenant."""
        return await self.session.get(Tenant, tenant_id)

    def add(self, tenant: Tenant) -> None:
        """A new tenant, written when the transaction is."""
        self.session.add(tenant)

    async def remove(self, tenant: Tenant) -> None:
        """Delete a tenant; the database deletes what is left of its rows."""
        await self.session.delete(tenant)
        await self.session.flush()


class HoldingsRepository(TenantRepository):
    """The rows of one tenant in any table: what an export takes along and a deletion takes away."""

    async def rows(self, table: Table, columns: Sequence[str]) -> AsyncIterator[dict[str, Any]]:
        """All rows of the tenant in a table, by key."""
        query = (
            select(*(table.c[name] for name in columns))
            .where(table.c.tenant_id == self.scope.tenant_id)
            .order_by(*table.primary_key.columns)
            .execution_options(yield_per=_ROWS)
        )
        async for row in (await self.session.stream(query)).mappings():
            yield {str(name): value for name, value in row.items()}

    async def count(self, table: Table) -> int:
        """How many rows the tenant has in a table."""
        query = select(func.count()).select_from(table).where(table.c.tenant_id == self.scope.tenant_id)
        return int((await self.session.execute(query)).scalar_one())

    async def some_keys(self, table: Table, *, limit: int) -> list[dict[str, Any]]:
        """The keys, without tenant_id, of some rows of the tenant in a table."""
        key = [column for column in table.primary_key.columns if column.name != "tenant_id"]
        query = select(*(key or [table.c.tenant_id])).where(table.c.tenant_id == self.scope.tenant_id)
        rows = (await self.session.execute(query.limit(limit))).mappings()
        return [{str(column.name): row[column.name] for column in key} for row in rows]
