"""PostgreSQL itself keeps tenants apart: a question that forgets its tenant sees nothing."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession

from muster.db import Database
from muster.db.row_security import WrongTenant, bind, connection_of
from muster.db.types import tenant_tables
from muster.tenancy import TenantScope
from muster.tenants.service import TenantService
from tests.support.cli import Muster
from tests.support.postgres import PostgresServer
from tests.support.rows import tenant_with_everything

pytestmark = pytest.mark.postgres

TABLES = [table.name for table in tenant_tables()]


@pytest.fixture
async def two(postgres_database: Database) -> tuple[TenantScope, TenantScope]:
    """Two tenants, each with a row in every table."""
    return (
        await tenant_with_everything(postgres_database, "One"),
        await tenant_with_everything(postgres_database, "Two"),
    )


@pytest.fixture
async def stranger(
    postgres_server: PostgresServer, postgres_database: Database
) -> AsyncIterator[asyncpg.Connection]:
    """A connection of a role that owns nothing but may read and write everything."""
    name = str(postgres_database.url.database)
    admin = await asyncpg.connect(_plain(postgres_server.url(name, superuser=True)))
    role = f"{name}_reader"
    await admin.execute(f"CREATE ROLE \"{role}\" LOGIN PASSWORD 'x'")
    await admin.execute(f'GRANT ALL ON ALL TABLES IN SCHEMA public TO "{role}"')
    url = postgres_database.url.set(drivername="postgresql", username=role, password="x")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    yield connection
    await connection.close()
    await admin.execute(f'DROP OWNED BY "{role}"')
    await admin.execute(f'DROP ROLE "{role}"')
    await admin.close()


def _plain(url: str) -> str:
    return url.replace("+asyncpg", "")


async def _seen(session: AsyncSession) -> dict[str, set[object]]:
    """The tenants whose rows a question without a tenant finds, by table."""
    return {
        table: set((await session.execute(text(f'SELECT tenant_id FROM "{table}"'))).scalars())
        for table in TABLES
    }


def _everywhere(*scopes: TenantScope) -> dict[str, set[object]]:
    return {table: {scope.tenant_id for scope in scopes} for table in TABLES}


async def test_every_table_of_tenants_is_protected(postgres_database: Database) -> None:
    query = text(
        "SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, count(p.polname) FROM pg_class c"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'"
        " LEFT JOIN pg_policy p ON p.polrelid = c.oid"
        " WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace GROUP BY 1, 2, 3"
    )
    async with postgres_database.read() as session:
        found = {row[0]: tuple(row[1:]) for row in await session.execute(query)}
    # The table of tenants is where a scope comes from.
    del found["tenants"]
    assert found == dict.fromkeys(TABLES, (True, True, 1)), "see scripts/make_migration.py"


async def test_muster_s_own_role_is_held_to_it(
    postgres_database: Database, two: tuple[TenantScope, TenantScope]
) -> None:
    one, other = two
    async with postgres_database.read() as session:
        assert await _seen(session) == _everywhere()
    async with postgres_database.read(one) as session:
        assert await _seen(session) == _everywhere(one)
    async with postgres_database.read(system=True) as session:
        assert await _seen(session) == _everywhere(one, other)


async def test_a_role_without_a_tenant_sees_and_changes_nothing(
    stranger: asyncpg.Connection, two: tuple[TenantScope, TenantScope]
) -> None:
    for table in TABLES:
        assert await stranger.fetch(f'SELECT * FROM "{table}"') == [], table
        assert await stranger.execute(f'DELETE FROM "{table}"') == "DELETE 0", table
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await stranger.execute(
            "INSERT INTO event_sequences (tenant_id, last) VALUES ($1, 7)", two[0].tenant_id
        )


async def test_nothing_is_written_for_or_taken_from_another_tenant(
    postgres_database: Database, two: tuple[TenantScope, TenantScope]
) -> None:
    one, other = two
    async with postgres_database.write(one) as session:
        for table in TABLES:
            changed = await session.execute(text(f'UPDATE "{table}" SET tenant_id = tenant_id'))
            assert changed.rowcount == 1, table  # type: ignore[attr-defined]
    for statement in (
        "UPDATE events SET tenant_id = :other",
        "INSERT INTO event_sequences (tenant_id, last) VALUES (:other, 7)",
    ):
        with pytest.raises(ProgrammingError, match="row-level security"):
            await _run(postgres_database, one, statement, other=other.tenant_id)


async def _run(database: Database, scope: TenantScope, statement: str, **values: object) -> None:
    async with database.write(scope) as session:
        await session.execute(text(statement), values)


async def test_the_tenant_is_forgotten_with_the_transaction(
    postgres_url: str, two: tuple[TenantScope, TenantScope]
) -> None:
    database = Database(postgres_url, pool_size=1)
    async with database.read(two[0]) as session:
        assert (await _seen(session))["events"] == {two[0].tenant_id}
        await session.rollback()
        # The session is still this tenant's in its next transaction.
        assert (await _seen(session))["events"] == {two[0].tenant_id}
    async with database.read() as session:
        assert (await _seen(session))["events"] == set()
    await database.close()


async def test_a_transaction_that_never_began_leaves_no_tenant_behind(
    postgres_url: str, two: tuple[TenantScope, TenantScope]
) -> None:
    database = Database(postgres_url, pool_size=1)
    async with database.read(two[0]) as session:
        # It wants its tenant, and sends nothing.
        await connection_of(session, two[0])
    async with database.read() as session:
        assert (await _seen(session))["events"] == set()
    await database.close()


async def test_to_say_whose_transaction_it_is_costs_no_statement(
    postgres_database: Database, two: tuple[TenantScope, TenantScope]
) -> None:
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(postgres_database.reader.sync_engine, "before_cursor_execute", note)
    async with postgres_database.read(two[0]) as session:
        found = (await session.execute(text("SELECT tenant_id FROM events"))).scalars().all()
    assert found == [two[0].tenant_id]
    assert len(sent) == 1


async def test_a_savepoint_that_was_rolled_back_does_not_lose_the_tenant(
    postgres_database: Database, two: tuple[TenantScope, TenantScope]
) -> None:
    async with postgres_database.write() as session:
        savepoint = await session.begin_nested()
        bind(session, two[0].tenant_id)
        assert (await _seen(session))["events"] == {two[0].tenant_id}
        await savepoint.rollback()
        assert (await _seen(session))["events"] == {two[0].tenant_id}


async def test_a_session_serves_one_tenant(
    database: Database,
) -> None:
    async with database.write() as session:
        one = await TenantService(session).create("One")
        other = await TenantService(session).create("Two")
        bind(session, one.tenant_id)
        with pytest.raises(WrongTenant):
            bind(session, other.tenant_id)
    async with database.read(system=True) as session:
        bind(session, one.tenant_id)
        bind(session, other.tenant_id)


async def test_doctor_says_when_the_role_is_held_to_nothing(
    postgres_server: PostgresServer, postgres_database: Database, tmp_path: Path
) -> None:
    name = str(postgres_database.url.database)
    urls = {bypassed: postgres_server.url(name, superuser=bypassed) for bypassed in (False, True)}
    for bypassed, url in urls.items():
        muster = Muster({"MUSTER_DATA_DIR": str(tmp_path), "MUSTER_DATABASE_URL": url})
        codes = {finding["code"] for finding in muster("doctor", "--json").json["findings"]}
        assert ("row_security_bypassed" in codes) == bypassed


async def test_a_statement_that_hangs_is_ended(postgres_url: str) -> None:
    database = Database(postgres_url, statement_timeout=0.05)
    with pytest.raises(DBAPIError, match="statement timeout"):
        async with database.read() as session:
            await session.execute(text("SELECT pg_sleep(60)"))
    await database.close()
