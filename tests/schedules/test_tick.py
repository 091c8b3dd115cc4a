"""Ticks: what is due is asked for once, by whichever process ticks, and schedules follow the integrations."""

import asyncio
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from muster import clock
from muster import settings as muster_settings
from muster.background import background
from muster.bootstrap import Application
from muster.db import Database, bulk
from muster.db.types import table_of
from muster.errors import Conflict, InvalidInput
from muster.schedules.models import Schedule
from muster.schedules.service import ScheduleService
from muster.schedules.tick import ScheduleTicker
from muster.simulator import SimulatorServer
from tests.schedules.hands import Hands
from tests.support.opening import impatient
from tests.support.time import Time
from tests.support.world import World

REFRESH, FULL, WEBHOOK, SOFTWARE = "devices_refresh", "devices_full", "webhook", "software"
ALERTS, HISTORY = "alerts", "alerts_backfill"
NOWHERE = "http://127.0.0.1:9"


async def connected(world: World, count: int) -> None:
    """Integrations with schedules, of servers that nobody asks."""
    for number in range(count):
        integration_id = await world.add(f"Server {number}", instance_url=NOWHERE, api_key="K" * 32)
        async with world.database.write(world.scope) as session:
            await ScheduleService(session, world.scope, world.box).ensure(integration_id)


async def test_a_passed_check_brings_schedules_and_saving_loses_none(
    world: World, hands: Hands, server: SimulatorServer, time: Time
) -> None:
    integration_id = await world.add("Tactical", instance_url=server.url, api_key=server.api_key)
    await hands.tick()
    assert await hands.schedules(integration_id) == {}
    with pytest.raises(Conflict, match="no schedules before"):
        await hands.set(integration_id, REFRESH, minutes=30)
    assert (await world.connector.check(world.scope, integration_id)).ok
    await hands.tick()
    made = await hands.schedules(integration_id)
    assert {kind: (s.minutes, s.enabled) for kind, s in made.items()} == {
        REFRESH: (15, True),
        FULL: (1440, True),
        ALERTS: (10, True),
        HISTORY: (1440, True),
        SOFTWARE: (1440, True),
        WEBHOOK: (1440, True),
    }
    await hands.set(integration_id, REFRESH, minutes=7)
    await hands.set(integration_id, FULL, enabled=False)
    await world.update(integration_id, api_key="N" * 32)
    time.pass_(seconds=1)
    await hands.tick()
    kept = await hands.schedules(integration_id)
    assert (kept[REFRESH].minutes, kept[FULL].enabled) == (7, False)


async def test_an_interval_out_of_bounds_changes_nothing(
    world: World, hands: Hands, server: SimulatorServer
) -> None:
    integration_id = await world.connect(server)
    await hands.tick()
    before = await hands.schedules(integration_id)
    for minutes in (0, 4, 1441):
        with pytest.raises(InvalidInput):
            await hands.set(integration_id, REFRESH, minutes=minutes)
    with pytest.raises(InvalidInput):
        await hands.set(integration_id, "nonsense", minutes=15)
    assert await hands.schedules(integration_id) == before


async def test_a_status_is_believed_for_three_of_the_chosen_intervals(
    world: World, hands: Hands, server: SimulatorServer
) -> None:
    integration_id = await world.connect(server)
    await hands.tick()
    await hands.set(integration_id, REFRESH, minutes=120)
    kept = (await world.integration(integration_id)).settings["schedules"]["devices"]
    assert kept["minutes"] == 120
    await hands.set(integration_id, REFRESH, enabled=False)
    kept = (await world.integration(integration_id)).settings["schedules"]["devices"]
    assert kept["minutes"] == 1440


async def test_two_tickers_ask_once_and_a_late_tick_asks_once(world: World, hands: Hands, time: Time) -> None:
    await connected(world, 30)
    await hands.tick()
    time.pass_(hours=5)
    other = ScheduleTicker(world.database, world.box)
    both = await asyncio.gather(hands.tick(), other.tick())
    every = await hands.jobs()
    assert len(every) == sum(ticked.requested for ticked in both)
    assert len([job for job in every if job.kind == "sync_alerts"]) == 30
    jobs = [job for job in every if job.kind == "sync_devices"]
    light = [job for job in jobs if job.payload["mode"] == "incremental"]
    # A full sync that is due as well does the light one's work.
    full = [job for job in jobs if job.payload["mode"] == "full"]
    assert len(light) + len(full) == 30
    assert len({job.payload["integration_id"] for job in jobs}) == 30
    assert {job.lane for job in jobs} == {"127.0.0.1:9"}
    assert (await hands.tick()).due == 0
    for job in jobs:
        assert job.requested_by == "schedule"


async def test_what_is_asked_for_already_is_joined(world: World, hands: Hands, time: Time) -> None:
    await connected(world, 1)
    for _ in range(3):
        time.pass_(minutes=16)
        await hands.tick()
    light = [job for job in await hands.jobs() if job.payload.get("mode") == "incremental"]
    assert len(light) == 1


async def test_switched_off_is_off(world: World, hands: Hands, server: SimulatorServer, time: Time) -> None:
    integration_id = await world.connect(server)
    await hands.tick()
    for kind in await hands.schedules(integration_id):
        await hands.set(integration_id, kind, enabled=False)
    time.pass_(days=3)
    assert (await hands.tick()).due == 0
    on = await hands.set(integration_id, REFRESH, enabled=True)
    assert on.next_run_at is not None
    assert time.now < on.next_run_at <= time.now + timedelta(minutes=15)


async def test_another_tenant_s_schedules_are_its_own(
    world: World, hands: Hands, database: Database, time: Time
) -> None:
    other = await World.make(database, "Other MSP")
    await connected(world, 2)
    await connected(other, 3)
    time.pass_(minutes=16)
    # The tick needs no key of theirs: it opens no secret.
    await hands.tick()
    mine = [job for job in await hands.jobs() if job.kind == "sync_devices"]
    theirs = [job for job in await Hands(other).jobs() if job.kind == "sync_devices"]
    assert (len(mine), len(theirs)) == (2, 3)


async def fill_pools(world: World) -> None:
    """Have every connection and thread made that pools would make one day, however little is scheduled."""
    sleeping = (asyncio.to_thread(threading.Event().wait, 0.1) for _ in range(32))
    await asyncio.gather(*(world.runs() for _ in range(16)), *sleeping)


@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.soak)])
async def test_threads_stay_flat_however_many_are_scheduled(
    sqlite_database: Database, tmp_path: Path, count: int
) -> None:
    world = await World.make(sqlite_database)
    settings = muster_settings.load({"MUSTER_DATA_DIR": str(tmp_path)})
    application = Application(settings, sqlite_database, world.box, impatient())
    async with background(application, tick_seconds=0.05):
        await asyncio.sleep(0.5)
        await fill_pools(world)
        alone = threading.active_count()
        await connected(world, count)
        far = {"next_run_at": clock.now() + timedelta(hours=1)}
        async with world.database.write(world.scope) as session:
            await bulk.update_where(session, world.scope, table_of(Schedule), far, where={})
        await asyncio.sleep(0.5)
        assert threading.active_count() <= alone + 2
