"""A synced fleet, and its site."""

from collections.abc import Iterator

import pytest

from muster.db import Database
from muster.simulator import FleetSpec, SimulatorServer
from tests.support.site import Site
from tests.support.world import World


@pytest.fixture(scope="session")
def fleet_server() -> Iterator[SimulatorServer]:
    """A frozen server of 60 agents; tests that change it make their own."""
    with SimulatorServer(FleetSpec(agents=60, seed=7), frozen=True) as running:
        yield running


@pytest.fixture
async def world(database: Database, fleet_server: SimulatorServer) -> World:
    """A tenant whose organizations are all mapped and synced."""
    world = await World.make(database)
    integration_id = await world.connect(fleet_server)
    await world.map_all(integration_id)
    await world.devices(integration_id)
    return world


@pytest.fixture
def site(world: World) -> Site:
    """The world's pages."""
    return Site.of(world)
