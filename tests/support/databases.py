"""A migrated database for a test, on each of the two databases Muster runs on.

``database`` runs a test twice; ``sqlite_database`` and ``postgres_database`` once. Migrating is done once a
session: SQLite tests copy a file, PostgreSQL tests a template.
"""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from muster.bootstrap import metadata
from muster.db import Database, migrate
from tests.support.locks import locked
from tests.support.postgres import PostgresServer, run_apart
from tests.support.session import session_folder

KINDS = ("sqlite", pytest.param("postgres", marks=pytest.mark.postgres))


async def _migrate(url: str) -> None:
    database = Database(url)
    try:
        await migrate.upgrade(database, metadata())
    finally:
        await database.close()


def build(url: str) -> None:
    """Migrate the empty database at this URL."""
    run_apart(_migrate(url))


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a migrated SQLite file of this test's own."""
    template = session_folder() / "template.db"
    with locked(session_folder() / "template.db.lock"):
        if not template.exists():
            fresh = template.with_name("fresh.db")
            build(f"sqlite:///{fresh}")
            # Closing the last connection has folded the write-ahead log into the file.
            fresh.rename(template)
    path = tmp_path / "muster.db"
    shutil.copyfile(template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgres_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a migrated PostgreSQL database of this test's own."""
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.create_database(template=server.template("migrated", build))
    yield url
    server.drop_database(url)


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a migrated database of this test's own; the test runs once on each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A migrated database; the test runs once on each kind. Its address is ``database.url``."""
    opened = Database(database_url)
    yield opened
    await opened.close()


@pytest.fixture
async def sqlite_database(sqlite_url: str) -> AsyncIterator[Database]:
    """A migrated SQLite database."""
    opened = Database(sqlite_url)
    yield opened
    await opened.close()


@pytest.fixture
async def postgres_database(postgres_url: str) -> AsyncIterator[Database]:
    """A migrated PostgreSQL database."""
    opened = Database(postgres_url)
    yield opened
    await opened.close()
