"""A tenant, a simulated server, and hands that do the jobs that are asked for."""

from collections.abc import Iterator

import pytest

from muster.db import Database
from muster.simulator import FleetSpec, SimulatorServer
from tests.schedules.hands import Hands
from tests.support.world import World


@pytest.fixture
async def world(database: Database) -> World:
    return await World.make(database)


@pytest.fixture
def hands(world: World) -> Hands:
    return Hands(world)


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(FleetSpec(agents=20, seed=7), frozen=True) as running:
        yield running
