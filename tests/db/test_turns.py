"""Long work lets others go first: what a request writes does not wait for the whole of it."""

import asyncio

import pytest

from muster.clients.service import ClientService
from muster.db import Database
from muster.db.turns import pieces
from muster.tenancy import TenantScope
from muster.tenants.service import TenantService

PIECE = 200


@pytest.fixture
async def scope(sqlite_database: Database) -> TenantScope:
    async with sqlite_database.write() as session:
        return TenantScope((await TenantService(session).create("Acme IT")).tenant_id)


async def test_pieces_are_all_items_in_their_order(sqlite_database: Database) -> None:
    turn = sqlite_database.give_way
    for count in (0, 1, PIECE, PIECE + 1, 3 * PIECE):
        found = [list(some) async for some in pieces(range(count), turn)]
        assert [item for some in found for item in some] == list(range(count))
        assert all(0 < len(some) <= PIECE for some in found)


async def test_a_write_that_was_begun_ends_before_the_next_piece(
    sqlite_database: Database, scope: TenantScope
) -> None:
    done: list[str] = []
    note = done.append

    async def write() -> None:
        async with sqlite_database.write(scope) as session:
            await ClientService(session, scope).create("Northwind")
        note("write")

    other = asyncio.create_task(write())
    await asyncio.sleep(0)
    async for some in pieces(range(2 * PIECE), sqlite_database.give_way):
        note(f"piece {some[0]}")
    await other
    assert done == ["piece 0", "write", f"piece {PIECE}"]


async def test_who_holds_the_writer_himself_is_not_waited_for_for_ever(
    sqlite_database: Database, scope: TenantScope
) -> None:
    async with sqlite_database.write(scope) as session:
        await ClientService(session, scope).create("Northwind")
        async with asyncio.timeout(30):
            await sqlite_database.give_way()


async def test_a_write_that_fails_is_waited_for_no_longer(
    sqlite_database: Database, scope: TenantScope
) -> None:
    with pytest.raises(ZeroDivisionError):
        async with sqlite_database.write(scope):
            raise ZeroDivisionError
    done: list[str] = []
    turn = asyncio.create_task(sqlite_database.give_way())
    turn.add_done_callback(lambda _: done.append("turn"))
    # One turn of the loop, and not its patience.
    for _ in range(3):
        await asyncio.sleep(0)
    assert done == ["turn"]
    await turn
