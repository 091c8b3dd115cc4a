"""Which columns hold sealed values, and how they are sealed again under a new key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncSession

from muster.db import bulk
from muster.encryption import SecretBox
from muster.tenancy import TenantScope


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column of a tenant's table that a SecretBox sealed. `key`: the primary key without tenant_id;
    `name`: the name that a row's value was sealed under, from its key.
    """

    table: Table
    column: str
    key: tuple[str, ...]
    name: Callable[[Mapping[str, Any]], str]


async def reseal(session: AsyncSession, columns: Sequence[SealedColumn], box: SecretBox) -> int:
    """Seal every value that is not under the box's first key again, all tenants; gives their number.

    CannotOpen when a value's key is not in the box; the caller's transaction is then rolled back whole.
    """
    count = 0
    for column in columns:
        stale: dict[UUID, list[dict[str, Any]]] = {}
        async for row in rows(session, column):
            if not box.is_current(row[column.column]):
                stale.setdefault(row["tenant_id"], []).append(row)
        for tenant_id, old in stale.items():
            changed = [
                {
                    **{name: row[name] for name in column.key},
                    column.column: box.seal(
                        tenant_id,
                        column.name(row),
                        box.open(tenant_id, column.name(row), row[column.column]),
                    ),
                }
                for row in old
            ]
            await bulk.update(session, TenantScope(tenant_id), column.table, changed, key=column.key)
            count += len(changed)
    return count


async def rows(session: AsyncSession, column: SealedColumn) -> AsyncIterator[dict[str, Any]]:
    """Each sealed value of a column with its key, all tenants."""
    names = ("tenant_id", *column.key, column.column)
    wanted = sa.select(*(column.table.c[name] for name in names))
    result = await session.stream(wanted.where(column.table.c[column.column].is_not(None)))
    async for row in result:
        yield dict(zip(names, row, strict=True))
