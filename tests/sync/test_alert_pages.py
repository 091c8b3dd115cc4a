"""Alerts synced from the panel, by programs and on the command line; stopped half way and taken up."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from muster.accounts.permissions import Role
from muster.db.types import new_id
from muster.jobs.types import JobCancelled, JobSuspended
from muster.simulator import FleetSpec, SimulatorServer
from muster.sync import alerts
from muster.sync.schemas import RunView
from tests.providers.second import AcmeServer, acme
from tests.schedules.hands import Hands
from tests.support.cli import Muster
from tests.support.job import Job
from tests.support.site import Site
from tests.support.world import World
from tests.sync.test_alerts import expected, statuses
from tests.sync.watching import panel, recorded, until, working


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(FleetSpec(agents=30, seed=3, alerts=90), frozen=True) as running:
        yield running


def open_there(server: SimulatorServer) -> int:
    return len(expected(server))


async def test_sync_alerts_is_pressed_and_its_result_stays(
    site: Site, world: World, server: SimulatorServer, mapped: UUID
) -> None:
    async with site.logged_in(Role.TECHNICIAN) as browser:
        page = await browser.get(panel(mapped))
        assert page.text("#sync-alerts .m-sync-result") == "Not yet synced"
        assert page.text("#sync-alerts button") == "Sync alerts"
        async with working(site):
            page = await browser.post(f"{panel(mapped)}/sync/alerts", part=True)
            assert "alert sync" in page.response.headers["hx-trigger"]
            ended = await until(browser, f"{panel(mapped)}/sync/alerts", "#sync")
        count = open_there(server)
        assert ended.text("#sync-alerts .m-sync-result").startswith(f"{count} created, ")
        assert f"{count} processed, {count} created, 0 updated" in ended.text("#sync-alerts")
        (run,) = [run for run in await world.runs() if run.sync_type == "alerts"]
        shown = await browser.get(f"/runs/{run.run_id}")
        assert shown.text("h1") == "Alert sync"
        assert f"{count} read" in shown.text(".m-steps")
        assert "Raised." in shown.text("#entries")
        ledger = await browser.get("/runs?kind=alerts")
        assert [row.split()[0] for row in ledger.texts("tbody tr")] != []
        assert "Alerts" in ledger.text("main")
    assert await recorded(world) == [("technician@example.com", "sync.started", "alerts")]


async def test_an_error_of_the_last_sync_stays_on_the_panel(
    site: Site, world: World, server: SimulatorServer, mapped: UUID
) -> None:
    server.add_fault("error500@/alerts/")
    run = await world.alerts(mapped)
    assert run.status == "failed"
    async with site.logged_in() as browser:
        page = await browser.get(f"{panel(mapped)}/sync")
        assert "Failed" in page.text("#sync-alerts .m-sync-result")
        assert run.error is not None
        assert run.error["message"] in page.text("#sync-alerts .m-sync-more")
        # Only this row tells of it: the fleet was read.
        assert "Failed" not in page.text("#sync-devices")
    assert (await world.integration(mapped)).sync_error is None


async def test_a_backfill_goes_as_far_back_as_is_chosen(
    site: Site, world: World, server: SimulatorServer, mapped: UUID
) -> None:
    hands = Hands(world)
    async with site.logged_in() as browser:
        page = await browser.get(panel(mapped))
        chosen = page.attribute("#sync-alerts_backfill [name=days] option[selected]", "value")
        assert chosen == "30"
        await browser.post(f"{panel(mapped)}/sync/alerts_backfill", {"days": "3650"})
        (job,) = [job for job in await hands.jobs() if job.kind == "sync_alerts"]
        assert job.payload["days"] == 3650
        await hands.work()
        page = await browser.get(panel(mapped))
        assert page.text("#sync-alerts_backfill .m-sync-result").startswith("90 created, ")
        assert page.text("#sync-alerts .m-sync-result") == "Not yet synced"
        assert await statuses(world, mapped) == expected(server, resolved=True)
        for wrong in ("", "0", "-1", "3651", "many", "9" * 30):
            refused = await browser.post(f"{panel(mapped)}/sync/alerts_backfill", {"days": wrong})
            assert refused.status in {400, 422}
        (run,) = [run for run in await world.runs() if run.sync_type == "alerts"]
        again = await browser.post(f"/runs/{run.run_id}/again", follow=False)
        assert again.status == 303
    (job, _) = [job for job in await hands.jobs() if job.kind == "sync_alerts"]
    assert (job.state, job.payload["days"]) == ("requested", 3650)


async def test_a_provider_without_alerts_is_not_offered_any(site: Site, world: World) -> None:
    other = AcmeServer("https://acme.example.com")
    with acme(other):
        second = await world.add("Acme", "acmermm", instance_url=other.url, token=other.token)
        async with site.logged_in() as browser:
            page = await browser.get(panel(second))
            assert not page.texts("#sync-alerts")
            assert not page.texts("#sync-alerts_backfill")
            refused = await browser.post(f"{panel(second)}/sync/alerts")
            assert refused.status == 409
            answer = await browser.json("POST", f"/integrations/{second}/sync", {"kind": "alerts"})
            assert (answer.status_code, answer.json()["code"]) == (409, "not_offered")
            asked = (await browser.json("POST", f"/integrations/{second}/sync", {})).json()
            assert [item["kind"] for item in asked["items"]] == ["organizations", "devices_full"]


async def test_programs_ask_for_alerts(
    site: Site, world: World, server: SimulatorServer, mapped: UUID
) -> None:
    async with site.logged_in() as browser:
        path = f"/integrations/{mapped}/sync"
        (ticket,) = (await browser.json("POST", path, {"kind": "alerts"})).json()["items"]
        await Hands(world).work()
        run = (await browser.json("GET", f"/runs/{ticket['run_id']}")).json()
        assert (run["status"], run["sync_type"], run["created"]) == (
            "succeeded",
            "alerts",
            open_there(server),
        )
        (ticket,) = (await browser.json("POST", path, {"kind": "alerts_backfill"})).json()["items"]
        await Hands(world).work()
        run = (await browser.json("GET", f"/runs/{ticket['run_id']}")).json()
        assert run["cursor"]["days"] == 30
        for body in ({"kind": "alerts", "days": 3}, {"kind": "alerts_backfill", "days": 4000}):
            assert (await browser.json("POST", path, body)).status_code == 400


async def test_it_is_stopped_between_chunks_and_goes_on(
    world: World, server: SimulatorServer, mapped: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "_CHUNK", 5)
    job_id, attempts, run = new_id(), 0, None
    while run is None:
        attempts += 1
        job = Job(world.scope, job_id, end_after=2, how="stop" if attempts < 20 else "")
        try:
            run = await world.alerts(mapped, job=job)
        except JobSuspended:
            (waiting,) = [each for each in await world.runs() if each.sync_type == "alerts"]
            assert (waiting.run_id, waiting.status) == (job_id, "running")
    assert attempts > 2
    assert isinstance(run, RunView)
    count = open_there(server)
    assert (run.run_id, run.status) == (job_id, "succeeded")
    assert (run.processed, run.created, run.updated) == (count, count, 0)
    entries = await world.entries(run)
    assert len(entries) == len({entry.external_id for entry in entries}) == count
    assert await statuses(world, mapped) == expected(server)


async def test_a_cancelled_one_keeps_what_it_has(
    world: World, server: SimulatorServer, mapped: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "_CHUNK", 5)
    with pytest.raises(JobCancelled):
        await world.alerts(mapped, job=Job(world.scope, new_id(), end_after=2, how="cancel"))
    (run,) = [run for run in await world.runs() if run.sync_type == "alerts"]
    assert run.status == "cancelled"
    assert 0 < len(await statuses(world, mapped)) == run.created < open_there(server)


def test_on_the_command_line(muster: Muster, server: SimulatorServer) -> None:
    muster.done("tenant", "create", "Acme")
    muster.done(
        *("integration", "add", "tacticalrmm", "--name", "Main", "--url", server.url),
        settings={"MUSTER_API_KEY": server.api_key},
    )
    count = open_there(server)
    plan = muster.done("sync", "alerts", "Main", "--plan")
    assert (plan["created"], len(plan["entries"])) == (count, count)
    run = muster.done("sync", "alerts", "Main")
    assert (run["status"], run["sync_type"], run["created"], run["requests"]) == (
        "succeeded",
        "alerts",
        count,
        run["requests"],
    )
    backfill = muster.done("sync", "alerts", "Main", "--days", 3650)
    assert (backfill["created"], backfill["unchanged"]) == (90 - count, count)
    said = muster("sync", "alerts", "Main")
    assert f"{count} processed, 0 created, 0 updated, {count} unchanged" in said.out
    for days in (0, 3651):
        ended = muster("sync", "alerts", "Main", "--days", days, "--json")
        assert (ended.code, ended.error["code"]) == (2, "invalid_input")
    asked = muster.done("sync", "alerts", "Main", "--background")
    assert asked["joined"] is False
    assert muster.done("sync", "alerts", "Main", "--background")["joined"] is True
