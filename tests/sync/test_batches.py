"""Batches of a running sync leave room for what others write."""

import asyncio

import pytest
from sqlalchemy import event

from muster.clients.service import ClientService
from muster.db import Database
from muster.simulator import FleetSpec, SimulatorServer
from muster.sync import batches
from tests.support.world import World


async def test_a_small_write_gets_its_turn_before_the_next_batch(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "_BATCH_WEIGHT", 8)
    monkeypatch.setattr(batches, "_NEW_WEIGHT", 1)
    world = await World.make(sqlite_database)
    order: list[str] = []
    writes: list[asyncio.Task[None]] = []

    async def write(number: int) -> None:
        async with sqlite_database.write(world.scope) as session:
            await ClientService(session, world.scope).create(f"Meanwhile {number}")
        order.append("write")

    def ask(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        """Somebody wants to write just while a batch is being written."""
        if statement.startswith('INSERT INTO "assets"'):
            order.append("batch")
            writes.append(asyncio.create_task(write(len(writes))))

    with SimulatorServer(FleetSpec(agents=80, seed=7, clients=9), frozen=True) as server:
        integration_id = await world.connect(server, source="stable")
        await world.map_all(integration_id)
        event.listen(sqlite_database.writer.sync_engine, "before_cursor_execute", ask)
        run = await world.devices(integration_id)
    await asyncio.gather(*writes)
    assert run.created == 80
    assert len(writes) >= 5
    assert order == ["batch", "write"] * len(writes)
