"""A server's devices become assets, and stay true to it."""

from datetime import timedelta

import pytest

from muster.simulator import SimulatorServer
from muster.sync.types import SyncMode
from tests.support.world import World

MODES = (SyncMode.FULL, SyncMode.INCREMENTAL)
COUNTS = ("processed", "created", "updated", "unchanged", "missing", "deleted", "failed")


def counts(run: object) -> dict[str, int]:
    return {name: getattr(run, name) for name in COUNTS if getattr(run, name)}


async def test_a_fleet_becomes_assets_and_a_second_sync_changes_nothing(
    world: World, server: SimulatorServer
) -> None:
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    agents = {agent.agent_id for agent in server.fleet}

    first = await world.devices(integration_id)
    assert (first.status, counts(first)) == ("succeeded", {"processed": len(agents), "created": len(agents)})
    before = await world.fleet()
    assert set(before) == agents

    for mode in (SyncMode.INCREMENTAL, SyncMode.FULL):
        again = await world.devices(integration_id, mode)
        assert counts(again) == {"processed": len(agents), "unchanged": len(agents)}, mode
        assert await world.entries(again) == []
        assert await world.fleet() == before, mode

    stored = await world.integration(integration_id)
    assert stored.sync_status == "succeeded"
    assert stored.last_full_sync_at is not None
    assert stored.last_incremental_sync_at is not None


async def test_a_light_refresh_erases_no_hardware(world: World, server: SimulatorServer) -> None:
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    await world.devices(integration_id)
    known = {device: (row.ram_gb, row.disks) for device, row in (await world.assets()).items()}
    assert any(ram for ram, _ in known.values())
    # Something of every row changes, so that none is passed over by its hash.
    for agent in list(server.fleet):
        server.fleet.edit(agent, needs_reboot=not agent.needs_reboot)
    run = await world.devices(integration_id, SyncMode.INCREMENTAL)
    assert run.updated == len(known)
    assert {device: (row.ram_gb, row.disks) for device, row in (await world.assets()).items()} == known


async def test_changes_are_recorded_with_old_and_new(world: World, server: SimulatorServer) -> None:
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    await world.devices(integration_id)
    agent = next(iter(server.fleet))
    server.fleet.rename_agent(agent, "RENAMED-01")
    run = await world.devices(integration_id, SyncMode.INCREMENTAL)
    (entry,) = await world.entries(run)
    assert (entry.action, entry.external_id) == ("updated", agent.agent_id)
    assert entry.changes == [{"field": "name", "old": agent.hostname, "new": "RENAMED-01"}]
    assert (await world.assets())[agent.agent_id].name == "RENAMED-01"


async def test_going_back_to_old_content_is_seen_whoever_saw_the_change(
    world: World, server: SimulatorServer
) -> None:
    """A change that only a single read saw must not hide behind the hash of the light list."""
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    await world.devices(integration_id)
    agent = next(iter(server.fleet))
    server.fleet.rename_agent(agent, "FOR-A-MOMENT")
    single = await world.devices(integration_id, SyncMode.SINGLE, device_id=agent.agent_id)
    assert single.updated == 1
    server.fleet.rename_agent(agent, agent.hostname)
    await world.devices(integration_id, SyncMode.INCREMENTAL)
    assert (await world.assets())[agent.agent_id].name == agent.hostname


@pytest.mark.parametrize("mode", MODES)
async def test_status_and_last_seen_move_without_other_writes(
    world: World, server: SimulatorServer, mode: SyncMode
) -> None:
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    await world.devices(integration_id)
    assets = await world.assets()
    online = next(agent for agent in server.fleet if assets[agent.agent_id].agent_status == "online")
    before = assets[online.agent_id]
    now = server.clock.now()
    server.fleet.set_last_seen(online, now - timedelta(minutes=10))
    run = await world.devices(integration_id, mode)
    assert (run.updated, run.unchanged) == (0, run.processed)
    after = (await world.assets())[online.agent_id]
    assert (after.agent_status, after.updated_at) == ("offline", before.updated_at)
    server.fleet.set_last_seen(online, now - timedelta(hours=3))
    await world.devices(integration_id, mode)
    assert (await world.assets())[online.agent_id].agent_status == "overdue"


async def test_only_mapped_organizations_with_auto_sync_bring_assets_in(
    world: World, server: SimulatorServer
) -> None:
    integration_id = await world.connect(server)
    await world.organizations(integration_id)
    mapped = next(m for m in await world.mappings(integration_id) if m.device_count)
    nothing = await world.devices(integration_id)
    assert (nothing.status, nothing.processed) == ("succeeded", 0)
    await world.map(integration_id, mapped.external_organization_id)
    run = await world.devices(integration_id)
    assert run.created == mapped.device_count
    assert {row.rmm_organization_id for row in (await world.assets()).values()} == {
        mapped.external_organization_id
    }


@pytest.mark.parametrize("source", ["auto", "beta", "stable"])
async def test_every_source_gives_the_same_fleet(world: World, server: SimulatorServer, source: str) -> None:
    integration_id = await world.connect(server, source=source)
    await world.map_all(integration_id)
    run = await world.devices(integration_id)
    assert run.status == "succeeded", run.error
    reference = await World.make(world.database, f"Reference of {source}")
    other = await reference.connect(server)
    await reference.map_all(other)
    await reference.devices(other)
    absent = {"stable": {"disks", "ram_gb", "cpu_cores", "last_user"}, "beta": {"pending_patches"}}.get(
        source, set()
    )
    left, right = await world.fleet(), await reference.fleet()
    assert set(left) == set(right)
    for device in left:
        for field in left[device].keys() - absent:
            assert left[device][field] == right[device][field], (device, field)


async def test_a_server_without_the_beta_api_gives_hardware_agent_by_agent(
    world: World, server: SimulatorServer
) -> None:
    server.beta = False
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    await world.devices(integration_id)
    assert any(row.ram_gb for row in (await world.assets()).values())
    reads = [r for r in server.requests if r.path.startswith("/agents/") and len(r.path) > 30]
    assert len(reads) == len(server.fleet)
    await world.devices(integration_id, SyncMode.INCREMENTAL)
    again = [r for r in server.requests if r.path.startswith("/agents/") and len(r.path) > 30]
    assert len(again) == len(reads), "read in detail today already"


async def test_one_agent(world: World, server: SimulatorServer) -> None:
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    agent = next(iter(server.fleet))
    run = await world.devices(integration_id, SyncMode.SINGLE, device_id=agent.agent_id)
    assert counts(run) == {"processed": 1, "created": 1}
    assert set(await world.assets()) == {agent.agent_id}
    assert not any("/beta/v1/agent" in request.path for request in server.requests)

    gone = await world.devices(integration_id, SyncMode.SINGLE, device_id="x" * 40)
    assert (gone.status, gone.deleted) == ("failed", 0)
    assert gone.error is not None
    assert gone.error["code"] == "not_found"
    assert set(await world.assets()) == {agent.agent_id}


async def test_a_preview_writes_nothing_and_says_what_would_be(world: World, server: SimulatorServer) -> None:
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    runs = await world.runs()
    preview = await world.preview(integration_id)
    assert counts(preview) == {"processed": len(server.fleet), "created": len(server.fleet)}
    assert {entry.action for entry in preview.entries} == {"created"}
    assert await world.assets() == {}
    assert await world.runs() == runs
    stored = await world.integration(integration_id)
    assert stored.last_full_sync_at is None


async def test_a_move_keeps_the_asset_and_moves_it(world: World, server: SimulatorServer) -> None:
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    await world.devices(integration_id)
    agent = next(iter(server.fleet))
    before = (await world.assets())[agent.agent_id]
    target = next(
        m
        for m in await world.mappings(integration_id)
        if m.device_count and m.external_organization_id != before.rmm_organization_id
    )
    site = server.fleet.sites_of_client(int(target.external_organization_id))[0]
    server.fleet.move_agent(agent, site.pk)
    run = await world.devices(integration_id, SyncMode.INCREMENTAL)
    after = (await world.assets())[agent.agent_id]
    assert (after.asset_id, after.client_id) == (before.asset_id, target.client_id)
    assert (after.external_realm_id, after.site_id) == (target.external_organization_id, str(site.pk))
    assert (run.updated, run.missing) == (1, 0)
    assert [e.action for e in await world.entries(run) if e.item_type == "device"] == ["moved"]


async def test_a_person_s_type_stays(world: World, server: SimulatorServer) -> None:
    from_server = {"workstation": "server", "server": "workstation"}
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    await world.devices(integration_id)
    device_id, row = next(iter((await world.assets()).items()))
    chosen = from_server[row.asset_type]
    await world.set_type(row.asset_id, chosen)
    server.fleet.edit(device_id, description="touched, so that the row is compared")
    await world.devices(integration_id)
    after = (await world.assets())[device_id]
    assert (after.asset_type, after.ram_gb, after.serial_number) == (chosen, row.ram_gb, row.serial_number)
    await world.set_type(row.asset_id, None)
    server.fleet.edit(device_id, description="touched again")
    await world.devices(integration_id)
    assert (await world.assets())[device_id].asset_type == row.asset_type
