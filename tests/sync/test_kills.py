"""kill -9 in the middle of a sync, and the next one ends as if nothing had been."""

import pytest

from muster.db import Database
from muster.simulator import FleetSpec, SimulatorServer
from tests.support.apart import simulator_apart
from tests.sync.killing import killed_and_compared


async def test_killed_syncs_leave_nothing_behind_that_the_next_does_not_mend(database: Database) -> None:
    with SimulatorServer(FleetSpec(agents=500, seed=3), frozen=True) as server:
        await killed_and_compared(database, server, kills=2, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_many_kills_of_a_larger_fleet(database: Database) -> None:
    with simulator_apart(agents=2000, seed=3) as server:
        await killed_and_compared(database, server, kills=20, seed=2)
