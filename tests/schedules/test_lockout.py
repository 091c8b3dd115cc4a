"""Nobody is locked out of Tactical by Muster: the simulated server counts logins as Tactical does (10 a
minute and 300 a day, successes too), its time and Muster's move together, and it need not refuse any.
"""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import httpx2
import pytest

from muster.integrations.service import IntegrationService
from muster.simulator import SimulatorServer
from muster.simulator.accounts import User
from tests.schedules.hands import Hands, logins, run_on
from tests.support.time import Time
from tests.support.world import World

REFRESH, FULL = "devices_refresh", "devices_full"


@pytest.fixture(autouse=True)
def one_time(time: Time, server: SimulatorServer) -> None:
    time.servers.append(server)


async def log_in_with(world: World, server: SimulatorServer, name: str = "nototp", title: str = "T") -> User:
    """An integration that uses this user's password."""
    user = server.users[name]
    fields = {"instance_url": server.url, "username": user.username, "password": user.password}
    if user.totp_secret is not None:
        fields["totp_secret"] = user.totp_secret
    integration_id = await world.add(title, **fields)
    assert (await world.connector.check(world.scope, integration_id)).ok
    return user


def throttled(server: SimulatorServer) -> int:
    return sum(request.status == 429 for request in server.requests)


def log_in_by_hand(server: SimulatorServer, user: User) -> httpx2.Response:
    """What somebody gets who logs in now, at the same address."""
    fields = {"username": user.username, "password": user.password}
    return httpx2.post(f"{server.url}/v2/checkcreds/", json=fields)


def use_up(server: SimulatorServer, user: User) -> int:
    """Log in until the server refuses it; for how many seconds it then does."""
    fields = {"username": user.username, "password": user.password}
    with httpx2.Client(base_url=server.url) as client:
        while (answer := client.post("/v2/checkcreds/", json=fields)).status_code == 200:
            continue
    return int(answer.headers["Retry-After"])


def change_password(server: SimulatorServer, user: User) -> None:
    user.password = "changed on the server"
    server.log_out_everybody()


def change_totp(server: SimulatorServer, user: User) -> None:
    user.totp_secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    server.log_out_everybody()


def switch_off(server: SimulatorServer, user: User) -> None:
    user.active = False
    server.log_out_everybody()


def forbid(server: SimulatorServer, user: User) -> None:
    user.role = server.users["noperm"].role


def throw_out(server: SimulatorServer, _user: User) -> None:
    server.log_out_everybody()


def break_down(server: SimulatorServer, _user: User) -> None:
    server.add_fault("error502")


def break_logins(server: SimulatorServer, _user: User) -> None:
    server.add_fault("error500@/v2/")
    server.log_out_everybody()


@pytest.mark.parametrize(
    ("name", "trouble", "most"),
    [
        ("nototp", change_password, 1),
        ("totp", change_password, 1),
        ("totp", change_totp, 2),
        ("nototp", switch_off, 1),
        # The kept token is good: what is refused costs no login.
        ("nototp", forbid, 0),
        ("totp", throw_out, 2),
        ("nototp", break_down, 0),
        # Of each schedule of devices, of the history of alerts and of software after 0, 15, 45, 105, 225,
        # 465, 825 and 1,185 minutes, of that of alerts after 0, 10, 30, 70, 150, 310, 630, 990 and 1,350.
        ("nototp", break_logins, 4 * 8 + 9),
    ],
)
async def test_a_day_of_trouble_costs_few_logins(
    world: World,
    hands: Hands,
    server: SimulatorServer,
    time: Time,
    *,
    name: str,
    trouble: Callable[[SimulatorServer, User], None],
    most: int,
) -> None:
    user = await log_in_with(world, server, name)
    await hands.tick()
    before = logins(server)
    trouble(server, user)
    assert await run_on(hands, time, hours=24)
    assert logins(server) - before <= most
    assert throttled(server) == 0
    server.faults.clear()
    user.active = True
    assert log_in_by_hand(server, user).status_code == 200


@pytest.mark.slow
async def test_a_server_that_forgets_every_login_at_once_is_asked_once_a_sync(
    world: World, hands: Hands, server: SimulatorServer, time: Time
) -> None:
    user = await log_in_with(world, server, "totp")
    await hands.tick()
    before, end, done_of = logins(server), time.now + timedelta(days=1), Counter[str]()
    while time.now < end:
        server.log_out_everybody()
        done = await run_on(hands, time, minutes=15)
        done_of.update(job.split()[0] for job in done)
    # 96 light syncs and a full one, 144 of alerts and a backfill, one of software; each login is a check of
    # the credentials and a code.
    assert 90 <= done_of["sync_devices"] <= 97
    assert 135 <= done_of["sync_alerts"] <= 145
    assert logins(server) - before <= 2 * done_of.total()
    assert throttled(server) == 0
    assert log_in_by_hand(server, user).status_code == 200


async def test_many_integrations_of_one_user_stop_one_by_one(
    world: World, hands: Hands, server: SimulatorServer, time: Time
) -> None:
    """Six, so that logins of all of them within one minute would still pass."""
    for number in range(6):
        user = await log_in_with(world, server, title=f"Tactical {number}")
        time.pass_(minutes=1)
    await hands.tick()
    before = logins(server)
    change_password(server, user)
    await run_on(hands, time, hours=24)
    assert logins(server) - before == 6
    assert throttled(server) == 0
    assert log_in_by_hand(server, user).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "pause"),
    [pytest.param(60, timedelta(minutes=1), id="minute"), pytest.param(86_400, timedelta(days=1), id="day")],
)
async def test_a_throttle_that_others_have_used_up_is_waited_for(
    world: World, hands: Hands, server: SimulatorServer, time: Time, *, limit: int, pause: timedelta
) -> None:
    user = await log_in_with(world, server)
    await hands.tick()
    time.pass_(minutes=16)
    while not 0.9 * limit < use_up(server, user) <= limit:
        time.pass_(minutes=1)
    server.log_out_everybody()
    logins_before, refused_before, began = logins(server), throttled(server), time.now
    await hands.tick_and_work()
    assert throttled(server) - refused_before == 1
    while (await hands.told())[-1] != "RECOVERED":
        await run_on(hands, time, minutes=20)
        assert time.now < began + pause + timedelta(minutes=21)
    assert await hands.told() == ["FAILING", "RECOVERED"]
    assert throttled(server) - refused_before == 1, "the server's Retry-After was kept to"
    assert logins(server) - logins_before == 2


async def test_a_wrong_key_is_tried_once_an_hour_and_locks_nobody_out(
    world: World, hands: Hands, server: SimulatorServer, time: Time
) -> None:
    integration_id = await world.connect(server)
    await hands.tick()
    server.users["admin"].api_key = "X" * 32
    done = await run_on(hands, time, hours=24)
    assert 20 <= len(done) <= 26
    assert logins(server) == throttled(server) == 0
    schedules = await hands.schedules(integration_id)
    assert {schedule.paused_code for schedule in schedules.values()} == {"invalid_credentials"}
    assert log_in_by_hand(server, server.users["nototp"]).status_code == 200


async def test_a_server_that_is_gone_for_an_hour_is_synced_again_within_the_next(
    world: World, hands: Hands, server: SimulatorServer, time: Time
) -> None:
    user = await log_in_with(world, server)
    await hands.tick()
    async with world.database.read(world.scope) as session:
        (view,) = await IntegrationService(session, world.scope, world.box).list()
    # What comes once a day may come in this hour, or not.
    for kind in ("alerts_backfill", "software", "webhook"):
        await hands.set(view.integration_id, kind, enabled=False)
    await run_on(hands, time, minutes=30)
    before = logins(server)
    server.stop()
    tries = Counter(await run_on(hands, time, hours=1))
    assert tries.pop("sync_alerts") <= 4
    assert tries.total() <= 4
    server.start()
    assert await run_on(hands, time, hours=1)
    assert await hands.told() == ["FAILING", "RECOVERED"]
    assert logins(server) == before
    assert log_in_by_hand(server, user).status_code == 200
