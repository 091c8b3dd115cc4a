"""A synced fleet, and what its server or its webhook says of alerts."""

from collections.abc import Iterator

import pytest

from muster.db import Database
from muster.simulator import FleetSpec, SimulatorServer
from tests.alerts.saying import Alerts
from tests.support.world import World


@pytest.fixture(scope="session")
def alert_fleet() -> Iterator[SimulatorServer]:
    """A frozen server of 20 agents; tests that change it make their own."""
    with SimulatorServer(FleetSpec(agents=20, seed=11), frozen=True) as running:
        yield running


@pytest.fixture
async def alerts(database: Database, alert_fleet: SimulatorServer) -> Alerts:
    """A tenant whose devices are all synced, and its alerts."""
    world = await World.make(database)
    integration_id = await world.connect(alert_fleet)
    await world.map_all(integration_id)
    await world.devices(integration_id)
    return await Alerts.of(world, integration_id)
