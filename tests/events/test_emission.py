"""What syncs and integrations tell: once for each fact, in the transaction that made it one."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from muster.db import bulk
from muster.db.types import table_of
from muster.events.schemas import EventView
from muster.events.types import EventType
from muster.simulator import SimulatorServer
from muster.sync.ledger import RunLedger
from muster.sync.models import SyncRun
from muster.sync.schemas import RunView
from muster.sync.types import SyncMode, SyncType
from tests.events.test_service import listed
from tests.support.world import World

BOTH_ENDS = ["RMM_SYNC_STARTED", "RMM_SYNC_COMPLETED"]


class Stream:
    """The events of a world, read on from where it stopped."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._seen = 0

    async def new(self) -> Sequence[EventView]:
        """What was published since the last look."""
        events = await listed(self._world.database, self._world.scope)
        fresh, self._seen = events[self._seen :], len(events)
        return fresh

    async def types(self) -> Sequence[str]:
        """Only their types."""
        return [event.type for event in await self.new()]


async def synced(world: World, server: SimulatorServer) -> UUID:
    """An integration whose devices are all known."""
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    await world.devices(integration_id)
    return integration_id


def numbers(run: RunView) -> dict[str, object]:
    """What the last event of a run says of it."""
    return {
        "integration_id": str(run.integration_id),
        "provider": "tacticalrmm",
        "run_id": str(run.run_id),
        "sync_type": run.sync_type,
        "mode": run.mode,
        "status": run.status,
        "items_processed": run.processed,
        "items_created": run.created,
        "items_updated": run.updated,
        "items_deleted": 0,
        "items_failed": run.failed,
        "error": run.error and {"code": run.error["code"], "message": run.error["message"]},
    }


async def test_the_life_of_a_connection(world: World, server: SimulatorServer) -> None:
    stream = Stream(world)
    integration_id = await world.connect(server)
    (connected,) = await stream.new()
    assert connected.type == EventType.INTEGRATION_CONNECTED
    assert connected.subject == connected.data["integration_id"] == str(integration_id)
    assert (connected.data["provider"], connected.data["name"]) == ("tacticalrmm", "Tactical")
    await world.connector.check(world.scope, integration_id)
    assert await stream.types() == []
    await world.connector.disconnect(world.scope, integration_id)
    assert await stream.types() == [EventType.INTEGRATION_DISCONNECTED]


async def test_organizations_are_told_by_their_run(world: World, server: SimulatorServer) -> None:
    integration_id = await world.connect(server)
    stream = Stream(world)
    await stream.new()
    run = await world.organizations(integration_id)
    started, completed = await stream.new()
    assert [started.type, completed.type] == BOTH_ENDS
    assert started.subject == completed.subject == str(run.run_id)
    assert started.source == completed.source == f"/integrations/{integration_id}"
    assert (started.data["sync_type"], started.data["mode"]) == ("organizations", "full")
    assert completed.data == numbers(run)


async def test_each_new_device_is_told_once(world: World, server: SimulatorServer) -> None:
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    stream = Stream(world)
    await stream.new()
    run = await world.devices(integration_id)
    started, *created, completed = await stream.new()
    assert [started.type, completed.type] == BOTH_ENDS
    assert completed.data == numbers(run)
    assert {event.type for event in created} == {EventType.DEVICE_CREATED}
    assets = await world.assets()
    assert Counter(event.subject for event in created) == {str(a.asset_id): 1 for a in assets.values()}
    for event in created:
        asset = assets[event.data["device_id"]]
        assert event.data["asset_id"] == str(asset.asset_id)
        assert event.data["name"] == asset.name
        assert event.data["run_id"] == str(run.run_id)
    await world.devices(integration_id)
    assert await stream.types() == BOTH_ENDS


async def test_a_change_and_a_status_are_told(world: World, server: SimulatorServer) -> None:
    integration_id = await synced(world, server)
    stream, assets = Stream(world), await world.assets()
    await stream.new()
    online = next(agent for agent in server.fleet if assets[agent.agent_id].agent_status == "online")
    other = next(agent for agent in server.fleet if agent is not online)
    server.fleet.rename_agent(other, "RENAMED-01")
    server.fleet.set_last_seen(online, server.clock.now() - timedelta(hours=3))
    await world.devices(integration_id, SyncMode.INCREMENTAL)
    _, *told, _ = await stream.new()
    by_type = {event.type: event for event in told}
    assert set(by_type) == {EventType.DEVICE_UPDATED, EventType.AGENT_STATUS_CHANGED}
    assert len(told) == 2
    updated, status = by_type[EventType.DEVICE_UPDATED], by_type[EventType.AGENT_STATUS_CHANGED]
    assert updated.subject == str(assets[other.agent_id].asset_id)
    assert (updated.data["reason"], updated.data["changed"]) == ("content_changed", ["name"])
    assert status.data["asset_id"] == str(assets[online.agent_id].asset_id)
    assert (status.data["old"], status.data["new"]) == ("online", "overdue")
    assert status.data["device_id"] == online.agent_id


async def test_a_device_that_is_gone_is_told_once_and_when_it_returns(
    world: World, server: SimulatorServer
) -> None:
    integration_id = await synced(world, server)
    stream, assets = Stream(world), await world.assets()
    await stream.new()
    gone = next(iter(server.fleet))
    site = server.fleet.site_of(gone.pk)
    server.fleet.remove_agent(gone)
    await world.devices(integration_id)
    _, missing, _ = await stream.new()
    assert missing.type == EventType.DEVICE_MISSING
    assert missing.data["asset_id"] == str(assets[gone.agent_id].asset_id)
    await world.devices(integration_id)
    assert await stream.types() == BOTH_ENDS
    server.fleet.add_agent(site, agent_id=gone.agent_id)
    await world.devices(integration_id)
    returned = [event for event in await stream.new() if event.type == EventType.DEVICE_UPDATED]
    assert "listed_again" in {event.data["reason"] for event in returned}


async def test_a_failed_sync_says_why(world: World, server: SimulatorServer) -> None:
    integration_id = await synced(world, server)
    stream = Stream(world)
    await stream.new()
    server.add_fault("error500@/clients/")
    run = await world.devices(integration_id)
    assert run.status == "failed"
    _, failed = await stream.new()
    assert failed.type == EventType.SYNC_FAILED
    assert failed.data == numbers(run)
    assert set(failed.data["error"]) == {"code", "message"}


async def test_a_run_whose_process_died_is_told_by_who_takes_over(
    world: World, server: SimulatorServer
) -> None:
    integration_id = await world.connect(server)
    stream = Stream(world)
    await stream.new()
    dead = RunLedger(world.database, world.scope, integration_id, "tacticalrmm")
    await dead.open(SyncType.DEVICES, SyncMode.FULL, "test")
    async with world.database.write(world.scope) as session:
        await bulk.update_where(
            session, world.scope, table_of(SyncRun), {"lease_owner": None}, where={"run_id": dead.run_id}
        )
    run = await world.organizations(integration_id)
    first, interrupted, second, completed = await stream.new()
    assert [first.type, second.type, completed.type] == [BOTH_ENDS[0], *BOTH_ENDS]
    assert interrupted.type == EventType.SYNC_FAILED
    assert interrupted.subject == first.subject == str(dead.run_id)
    assert (interrupted.data["sync_type"], interrupted.data["error"]["code"]) == ("devices", "interrupted")
    assert completed.subject == str(run.run_id)


async def test_a_preview_tells_nothing(world: World, server: SimulatorServer) -> None:
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    stream = Stream(world)
    await stream.new()
    await world.preview(integration_id)
    assert await stream.types() == []
