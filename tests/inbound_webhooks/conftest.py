"""A tenant with an integration whose server calls."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID

import pytest

from muster.db import Database
from muster.simulator import FleetSpec, SimulatorServer
from tests.support.hook import Hook
from tests.support.site import Browser, Site
from tests.support.world import World


@pytest.fixture
async def world(database: Database, tmp_path: Path) -> World:
    return await World.make(database, MUSTER_DATA_DIR=str(tmp_path / "data"))


@pytest.fixture
def site(world: World) -> Site:
    return Site.of(world)


@pytest.fixture
async def caller(site: Site) -> AsyncIterator[Browser]:
    """Somebody without a login."""
    async with site.browser() as browser:
        yield browser


@pytest.fixture
async def integration_id(world: World) -> UUID:
    """An integration whose connection nobody has tried."""
    return await world.add(instance_url="https://api.example.com", api_key="K" * 32)


@pytest.fixture
async def hook(world: World, integration_id: UUID, caller: Browser) -> Hook:
    return await Hook.of(world, integration_id, caller)


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(FleetSpec(agents=30, seed=11, alerts=0), frozen=True) as running:
        yield running


@pytest.fixture
async def synced(world: World, server: SimulatorServer) -> UUID:
    """An integration whose devices are assets."""
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    run = await world.devices(integration_id)
    assert run.status == "succeeded", run.error
    return integration_id


@pytest.fixture
async def live(world: World, synced: UUID, caller: Browser) -> Hook:
    """The webhook of an integration whose server answers."""
    return await Hook.of(world, synced, caller)
