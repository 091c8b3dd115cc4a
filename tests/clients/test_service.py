"""Clients: made, listed and found, each tenant for itself."""

from uuid import UUID, uuid4

import pytest

from muster.clients.service import ClientService
from muster.db import Database
from muster.errors import Conflict, InvalidInput, NotFound
from muster.tenancy import TenantScope
from muster.tenants.service import TenantService


@pytest.fixture
async def scope(database: Database) -> TenantScope:
    return await _tenant(database, "Owner")


@pytest.fixture
async def stranger(database: Database) -> TenantScope:
    return await _tenant(database, "Stranger")


async def _tenant(database: Database, name: str) -> TenantScope:
    async with database.write() as session:
        return TenantScope((await TenantService(session).create(name)).tenant_id)


async def _create(database: Database, scope: TenantScope, *names: str) -> list[UUID]:
    async with database.write() as session:
        return [(await ClientService(session, scope).create(name)).client_id for name in names]


async def test_a_client_is_found_by_name_in_any_case_and_by_id(
    database: Database, scope: TenantScope
) -> None:
    (client_id,) = await _create(database, scope, " Müller   & Söhne ")
    async with database.read() as session:
        clients = ClientService(session, scope)
        for reference in (client_id, str(client_id), "MÜLLER & SÖHNE", "müller  & söhne"):
            assert (await clients.get(reference)).name == "Müller & Söhne"
        for unknown in (uuid4(), str(uuid4()), "Muller", ""):
            with pytest.raises(NotFound):
                await clients.get(unknown)


async def test_a_client_called_like_an_id_is_found(database: Database, scope: TenantScope) -> None:
    name = str(uuid4())
    (client_id,) = await _create(database, scope, name)
    async with database.read() as session:
        assert (await ClientService(session, scope).get(name)).client_id == client_id


async def test_a_name_is_taken_once(database: Database, scope: TenantScope, stranger: TenantScope) -> None:
    await _create(database, scope, "Contoso")
    for again in ("contoso", "ＣＯＮＴＯＳＯ", " Contoso "):
        with pytest.raises(Conflict):
            await _create(database, scope, again)
    # Another tenant may have a client of the same name.
    await _create(database, stranger, "Contoso")


@pytest.mark.parametrize("bad", ["", "x" * 201, "a\nb", "\x1b[2J"])
async def test_an_unusable_name_changes_nothing(database: Database, scope: TenantScope, bad: str) -> None:
    with pytest.raises(InvalidInput):
        await _create(database, scope, "Fine", bad)
    async with database.read() as session:
        assert await ClientService(session, scope).list() == []


async def test_a_conflict_leaves_the_transaction_usable(database: Database, scope: TenantScope) -> None:
    await _create(database, scope, "Contoso")
    async with database.write() as session:
        clients = ClientService(session, scope)
        with pytest.raises(Conflict):
            await clients.create("Contoso")
        await clients.create("Fabrikam")
    async with database.read() as session:
        assert [c.name for c in await ClientService(session, scope).list()] == ["Contoso", "Fabrikam"]


async def test_get_or_create_makes_it_once(database: Database, scope: TenantScope) -> None:
    async with database.write() as session:
        clients = ClientService(session, scope)
        first = await clients.get_or_create("Contoso")
        assert (await clients.get_or_create("CONTOSO")).client_id == first.client_id
        assert len(await clients.list()) == 1


async def test_lists_are_sorted_bounded_and_searched(database: Database, scope: TenantScope) -> None:
    await _create(database, scope, "beta", "Alpha", "100%", "a_b", "Gamma")
    async with database.read() as session:
        clients = ClientService(session, scope)
        assert [c.name for c in await clients.list()] == ["100%", "a_b", "Alpha", "beta", "Gamma"]
        assert [c.name for c in await clients.list(limit=2)] == ["100%", "a_b"]
        assert [c.name for c in await clients.list(search="AMM")] == ["Gamma"]
        # What stands for anything in SQL stands for itself here.
        assert [c.name for c in await clients.list(search="%")] == ["100%"]
        assert [c.name for c in await clients.list(search="_")] == ["a_b"]


async def test_names_of_many_ids(database: Database, scope: TenantScope, stranger: TenantScope) -> None:
    mine = await _create(database, scope, "One", "Two")
    (theirs,) = await _create(database, stranger, "Three")
    async with database.read() as session:
        wanted = [*mine, theirs, *(uuid4() for _ in range(1200))]
        names = await ClientService(session, scope).names(wanted)
        assert names == dict(zip(mine, ["One", "Two"], strict=True))
        assert await ClientService(session, scope).names([]) == {}


async def test_another_tenants_client_is_not_there(
    database: Database, scope: TenantScope, stranger: TenantScope
) -> None:
    (client_id,) = await _create(database, scope, "Contoso")
    async with database.read() as session:
        clients = ClientService(session, stranger)
        assert await clients.list() == []
        for reference in (client_id, str(client_id), "Contoso"):
            with pytest.raises(NotFound):
                await clients.get(reference)
