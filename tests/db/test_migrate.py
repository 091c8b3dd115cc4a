"""Migrations make the schema that the models describe, on both databases, however they are started."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from muster.bootstrap import metadata
from muster.db import Database, migrate
from muster.errors import NotConfigured
from tests.support.postgres import PostgresServer

GLOBAL_TABLES = {"tenants", "workers", "setup_tokens", "alembic_version"}


def _differences(connection: Connection) -> list[Any]:
    options = {"compare_type": True, "compare_server_default": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata()))


async def test_the_migrations_make_what_the_models_say(database: Database) -> None:
    async with database.reader.connect() as connection:
        differences = await connection.run_sync(_differences)
    assert differences == [], "run: python -m scripts.make_migration 'what changed'"


async def test_a_migrated_database_is_current(database: Database) -> None:
    assert await migrate.current(database) == migrate.head()
    assert await migrate.is_current(database)
    done = await migrate.upgrade(database, metadata())
    assert (done.before, done.after) == (migrate.head(), migrate.head())


async def test_foreign_keys_are_checked_again_after_an_upgrade(sqlite_database: Database) -> None:
    await migrate.upgrade(sqlite_database, metadata())
    async with sqlite_database.write() as session:
        assert (await session.execute(text("PRAGMA foreign_keys"))).scalar_one() == 1


async def test_an_empty_database_has_no_revision(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    assert await migrate.current(database) is None
    assert not await migrate.is_current(database)
    await database.close()


async def test_a_newer_database_is_refused(database: Database) -> None:
    async with database.write() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NotConfigured, match="newer Muster"):
        await migrate.upgrade(database, metadata())
    assert await migrate.current(database) == "9999"


async def test_a_database_out_of_reach_is_said_without_its_password() -> None:
    database = Database("postgresql://user:topsecret@127.0.0.1:1/nothing")
    with pytest.raises(NotConfigured) as caught:
        await migrate.current(database)
    await database.close()
    assert "topsecret" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


async def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    path = tmp_path / "muster.db"
    path.write_bytes(b"this is no database" * 100)
    database = Database(f"sqlite:///{path}")
    with pytest.raises(NotConfigured, match="not a database"):
        await migrate.current(database)
    await database.close()


def _migrate_in_processes(url: str, tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "MUSTER_DATA_DIR": str(tmp_path / "data"),
        "MUSTER_DATABASE_URL": url,
    }

    def start(_: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "muster", "migrate"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    with ThreadPoolExecutor(4) as pool:
        for ended in pool.map(start, range(4)):
            assert ended.returncode == 0, ended.stderr


def test_processes_may_migrate_sqlite_at_once(tmp_path: Path) -> None:
    _migrate_in_processes(f"sqlite:///{tmp_path / 'muster.db'}", tmp_path)
    with sqlite3.connect(tmp_path / "muster.db") as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(migrate.head(),)]
    connection.close()


@pytest.mark.postgres
def test_processes_may_migrate_postgresql_at_once(postgres_server: PostgresServer, tmp_path: Path) -> None:
    url = postgres_server.create_database()
    _migrate_in_processes(url, tmp_path)

    async def revision() -> str | None:
        database = Database(url)
        try:
            return await migrate.current(database)
        finally:
            await database.close()

    assert asyncio.run(revision()) == migrate.head()
    postgres_server.drop_database(url)


async def test_a_failed_upgrade_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "muster.db"
    with sqlite3.connect(path) as connection:
        # In the way of a table that comes late in the migration.
        connection.execute("CREATE TABLE workstation_assets (x)")
    connection.close()
    database = Database(f"sqlite:///{path}")
    with pytest.raises(NotConfigured, match="already exists"):
        await migrate.upgrade(database, metadata())
    async with database.reader.connect() as session:
        tables = await session.run_sync(lambda c: inspect(c).get_table_names())
    await database.close()
    assert tables == ["workstation_assets"]


# --- the rules for distributing tables --------------------------------------------------------------------

_KEYS = """
SELECT table_class.relname AS "table",
       key_class.relname AS key,
       index_row.indisprimary AS is_primary,
       (SELECT array_agg(attribute.attname ORDER BY place.position)
          FROM unnest(index_row.indkey::int[]) WITH ORDINALITY AS place(number, position)
          JOIN pg_attribute attribute
            ON attribute.attrelid = index_row.indrelid AND attribute.attnum = place.number) AS columns
  FROM pg_index index_row
  JOIN pg_class table_class ON table_class.oid = index_row.indrelid
  JOIN pg_class key_class ON key_class.oid = index_row.indexrelid
  JOIN pg_namespace namespace ON namespace.oid = table_class.relnamespace
 WHERE namespace.nspname = 'public' AND (index_row.indisunique OR index_row.indisprimary)
"""
_FOREIGN_KEYS = """
SELECT source.relname AS "table",
       conname AS key,
       target.relname AS target,
       (SELECT array_agg(attribute.attname ORDER BY place.position)
          FROM unnest(conkey) WITH ORDINALITY AS place(number, position)
          JOIN pg_attribute attribute
            ON attribute.attrelid = conrelid AND attribute.attnum = place.number) AS columns,
       (SELECT array_agg(attribute.attname ORDER BY place.position)
          FROM unnest(confkey) WITH ORDINALITY AS place(number, position)
          JOIN pg_attribute attribute
            ON attribute.attrelid = confrelid AND attribute.attnum = place.number) AS target_columns,
       confdeltype AS on_delete
  FROM pg_constraint
  JOIN pg_class source ON source.oid = conrelid
  JOIN pg_class target ON target.oid = confrelid
 WHERE contype = 'f' AND source.relnamespace = 'public'::regnamespace
"""


@pytest.mark.postgres
async def test_every_key_can_be_distributed_by_tenant(postgres_database: Database) -> None:
    async with postgres_database.read() as session:
        keys = (await session.execute(text(_KEYS))).mappings().all()
        foreign_keys = (await session.execute(text(_FOREIGN_KEYS))).mappings().all()
    of_tenants = [key for key in keys if key["table"] not in GLOBAL_TABLES]
    assert {key["table"] for key in of_tenants if key["is_primary"]} == set(metadata().tables) - GLOBAL_TABLES
    assert [key["key"] for key in of_tenants if "tenant_id" not in key["columns"]] == []
    assert [key["key"] for key in of_tenants if key["is_primary"] and key["columns"][0] != "tenant_id"] == []
    assert foreign_keys
    for key in foreign_keys:
        # Both sides at the same place: rows that point to each other live on the same node.
        assert key["columns"][0] == key["target_columns"][0] == "tenant_id", key["key"]
        # 'n' and 'd' would set tenant_id to null or its default.
        assert key["on_delete"] not in (b"n", b"d", "n", "d"), key["key"]


@pytest.mark.postgres
async def test_every_table_belongs_to_a_tenant_or_is_listed(postgres_database: Database) -> None:
    async with postgres_database.reader.connect() as connection:
        tables = await connection.run_sync(
            lambda c: {
                table: inspect(c).get_columns(table)[0]["name"] for table in inspect(c).get_table_names()
            }
        )
    assert {table for table, first in tables.items() if first != "tenant_id"} == {
        "alembic_version",
        "setup_tokens",
        "workers",
    }
