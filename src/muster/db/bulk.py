"""The only Core DML. Every statement is bound to the scope's tenant here, not by its callers.

SQLite is written with executemany; PostgreSQL with one statement per call over `unnest`ed arrays, because
there each executemany row is a statement of its own to the server. Both get driver-level statements with
values converted column by column: SQLAlchemy's own way through each row costs more than the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import repeat
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from muster.db.row_security import bind, connection_of
from muster.tenancy import TenantScope

Row = Mapping[str, Any]
_POSTGRES = postgresql.dialect()  # type: ignore[no-untyped-call]
_Filtered = TypeVar("_Filtered", sa.Update, sa.Delete)


async def insert(session: AsyncSession, scope: TenantScope, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows (all with the same columns); a key that exists already is an IntegrityError."""
    await _insert(session, scope, table, rows, conflict="")


async def insert_new(session: AsyncSession, scope: TenantScope, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows; those that clash with any unique key, a partial one too, are passed over."""
    await _insert(session, scope, table, rows, conflict=" ON CONFLICT DO NOTHING")


async def upsert(
    session: AsyncSession,
    scope: TenantScope,
    table: Table,
    rows: Sequence[Row],
    *,
    key: Sequence[str],
    keep: Iterable[str] = (),
) -> None:
    """Insert rows or, where `key` (tenant_id is added) exists, overwrite all but the `keep` columns."""
    if not rows:
        return
    kept = {*key, *keep, "tenant_id"}
    changed = [name for name in rows[0] if name not in kept]
    target = ", ".join(("tenant_id", *key))
    action = (
        "UPDATE SET " + ", ".join(f'"{name}" = excluded."{name}"' for name in changed)
        if changed
        else "NOTHING"
    )
    await _insert(session, scope, table, rows, conflict=f" ON CONFLICT ({target}) DO {action}")


async def update(
    session: AsyncSession, scope: TenantScope, table: Table, rows: Sequence[Row], *, key: Sequence[str]
) -> None:
    """Set the other columns of the rows found by `key`; rows that do not exist are passed over."""
    if not rows:
        return
    changed = [name for name in rows[0] if name not in key]
    connection = await connection_of(session, scope)
    if connection.dialect.name == "postgresql":
        columns = [*key, *changed]
        assignments = ", ".join(f'"{name}" = {_from_unnest(table, name)}' for name in changed)
        statement = (
            f'UPDATE "{table.name}" AS t SET {assignments} FROM {_unnest(table, columns)} '  # noqa: S608 - names are the table's own
            f"WHERE {_unnest_matches(key)}"
        )
        arrays = _bound(connection, table, columns, rows)
        await connection.exec_driver_sql(statement, (scope.tenant_id, *arrays))
        return
    assignments = ", ".join(f'"{name}" = ?' for name in changed)
    statement = f'UPDATE "{table.name}" SET {assignments} WHERE {_matches(key)} AND tenant_id = ?'  # noqa: S608
    values = _bound(connection, table, [*changed, *key], rows)
    await connection.exec_driver_sql(statement, _tuples(scope, values))


async def delete(
    session: AsyncSession, scope: TenantScope, table: Table, rows: Sequence[Row], *, key: Sequence[str]
) -> None:
    """Delete the rows found by `key`; rows that do not exist are passed over."""
    if not rows:
        return
    connection = await connection_of(session, scope)
    if connection.dialect.name == "postgresql":
        source = _unnest(table, key)
        statement = f'DELETE FROM "{table.name}" AS t USING {source} WHERE {_unnest_matches(key)}'  # noqa: S608
        arrays = _bound(connection, table, key, rows)
        await connection.exec_driver_sql(statement, (scope.tenant_id, *arrays))
        return
    statement = f'DELETE FROM "{table.name}" WHERE {_matches(key)} AND tenant_id = ?'  # noqa: S608
    values = _bound(connection, table, key, rows)
    await connection.exec_driver_sql(statement, _tuples(scope, values))


async def update_where(
    session: AsyncSession, scope: TenantScope, table: Table, values: Row, *, where: Row
) -> int:
    """Set `values` where all of `where` holds (None: IS NULL) and give the number of rows changed.

    That number is how work is claimed: one row means it is ours.
    """
    bind(session, scope.tenant_id)
    statement = _where(sa.update(table), scope, table, where).values(**values)
    return _rowcount(await session.execute(statement))


async def delete_where(session: AsyncSession, scope: TenantScope, table: Table, *, where: Row) -> int:
    """Delete the tenant's rows where all of `where` holds and give their number."""
    bind(session, scope.tenant_id)
    return _rowcount(await session.execute(_where(sa.delete(table), scope, table, where)))


async def learn(session: AsyncSession, table: Table) -> None:
    """Have PostgreSQL gather statistics of a table that it never looked at; elsewhere nothing.

    Call it after the first rows. A planner without statistics takes any index that begins with `tenant_id`
    for as good as the primary key, and sessions keep that plan for their foreign key checks: each check then
    reads all rows of the tenant, until autovacuum comes by. A first sync is long over by then.
    """
    connection = await session.connection()
    if connection.dialect.name != "postgresql":
        return
    rows = await connection.exec_driver_sql(
        "SELECT reltuples FROM pg_class WHERE oid = $1::text::regclass", (table.name,)
    )
    if rows.scalar_one() < 0:
        await connection.exec_driver_sql(f'ANALYZE "{table.name}"')


def _where(statement: _Filtered, scope: TenantScope, table: Table, where: Row) -> _Filtered:
    conditions = [table.c[name].is_(None) if v is None else table.c[name] == v for name, v in where.items()]
    return statement.where(table.c.tenant_id == scope.tenant_id, *conditions)


def _rowcount(result: sa.Result[Any]) -> int:
    return result.rowcount if isinstance(result, sa.CursorResult) else 0


# --- how a row reaches each database -----------------------------------------------------------------------


async def _insert(
    session: AsyncSession, scope: TenantScope, table: Table, rows: Sequence[Row], *, conflict: str
) -> None:
    if not rows:
        return
    columns = list(rows[0])
    names = ", ".join(f'"{name}"' for name in (*columns, "tenant_id"))
    connection = await connection_of(session, scope)
    bound = _bound(connection, table, columns, rows)
    if connection.dialect.name == "postgresql":
        values = ", ".join([*(_from_unnest(table, name) for name in columns), "$1::uuid"])
        source = _unnest(table, columns)
        statement = f'INSERT INTO "{table.name}" ({names}) SELECT {values} FROM {source}{conflict}'  # noqa: S608
        await connection.exec_driver_sql(statement, (scope.tenant_id, *bound))
        return
    values = ", ".join("?" * (len(columns) + 1))
    statement = f'INSERT INTO "{table.name}" ({names}) VALUES ({values}){conflict}'  # noqa: S608
    await connection.exec_driver_sql(statement, _tuples(scope, bound))


def _tuples(scope: TenantScope, values: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Columns to rows, as SQLite takes them; the tenant comes last."""
    return list(zip(*values, repeat(scope.tenant_id.hex)))


def _bound(
    connection: AsyncConnection, table: Table, columns: Sequence[str], rows: Sequence[Row]
) -> list[list[Any]]:
    """Values column by column, each as SQLAlchemy itself would bind it on this database."""
    dialect = connection.dialect
    return [
        _converted([row[name] for row in rows], kind.dialect_impl(dialect).bind_processor(dialect))
        for name, kind in ((name, table.c[name].type) for name in columns)
    ]


def _converted(values: list[Any], convert: Callable[[Any], Any] | None) -> list[Any]:
    if convert is None:
        return values
    first = values[0]
    if all(value is first for value in values):
        # The run, the integration, the moment of writing: one value for all rows.
        return [None if first is None else convert(first)] * len(values)
    return [None if value is None else convert(value) for value in values]


def _matches(key: Sequence[str]) -> str:
    return " AND ".join(f'"{name}" = ?' for name in key)


def _unnest_matches(key: Sequence[str]) -> str:
    return " AND ".join(["t.tenant_id = $1::uuid", *(f't."{name}" = u."{name}"' for name in key)])


def _unnest(table: Table, columns: Sequence[str]) -> str:
    arrays = ", ".join(f"${n}::{_wire_type(table, name)}[]" for n, name in enumerate(columns, start=2))
    names = ", ".join(f'"{name}"' for name in columns)
    return f"unnest({arrays}) AS u({names})"


def _from_unnest(table: Table, name: str) -> str:
    return f'u."{name}"::jsonb' if isinstance(table.c[name].type, sa.JSON) else f'u."{name}"'


@lru_cache(maxsize=512)
def _wire_type(table: Table, name: str) -> str:
    column_type = table.c[name].type
    # JSON travels as text, and text without the collation that its column has.
    is_text = isinstance(column_type, sa.JSON | sa.String)
    return "text" if is_text else column_type.compile(dialect=_POSTGRES)
