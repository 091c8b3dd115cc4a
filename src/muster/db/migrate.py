"""Bringing a database to the schema of this version. One transaction: a killed upgrade leaves nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, MetaData
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from muster.db import row_security
from muster.db.session import Database
from muster.errors import NotConfigured

_FOLDER = Path(__file__).parent / "migrations"
# Any constant will do, as long as every version of Muster takes the same: processes that start at once queue.
_ADVISORY_LOCK = 0x4D75737465723031
_MOST_REPORTED = 5


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What an upgrade did: the revision before (None: an empty database) and after."""

    before: str | None
    after: str


def config() -> Config:
    """Alembic's configuration, without a file: it has to work from inside an installed package."""
    configuration = Config()
    # ConfigParser interpolates per cent signs.
    configuration.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    configuration.set_main_option("path_separator", "os")
    return configuration


def head() -> str:
    """The revision of this version of Muster."""
    revision = ScriptDirectory.from_config(config()).get_current_head()
    if revision is None:
        raise NotConfigured("Muster's migrations are missing.", remedy="Install Muster again.")
    return revision


async def current(database: Database) -> str | None:
    """The database's revision; None for an empty one; NotConfigured when it cannot be reached."""
    async with _reached(database), database.reader.connect() as connection:
        return await connection.run_sync(_revision)


async def is_current(database: Database) -> bool:
    """Whether the database has exactly the schema of this version."""
    return await current(database) == head()


def is_known(revision: str) -> bool:
    """Whether this version of Muster knows a revision; if not, a newer one made it."""
    try:
        return ScriptDirectory.from_config(config()).get_revision(revision) is not None
    except CommandError:
        return False


async def upgrade(database: Database, metadata: MetaData) -> Upgrade:
    """Bring the database to `head`. Safe when several processes do it at once; the others wait, then find
    nothing to do. NotConfigured when a newer Muster made the database.
    """
    async with _reached(database), database.writer.connect() as connection:
        if database.is_sqlite:
            # SQLite changes a table by making it anew; with foreign keys on, dropping the old one would
            # delete the rows that point to it. The pragma does nothing inside a transaction.
            await _pragma(connection, "foreign_keys = OFF")
        try:
            async with connection.begin():
                return await connection.run_sync(_upgrade, metadata)
        finally:
            if database.is_sqlite:
                await _pragma(connection, "foreign_keys = ON")


def _upgrade(connection: Connection, metadata: MetaData) -> Upgrade:
    if connection.dialect.name == "postgresql":
        # The limits on a statement and on waiting are for requests: an upgrade may take its time.
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
        row_security.set_tenant(connection, row_security.EVERY_TENANT)
    before, after = _revision(connection), head()
    if before is not None and not is_known(before):
        raise newer(before)
    if before != after:
        configuration = config()
        configuration.attributes.update(connection=connection, metadata=metadata)
        command.upgrade(configuration, "head")
        if connection.dialect.name == "sqlite":
            _check_foreign_keys(connection)
    return Upgrade(before, after)


def newer(revision: str) -> NotConfigured:
    """The error for a database that a newer Muster made."""
    return NotConfigured(
        f"The database was made by a newer Muster (schema {revision}).",
        remedy="Install that version, or use another database with MUSTER_DATABASE_URL.",
        code="database_newer",
    )


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _check_foreign_keys(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(_MOST_REPORTED)
    if broken:
        tables = ", ".join(sorted({str(row[0]) for row in broken}))
        raise NotConfigured(f"The upgrade would break references in {tables}; nothing was changed.")


async def _pragma(connection: AsyncConnection, text: str) -> None:
    # Through the driver: SQLAlchemy would begin a transaction first.
    raw = await connection.get_raw_connection()
    if raw.driver_connection is not None:
        await raw.driver_connection.execute(f"PRAGMA {text}")


@asynccontextmanager
async def _reached(database: Database) -> AsyncIterator[None]:
    try:
        yield
    except (SQLAlchemyError, OSError) as problem:
        cause = getattr(problem, "orig", None) or problem
        reason = str(cause).strip().splitlines()[:1]
        raise NotConfigured(
            f"The database {database.url.render_as_string()} cannot be used: "
            f"{reason[0] if reason else type(cause).__name__}",
            remedy="Check MUSTER_DATABASE_URL and that the database is running.",
            code="database_unreachable",
        ) from problem
