"""What is not listed any more: nothing is deleted, and nothing is called missing without proof."""

from muster.simulator import SimulatorServer
from muster.sync.types import SyncMode
from tests.support.world import World


async def missing(world: World) -> set[str]:
    return {device for device, row in (await world.assets()).items() if row.missing_since is not None}


async def test_a_vanished_device_is_listed_as_missing_and_comes_back(
    world: World, server: SimulatorServer
) -> None:
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    await world.devices(integration_id)
    agents = list(server.fleet)
    gone = agents[3]
    site = server.fleet.site_of(gone.pk)
    server.fleet.remove_agent(gone)

    run = await world.devices(integration_id)
    assert (run.status, run.missing, run.deleted) == ("succeeded", 1, 0)
    assert await missing(world) == {gone.agent_id}
    since = (await world.assets())[gone.agent_id].missing_since
    (entry,) = [e for e in await world.entries(run) if e.item_type == "device"]
    assert (entry.action, entry.reason, entry.external_id) == ("missing", "not_listed", gone.agent_id)

    again = await world.devices(integration_id, SyncMode.INCREMENTAL)
    assert (again.missing, again.deleted) == (1, 0)
    assert (await world.assets())[gone.agent_id].missing_since == since, "the first miss stays"
    assert [e for e in await world.entries(again) if e.item_type == "device"] == []

    server.fleet.add_agent(site, agent_id=gone.agent_id)
    back = await world.devices(integration_id, SyncMode.INCREMENTAL)
    assert back.missing == 0
    assert await missing(world) == set()
    assert "returned" in {e.action for e in await world.entries(back)}


async def test_too_many_missing_at_once_waits_for_a_person(world: World, server: SimulatorServer) -> None:
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    await world.devices(integration_id)
    agents = list(server.fleet)
    for agent in agents[: len(agents) // 2]:
        server.fleet.remove_agent(agent)
    run = await world.devices(integration_id)
    assert (run.status, run.missing, run.deleted) == ("partial", len(agents) // 2, 0)
    assert run.error is not None
    assert run.error["code"] == "too_many_missing"
    assert await missing(world) == set()
    assert {e.action for e in await world.entries(run) if e.item_type == "device"} == {"held"}
    accepted = await world.devices(integration_id, accept_missing=True)
    assert accepted.status == "succeeded"
    assert len(await missing(world)) == len(agents) // 2


async def test_a_role_that_sees_one_client_makes_nothing_missing(
    world: World, server: SimulatorServer
) -> None:
    for source in ("auto", "beta", "stable"):
        integration_id = await world.connect(server, name=source, source=source)
        await world.map_all(integration_id)
        before = await world.devices(integration_id)
        assert before.status == "succeeded"
        everything = await missing(world)
        await world.update(integration_id, api_key=server.users["limited"].api_key)
        run = await world.devices(integration_id)
        assert run.status == "succeeded", run.error
        assert 0 < run.processed < before.processed
        assert run.missing == 0
        assert await missing(world) == everything == set()
        unlisted = {
            m.external_organization_name for m in await world.mappings(integration_id) if m.missing_since
        }
        assert len(unlisted) == len(await world.mappings(integration_id)) - 1


async def test_a_role_that_sees_one_site_proves_no_absence(world: World, server: SimulatorServer) -> None:
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    await world.devices(integration_id)
    await world.update(integration_id, api_key=server.users["onesite"].api_key)
    run = await world.devices(integration_id)
    assert run.missing == 0
    assert await missing(world) == set()


async def test_rows_of_unmapped_organizations_never_enter(world: World, server: SimulatorServer) -> None:
    for source in ("beta", "auto", "stable"):
        integration_id = await world.connect(server, name=source, source=source)
        await world.organizations(integration_id)
        mapped = next(m for m in await world.mappings(integration_id) if m.device_count)
        await world.map(integration_id, mapped.external_organization_id)
        await world.update(integration_id, api_key=server.users["limited"].api_key)
        await world.devices(integration_id)
        inside = {
            agent.agent_id
            for site in server.fleet.sites_of_client(int(mapped.external_organization_id))
            for agent in server.fleet
            if server.fleet.site_of(agent.pk) == site.pk
        }
        assert set(await world.assets()) <= inside


async def test_a_move_to_an_unmapped_organization_is_not_an_absence(
    world: World, server: SimulatorServer
) -> None:
    integration_id = await world.connect(server)
    await world.organizations(integration_id)
    one, other = [m for m in await world.mappings(integration_id) if m.device_count][:2]
    await world.map(integration_id, one.external_organization_id)
    await world.devices(integration_id)
    moved = next(iter(await world.assets()))
    target = server.fleet.sites_of_client(int(other.external_organization_id))[0]
    server.fleet.move_agent(moved, target.pk)
    run = await world.devices(integration_id)
    assert (run.missing, run.status) == (0, "succeeded")
    assert await missing(world) == set()
    (entry,) = [e for e in await world.entries(run) if e.external_id == moved]
    assert (entry.action, entry.reason) == ("skipped", "organization_not_mapped")


async def test_a_deleted_client_is_kept_and_marked(world: World, server: SimulatorServer) -> None:
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    await world.devices(integration_id)
    mapping = next(m for m in await world.mappings(integration_id) if m.device_count)
    for agent in list(server.fleet):
        if server.fleet.site_of(agent.pk) in {
            site.pk for site in server.fleet.sites_of_client(int(mapping.external_organization_id))
        }:
            server.fleet.remove_agent(agent)
    server.fleet.delete_client(int(mapping.external_organization_id))
    assets = set(await world.assets())
    run = await world.organizations(integration_id)
    assert (run.missing, run.deleted) == (1, 0)
    assert (await world.devices(integration_id)).status == "succeeded"
    assert set(await world.assets()) == assets
    kept = next(
        m
        for m in await world.mappings(integration_id)
        if m.external_organization_id == mapping.external_organization_id
    )
    assert kept.missing_since is not None
    assert kept.client_id == mapping.client_id


async def test_a_rename_never_unmaps(world: World, server: SimulatorServer) -> None:
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    await world.devices(integration_id)
    mapping = next(m for m in await world.mappings(integration_id) if m.device_count)
    server.fleet.rename_client(int(mapping.external_organization_id), "Renamed Ltd")
    run = await world.organizations(integration_id)
    assert (run.created, run.updated) == (0, 1)
    after = next(
        m
        for m in await world.mappings(integration_id)
        if m.external_organization_id == mapping.external_organization_id
    )
    assert (after.external_organization_name, after.client_id) == ("Renamed Ltd", mapping.client_id)
    devices = await world.devices(integration_id)
    assert (devices.missing, devices.created, devices.updated) == (0, 0, 0)
