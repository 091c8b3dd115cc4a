"""Two providers with equal ids in one tenant: nothing mixes."""

from uuid import UUID

from muster.assets.listing import AssetRow
from muster.simulator import SimulatorServer
from tests.providers.second import AcmeServer, acme
from tests.support.world import World


async def test_equal_ids_of_two_providers_stay_two_assets(world: World, server: SimulatorServer) -> None:
    tactical = await world.connect(server)
    await world.map_all(tactical)
    await world.devices(tactical)
    agents = [agent.agent_id for agent in server.fleet][:5]
    organization = (await world.mappings(tactical))[0].external_organization_id
    other = AcmeServer("https://acme.example.com")
    for agent_id in agents:
        other.add(organization, agent_id)
    with acme(other):
        second = await world.add("Acme", "acmermm", instance_url=other.url, token=other.token)
        await world.map_all(second)
        run = await world.devices(second)
        assert (run.status, run.created, run.missing) == ("succeeded", 5, 0)
        before = await by_integration(world)
        assert {len(before[tactical]), len(before[second])} == {len(server.fleet), 5}
        assert {row.rmm_provider for row in before[second]} == {"acmermm"}

        again = await world.devices(tactical)
        assert (again.created, again.missing, again.unchanged) == (0, 0, len(server.fleet))

        await world.connector.disconnect(world.scope, second)
        after = await by_integration(world)
        assert {row.agent_status for row in after[second]} == {"unknown"}
        assert {row.last_known_status for row in after[second]} == {"online"}
        assert [row.agent_status for row in after[tactical]] == [row.agent_status for row in before[tactical]]
        assert (await world.integration(tactical)).is_active


async def by_integration(world: World) -> dict[UUID | None, list[AssetRow]]:
    found: dict[UUID | None, list[AssetRow]] = {}
    for row in await world.all_assets():
        found.setdefault(row.rmm_integration_id, []).append(row)
    return found
