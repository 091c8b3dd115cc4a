"""The only Core DML: it writes one tenant's rows, the same on both databases."""

from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.clients.models import Client
from muster.db import Database, bulk
from muster.db.types import new_id, table_of
from muster.tenancy import TenantScope
from muster.tenants.service import TenantService

CLIENTS = table_of(Client)


async def new_scope(database: Database, name: str) -> TenantScope:
    async with database.write() as session:
        return TenantScope((await TenantService(session).create(name)).tenant_id)


def row(name: str, **values: Any) -> dict[str, Any]:
    return {
        "client_id": new_id(),
        "name": name,
        "name_key": name.lower(),
        "created_at": clock.now(),
        **values,
    }


async def names(database: Database, scope: TenantScope) -> list[str]:
    async with database.read(scope) as session:
        found = await session.scalars(
            select(CLIENTS.c.name).where(CLIENTS.c.tenant_id == scope.tenant_id).order_by(CLIENTS.c.name)
        )
        return list(found)


async def test_rows_are_written_overwritten_and_deleted_by_key(database: Database) -> None:
    scope = await new_scope(database, "One")
    first, second = row("Älpha \"quoted\" 'and' \\ more"), row("Beta")
    async with database.write() as session:
        await bulk.insert(session, scope, CLIENTS, [first, second])
    async with database.write() as session:
        rows = [{**first, "name": "Alpha"}, row("Gamma")]
        await bulk.upsert(session, scope, CLIENTS, rows, key=("client_id",), keep=("created_at",))
        changed = [
            {"client_id": second["client_id"], "name": "Beta 2"},
            {"client_id": new_id(), "name": "None"},
        ]
        await bulk.update(session, scope, CLIENTS, changed, key=("client_id",))
    assert await names(database, scope) == ["Alpha", "Beta 2", "Gamma"]
    async with database.write() as session:
        await bulk.delete(session, scope, CLIENTS, [{"client_id": first["client_id"]}], key=("client_id",))
        assert await bulk.delete_where(session, scope, CLIENTS, where={"name": "Gamma"}) == 1
        assert await bulk.delete_where(session, scope, CLIENTS, where={"name": "Gamma"}) == 0
    assert await names(database, scope) == ["Beta 2"]


async def test_nothing_to_write_is_no_statement(database: Database) -> None:
    scope = await new_scope(database, "One")
    async with database.write() as session:
        for write in (bulk.upsert, bulk.update, bulk.delete):
            await write(session, scope, CLIENTS, [], key=("client_id",))
        await bulk.insert(session, scope, CLIENTS, [])
    assert await names(database, scope) == []


async def test_no_write_reaches_another_tenant(database: Database) -> None:
    mine, other = await new_scope(database, "Mine"), await new_scope(database, "Other")
    theirs = row("Theirs")
    async with database.write() as session:
        await bulk.insert(session, other, CLIENTS, [theirs])

    async def attack(session: AsyncSession) -> None:
        change = {"client_id": theirs["client_id"], "name": "Taken"}
        await bulk.update(session, mine, CLIENTS, [change], key=("client_id",))
        assert await bulk.update_where(session, mine, CLIENTS, {"name": "Taken"}, where={}) == 0
        await bulk.delete(session, mine, CLIENTS, [change], key=("client_id",))
        assert await bulk.delete_where(session, mine, CLIENTS, where={}) == 0
        # The same key in another tenant is another row.
        await bulk.upsert(session, mine, CLIENTS, [{**theirs, "name": "Mine"}], key=("client_id",))

    async with database.write() as session:
        await attack(session)
    assert await names(database, other) == ["Theirs"]
    assert await names(database, mine) == ["Mine"]


async def test_conditional_updates_say_how_many_rows_they_claimed(database: Database) -> None:
    scope = await new_scope(database, "One")
    async with database.write() as session:
        await bulk.insert(session, scope, CLIENTS, [row("A"), row("B")])
        assert await bulk.update_where(session, scope, CLIENTS, {"name": "C"}, where={"name": "A"}) == 1
        assert await bulk.update_where(session, scope, CLIENTS, {"name": "D"}, where={"name": "A"}) == 0


async def test_postgresql_knows_its_tables_after_the_first_rows(postgres_database: Database) -> None:
    scope = await new_scope(postgres_database, "One")
    async with postgres_database.write() as session:
        await bulk.insert(session, scope, CLIENTS, [row("A"), row("B")])
        await bulk.learn(session, CLIENTS)
    async with postgres_database.read() as session:
        known = await session.scalar(text("SELECT reltuples FROM pg_class WHERE relname = 'clients'"))
    assert known == 2
