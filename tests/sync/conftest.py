"""A tenant and a simulated server."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from muster.db import Database
from muster.schedules.service import ScheduleService
from muster.simulator import FleetSpec, SimulatorServer
from tests.support.site import Site
from tests.support.world import World

AGENTS = 60


@pytest.fixture
async def world(database: Database, tmp_path: Path) -> World:
    return await World.make(database, MUSTER_DATA_DIR=str(tmp_path / "data"))


@pytest.fixture
def site(world: World) -> Site:
    return Site.of(world)


@pytest.fixture
async def mapped(world: World, server: SimulatorServer) -> UUID:
    """An integration whose organizations are mapped, before its first sync of devices."""
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    async with world.database.write(world.scope) as session:
        await ScheduleService(session, world.scope, world.box).ensure(integration_id)
    return integration_id


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(FleetSpec(agents=AGENTS, seed=7), frozen=True) as running:
        yield running
