"""What is shown of assets, beyond what was stored."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from muster import clock
from muster.assets.models import Asset
from muster.assets.schemas import AssetFilter
from muster.db import Database, bulk
from muster.db.types import table_of
from muster.providers.contract import AgentStatus
from muster.simulator import FleetSpec, SimulatorServer
from tests.support.world import World


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(FleetSpec(agents=20, seed=2), frozen=True) as running:
        yield running


async def synced(database: Database, server: SimulatorServer) -> World:
    world = await World.make(database)
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    await world.devices(integration_id)
    return world


async def test_a_status_is_unknown_when_its_reading_is_too_old(
    database: Database, server: SimulatorServer
) -> None:
    world = await synced(database, server)
    everything = await world.all_assets()
    online = next(row for row in everything if row.agent_status == "online")
    too_old = clock.now() - timedelta(minutes=46)
    async with database.write() as session:
        await bulk.update_where(
            session,
            world.scope,
            table_of(Asset),
            {"last_rmm_sync_at": too_old},
            where={"asset_id": online.asset_id},
        )
    unknown = await world.all_assets(AssetFilter(statuses=(AgentStatus.UNKNOWN,)))
    assert [row.asset_id for row in unknown] == [online.asset_id]
    assert (unknown[0].agent_status, unknown[0].last_known_status) == ("unknown", "online")
    assert unknown[0].uptime_seconds is None


async def test_uptime_is_derived_for_an_online_agent_only(
    database: Database, server: SimulatorServer
) -> None:
    world = await synced(database, server)
    for row in await world.all_assets():
        if row.agent_status == "online" and row.boot_time is not None:
            expected = (clock.now() - row.boot_time).total_seconds()
            assert row.uptime_seconds == pytest.approx(expected, abs=60)
        else:
            assert row.uptime_seconds is None


async def test_the_first_ipv4_is_the_lan_ip(database: Database, server: SimulatorServer) -> None:
    world = await synced(database, server)
    rows = await world.all_assets()
    assert any(row.lan_ips and any(":" in ip for ip in row.lan_ips) for row in rows)
    for row in rows:
        assert row.lan_ip == next((ip for ip in row.lan_ips or () if ":" not in ip), None)


async def test_search_takes_what_is_typed_literally(database: Database, server: SimulatorServer) -> None:
    world = await synced(database, server)
    for text in ("%", "_", "\\", "' OR 1=1 --"):
        found = await world.all_assets(AssetFilter(search=text))
        assert all(any(text in str(value) for value in vars_of(row)) for row in found)


def vars_of(row: object) -> list[object]:
    return [getattr(row, name) for name in row.__struct_fields__]  # type: ignore[attr-defined]
