"""The tests' own PostgreSQL: one server, separate databases, templates built once."""

import asyncpg
import pytest

from tests.support.postgres import PostgresServer, external_server, run_apart

pytestmark = pytest.mark.postgres


async def _run(url: str, statement: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return [tuple(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()


async def test_databases_are_separate_and_can_be_dropped(postgres_server: PostgresServer) -> None:
    first = postgres_server.create_database()
    second = postgres_server.create_database()
    await _run(first, "CREATE TABLE assets (id int)")
    with pytest.raises(asyncpg.UndefinedTableError):
        await _run(second, "SELECT * FROM assets")
    postgres_server.drop_database(first)
    postgres_server.drop_database(first)
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await _run(first, "SELECT 1")
    postgres_server.drop_database(second)


def test_what_muster_works_with_is_no_superuser(postgres_server: PostgresServer) -> None:
    url = postgres_server.create_database()
    roles = "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
    assert run_apart(_run(url, roles)) == [(False, False)]
    postgres_server.drop_database(url)


def test_a_template_is_built_once_and_copied(postgres_server: PostgresServer) -> None:
    built: list[str] = []

    def build(url: str) -> None:
        built.append(url)
        run_apart(_run(url, "CREATE TABLE assets AS SELECT 7 AS id"))

    name = postgres_server.template("built_once", build)
    assert postgres_server.template("built_once", build) == name
    assert len(built) <= 1
    copy = postgres_server.create_database(template=name)
    assert run_apart(_run(copy, "SELECT id FROM assets")) == [(7,)]
    postgres_server.drop_database(copy)


def test_a_build_that_failed_is_tried_again(postgres_server: PostgresServer) -> None:
    def broken(url: str) -> None:
        raise RuntimeError(url)

    with pytest.raises(RuntimeError):
        postgres_server.template("broken_first", broken)
    assert postgres_server.template("broken_first", lambda _url: None).endswith("broken_first")


def test_server_is_bound_to_the_loopback_and_wants_a_password(postgres_server: PostgresServer) -> None:
    url = postgres_server.url("postgres", superuser=True)
    assert run_apart(_run(url, "SHOW listen_addresses")) == [("127.0.0.1",)]
    with pytest.raises(asyncpg.InvalidPasswordError):
        run_apart(_run(url.replace(postgres_server.password, "wrong"), "SELECT 1"))


@pytest.mark.parametrize("name", ["", "x" * 64, 'a"; DROP DATABASE postgres; --'])
def test_odd_names_are_refused(postgres_server: PostgresServer, name: str) -> None:
    with pytest.raises(ValueError, match="database name"):
        postgres_server.template(name or "ä", lambda _url: None)


def test_a_named_server_keeps_sessions_apart(postgres_server: PostgresServer) -> None:
    url = postgres_server.url("postgres", superuser=True)
    named = external_server(url, postgres_server.folder)
    assert (named.port, named.password) == (postgres_server.port, postgres_server.password)
    name = named.create_database("leftover").rsplit("/", 1)[-1]
    database = named.url(name, superuser=True)
    assert run_apart(_run(database, "SELECT 1")) == [(1,)]
    named.drop_everything()
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        run_apart(_run(database, "SELECT 1"))
    assert run_apart(_run(url, "SELECT 1")) == [(1,)]
