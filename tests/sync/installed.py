"""What Muster says is installed, and what the simulated server lists: for tests that compare the two."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from muster.providers.inventory import SoftwareRecord
from muster.simulator import SimulatorServer
from muster.simulator.agents import Agent
from muster.software.schemas import ChangeFilter, InstallFilter, InstallOrder, InstallView, SoftwareChangeView
from muster.software.service import SoftwareCatalog
from muster.software.types import installs_of
from tests.support.world import World

_ALL = 1_000_000


async def installs(world: World) -> Mapping[UUID, list[InstallView]]:
    """What is installed, by asset."""
    async with world.database.read(world.scope) as session:
        found, total = await SoftwareCatalog(session, world.scope).installs(
            InstallFilter(), InstallOrder(), limit=_ALL, offset=0
        )
    assert len(found) == total
    by_asset: dict[UUID, list[InstallView]] = {}
    for each in found:
        by_asset.setdefault(each.asset_id, []).append(each)
    return by_asset


async def inventory(world: World) -> dict[str, set[tuple[str | None, ...]]]:
    """What is installed on each device, by the server's id, in what two worlds must agree on."""
    devices = {row.asset_id: device_id for device_id, row in (await world.assets()).items()}
    return {
        devices[asset_id]: {
            (
                each.name,
                each.publisher,
                each.version,
                str(each.installed_on),
                str(each.size_bytes),
                each.source,
            )
            for each in found
        }
        for asset_id, found in (await installs(world)).items()
    }


async def changes(world: World) -> list[SoftwareChangeView]:
    """What changed on assets, newest first."""
    async with world.database.read(world.scope) as session:
        found, _ = await SoftwareCatalog(session, world.scope).changes(ChangeFilter(), limit=_ALL, offset=0)
    return list(found)


def programs(found: Iterable[InstallView]) -> set[tuple[UUID, str | None]]:
    """Which versions of which titles."""
    return {(each.software_id, each.version) for each in found}


def listed(
    world: World, server: SimulatorServer, agent: int | str | Agent
) -> set[tuple[UUID, str | None]] | None:
    """Which versions of which titles the server lists for an agent; None where it lists nothing at all."""
    entries = server.software.of(agent)
    if entries is None:
        return None
    records = [
        SoftwareRecord(name=each["name"], version=each["version"], publisher=each.get("publisher") or None)
        for each in entries
    ]
    made = installs_of(world.scope.tenant_id, records)
    return {(each.program.software_id, each.program.version or None) for each in made}
