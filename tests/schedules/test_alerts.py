"""The schedule of alerts: it takes a permission of its own, and what it lacks stops nothing else."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from muster.alerts.schemas import AlertFilter
from muster.alerts.service import AlertService
from muster.db import bulk
from muster.db.types import table_of
from muster.integrations.types import State
from muster.jobs.service import JobService
from muster.jobs.types import JobView
from muster.schedules.models import Schedule
from muster.schedules.service import ScheduleService
from muster.simulator import SimulatorServer
from muster.sync.jobs import request_alerts
from tests.providers.second import AcmeServer, acme
from tests.schedules.hands import Hands, run_on, until_something_runs
from tests.support.time import Time
from tests.support.world import World

REFRESH, FULL, ALERTS, HISTORY = "devices_refresh", "devices_full", "alerts", "alerts_backfill"


@pytest.fixture
async def connected(world: World, hands: Hands, server: SimulatorServer, time: Time) -> UUID:
    """An integration of a user whose role can be changed, with schedules."""
    time.servers.append(server)
    integration_id = await world.connect(server, api_key=server.users["nototp"].api_key)
    await world.map_all(integration_id)
    await hands.tick()
    return integration_id


@pytest.fixture
async def only_the_open(hands: Hands, connected: UUID) -> None:
    """Without the daily backfill: what is counted here is what comes every ten minutes."""
    await hands.set(connected, HISTORY, enabled=False)


def forbid(server: SimulatorServer, permission: str) -> None:
    user = server.users["nototp"]
    assert user.role is not None
    user.role = replace(user.role, permissions=user.role.permissions - {permission})


def allow(server: SimulatorServer, permission: str) -> None:
    user = server.users["nototp"]
    assert user.role is not None
    user.role = replace(user.role, permissions=user.role.permissions | {permission})


@pytest.mark.usefixtures("only_the_open")
async def test_alerts_come_every_ten_minutes(world: World, hands: Hands, connected: UUID, time: Time) -> None:
    done = await run_on(hands, time, hours=2)
    assert done.count("sync_alerts") == 12
    runs = [run for run in await world.runs() if run.sync_type == "alerts"]
    assert {(run.status, run.trigger) for run in runs} == {("succeeded", "schedule")}


@pytest.mark.usefixtures("only_the_open")
async def test_a_key_that_may_not_see_alerts_stops_no_device(
    world: World, hands: Hands, server: SimulatorServer, connected: UUID, time: Time
) -> None:
    await run_on(hands, time, hours=1)
    forbid(server, "can_list_alerts")
    before = await hands.schedules(connected)
    done = await run_on(hands, time, hours=12)
    # Every six hours in place of every ten minutes, and devices as ever.
    assert 2 <= done.count("sync_alerts") <= 3
    assert done.count("sync_devices incremental") >= 46
    (run, *_) = [run for run in await world.runs() if run.sync_type == "alerts"]
    assert (run.status, run.error and run.error["code"]) == ("failed", "permission_missing")
    schedules = await hands.schedules(connected)
    assert {(s.paused_code, s.failures) for s in schedules.values()} == {(None, 0)}
    assert await hands.told() == []
    view = await world.integration(connected)
    assert (view.state, view.sync_error, view.sync_status) == (State.CONNECTED, None, "succeeded")
    assert before.keys() == schedules.keys()
    # Once it may, a sync by hand brings the schedule back to its pace.
    allow(server, "can_list_alerts")
    assert (await world.alerts(connected)).status == "succeeded"
    at = (await hands.schedules(connected))[ALERTS].next_run_at
    assert at is not None
    assert at - time.now <= timedelta(minutes=15)
    assert 5 <= (await run_on(hands, time, hours=1)).count("sync_alerts") <= 6


@pytest.mark.usefixtures("only_the_open")
async def test_it_comes_back_by_itself_within_six_hours(
    hands: Hands, server: SimulatorServer, connected: UUID, time: Time
) -> None:
    forbid(server, "can_list_alerts")
    await run_on(hands, time, minutes=30)
    allow(server, "can_list_alerts")
    await run_on(hands, time, hours=6)
    assert 5 <= (await run_on(hands, time, hours=1)).count("sync_alerts") <= 6


async def test_a_refused_key_stops_everything_whoever_met_it(
    world: World, hands: Hands, server: SimulatorServer, connected: UUID, time: Time
) -> None:
    for kind in (REFRESH, FULL):
        await hands.set(connected, kind, enabled=False)
    server.users["nototp"].api_key = "X" * 32
    assert await until_something_runs(hands, time) == ["sync_alerts"]
    schedules = await hands.schedules(connected)
    assert {schedule.paused_code for schedule in schedules.values()} == {"invalid_credentials"}
    assert await hands.told() == ["NEEDS_ATTENTION"]
    view = await world.integration(connected)
    assert view.state is State.NEEDS_ATTENTION
    server.users["nototp"].api_key = "Y" * 32
    await world.update(connected, api_key="Y" * 32)
    assert await hands.tick_and_work() == ["check_integration"]
    assert (await world.integration(connected)).sync_error is None
    assert await hands.told() == ["NEEDS_ATTENTION", "RECOVERED"]


async def test_what_alerts_ask_for_is_left_alone_while_the_server_fails(
    world: World, hands: Hands, server: SimulatorServer, connected: UUID, time: Time
) -> None:
    async def by_an_alert() -> JobView:
        view = await world.integration(connected)
        async with world.database.write(world.scope) as session:
            jobs = JobService(session, world.scope)
            ticket = await request_alerts(jobs, view, trigger="webhook")
        await hands.work()
        return next(job for job in await hands.jobs() if job.job_id == ticket.job_id)

    job = await by_an_alert()
    assert job.state == "succeeded"
    server.add_fault("error502")
    await run_on(hands, time, minutes=20)
    asked = len(server.requests)
    assert (await by_an_alert()).state == "succeeded"
    assert len(server.requests) == asked
    server.faults.clear()
    await run_on(hands, time, hours=1)
    asked = len(server.requests)
    await by_an_alert()
    assert len(server.requests) > asked


async def history(world: World, integration_id: UUID) -> dict[str, str]:
    """What became of each alert that Muster knows, by the server's id."""
    wanted = AlertFilter(integration_id=integration_id)
    async with world.database.read(world.scope) as session:
        found, _ = await AlertService(session, world.scope).list(wanted, limit=1000)
    return {alert.external_alert_id or "": alert.status for alert in found}


async def test_what_came_and_went_while_muster_was_down_is_found_within_a_day(
    world: World, hands: Hands, server: SimulatorServer, connected: UUID, time: Time
) -> None:
    await run_on(hands, time, hours=1)
    time.pass_(hours=3)
    agent = server.fleet.agent(server.fleet.pks()[0])
    missed = server.alerts.raise_alert(agent, "check")
    time.pass_(minutes=5)
    server.alerts.recover(missed)
    time.pass_(hours=3)
    # What is open tells nothing of it.
    await world.alerts(connected)
    assert str(missed) not in await history(world, connected)
    await run_on(hands, time, hours=24)
    assert (await history(world, connected))[str(missed)] == "resolved"
    runs = [run for run in await world.runs() if (run.sync_type, run.mode) == ("alerts", "full")]
    assert {(run.status, run.trigger, run.cursor["days"]) for run in runs} == {("succeeded", "schedule", 2)}
    assert 1 <= len(runs) <= 2


async def test_the_history_that_is_due_does_the_work_of_the_alerts_and_joins_a_backfill(
    world: World, hands: Hands, connected: UUID, time: Time
) -> None:
    time.pass_(days=1, minutes=1)
    assert (await hands.tick()).due == len(await hands.schedules(connected))
    asked = [job for job in await hands.jobs() if job.kind == "sync_alerts"]
    assert [job.payload.get("days") for job in asked] == [2]
    view = await world.integration(connected)
    async with world.database.write(world.scope) as session:
        ticket = await request_alerts(JobService(session, world.scope), view, days=30)
    assert (ticket.job_id, ticket.joined) == (asked[0].job_id, True)


async def test_a_failing_history_is_tried_again_and_what_waits_is_taken_back(
    world: World, hands: Hands, server: SimulatorServer, connected: UUID, time: Time
) -> None:
    server.add_fault("error502@/alerts/")
    assert (await world.alerts(connected, days=2)).status == "failed"
    found = await hands.schedules(connected)
    assert {kind for kind, each in found.items() if each.failures} == {ALERTS, HISTORY}
    at = found[HISTORY].next_run_at
    assert at is not None
    assert at - time.now <= timedelta(minutes=15)
    server.faults.clear()
    assert (await world.alerts(connected)).status == "succeeded"
    assert (await hands.schedules(connected))[HISTORY].failures == 1
    assert (await world.alerts(connected, days=2)).status == "succeeded"
    assert {each.failures for each in (await hands.schedules(connected)).values()} == {0}
    # A server that asks for a pause: what a schedule has asked for and nobody has begun goes too.
    time.pass_(days=1, minutes=1)
    await hands.tick()
    server.add_fault("throttle429=3600")
    assert (await world.devices(connected)).status == "failed"
    waiting = [job for job in await hands.jobs() if job.kind == "sync_alerts" and job.state == "requested"]
    assert waiting == []


async def test_who_was_connected_before_there_was_a_history_gets_its_schedule(
    world: World, hands: Hands, connected: UUID
) -> None:
    gone = {"integration_id": connected, "kind": HISTORY}
    async with world.database.write(world.scope) as session:
        await bulk.delete(session, world.scope, table_of(Schedule), [gone], key=("integration_id", "kind"))
    assert HISTORY not in await hands.schedules(connected)
    # A new version begins with a first tick.
    await Hands(world).tick()
    schedule = (await hands.schedules(connected))[HISTORY]
    assert (schedule.enabled, schedule.minutes) == (True, 1440)


async def test_who_has_no_alerts_has_no_schedule_for_them(world: World, hands: Hands) -> None:
    other = AcmeServer("https://acme.example.com")
    with acme(other):
        integration_id = await world.add("Acme", "acmermm", instance_url=other.url, token=other.token)
        assert (await world.connector.check(world.scope, integration_id)).ok
        await hands.tick()
        assert set(await hands.schedules(integration_id)) == {REFRESH, FULL}
        # Nor is it looked for again and again.
        async with world.database.write() as session:
            await ScheduleService(session, world.scope, world.box).ensure(integration_id)
        assert set(await hands.schedules(integration_id)) == {REFRESH, FULL}
