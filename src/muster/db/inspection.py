"""Questions about the database itself and about values that no room can read."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text

from muster import clock
from muster.db.sealed import SealedColumn, rows
from muster.db.session import Database
from muster.encryption import SecretBox


async def server_version(database: Database) -> str:
    """PostgreSQL's version, such as "15.14"."""
    async with database.read() as session:
        return str((await session.execute(text("SHOW server_version"))).scalar_one()).split()[0]


async def passes_row_security(database: Database) -> bool:
    """Whether the role Muster works with is not held to PostgreSQL's row-level security."""
    question = text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
    async with database.read() as session:
        return bool((await session.execute(question)).scalar_one())


async def journal_mode(database: Database) -> str:
    """How SQLite keeps its transactions; "wal" unless the file system cannot share memory."""
    async with database.read() as session:
        return str((await session.execute(text("PRAGMA journal_mode"))).scalar_one())


async def clock_difference(database: Database) -> float:
    """By how many seconds PostgreSQL's clock is ahead of this machine's."""
    async with database.read() as session:
        theirs = (await session.execute(text("SELECT clock_timestamp()"))).scalar_one()
    return float((theirs - clock.now()).total_seconds())


async def count_unopenable(
    database: Database, columns: Sequence[SealedColumn], secrets: SecretBox | None
) -> int:
    """How many sealed values name a key that is not in the box (all of them when there is no box)."""
    count = 0
    async with database.read(system=True) as session:
        for column in columns:
            async for row in rows(session, column):
                count += secrets is None or not secrets.knows(row[column.column])
    return count
