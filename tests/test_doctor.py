"""What the doctor finds when it is really so: clocks that differ, integrations and subscribers that fail."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from muster import doctor
from muster import settings as muster_settings
from muster.db import Database
from muster.events.relay import LONGEST_PAUSE, STUCK_AFTER, EventRelay
from muster.events.schemas import EventView
from muster.events.service import EventService
from muster.events.types import Subscriber
from muster.providers.contract import Finding
from muster.simulator import FleetSpec, SimulatorServer
from muster.tenancy import TenantScope
from tests.schedules.hands import Hands, run_on
from tests.support.time import Time
from tests.support.workers import Works


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(FleetSpec(agents=3, seed=7), frozen=True) as running:
        yield running


@pytest.fixture
async def works(database: Database, tmp_path: Path) -> Works:
    return await Works.open(database, tmp_path / "data")


async def findings(works: Works) -> dict[str, Finding]:
    """By code, but what it says of data folders."""
    result = await doctor.examine(muster_settings.load(works.settings_of_workers()))
    return {found.code: found for found in result.findings if found.code != "data_dir_absent"}


@pytest.mark.postgres
async def test_clocks_that_differ(postgres_database: Database, tmp_path: Path, time: Time) -> None:
    works = await Works.open(postgres_database, tmp_path / "data")
    assert await findings(works) == {}
    time.pass_(seconds=-60)
    found = (await findings(works))["clocks_differ"]
    assert found.level == "warning"
    assert "ahead of" in found.message
    time.pass_(seconds=120)
    assert "behind" in (await findings(works))["clocks_differ"].message


async def test_an_integration_that_has_failed_for_hours(
    works: Works, server: SimulatorServer, time: Time
) -> None:
    hands = Hands(works)
    await works.map_all(await works.connect(server))
    await hands.tick()
    server.add_fault("error502")
    await run_on(hands, time, hours=2)
    assert "integrations_failing" not in await findings(works)
    await run_on(hands, time, hours=20)
    found = (await findings(works))["integrations_failing"]
    assert (found.level, found.message) == ("warning", "1 integrations have failed for hours.")
    server.faults.clear()
    await run_on(hands, time, hours=7)
    assert "integrations_failing" not in await findings(works)


async def test_a_subscriber_that_cannot_get_past_an_event(works: Works, time: Time) -> None:
    too_much = True

    async def handler(_session: AsyncSession, _scope: TenantScope, _events: Sequence[EventView]) -> None:
        if too_much:
            raise RuntimeError("it is too much")

    relay = EventRelay(works.database, [Subscriber("ticketing", handler)], timedelta(days=1))
    async with works.database.write(works.scope) as session:
        await EventService(session, works.scope).publish("RMM_TEST", "it", {})
    for _ in range(STUCK_AFTER):
        assert "subscribers_stuck" not in await findings(works)
        await relay.relay_once()
        time.pass_(seconds=LONGEST_PAUSE.total_seconds())
    found = (await findings(works))["subscribers_stuck"]
    assert found.level == "warning"
    assert "ticketing" in found.message
    too_much = False
    await relay.relay_once()
    assert "subscribers_stuck" not in await findings(works)
