"""Software read from the panel, by programs, by schedule and on the command line."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

import pytest

from muster.accounts.permissions import Role
from muster.schedules.service import ScheduleService
from muster.simulator import FleetSpec, SimulatorServer
from tests.providers.second import AcmeServer, acme
from tests.schedules.hands import Hands, run_on
from tests.support.cli import Muster
from tests.support.site import Site
from tests.support.time import Time
from tests.support.world import World
from tests.sync.watching import panel, recorded, until, working


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(FleetSpec(agents=30, seed=3), frozen=True) as running:
        yield running


def rows(server: SimulatorServer) -> int:
    """How many machines report."""
    return sum(server.software.of(pk) is not None for pk in server.fleet.pks())


async def test_ingest_software_is_pressed_and_its_result_stays(
    site: Site, world: World, server: SimulatorServer, mapped: UUID
) -> None:
    await world.devices(mapped)
    async with site.logged_in(Role.TECHNICIAN) as browser:
        page = await browser.get(panel(mapped))
        assert page.text("#sync-software .m-sync-result") == "Not yet synced"
        assert page.text("#sync-software button") == "Ingest software"
        assert page.text("#sync-software #next-software")
        async with working(site):
            page = await browser.post(f"{panel(mapped)}/sync/software", part=True)
            assert "software ingest" in page.response.headers["hx-trigger"]
            ended = await until(browser, f"{panel(mapped)}/sync/software", "#sync")
        assert f" programs on {rows(server)} new devices, " in ended.text("#sync-software .m-sync-result")
        (run,) = [run for run in await world.runs() if run.sync_type == "software"]
        assert f"{rows(server)} processed, {rows(server)} created" in ended.text("#sync-software")
        shown = await browser.get(f"/runs/{run.run_id}")
        assert shown.text("h1") == "Software ingest"
        assert f"{rows(server)} read" in shown.text(".m-steps")
        assert "It reports for the first time: " in shown.text("#entries")
        ledger = await browser.get("/runs?kind=software")
        assert "Software" in ledger.text("main tbody")
        assert (await browser.post(f"/runs/{run.run_id}/again", follow=False)).status == 303
    assert [what for *_, what in await recorded(world)] == ["software", "software"]


async def test_programs_ask_for_software(
    site: Site, world: World, server: SimulatorServer, mapped: UUID
) -> None:
    await world.devices(mapped)
    async with site.logged_in() as browser:
        path = f"/integrations/{mapped}/sync"
        (ticket,) = (await browser.json("POST", path, {"kind": "software"})).json()["items"]
        assert (await browser.json("POST", path, {"kind": "software"})).json()["items"][0]["joined"]
        await Hands(world).work()
        run = (await browser.json("GET", f"/runs/{ticket['run_id']}")).json()
        assert (run["status"], run["sync_type"], run["created"]) == ("succeeded", "software", rows(server))
        assert run["cursor"]["changed"]["listed"] > rows(server)
        found = (await browser.json("GET", "/runs?sync_type=software")).json()
        assert found["total"] == 1
        assert (await browser.json("POST", path, {"kind": "software", "days": 2})).status_code == 400
    async with site.logged_in(Role.VIEWER) as browser:
        assert (await browser.json("POST", path, {"kind": "software"})).status_code == 403


async def test_a_provider_without_software_is_not_offered_any(site: Site, world: World, hands: Hands) -> None:
    other = AcmeServer("https://acme.example.com")
    with acme(other):
        second = await world.add("Acme", "acmermm", instance_url=other.url, token=other.token)
        async with world.database.write() as session:
            await ScheduleService(session, world.scope, world.box).ensure(second)
        assert "software" not in await hands.schedules(second)
        async with site.logged_in() as browser:
            page = await browser.get(panel(second))
            assert not page.texts("#sync-software")
            answer = await browser.json("POST", f"/integrations/{second}/sync", {"kind": "software"})
            assert (answer.status_code, answer.json()["code"]) == (409, "not_offered")


@pytest.fixture
def hands(world: World) -> Hands:
    return Hands(world)


async def test_by_itself_once_a_day_and_what_it_may_not_see_stops_nothing_else(
    world: World, hands: Hands, server: SimulatorServer, time: Time
) -> None:
    time.servers.append(server)
    user = server.users["nototp"]
    assert user.role is not None
    integration_id = await world.connect(server, api_key=user.api_key)
    await world.map_all(integration_id)
    await hands.tick()
    for kind in ("devices_refresh", "alerts", "alerts_backfill", "webhook"):
        await hands.set(integration_id, kind, enabled=False)
    await world.devices(integration_id)
    done = await run_on(hands, time, days=2)
    assert 1 <= done.count("sync_software") <= 2
    runs = [run for run in await world.runs() if run.sync_type == "software"]
    assert {(run.status, run.trigger) for run in runs} == {("succeeded", "schedule")}
    user.role = replace(user.role, permissions=user.role.permissions - {"can_list_software"})
    done = await run_on(hands, time, days=2)
    assert done.count("sync_software") >= 1
    assert done.count("sync_devices full") >= 1
    (run, *_) = [run for run in await world.runs() if run.sync_type == "software"]
    assert (run.status, run.error and run.error["code"]) == ("failed", "permission_missing")
    schedules = await hands.schedules(integration_id)
    assert {(each.paused_code, each.failures) for each in schedules.values()} == {(None, 0)}
    assert await hands.told() == []
    assert (await world.integration(integration_id)).sync_error is None


def test_on_the_command_line(muster: Muster, server: SimulatorServer) -> None:
    muster.done("tenant", "create", "Acme")
    muster.done(
        *("integration", "add", "tacticalrmm", "--name", "Main", "--url", server.url),
        settings={"MUSTER_API_KEY": server.api_key},
    )
    muster.done("integration", "check", "Main")
    muster.done("sync", "organizations", "Main")
    for client in muster.done("mapping", "list", "Main")["items"]:
        name = client["external_organization_name"]
        muster.done("client", "create", name)
        muster.done("mapping", "assign", "Main", name, name)
    muster.done("sync", "devices", "Main")
    plan = muster.done("sync", "software", "Main", "--plan")
    assert (plan["created"], len(plan["entries"])) == (rows(server), rows(server))
    run = muster.done("sync", "software", "Main")
    assert (run["status"], run["sync_type"], run["created"], run["requests"]) == (
        "succeeded",
        "software",
        rows(server),
        2,
    )
    said = muster("sync", "software", "Main")
    assert (said.code, f"{rows(server)} unchanged" in said.out) == (0, True)
    asked = muster.done("sync", "software", "Main", "--background")
    assert asked["joined"] is False
    assert muster.done("sync", "software", "Main", "--background")["joined"] is True
