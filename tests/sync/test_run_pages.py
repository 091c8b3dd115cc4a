"""The ledger of runs and a run's page, as a browser sees them."""

import asyncio
import csv
import io
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import event

from muster import clock
from muster.accounts.permissions import Role
from muster.db import bulk
from muster.db.types import table_of
from muster.simulator import Fault, SimulatorServer
from muster.sync.models import SyncRun, SyncRunEntry
from muster.sync.schemas import RunView
from muster.sync.types import SyncMode
from tests.schedules.hands import Hands
from tests.support.site import Browser, Site, some_id
from tests.support.world import World
from tests.sync.conftest import AGENTS
from tests.sync.watching import recorded, until, working


async def add_runs(world: World, integration_id: UUID, count: int, **values: object) -> None:
    """Runs that ended a day ago and more, one a minute."""
    now = clock.now() - timedelta(days=1)
    run = (await world.runs())[0]
    columns = {column.name: getattr(run, column.name, None) for column in table_of(SyncRun).columns}
    rows = [
        {
            **{name: value for name, value in columns.items() if name != "tenant_id"},
            "run_id": UUID(int=number),
            "integration_id": integration_id,
            "started_at": now - timedelta(minutes=number),
            "lease_owner": None,
            **values,
        }
        for number in range(1, count + 1)
    ]
    async with world.database.write(world.scope) as session:
        await bulk.insert(session, world.scope, table_of(SyncRun), rows)


async def add_entries(world: World, run: RunView, count: int) -> None:
    """So many devices that could not be read, after what the run recorded."""
    entries = [
        {
            "run_id": run.run_id,
            "entry_number": 1000 + number,
            "item_type": "device",
            "action": "failed",
            "reason": "malformed",
            "external_id": f"agent-{number}",
            "organization_id": "1",
            "asset_id": None,
            "name": f"ÜBER-{number}",
            "message": "It cannot be read.",
            "changes": None,
        }
        for number in range(count)
    ]
    async with world.database.write(world.scope) as session:
        await bulk.insert(session, world.scope, table_of(SyncRunEntry), entries)


@pytest.fixture
def queries(world: World) -> "Queries":
    return Queries(world)


class Queries:
    """Counts the statements of a page."""

    def __init__(self, world: World) -> None:
        self._engine = world.database.reader.sync_engine
        self._count = 0

    async def of(self, browser: Browser, path: str) -> int:
        """How many statements a page takes."""
        self._count = 0
        event.listen(self._engine, "before_cursor_execute", self._seen)
        try:
            assert (await browser.get(path)).status == 200
        finally:
            event.remove(self._engine, "before_cursor_execute", self._seen)
        return self._count

    def _seen(self, *_: object) -> None:
        self._count += 1


async def test_an_empty_ledger_says_what_comes(site: Site) -> None:
    async with site.logged_in() as browser:
        page = await browser.get("/runs")
        assert page.text(".m-nothing h2") == "No sync has run yet"
        assert page.attribute(".m-nothing a", "href") == "/settings/integrations/rmm"
    async with site.logged_in(Role.VIEWER) as browser:
        assert not (await browser.get("/runs")).texts(".m-nothing a")


async def test_the_ledger_lists_runs_newest_first(site: Site, world: World, mapped: UUID) -> None:
    await world.devices(mapped)
    async with site.logged_in(Role.VIEWER) as browser:
        page = await browser.get("/runs")
        assert page.texts("tbody .m-name") == ["Devices, full", "Clients"]
        row = page.text("tbody tr")
        assert "Finished" in row
        assert f"{AGENTS} created" in row
        assert page.text('nav [aria-current="page"]') == "Sync runs"
        assert page.attribute("th[aria-sort]", "aria-sort") == "descending"


async def test_filters_live_in_the_address(
    site: Site, world: World, server: SimulatorServer, mapped: UUID
) -> None:
    await world.devices(mapped)
    server.add_fault("error500@/clients/")
    await world.devices(mapped, SyncMode.INCREMENTAL, trigger="schedule")
    server.faults.clear()
    other = await world.add("Other", instance_url="https://other.example.com", api_key="KEY")
    await add_runs(world, other, 3)
    kinds = {
        "": 6,
        "status=failed": 4,
        "kind=organizations": 1,
        "kind=devices": 4,
        f"integration={other}": 3,
        f"integration={mapped}&kind=devices_full": 1,
        "trigger=schedule": 4,
        "since=24h": 3,
        "status=cancelled": 0,
        "status=nonsense": 6,
        "integration=nonsense": 6,
    }
    async with site.logged_in() as browser:
        for query, count in kinds.items():
            page = await browser.get(f"/runs?{query}")
            assert len(page.texts("tbody tr")) == count, query
        page = await browser.get("/runs?status=cancelled&since=24h")
        assert page.texts(".m-chip b") == ["Cancelled", "in the last 24 h"]
        assert page.attribute(".m-nothing a", "href") == "/runs?since=24h"
        page = await browser.get("/runs?status=failed")
        assert "The server failed with 500" in page.text("tbody tr")
        assert page.attribute(".m-chip a", "href") == "/runs"


async def test_the_ledger_is_paged_and_its_queries_do_not_grow(
    site: Site, world: World, mapped: UUID, queries: Queries
) -> None:
    async with site.logged_in() as browser:
        few = await queries.of(browser, "/runs")
        await add_runs(world, mapped, 260)
        assert await queries.of(browser, "/runs?rows=250") == few
        page = await browser.get("/runs?page=2&rows=100")
        assert page.text(".m-pages span") == "101-200 of 261"
        assert (await browser.get("/runs?page=99")).text(".m-pages span") == "251-261 of 261"


async def test_a_run_shows_figures_phases_and_entries(site: Site, world: World, mapped: UUID) -> None:
    run = await world.devices(mapped)
    async with site.logged_in(Role.VIEWER) as browser:
        page = await browser.get(f"/runs/{run.run_id}")
        assert page.text("h1") == "Device sync, full"
        assert page.text(".m-pill") == "Finished"
        assert page.texts(".m-counter b") == [str(AGENTS), str(AGENTS), "0", "0", "0", "0", "0"]
        assert page.attribute("a.m-counter", "href") == f"/runs/{run.run_id}?action=created#entries"
        steps = page.texts(".m-steps b")
        assert steps == ["Organizations", "Device list", "Devices", "Hardware", "Missing"]
        assert page.texts(".m-segment a") == [f"All {AGENTS}", f"Created {AGENTS}"]
        assert page.text(".m-pages span") == f"1-25 of {AGENTS}"
        link = page.attribute("tbody .m-name a", "href") or ""
        assert link.startswith("/assets/")
        assert page.html.css_first("[hx-trigger]") is None
        assert page.html.css_first(".m-actions button[disabled]") is not None


async def test_entries_have_reasons_diffs_and_names_problems_first(
    site: Site, world: World, server: SimulatorServer, mapped: UUID
) -> None:
    await world.devices(mapped)
    gone, changed, moved, odd = list(server.fleet)[20:24]
    server.fleet.remove_agent(gone)
    server.fleet.rename_agent(changed, "FRONT-7")
    home = server.fleet.site_of(moved.pk)
    names = {m.external_organization_id: m.external_organization_name for m in await world.mappings(mapped)}
    sites = {name: server.fleet.sites_of_client(int(name)) for name in names}
    here = next(name for name in names if home in [site.pk for site in sites[name]])
    elsewhere = next(name for name in names if name != here and sites[name])
    server.fleet.move_agent(moved, sites[elsewhere][0].pk)
    server.add_fault(Fault("malformed-agent", path="/agents/?client", agent_id=odd.agent_id))
    run = await world.devices(mapped, SyncMode.INCREMENTAL)
    async with site.logged_in() as browser:
        page = await browser.get(f"/runs/{run.run_id}")
        results = page.texts("tbody .m-first")
        assert results[0] == "Failed"
        assert {"Missing", "Moved", "Updated"} <= set(results)
        assert page.text(".m-pill").startswith("Finished with ")
        changed_too = await browser.get(f"/runs/{run.run_id}?action=changed")
        assert set(changed_too.texts("tbody .m-first")) == {"Moved", "Updated"}
        # The counter's figure is of devices; what the listing brought to organizations stands apart.
        assert len(changed_too.texts("tbody tr")) == run.updated
        listed = await browser.get(f"/runs/{run.run_id}?action=organizations")
        assert len(listed.texts("tbody tr")) == len(page.texts("tbody tr")) - 1 - run.updated - run.missing
        choices = page.texts(".m-segment a")
        assert choices[-1] == f"Organizations {len(listed.texts('tbody tr'))}"
        missing = await browser.get(f"/runs/{run.run_id}?action=missing")
        (row,) = missing.texts("tbody tr")
        assert gone.hostname in row
        assert "does not hold this device any more" in row
        updated = await browser.get(f"/runs/{run.run_id}?action=updated&q=front-7")
        (row,) = updated.texts("tbody tr")
        assert row.startswith("Updated FRONT-7")
        assert updated.texts("del") == [changed.hostname]
        assert updated.texts("ins") == ["FRONT-7"]
        (row,) = (await browser.get(f"/runs/{run.run_id}?action=moved")).texts("tbody tr")
        assert names[here] in row
        assert names[elsewhere] in row
        problems = await browser.get(f"/runs/{run.run_id}?action=problems")
        assert set(problems.texts("tbody .m-first")) == {"Failed"}


async def test_ten_thousand_entries_are_paged(
    site: Site, world: World, mapped: UUID, queries: Queries
) -> None:
    run = await world.devices(mapped)
    async with site.logged_in() as browser:
        few = await queries.of(browser, f"/runs/{run.run_id}")
        await add_entries(world, run, 10_000)
        assert await queries.of(browser, f"/runs/{run.run_id}?rows=250") == few
        page = await browser.get(f"/runs/{run.run_id}?rows=250&page=3")
        assert page.text(".m-pages span") == f"501-750 of {10_000 + AGENTS:,}"
        assert len(page.texts("tbody tr")) == 250
        page = await browser.get(f"/runs/{run.run_id}?q=ÜBER-4711")
        assert page.texts("tbody .m-name") == ["ÜBER-4711"]
        page = await browser.get(f"/runs/{run.run_id}?q=100%25_")
        assert "No entry matches" in page.text("#entries")


async def test_entries_are_exported_as_they_are_filtered(site: Site, world: World, mapped: UUID) -> None:
    run = await world.devices(mapped)
    await add_entries(world, run, 1_200)
    async with site.logged_in(Role.VIEWER) as browser:
        page = await browser.get(f"/runs/{run.run_id}?action=failed&q=ÜBER-1")
        link = page.attribute(".m-actions a[download]", "href")
        found = await exported(browser, link or "")
        assert len(found) == len([n for n in range(1_200) if str(n).startswith("1")])
        assert {(row["Result"], row["Why"]) for row in found} == {("Failed", "It cannot be read.")}
        everything = await exported(browser, f"/runs/{run.run_id}/entries.csv")
        assert len(everything) == 1_200 + AGENTS
        assert {row["Result"] for row in everything} == {"Failed", "Created"}
        assert (await browser.get(f"/runs/{some_id()}/entries.csv")).status == 404


async def exported(browser: Browser, path: str) -> list[dict[str, str]]:
    """The rows of a file."""
    content = (await browser.get(path)).response.content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(content, newline="")))


async def test_a_run_is_followed_from_the_request_to_its_end(
    site: Site, world: World, server: SimulatorServer, mapped: UUID
) -> None:
    first = await world.devices(mapped)
    server.add_fault("slow=0.3@/agents/?client")
    async with site.logged_in(Role.TECHNICIAN) as browser:
        again = await browser.post(f"/runs/{first.run_id}/again", follow=False)
        path = again.response.headers["location"]
        waiting = await browser.get(path)
        assert waiting.text("#run .m-pill") == "Waiting"
        assert "No worker runs" in waiting.text("#run .m-note")
        assert waiting.attribute("#run", "hx-trigger") == "every 2s"
        async with working(site):
            going = await until(browser, path, ".m-readings")
            assert going.text(".m-pill") == "Running"
            assert "You can leave this page" in going.text("#run")
            assert going.texts(".m-step-waits b")[-1] == "Missing"
            named = [view.external_organization_name for view in await world.mappings(mapped)]
            assert sorted(going.texts(".m-readings .m-name")) == sorted(named)
            states = going.texts(".m-readings .m-first")
            assert {"Read", "Reading", "Waiting", "No devices"} >= set(states)
            row = await browser.part(f"{path}/row")
            assert "every 5s" in row.response.text
            spoken = await browser.part(f"{path}/spoken")
            assert spoken.response.text.startswith("Device sync, full. Reading devices, ")
            listed = await browser.get("/runs")
            assert listed.text("tbody tr").startswith("Devices, full Running")
            server.faults.clear()
            ended = await until(browser, path, "#entries")
            assert ended.html.css_first("#run[hx-trigger]") is None
            assert (await browser.part(f"{path}/spoken")).status == 286


async def test_a_run_is_cancelled_from_its_page(
    site: Site, world: World, server: SimulatorServer, mapped: UUID
) -> None:
    first = await world.devices(mapped)
    server.add_fault("slow=0.3@/agents/?client")
    async with site.logged_in(Role.TECHNICIAN) as browser, working(site):
        again = await browser.post(f"/runs/{first.run_id}/again", follow=False)
        path = again.response.headers["location"]
        await until(browser, path, ".m-readings")
        page = await browser.post(f"{path}/cancel", part=True)
        assert page.text(".m-pill") == "Ending"
        ended = await until(browser, path, "#entries")
        assert ended.text(".m-pill") == "Cancelled"
        refused = await browser.post(f"{path}/cancel")
        assert refused.status == 409
    assert [action for _, action, _ in await recorded(world)] == ["sync.started", "sync.cancelled"]


async def test_a_request_cancelled_before_it_began_has_a_page(site: Site, world: World, mapped: UUID) -> None:
    first = await world.devices(mapped)
    async with site.logged_in() as browser:
        again = await browser.post(f"/runs/{first.run_id}/again", follow=False)
        path = again.response.headers["location"]
        page = await browser.post(f"{path}/cancel")
        assert page.text(".m-nothing h2") == "This sync was cancelled before it began"


async def test_a_sync_in_a_terminal_cannot_be_cancelled_here(
    site: Site, world: World, server: SimulatorServer, mapped: UUID
) -> None:
    server.add_fault("slow=0.3@/agents/?client")
    async with site.logged_in() as browser:
        terminal = asyncio.create_task(world.devices(mapped, trigger="command"))
        while not [run for run in await world.runs() if run.status == "running"]:
            await asyncio.sleep(0.01)
        (run,) = [run for run in await world.runs() if run.status == "running"]
        refused = await browser.post(f"/runs/{run.run_id}/cancel")
        assert refused.status == 409
        assert "Ctrl-C" in refused.text("body")
        server.faults.clear()
        assert (await terminal).status == "succeeded"


async def test_a_failed_run_says_what_to_do(
    site: Site, world: World, server: SimulatorServer, mapped: UUID
) -> None:
    server.add_fault("error500@/clients/")
    run = await world.devices(mapped)
    server.faults.clear()
    async with site.logged_in() as browser:
        page = await browser.get(f"/runs/{run.run_id}")
        assert page.text(".m-pill") == "Failed"
        assert "The server failed with 500" in page.text(".m-finding")
        assert page.text(".m-finding-remedy")
        assert "ended before anything was changed" in page.text("#entries")
        assert page.text(".m-actions .btn-primary") == "Run again"


async def test_roles_and_tenants_are_kept_apart(site: Site, world: World, mapped: UUID) -> None:
    run = await world.devices(mapped)
    async with site.logged_in(Role.VIEWER) as browser:
        for verb in ("again", "cancel"):
            assert (await browser.post(f"/runs/{run.run_id}/{verb}")).status == 403
    stranger = await World.make(world.database, "Stranger IT")
    async with site.logged_in(world=stranger) as browser:
        assert (await browser.get("/runs")).text(".m-nothing h2")
        for path in ("", "/spoken", "/row"):
            assert (await browser.get(f"/runs/{run.run_id}{path}")).status == 404
        for verb in ("again", "cancel"):
            assert (await browser.post(f"/runs/{run.run_id}/{verb}")).status == 404
    async with site.logged_in() as browser:
        assert (await browser.get(f"/runs/{some_id()}")).status == 404
    assert await Hands(world).jobs() == []
