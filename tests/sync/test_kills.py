"""kill -9 in the middle of a sync, and the next one ends as if nothing had been."""

from functools import partial

import pytest

from muster.db import Database
from muster.simulator import FleetSpec, SimulatorServer
from tests.support.apart import simulator_apart
from tests.sync.killing import killed_and_compared, struck_and_compared


async def test_killed_syncs_leave_nothing_behind_that_the_next_does_not_mend(database: Database) -> None:
    with SimulatorServer(FleetSpec(agents=500, seed=3), frozen=True) as server:
        await killed_and_compared(database, server, kills=2, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_many_kills_of_a_larger_fleet(database: Database) -> None:
    with simulator_apart(agents=2000, seed=3) as server:
        await killed_and_compared(database, server, kills=20, seed=2)


def change_software(server: SimulatorServer) -> None:
    """Install something on every other machine, and remove something from every third."""
    pks = [pk for pk in server.fleet.pks() if server.software.of(pk)]
    for pk in pks[::2]:
        server.software.install(pk, "Zebra Viewer", "1.9")
    for pk in pks[::3]:
        server.software.remove(pk, (server.software.of(pk) or [])[0]["name"])


async def test_killed_readings_of_software_are_taken_up_again(database: Database) -> None:
    with SimulatorServer(FleetSpec(agents=120, seed=3), frozen=True) as server:
        change = partial(change_software, server)
        await struck_and_compared(database, server, change, kills=2, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_many_killed_readings_of_real_weight(database: Database) -> None:
    with SimulatorServer(FleetSpec(agents=400, seed=3, weight="real"), frozen=True) as server:
        change = partial(change_software, server)
        await struck_and_compared(database, server, change, kills=20, seed=2)
