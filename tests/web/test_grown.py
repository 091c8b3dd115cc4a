"""The set-up with two workers as docs/operations/running.md has it, word for word, by a role that may do
nothing else.
"""

import re
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from muster.db import Database, migrate
from muster.jobs.durable import SCHEMA
from muster.simulator import FleetSpec, SimulatorServer
from tests.architecture.tree import PROJECT
from tests.support.cli import Muster
from tests.support.postgres import PostgresServer
from tests.support.serving import Serving
from tests.support.workers import Works

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

PAGE = PROJECT / "docs" / "operations" / "running.md"
POOL = 3
# What DBOS holds beside the pool, in a process that carries out jobs.
DBOS_POOL = 4


def statements(name: str, password: str) -> list[str]:
    """How the page makes the role and the database, with these names."""
    (block,) = re.findall(r"```\n(CREATE ROLE.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [
        line.replace("'...'", f"'{password}'").replace("muster", f'"{name}"')
        for line in block.strip().splitlines()
    ]


@pytest.fixture
async def superuser(postgres_server: PostgresServer) -> AsyncIterator[Any]:
    url = postgres_server.url("postgres", superuser=True).replace("+asyncpg", "")
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


@pytest.fixture
async def grown(postgres_server: PostgresServer, superuser: Any) -> AsyncIterator[str]:
    """The address of an empty database, made as the page says."""
    name = f"{postgres_server.prefix}grown_{uuid.uuid4().hex[:8]}"
    for statement in statements(name, "secret"):
        await superuser.execute(statement)
    yield f"postgresql://{name}:secret@{postgres_server.host}:{postgres_server.port}/{name}"
    await superuser.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await superuser.execute(f'DROP ROLE "{name}"')


async def test_two_workers_and_a_web_process_by_a_plain_role(
    grown: str, superuser: Any, tmp_path: Path, muster: Muster
) -> None:
    migrated = muster.done("migrate", settings={"MUSTER_DATABASE_URL": grown})
    assert migrated == {"before": None, "after": migrate.head()}
    database = Database(grown)
    works = await Works.open(database, tmp_path / "data")
    settings = {**works.settings_of_workers(), "MUSTER_DATABASE_POOL_SIZE": str(POOL)}
    name = database.url.database
    with (
        SimulatorServer(FleetSpec(agents=10, seed=7), frozen=True) as server,
        Serving(settings, "--no-worker") as serving,
    ):
        integrations = [await works.connect(server, f"Server {number}") for number in range(4)]
        for integration_id in integrations:
            await works.map_all(integration_id)
        async with (
            works.worker(MUSTER_DATABASE_POOL_SIZE=str(POOL)) as one,
            works.worker(MUSTER_DATABASE_POOL_SIZE=str(POOL)) as two,
        ):
            assert serving.metric("muster_workers") == 2
            for integration_id in integrations:
                await works.request(integration_id)
            jobs = await works.all_ended()
            held = await superuser.fetchval("SELECT count(*) FROM pg_stat_activity WHERE datname = $1", name)
            found = muster("doctor", "--json", settings=settings).json["findings"]
            assert {finding["code"] for finding in found} <= {"data_dir_absent"}
            assert await one.stop() == await two.stop() == 0
    ours = database.reader.pool.size()  # type: ignore[attr-defined]
    await database.close()
    assert {job.state for job in jobs} == {"succeeded"}
    assert held <= 3 * POOL + 2 * DBOS_POOL + ours

    role = await superuser.fetchrow("SELECT * FROM pg_roles WHERE rolname = $1", name)
    assert not any(role[f"rol{may}"] for may in ("super", "bypassrls", "createdb", "createrole"))
    inside = await asyncpg.connect(grown)
    owners = await inside.fetch(
        "SELECT schemaname, tableowner FROM pg_tables WHERE schemaname IN ('public', $1)", SCHEMA
    )
    await inside.close()
    assert {row["schemaname"] for row in owners} == {"public", SCHEMA}
    assert {row["tableowner"] for row in owners} == {name}
