"""Syncs on pages: started, watched, joined and cancelled in the panel; the plan before the first write."""

from datetime import timedelta
from uuid import UUID

from muster import clock
from muster.accounts.permissions import Role
from muster.jobs.models import Worker
from muster.simulator import SimulatorServer
from muster.sync.types import SyncMode
from tests.schedules.hands import Hands
from tests.support.site import Site, some_id
from tests.support.world import World
from tests.sync.conftest import AGENTS
from tests.sync.watching import panel, recorded, until, working


async def test_a_sync_is_started_watched_and_its_result_told(
    site: Site, world: World, server: SimulatorServer, mapped: UUID
) -> None:
    server.add_fault("slow=0.3@/agents/?client")
    async with site.logged_in(Role.TECHNICIAN) as browser, working(site):
        page = await browser.post(f"{panel(mapped)}/sync/devices_full", part=True)
        assert "full" in page.response.headers["hx-trigger"]
        going = await until(browser, f"{panel(mapped)}/sync/devices_full", "progress[max]")
        assert 'hx-trigger="every 2s"' in going.response.text
        line = going.text(".m-progress-line")
        assert line.startswith("Reading devices, ")
        assert f"of {AGENTS}" in line
        (run_id,) = [run.run_id for run in await world.runs() if run.sync_type == "devices"]
        assert going.attribute("a", "href") == f"/runs/{run_id}"
        spoken = await browser.part(f"{panel(mapped)}/sync/spoken")
        assert spoken.response.text.startswith("Device sync, full. Reading devices, ")
        server.faults.clear()
        ended = await until(browser, f"{panel(mapped)}/sync/devices_full", "#sync")
        assert ended.response.headers["hx-retarget"] == "#sync"
        assert f"{AGENTS} processed, {AGENTS} created, 0 updated" in ended.text("#sync-devices_full")
        assert ended.html.css_first("#sync-devices_full[hx-trigger]") is None
        spoken = await browser.part(f"{panel(mapped)}/sync/spoken")
        assert spoken.status == 286
        assert f"Finished: {AGENTS} created." in spoken.response.text
    (run,) = [run for run in await world.runs() if run.sync_type == "devices"]
    assert (run.trigger, run.started_by) == ("manual", "technician@example.com")
    assert await recorded(world) == [("technician@example.com", "sync.started", "devices_full")]


async def test_a_second_request_joins_the_first_and_the_page_says_so(
    site: Site, world: World, mapped: UUID
) -> None:
    async with site.logged_in() as browser:
        for _ in range(2):
            page = await browser.post(f"{panel(mapped)}/sync/organizations", part=True)
        assert "under way already" in page.response.headers["hx-trigger"]
        assert len(await Hands(world).jobs()) == 1
        plain = await browser.post(f"{panel(mapped)}/sync/organizations", follow=False)
        assert (plain.status, plain.response.headers["location"]) == (303, panel(mapped))


async def test_the_first_sync_of_devices_is_a_full_one(site: Site, world: World, mapped: UUID) -> None:
    hands = Hands(world)
    async with site.logged_in() as browser:
        await browser.post(f"{panel(mapped)}/sync/devices")
        assert await hands.work() == ["sync_devices full"]
        await browser.post(f"{panel(mapped)}/sync/devices")
        assert await hands.work() == ["sync_devices incremental"]
        page = await browser.part(f"{panel(mapped)}/sync")
        assert page.text("#sync-devices .m-sync-result").startswith(f"{AGENTS} unchanged, ")


async def test_everything_is_asked_for_in_the_order_in_which_it_builds_on_each_other(
    site: Site, world: World, mapped: UUID
) -> None:
    async with site.logged_in() as browser:
        await browser.post(f"{panel(mapped)}/sync")
    jobs = {job.kind: job for job in await Hands(world).jobs()}
    wanted = ["sync_organizations", "sync_devices", "sync_alerts", "sync_software"]
    assert set(jobs) == set(wanted)
    order = [jobs[kind].not_before for kind in wanted]
    assert order == sorted(set(order))


async def test_a_running_sync_is_cancelled_at_a_safe_point(
    site: Site, world: World, server: SimulatorServer, mapped: UUID
) -> None:
    server.add_fault("slow=0.3@/agents/?client")
    async with site.logged_in() as browser, working(site):
        await browser.post(f"{panel(mapped)}/sync/devices_full")
        await until(browser, f"{panel(mapped)}/sync/devices_full", "progress[max]")
        page = await browser.post(f"{panel(mapped)}/sync/cancel", {"kind": "devices_full"}, part=True)
        assert "Ending at the next safe point" in page.text("#sync-devices_full")
        ended = await until(browser, f"{panel(mapped)}/sync/devices_full", "#sync")
        assert "Cancelled" in ended.text("#sync-devices_full")
    (run,) = [run for run in await world.runs() if run.sync_type == "devices"]
    assert run.status == "cancelled"
    assert [action for _, action, _ in await recorded(world)] == ["sync.started", "sync.cancelled"]


async def test_a_sync_that_waits_is_cancelled_at_once(site: Site, world: World, mapped: UUID) -> None:
    async with site.logged_in() as browser:
        await browser.post(f"{panel(mapped)}/sync/organizations")
        page = await browser.post(f"{panel(mapped)}/sync/cancel", part=True)
        assert page.texts("#sync-organizations button") == ["Sync clients"]
        page = await browser.post(f"{panel(mapped)}/sync/cancel", part=True)
        assert "Nothing runs any more" in page.response.headers["hx-trigger"]
    assert [job.state for job in await Hands(world).jobs()] == ["cancelled"]


async def test_without_a_worker_the_page_says_so(site: Site, world: World, mapped: UUID) -> None:
    async with site.logged_in() as browser:
        assert not (await browser.part(f"{panel(mapped)}/sync")).texts(".m-note")
        await browser.post(f"{panel(mapped)}/sync/organizations")
        page = await browser.part(f"{panel(mapped)}/sync")
        assert "Live updates are off. No worker runs." in page.text(".m-note")
        assert "muster worker" in page.text(".m-note")
        assert "Waiting for a worker" in page.text("#sync-organizations")
        long_ago = clock.now() - timedelta(minutes=3)
        async with world.database.write(system=True) as session:
            session.add(
                Worker(
                    executor_id="elsewhere:1:1/1/1.00",
                    host="elsewhere:1:1",
                    pid=1,
                    version="1",
                    started_at=long_ago,
                    heartbeat_at=long_ago,
                )
            )
        page = await browser.part(f"{panel(mapped)}/sync")
        assert "The worker has not answered for 3 min." in page.text(".m-note")


async def test_a_paused_schedule_says_why_and_what_to_do(
    site: Site, world: World, server: SimulatorServer, mapped: UUID
) -> None:
    hands = Hands(world)
    await world.devices(mapped)
    server.users["admin"].api_key_expired = True
    async with site.logged_in() as browser:
        await browser.post(f"{panel(mapped)}/sync/devices")
        await hands.work()
        page = await browser.part(f"{panel(mapped)}/sync")
        assert page.text(".m-finding-message").startswith("Schedules are paused: ")
        assert page.text(".m-finding-remedy")
        assert page.text("#next-devices_refresh") == "Paused"
        assert "Failed" in page.text("#sync-devices .m-sync-result")


async def test_the_section_stands_alone_without_scripts(site: Site, world: World, mapped: UUID) -> None:
    async with site.logged_in() as browser:
        page = await browser.get(f"{panel(mapped)}/sync")
        assert page.text("h1") == "Tactical"
        assert page.texts("#sync tbody th") == [
            "Clients",
            "Devices",
            "Devices, full with hardware",
            "Alerts",
            "Alert history",
            "Software",
        ]
        assert page.text("#sync-devices .m-sync-result") == "Not yet synced"
        assert "created" in page.text("#sync-organizations .m-sync-result")


async def test_a_disconnected_integration_has_no_schedules(site: Site, world: World) -> None:
    integration_id = await world.add(instance_url="https://tactical.example.com", api_key="KEY")
    async with site.logged_in() as browser:
        page = await browser.part(f"{panel(integration_id)}/sync")
        assert page.attribute("#sync-devices .m-sync-schedule [data-tip]", "data-tip")
        assert not page.texts("select")


async def test_who_may_look_may_not_sync(site: Site, world: World, mapped: UUID) -> None:
    async with site.logged_in(Role.VIEWER) as browser:
        for path in ("/sync", "/sync/devices", "/sync/cancel"):
            assert (await browser.post(panel(mapped) + path)).status == 403
        for path in ("/sync", "/preview", "/preview/plan", "/sync/spoken", "/sync/devices"):
            assert (await browser.get(panel(mapped) + path)).status == 403
    assert await Hands(world).jobs() == []


async def test_another_tenant_finds_nothing(site: Site, world: World, mapped: UUID) -> None:
    stranger = await World.make(world.database, "Stranger IT")
    async with site.logged_in(world=stranger) as browser:
        for path in ("/sync", "/preview", "/preview/plan", "/sync/spoken"):
            assert (await browser.get(panel(mapped) + path)).status == 404
        assert (await browser.part(panel(mapped) + "/sync/devices")).status == 404
        for path in ("/sync", "/sync/devices", "/sync/cancel"):
            assert (await browser.post(panel(mapped) + path)).status == 404
    async with site.logged_in() as browser:
        assert (await browser.post(f"{panel(some_id())}/sync")).status == 404
        assert (await browser.post(f"{panel(mapped)}/sync/nonsense")).status == 400
    assert await Hands(world).jobs() == []


async def test_the_plan_is_shown_and_nothing_is_written(
    site: Site, world: World, server: SimulatorServer, mapped: UUID
) -> None:
    async with site.logged_in(Role.TECHNICIAN) as browser:
        page = await browser.get(f"{panel(mapped)}/preview")
        wanted = page.attribute("#plan", "hx-get")
        assert wanted == f"{panel(mapped)}/preview/plan?mode=full"
        assert wanted in (page.attribute('meta[http-equiv="refresh"]', "content") or "")
        assert page.text(".m-actions .btn-primary") == "Sync devices"
        for plan in (await browser.part(wanted), await browser.get(wanted)):
            assert plan.texts(".m-counter b")[:2] == [str(AGENTS), str(AGENTS)]
            assert plan.text("#plan details h2") == "Created"
            assert len(plan.texts("#plan tbody tr")) == 25
            assert f"and {AGENTS - 25} more" in plan.text("#plan")
    assert not await world.assets()
    assert [run.sync_type for run in await world.runs()] == ["organizations"]


async def test_the_plan_shows_reasons_and_diffs(
    site: Site, world: World, server: SimulatorServer, mapped: UUID
) -> None:
    await world.devices(mapped)
    gone, changed = list(server.fleet)[:2]
    server.fleet.remove_agent(gone)
    server.fleet.rename_agent(changed, "RECEPTION-7")
    async with site.logged_in() as browser:
        plan = await browser.part(f"{panel(mapped)}/preview/plan?mode=incremental")
        assert plan.texts("#plan details h2") == ["Missing", "Updated"]
        assert "does not hold this device any more" in plan.text("#plan")
        assert "RECEPTION-7" in plan.texts("ins")
        for mode in ("single", "nonsense"):
            assert (await browser.get(f"{panel(mapped)}/preview?mode={mode}")).status == 400
        server.add_fault("error500@/clients/")
        plan = await browser.part(f"{panel(mapped)}/preview/plan?mode=full")
        assert "500" in plan.text(".m-finding")
        server.faults.clear()
    run = await world.devices(mapped, SyncMode.INCREMENTAL)
    assert (run.missing, run.updated) == (1, 1)
