"""What a sync writes, and how much it holds at once."""

import re
from collections import Counter

import psutil
import pytest

from muster.db import Database
from muster.simulator import FleetSpec, SimulatorServer
from muster.sync.types import SyncMode
from tests.support.apart import simulator_apart
from tests.support.statements import statements
from tests.support.world import World

_WRITE = re.compile(r'^\s*(INSERT INTO|UPDATE|DELETE FROM)\s+"?(\w+)"?', re.IGNORECASE)
_ASSIGNED = re.compile(r'"?(\w+)"?\s*=')


def written(seen: list[str]) -> Counter[str]:
    return Counter(found[2].lower() for statement in seen if (found := _WRITE.match(statement)))


async def test_unchanged_agents_cost_status_and_last_seen_and_nothing_else(database: Database) -> None:
    world = await World.make(database)
    with SimulatorServer(FleetSpec(agents=500, seed=5), frozen=True) as server:
        integration_id = await world.connect(server)
        await world.map_all(integration_id)
        first = await world.devices(integration_id)
        assert first.created == 500
        for mode in (SyncMode.INCREMENTAL, SyncMode.FULL):
            with statements(database) as seen:
                run = await world.devices(integration_id, mode)
            assert run.unchanged == 500
            # Its beginning and its end are events; no device is.
            allowed = {"assets", "sync_runs", "rmm_integrations", "events", "event_sequences"}
            assert set(written(seen)) == allowed, mode
            assert written(seen)["events"] == 2
            assert len(seen) < 50
            assignments = [
                statement.split("SET", 1)[1].split("WHERE")[0].split(" FROM ")[0]
                for statement in seen
                if (found := _WRITE.match(statement)) and found[2].lower() == "assets"
            ]
            only = {"agent_status", "last_seen_at", "last_rmm_sync_at"}
            assert all(set(_ASSIGNED.findall(assigned)) == only for assigned in assignments)


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_five_thousand_agents_of_real_weight_stay_under_250_megabytes(
    sqlite_database: Database,
) -> None:
    """Full, incremental, full again; the simulator runs in a process of its own."""
    world = await World.make(sqlite_database)
    with simulator_apart(agents=5000, weight="real") as server:
        integration_id = await world.connect(server, source="beta")
        await world.map_all(integration_id)
        peak = 0
        for mode in (SyncMode.FULL, SyncMode.INCREMENTAL, SyncMode.FULL):
            run = await world.devices(integration_id, mode)
            assert run.status == "succeeded"
            peak = max(peak, psutil.Process().memory_info().rss)
        assert run.unchanged == 5000
    assert peak < 250e6


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_the_software_of_five_thousand_agents_stays_under_300_megabytes(
    sqlite_database: Database,
) -> None:
    """Read for the first time and again, 176 MB each; the simulator runs in a process of its own."""
    world = await World.make(sqlite_database)
    with simulator_apart(agents=5000, weight="real") as server:
        integration_id = await world.connect(server)
        await world.map_all(integration_id)
        await world.devices(integration_id)
        peak = 0
        for _ in range(2):
            run = await world.software(integration_id)
            assert (run.status, run.failed) == ("succeeded", 0)
            peak = max(peak, psutil.Process().memory_info().rss)
        assert run.bytes_received > 150e6
        assert run.unchanged == run.processed > 3_000
    assert peak < 300e6
