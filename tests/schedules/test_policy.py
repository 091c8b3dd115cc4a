"""What a server that fails, throttles or refuses does to schedules: through ticks, jobs and real requests."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from structlog.testing import capture_logs

from muster.schedules import rules
from muster.schedules.kinds import KINDS
from muster.simulator import SimulatorServer
from tests.schedules.hands import Hands, logins, run_on, until_something_runs
from tests.support.time import Time
from tests.support.world import World

REFRESH = "devices_refresh"


def integration_lines(logged: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """What was logged about the integration's state, and how loudly."""
    return [(line["event"], line["log_level"]) for line in logged if line["event"].startswith("integration.")]


async def test_a_server_down_for_hours_is_tried_ever_more_rarely(
    world: World, hands: Hands, server: SimulatorServer, time: Time
) -> None:
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    await hands.tick()
    for kind in KINDS.keys() - {REFRESH}:
        await hands.set(integration_id, kind, enabled=False)
    assert len(await run_on(hands, time, hours=1)) == 4
    fault = server.add_fault("error502")
    with capture_logs() as logged:
        tries = await run_on(hands, time, hours=6)
    # 15, 30, 60, 120 minutes apart, in place of 24 refreshes.
    assert 4 <= len(tries) <= 6
    schedule = (await hands.schedules(integration_id))[REFRESH]
    assert schedule.failures == len(tries)
    assert schedule.paused_code is None
    assert await hands.told() == ["FAILING"]
    assert integration_lines(logged) == [("integration.failing", "warning")]
    server.faults.clear()
    assert fault.struck > 0
    with capture_logs() as logged:
        done = await run_on(hands, time, hours=6)
    assert integration_lines(logged) == [("integration.recovered", "info")]
    assert len(done) > 1
    schedule = (await hands.schedules(integration_id))[REFRESH]
    assert (schedule.failures, schedule.minutes) == (0, 15)
    assert await hands.told() == ["FAILING", "RECOVERED"]
    assert len(await run_on(hands, time, hours=1)) == 4


async def test_retry_after_is_honoured_by_all_schedules_of_the_server(
    world: World, hands: Hands, server: SimulatorServer, time: Time
) -> None:
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    await hands.tick()
    server.add_fault("throttle429=3600")
    await until_something_runs(hands, time)
    asked_at, asked = time.now - timedelta(minutes=1), len(server.requests)
    schedules = await hands.schedules(integration_id)
    # The others that were due as well were taken back.
    assert sum(schedule.failures for schedule in schedules.values()) == 1
    for schedule in schedules.values():
        assert schedule.next_run_at is not None
        assert schedule.next_run_at >= asked_at + timedelta(seconds=3600)
    assert await run_on(hands, time, minutes=58) == []
    assert len(server.requests) == asked


async def test_an_expired_key_pauses_at_once_and_recovers_by_itself(
    world: World, hands: Hands, server: SimulatorServer, time: Time
) -> None:
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    await hands.tick()
    server.users["admin"].api_key_expired = True
    await until_something_runs(hands, time)
    schedules = await hands.schedules(integration_id)
    assert {s.paused_code for s in schedules.values()} == {"key_expired"}
    assert all(s.paused_error and s.paused_error["remedy"] for s in schedules.values())
    assert await hands.told() == ["NEEDS_ATTENTION"]
    done = await run_on(hands, time, hours=3)
    assert set(done) == {"check_integration"}
    assert len(done) <= 3
    assert await hands.told() == ["NEEDS_ATTENTION"]
    server.users["admin"].api_key_expired = False
    done = await run_on(hands, time, hours=2)
    assert done[0] == "check_integration"
    assert "sync_devices incremental" in done
    schedules = await hands.schedules(integration_id)
    assert {s.paused_code for s in schedules.values()} == {None}
    assert await hands.told() == ["NEEDS_ATTENTION", "RECOVERED"]
    assert (await world.integration(integration_id)).sync_error is None


async def test_a_changed_password_locks_nobody_out(
    world: World, hands: Hands, server: SimulatorServer, time: Time
) -> None:
    user = server.users["nototp"]
    fields = {"instance_url": server.url, "username": user.username, "password": user.password}
    integration_id = await world.add("Tactical", **fields)
    assert (await world.connector.check(world.scope, integration_id)).ok
    await hands.tick()
    server.log_out_everybody()
    user.password = "changed on the server"
    before = logins(server)
    await until_something_runs(hands, time)
    assert 1 <= logins(server) - before <= 2
    schedules = await hands.schedules(integration_id)
    assert {(s.paused_code, s.next_run_at) for s in schedules.values()} == {("invalid_credentials", None)}
    tried = logins(server)
    assert await run_on(hands, time, hours=12) == []
    assert logins(server) == tried
    await world.update(integration_id, password="changed on the server")
    # Of what was missed the full sync may come first and do the light one's work; the next light one is
    # then up to 23 minutes later.
    done = await run_on(hands, time, minutes=60)
    assert done[0] == "check_integration"
    assert "sync_devices incremental" in done
    assert logins(server) - tried == 1
    assert await hands.told() == ["NEEDS_ATTENTION", "RECOVERED"]


async def test_wrong_new_credentials_are_tried_once(
    world: World, hands: Hands, server: SimulatorServer, time: Time
) -> None:
    integration_id = await world.connect(server)
    await hands.tick()
    server.users["admin"].api_key = "X" * 32
    await until_something_runs(hands, time)
    await world.update(integration_id, api_key="Y" * 32)
    assert await hands.tick_and_work() == ["check_integration"]
    assert await run_on(hands, time, minutes=50) == []
    assert await hands.told() == ["NEEDS_ATTENTION"]


async def test_a_check_by_hand_ends_the_pause(
    world: World, hands: Hands, server: SimulatorServer, time: Time
) -> None:
    integration_id = await world.connect(server)
    await hands.tick()
    key = server.users["admin"].api_key
    server.users["admin"].api_key = "X" * 32
    await until_something_runs(hands, time)
    server.users["admin"].api_key = key
    assert (await world.connector.check(world.scope, integration_id)).ok
    await hands.tick()
    for schedule in (await hands.schedules(integration_id)).values():
        assert schedule.paused_code is None
        assert schedule.next_run_at is not None
        assert schedule.next_run_at <= time.now + rules.FIRST_RETRY


async def test_a_disconnected_integration_is_left_alone(
    world: World, hands: Hands, server: SimulatorServer, time: Time
) -> None:
    integration_id = await world.connect(server)
    await hands.tick()
    await hands.set(integration_id, REFRESH, minutes=30)
    await world.connector.disconnect(world.scope, integration_id)
    sent = len(server.requests)
    assert await run_on(hands, time, hours=25) == []
    assert len(server.requests) == sent
    assert await hands.told() == []
    await world.update(integration_id, api_key=server.api_key)
    assert await run_on(hands, time, hours=1) == []
    assert (await world.connector.check(world.scope, integration_id)).ok
    assert len(await run_on(hands, time, hours=2)) >= 3
    assert (await hands.schedules(integration_id))[REFRESH].minutes == 30


async def test_a_down_server_costs_no_login(
    world: World, hands: Hands, server: SimulatorServer, time: Time
) -> None:
    user = server.users["totp"]
    assert user.totp_secret is not None
    integration_id = await world.add(
        "Tactical",
        instance_url=server.url,
        username=user.username,
        password=user.password,
        totp_secret=user.totp_secret,
    )
    assert (await world.connector.check(world.scope, integration_id)).ok
    await hands.tick()
    tried = logins(server)
    server.add_fault("error502")
    assert await run_on(hands, time, hours=6)
    server.faults.clear()
    assert await run_on(hands, time, hours=6)
    assert await hands.told() == ["FAILING", "RECOVERED"]
    assert logins(server) == tried


async def test_a_throttled_login_is_left_alone_until_its_time(
    world: World, hands: Hands, server: SimulatorServer, time: Time
) -> None:
    user = server.users["nototp"]
    fields = {"instance_url": server.url, "username": user.username, "password": user.password}
    integration_id = await world.add("Tactical", **fields)
    assert (await world.connector.check(world.scope, integration_id)).ok
    await hands.tick()
    server.log_out_everybody()
    server.add_fault("throttle429=3600@/v2/")
    await until_something_runs(hands, time)
    tried = logins(server)
    assert await run_on(hands, time, minutes=58) == []
    assert logins(server) == tried
    server.faults.clear()
    assert await run_on(hands, time, hours=1)
    assert await hands.told() == ["FAILING", "RECOVERED"]
    assert logins(server) == tried + 1
