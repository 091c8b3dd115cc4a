"""Two runs of one integration never overlap, and a dead owner's lease is taken over at once."""

import asyncio
import subprocess
import sys
from datetime import timedelta
from uuid import UUID

import pytest

from muster import clock
from muster.db import bulk
from muster.db.types import table_of
from muster.errors import Conflict
from muster.simulator import SimulatorServer
from muster.sync import lease
from muster.sync.ledger import LeaseLost, RunLedger
from muster.sync.models import SyncRun
from muster.sync.types import Counters, RunStatus, SyncMode, SyncType
from tests.support.world import World


async def open_run(world: World, integration_id: UUID) -> RunLedger:
    ledger = RunLedger(world.database, world.scope, integration_id, "tacticalrmm")
    await ledger.open(SyncType.DEVICES, SyncMode.FULL, "test")
    return ledger


async def set_owner(world: World, ledger: RunLedger, **values: object) -> None:
    async with world.database.write() as session:
        changed = await bulk.update_where(
            session, world.scope, table_of(SyncRun), values, where={"run_id": ledger.run_id}
        )
    assert changed == 1


def dead_owner() -> str:
    """The owner's name that a process of this host had which is gone now."""
    code = "from muster.sync.lease import owner; print(owner())"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


async def test_a_second_sync_is_refused_while_one_runs(world: World, server: SimulatorServer) -> None:
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    server.add_fault("slow=3@/clients/,times=1")
    first = asyncio.create_task(world.devices(integration_id))
    while not any(run.status == "running" for run in await world.runs()):
        await asyncio.sleep(0.05)
    with pytest.raises(Conflict) as refused:
        await world.organizations(integration_id)
    assert refused.value.code == "busy"
    assert (await first).status == "succeeded"
    assert (await world.devices(integration_id)).status == "succeeded"


async def test_only_one_of_many_that_start_at_once_gets_the_lease(
    world: World, server: SimulatorServer
) -> None:
    integration_id = await world.connect(server)
    results = await asyncio.gather(
        *(open_run(world, integration_id) for _ in range(8)), return_exceptions=True
    )
    assert [type(result) for result in results].count(RunLedger) == 1
    assert all(isinstance(result, RunLedger | Conflict) for result in results)


async def test_a_dead_owner_s_lease_is_taken_over_at_once(world: World, server: SimulatorServer) -> None:
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    left = await open_run(world, integration_id)
    await set_owner(world, left, lease_owner=dead_owner())
    run = await world.devices(integration_id)
    assert run.status == "succeeded"
    buried = next(r for r in await world.runs() if r.run_id == left.run_id)
    assert buried.status == "interrupted"
    assert buried.error is not None
    assert buried.error["code"] == "interrupted"
    assert buried.finished_at is not None


async def test_an_owner_elsewhere_is_dead_when_it_falls_silent(world: World, server: SimulatorServer) -> None:
    integration_id = await world.connect(server)
    elsewhere = await open_run(world, integration_id)
    await set_owner(world, elsewhere, lease_owner="other-host:1:2/42/1.00")
    with pytest.raises(Conflict):
        await open_run(world, integration_id)
    await set_owner(world, elsewhere, heartbeat_at=clock.now() - lease.SILENCE - timedelta(seconds=1))
    await open_run(world, integration_id)


async def test_who_lost_the_lease_writes_nothing_more(world: World, server: SimulatorServer) -> None:
    integration_id = await world.connect(server)
    slow = await open_run(world, integration_id)
    await set_owner(world, slow, lease_owner=dead_owner())
    fast = await open_run(world, integration_id)
    with pytest.raises(LeaseLost):
        await slow.commit(Counters(processed=1))
    with pytest.raises(LeaseLost):
        await slow.finish(RunStatus.SUCCEEDED, None)
    await fast.finish(RunStatus.SUCCEEDED, None)
    statuses = {run.run_id: (run.status, run.processed) for run in await world.runs()}
    assert statuses[slow.run_id] == ("interrupted", 0)
    assert statuses[fast.run_id] == ("succeeded", 0)


async def test_a_sync_whose_lease_is_lost_stops(
    world: World, server: SimulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.05)
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    server.add_fault("slow=5@/agents/")
    sync = asyncio.create_task(world.devices(integration_id))
    while not (running := [run for run in await world.runs() if run.status == "running"]):
        await asyncio.sleep(0.05)
    async with world.database.write() as session:
        await bulk.update_where(
            session,
            world.scope,
            table_of(SyncRun),
            {"lease_owner": "other-host:1:2/42/1.00"},
            where={"run_id": running[0].run_id},
        )
    with pytest.raises(LeaseLost):
        await sync
    assert await world.assets() == {}


async def test_a_cancelled_sync_says_so_and_gives_the_lease_back(
    world: World, server: SimulatorServer
) -> None:
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    server.add_fault("slow=5@/agents/")
    sync = asyncio.create_task(world.devices(integration_id))
    while not any(run.status == "running" for run in await world.runs()):
        await asyncio.sleep(0.05)
    sync.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sync
    run = (await world.runs())[0]
    assert run.error is not None
    assert (run.status, run.error["code"]) == ("failed", "cancelled")
    server.faults.clear()
    assert (await world.devices(integration_id)).status == "succeeded"
