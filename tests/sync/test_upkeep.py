"""Runs are kept for some time; the latest of each kind and outcome for as long as nothing follows it."""

from uuid import UUID

from muster.simulator import SimulatorServer
from muster.sync import upkeep
from muster.sync.service import RunService
from tests.support.time import Time
from tests.support.world import World


async def _kept(world: World) -> list[tuple[str, str]]:
    return sorted((run.sync_type, run.status) for run in await world.runs())


async def test_old_runs_go_with_their_entries(
    world: World, time: Time, server: SimulatorServer, mapped: UUID
) -> None:
    time.servers.append(server)
    first = await world.devices(mapped)
    assert await upkeep.delete_old(world.database, 90) == 0
    before = await _kept(world)
    time.pass_(days=91)
    assert await upkeep.delete_old(world.database, 90) == 0, "nothing has followed them"
    await world.devices(mapped)
    assert await upkeep.delete_old(world.database, 90) == 1
    assert await _kept(world) == before
    async with world.database.read(world.scope) as session:
        assert await RunService(session, world.scope).entries(first.id) == []
