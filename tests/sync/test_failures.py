"""What the server does wrong: the rest of the sync stands, and the run says what happened."""

import pytest

from muster.simulator import SimulatorServer
from muster.sync.types import SyncMode
from tests.support.world import World


async def test_one_malformed_agent_is_an_entry_not_the_end(world: World, server: SimulatorServer) -> None:
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    server.add_fault("malformed-agent@/agents/?client=")
    run = await world.devices(integration_id)
    assert run.status == "succeeded"
    assert run.failed >= 1
    assert run.missing == 0
    bad = [e for e in await world.entries(run) if e.action == "failed"]
    assert len(bad) == run.failed
    assert all(e.reason == "malformed" and e.message for e in bad)
    assert len(await world.assets()) == len(server.fleet)
    # Its hardware came from the other list, which is sound.
    server.faults.clear()
    assert (await world.devices(integration_id)).failed == 0


async def test_one_organization_s_failure_does_not_stop_the_others(
    world: World, server: SimulatorServer
) -> None:
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    await world.devices(integration_id)
    mappings = [m for m in await world.mappings(integration_id) if m.device_count]
    broken = mappings[0]
    for agent in list(server.fleet):
        server.fleet.edit(agent, description="changed")
    server.add_fault(f"error500@/agents/?client={broken.external_organization_id}")
    run = await world.devices(integration_id, SyncMode.INCREMENTAL)
    assert run.status == "partial"
    assert run.error is not None
    (entry,) = [e for e in await world.entries(run) if e.action == "failed"]
    assert (entry.item_type, entry.organization_id) == ("organization", broken.external_organization_id)
    assert run.updated == len(server.fleet) - (broken.device_count or 0)
    assert run.missing == 0
    assert (await world.integration(integration_id)).sync_status == "partial"


@pytest.mark.parametrize("fault", ["cut-body", "drop", "error500", "error502", "huge-body", "dashboard"])
async def test_a_broken_list_of_organizations_changes_nothing(
    world: World, server: SimulatorServer, fault: str
) -> None:
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    await world.devices(integration_id)
    before, mappings = await world.fleet(), await world.mappings(integration_id)
    server.add_fault(f"{fault}@/clients/")
    for run in (await world.organizations(integration_id), await world.devices(integration_id)):
        assert run.status == "failed"
        assert run.error is not None
        assert run.error["message"]
    assert await world.fleet() == before
    assert await world.mappings(integration_id) == mappings


async def test_a_fault_that_passes_is_ridden_out(world: World, server: SimulatorServer) -> None:
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    for fault in ("error502@/agents/,times=1", "drop@/beta/,times=1", "throttle429=1@/clients/,times=1"):
        server.add_fault(fault)
    run = await world.devices(integration_id)
    assert (run.status, run.created) == ("succeeded", len(server.fleet))


async def test_a_key_that_stops_working_fails_the_run_with_its_code(
    world: World, server: SimulatorServer
) -> None:
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    server.users["admin"].api_key_expired = True
    run = await world.devices(integration_id)
    assert run.status == "failed"
    assert run.error is not None
    assert run.error["code"] == "key_expired"
    stored = await world.integration(integration_id)
    assert stored.sync_error is not None
    assert stored.sync_error["code"] == "key_expired"


async def test_a_never_checked_integration_is_checked_first(world: World, server: SimulatorServer) -> None:
    wrong = await world.add("Wrong key", instance_url=server.url, api_key="WRONG" * 6)
    run = await world.organizations(wrong)
    assert run.error is not None
    assert (run.status, run.error["code"]) == ("failed", "invalid_credentials")
    right = await world.add("Right key", instance_url=server.url, api_key=server.api_key)
    assert not (await world.integration(right)).is_active
    assert (await world.organizations(right)).status == "succeeded"
    assert (await world.integration(right)).is_active


async def test_a_sync_that_takes_too_long_stops_and_says_so(world: World, server: SimulatorServer) -> None:
    hurried = World(world.database, world.scope, world.box, MUSTER_SYNC_TIMEOUT="1")
    integration_id = await hurried.connect(server)
    await hurried.map_all(integration_id)
    server.add_fault("slow=3@/agents/")
    run = await hurried.devices(integration_id)
    assert run.error is not None
    assert (run.status, run.error["code"]) == ("failed", "timeout")
    assert run.phase != "finished"
