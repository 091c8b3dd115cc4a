"""A tenant and a simulated server."""

from collections.abc import Iterator

import pytest

from muster.db import Database
from muster.simulator import FleetSpec, SimulatorServer
from tests.support.world import World

AGENTS = 60


@pytest.fixture
async def world(database: Database) -> World:
    return await World.make(database)


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(FleetSpec(agents=AGENTS, seed=7), frozen=True) as running:
        yield running
