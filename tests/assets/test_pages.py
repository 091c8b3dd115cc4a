"""The list of assets and the page of one, as a browser meets them."""

import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, select

from muster import clock
from muster.accounts.permissions import Role
from muster.assets.index import INDEX_FIELDS, address_number, indexed
from muster.assets.listing import AssetRow
from muster.assets.models import Asset, AssetChange
from muster.assets.schemas import AssetFilter
from muster.assets.service import AssetService
from muster.audit.service import AuditService
from muster.db import Database, bulk
from muster.db.types import new_id, table_of
from muster.mappings.models import ExternalEntityMapping
from muster.naming import name_key
from muster.simulator import SimulatorServer
from muster.web import spreadsheet
from tests.support.site import Browser, Page, Site, some_id
from tests.support.world import World

ASSETS = table_of(Asset)
COLUMNS = ("name", "status", "client", "user", "lan_ip", "system", "last_seen")


def names(page: Page) -> list[str]:
    return page.texts("table.m-assets td.m-name a")


def addresses(page: Page) -> list[str]:
    return [str(a.attributes["href"]) for a in page.html.css("table.m-assets td.m-name a")]


async def everything(
    browser: Browser, query: str = "", read: Callable[[Page], list[str]] = names
) -> list[str]:
    """The names of all pages of a list, one after the other; or what else is read from them."""
    found: list[str] = []
    number = 1
    while True:
        page = await browser.get(f"/assets?{query}&page={number}")
        found += read(page)
        if page.html.css_first('a[rel="next"]') is None:
            return found
        number += 1


async def change(world: World, asset_id: UUID, **values: Any) -> None:
    async with world.database.write() as session:
        await bulk.update_where(session, world.scope, ASSETS, values, where={"asset_id": asset_id})


async def lose(world: World, asset_id: UUID) -> None:
    async with world.database.write() as session:
        await bulk.update_where(
            session,
            world.scope,
            table_of(ExternalEntityMapping),
            {"missing_since": clock.now() - timedelta(days=3)},
            where={"asset_id": asset_id},
        )


# --- the list ---------------------------------------------------------------------------------------------


KEYS: dict[str, Callable[[AssetRow], Any]] = {
    "name": lambda row: name_key(row.name),
    "status": lambda row: ["overdue", "offline", "unknown", "online"].index(row.agent_status),
    "client": lambda row: name_key(row.client_name or ""),
    "user": lambda row: name_key(row.current_user) if row.current_user else None,
    "lan_ip": lambda row: address_number(row.lan_ip),
    "system": lambda row: name_key(row.os_version) if row.os_version else None,
    "last_seen": lambda row: row.last_seen_at,
}


def in_order(rows: list[AssetRow], column: str, *, descending: bool) -> list[tuple[Any, str]]:
    """What the list must show: its keys in their order, empty ones last, and the names where one status's and
    one client's are sorted by them.
    """
    named = column in ("status", "client")
    groups: dict[Any, list[str]] = {}
    for row in sorted(rows, key=lambda row: name_key(row.name)):
        groups.setdefault(KEYS[column](row), []).append(row.name if named else "")
    keys = sorted((key for key in groups if key is not None), reverse=descending)
    return [(key, name) for key in (*keys, None) for name in groups.get(key, ())]


@pytest.mark.parametrize("column", COLUMNS)
async def test_every_column_sorts_as_python_does_and_pages_do_not_overlap(site: Site, column: str) -> None:
    rows = list(await site.world.all_assets())
    by_address = {f"/assets/{row.asset_id}": row for row in rows}
    named = column in ("status", "client")
    async with site.logged_in(Role.VIEWER) as browser:
        for descending in (False, True):
            sort = f"{'-' if descending else ''}{column}"
            found = await everything(browser, f"sort={sort}&rows=25", addresses)
            assert sorted(found) == sorted(by_address)
            shown = [by_address[address] for address in found]
            keys = [(KEYS[column](row), row.name if named else "") for row in shown]
            assert keys == in_order(rows, column, descending=descending)
            page = await browser.get(f"/assets?sort={sort}")
            headers = page.html.css("th[aria-sort]")
            assert [h.attributes["aria-sort"] for h in headers] == [
                "descending" if descending else "ascending"
            ]


async def test_deep_pages_come_in_the_same_order(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite sorts deep pages and searches in another way than the first ones."""
    async with site.logged_in() as browser:
        expected = {
            sort: await everything(browser, f"sort={sort}") for sort in ("-last_seen", "status", "user")
        }
        monkeypatch.setattr("muster.assets.repository._SHALLOW", 0)
        for sort, before in expected.items():
            assert await everything(browser, f"sort={sort}") == before
        page = await browser.get("/assets?page=99")
        assert "Page 3 of 3" in page.text(".m-pages")


async def test_each_filter_shows_what_python_would_choose(site: Site) -> None:
    world = site.world
    rows = list(await world.all_assets())
    for row in rows[:2]:
        await change(world, row.asset_id, retired_at=clock.now())
    for row in rows[2:5]:
        await lose(world, row.asset_id)
    for row in rows[5:9]:
        await change(world, row.asset_id, last_seen_at=clock.now() - timedelta(days=40))
    every = list(await world.all_assets(AssetFilter(retired=None)))
    present = [row for row in every if row.retired_at is None]
    client = present[0]
    month = clock.now() - timedelta(days=30)
    expected: dict[str, list[AssetRow]] = {
        "status=overdue": [row for row in present if row.agent_status == "overdue"],
        "status=overdue&status=offline": [r for r in present if r.agent_status in ("overdue", "offline")],
        "type=server": [row for row in present if row.asset_type == "server"],
        "platform=linux&platform=macos": [r for r in present if r.os_type in ("linux", "macos")],
        f"client={client.client_id}": [r for r in present if r.client_id == client.client_id],
        f"client={client.client_id}&site={client.site_name}": [
            r for r in present if (r.client_id, r.site_name) == (client.client_id, client.site_name)
        ],
        "provider=tacticalrmm": present,
        f"integration={client.rmm_integration_id}": present,
        "seen=older-30": [r for r in present if r.last_seen_at is None or r.last_seen_at < month],
        "seen=within-30": [r for r in present if r.last_seen_at is not None and r.last_seen_at >= month],
        "reboot=yes": [row for row in present if row.needs_reboot],
        "reboot=no": [row for row in present if not row.needs_reboot],
        "maintenance=yes": [row for row in present if row.maintenance_mode],
        "missing=yes": [row for row in present if row.missing_since is not None],
        "missing=no": [row for row in present if row.missing_since is None],
        "retired=yes": [row for row in every if row.retired_at is not None],
        "retired=all": every,
        "status=online&platform=windows&reboot=yes": [
            r for r in present if r.agent_status == "online" and r.os_type == "windows" and r.needs_reboot
        ],
    }
    assert sum(bool(rows) for rows in expected.values()) >= 16
    async with site.logged_in() as browser:
        for query, wanted in expected.items():
            page = await browser.get(f"/assets?{query}&rows=250")
            assert sorted(names(page)) == sorted(row.name for row in wanted), query
            filters = len({part.partition("=")[0] for part in query.split("&")})
            noun = "filter" if filters == 1 else "filters"
            assert page.text("#matches") == f"{len(wanted)} of {len(present)} match {filters} {noun}"
            assert len(page.html.css(".m-chip")) == filters
            if wanted:
                assert f"Export {len(wanted)} as CSV" in page.text(".m-actions")


async def test_the_status_that_counts_is_the_one_that_still_holds(site: Site) -> None:
    world = site.world
    row = next(row for row in await world.all_assets() if row.agent_status == "online")
    async with site.logged_in() as browser:
        before = names(await browser.get("/assets?status=online&rows=250"))
        await change(world, row.asset_id, last_rmm_sync_at=clock.now() - timedelta(days=1))
        online = names(await browser.get("/assets?status=online&rows=250"))
        assert sorted([*online, row.name]) == sorted(before)
        assert names(await browser.get("/assets?status=unknown")) == [row.name]
        page = await browser.get(f"/assets/{row.asset_id}")
        assert page.text(".m-head .m-pill") == "Unknown"
        assert "Last known: online" in page.text(".m-facts")
        counts = (await browser.json("GET", "/assets/status")).json()
        assert counts["unknown"] == 1
        assert sum(counts.values()) == 60


async def test_search_finds_name_serial_addresses_and_users_however_they_are_spelt(site: Site) -> None:
    rows = await site.world.all_assets()
    muller = [row.name for row in rows if "Müller" in (row.current_user or "") + (row.last_user or "")]
    assert muller
    one = next(row for row in rows if row.serial_number and row.wan_ip and row.lan_ips)
    two = next(row for row in rows if row.lan_ips and len(row.lan_ips) > 1)
    async with site.logged_in() as browser:
        for text in ("müller", "MÜLLER", "mueller", "Muller", "  frank   müller "):
            found = names(await browser.get(f"/assets?rows=250&q={text}"))
            assert set(found) == set(muller), text
        for known, row in (
            (one.name.lower(), one),
            (one.serial_number, one),
            (one.wan_ip, one),
            ((two.lan_ips or [""])[-1], two),
        ):
            assert row.name in names(await browser.get(f"/assets?rows=250&q={known}"))
        for text in ("%25", "_", "'", "\\"):
            page = await browser.get(f"/assets?q={text}")
            assert page.status == 200
            assert len(names(page)) < 25


async def test_what_lists_sort_and_search_by_is_what_the_content_says(world: World) -> None:
    """Also for a new device, whose hardware comes in the same run after its first row was written."""
    ids = [row.asset_id for row in await world.all_assets()]
    await world.set_type(ids[0], "server")
    async with world.database.read(world.scope) as session:
        contents = await AssetService(session, world.scope).contents(ids)
        columns = [ASSETS.c[name] for name in INDEX_FIELDS]
        stored = {
            row[0]: tuple(row[1:])
            for row in await session.execute(
                select(ASSETS.c.asset_id, *columns).where(ASSETS.c.tenant_id == world.scope.tenant_id)
            )
        }
    assert stored == {asset_id: indexed(content) for asset_id, content in contents.items()}
    assert any(values[INDEX_FIELDS.index("user_key")] for values in stored.values())


async def test_nothing_found_names_the_filters_to_take_away(site: Site) -> None:
    async with site.logged_in() as browser:
        page = await browser.get("/assets?q=nobody-has-this&status=online&platform=linux")
        assert page.text(".m-nothing h2") == "No asset matches"
        ways = page.texts(".m-loosen a")
        assert ways == ["Search “nobody-has-this”", "Status: Online", "Platform: Linux"]
        without = page.attribute(".m-loosen a", "href")
        assert without is not None
        page = await browser.get(without)
        assert names(page)
        assert page.texts(".m-chip b") == ["Online", "Linux"]


async def test_before_the_first_asset_one_step_is_next(
    database: Database, fleet_server: SimulatorServer
) -> None:
    world = await World.make(database)
    site = Site.of(world)
    async with site.logged_in() as browser, site.logged_in(Role.VIEWER) as viewer:
        page = await browser.get("/assets")
        assert page.text(".btn-primary") == "Connect Tactical RMM"
        assert not (await viewer.get("/assets")).html.css(".btn-primary")
        integration_id = await world.connect(fleet_server)
        await world.organizations(integration_id)
        page = await browser.get("/assets")
        assert page.text(".btn-primary") == "Map organizations"
        assert "0 of 4 mapped" in page.text('[aria-current="step"]')
        await world.map_all(integration_id)
        page = await browser.get("/assets")
        assert page.text(".btn-primary") == "Sync devices"


async def test_an_unknown_filter_is_refused_with_what_there_is(site: Site) -> None:
    async with site.logged_in() as browser:
        page = await browser.get("/assets?status=asleep")
        assert page.status == 400
        assert "online, offline, overdue, unknown" in page.response.text
        answer = await browser.json("GET", "/assets?colour=red")
        assert answer.status_code == 400
        assert "colour" in answer.json()["detail"]


async def test_links_keep_filters_and_forms_keep_them_without_scripts(site: Site) -> None:
    async with site.logged_in() as browser:
        page = await browser.get("/assets?status=online&status=offline&q=a&sort=-last_seen&rows=25")
        hrefs = [a.attributes["href"] or "" for a in page.html.css("th a")]
        assert all("status=online&status=offline" in href and "q=a" in href for href in hrefs)
        search = page.html.css_first("form.m-filter-search")
        assert search is not None
        hidden = [(i.attributes["name"], i.attributes["value"]) for i in search.css("input[type=hidden]")]
        assert ("status", "online") in hidden
        assert ("sort", "-last_seen") in hidden
        boxes = page.html.css('.m-all-filters input[name="status"][checked]')
        assert [box.attributes["value"] for box in boxes] == ["online", "offline"]


# --- export -----------------------------------------------------------------------------------------------


async def test_the_export_is_the_filtered_list_in_its_order(site: Site) -> None:
    async with site.logged_in(Role.VIEWER) as browser:
        for query in ("sort=-last_seen&platform=windows", "sort=client", "sort=-client", "q=desk"):
            listed = await everything(browser, query)
            answer = (await browser.get(f"/assets.csv?{query}")).response
            assert answer.headers["content-type"] == "text/csv; charset=utf-8"
            assert "assets.csv" in answer.headers["content-disposition"]
            assert answer.content.startswith(b"\xef\xbb\xbfName,")
            rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
            assert [row["Name"] for row in rows] == listed
            assert all(row["Client"] for row in rows)


async def test_the_export_is_no_formula(site: Site) -> None:
    world = site.world
    row = (await world.all_assets())[0]
    await change(world, row.asset_id, name='=HYPERLINK("http://evil.example")')
    async with site.logged_in() as browser:
        text = (await browser.get("/assets.csv")).response.content.decode("utf-8-sig")
    cells = [cell for line in csv.reader(io.StringIO(text, newline="")) for cell in line]
    assert '\'=HYPERLINK("http://evil.example")' in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))]


def test_every_beginning_of_a_formula_is_defused() -> None:
    for start in "=+-@\t\r\n":
        assert spreadsheet.cell(f"{start}1+1").startswith("'")
    assert (spreadsheet.cell(-3), spreadsheet.cell(None), spreadsheet.cell(True)) == ("-3", "", "yes")


# --- one asset --------------------------------------------------------------------------------------------


async def test_the_page_tells_everything_and_never_null(site: Site) -> None:
    async with site.logged_in(Role.VIEWER) as browser:
        for row in await site.world.all_assets():
            page = await browser.get(f"/assets/{row.asset_id}")
            text = page.text("#asset")
            assert row.name in text
            assert str(row.external_entity_id) in text
            assert not re.search(r"\b(None|null|nan|0 B)\b", text.replace("Pending patchesNone", "")), text
            assert not page.html.css(".m-type-choice")


async def test_history_tells_what_changed_by_whom_and_pages(site: Site) -> None:
    world = site.world
    row = (await world.all_assets())[0]
    run = (await world.runs())[0]
    at = clock.now()
    changes = [
        {
            "change_id": new_id(),
            "asset_id": row.asset_id,
            "changed_at": at - timedelta(minutes=n),
            "field": "client_id" if n == 0 else "agent_version",
            "old_value": str(row.client_id) if n == 0 else f"2.{n}",
            "new_value": str(some_id()) if n == 0 else f"2.{n + 1}",
            "cause": str(run.run_id) if n else "ann@example.com",
        }
        for n in range(30)
    ]
    async with world.database.write() as session:
        await bulk.insert(session, world.scope, table_of(AssetChange), changes)
    async with site.logged_in() as browser:
        page = await browser.get(f"/assets/{row.asset_id}")
        assert "All 30 changes" in page.text("main")
        assert len(page.html.css(".m-timeline > li")) == 5
        page = await browser.get(f"/assets/{row.asset_id}/history")
        first = page.texts(".m-timeline > li")[0]
        assert row.client_name is not None
        assert row.client_name in first
        assert "a client that is gone" in first
        assert "ann@example.com" in first
        assert page.attribute(".m-timeline small a", "href") == f"/runs/{run.run_id}"
        assert len(page.html.css(".m-timeline > li")) == 25
        page = await browser.get(f"/assets/{row.asset_id}/history?page=2")
        assert page.texts(".m-timeline b")[-1] == "Created"
        answer = (await browser.json("GET", f"/assets/{row.asset_id}/history?limit=7&offset=28")).json()
        assert (len(answer["items"]), answer["total"]) == (2, 30)


async def test_a_type_chosen_by_hand_is_recorded_and_given_back(site: Site) -> None:
    world = site.world
    row = next(row for row in await world.all_assets() if row.asset_type == "workstation")
    path = f"/assets/{row.asset_id}"
    async with site.logged_in(Role.TECHNICIAN) as browser, site.logged_in(Role.VIEWER) as viewer:
        page = await browser.post(f"{path}/type", {"asset_type": "server"})
        assert "Server (set by hand)" in page.text(".m-type")
        assert "technician@example.com" in page.text(".m-timeline")
        assert (await browser.post(f"{path}/type", {"asset_type": "toaster"})).status == 400
        assert (await viewer.post(f"{path}/type", {"asset_type": "server"})).status == 403
        assert (await viewer.json("PATCH", path, {"asset_type": None})).status_code == 403
        answer = await browser.json("PATCH", path, {"asset_type": None})
        assert answer.json()["asset_type_overridden"] is False
        page = await browser.post(f"{path}/refresh")
        assert page.text(".m-type").startswith("Workstation")
    async with world.database.read() as session:
        entries = await AuditService(session, world.scope).list(action="asset.type_changed", limit=10)
    assert [entry.detail["new"] for entry in entries] == [None, "server"]
    assert {entry.actor for entry in entries} == {"technician@example.com"}


async def test_refresh_now_reads_the_device_and_says_what_came_of_it(site: Site) -> None:
    world = site.world
    row = (await world.all_assets())[0]
    await change(world, row.asset_id, last_rmm_sync_at=clock.now() - timedelta(days=1))
    path = f"/assets/{row.asset_id}"
    async with site.logged_in(Role.TECHNICIAN) as browser, site.logged_in(Role.VIEWER) as viewer:
        assert "Refresh now" in (await browser.get(path)).text(".m-actions")
        locked = (await viewer.get(path)).attribute('.m-actions [aria-disabled="true"]', "aria-label")
        assert locked == "Refresh now. Your role lacks the permission rmm:sync"
        assert (await viewer.post(f"{path}/refresh")).status == 403
        page = await browser.post(f"{path}/refresh")
        assert "Read in" in page.text("#toasts")
        assert page.text(".m-head .m-pill") != "Unknown"
        answer = await browser.json("POST", f"{path}/refresh")
        assert (answer.json()["mode"], answer.json()["status"]) == ("single", "succeeded")


async def test_a_missing_device_says_since_when(site: Site) -> None:
    row = (await site.world.all_assets())[0]
    await lose(site.world, row.asset_id)
    async with site.logged_in() as browser:
        finding = (await browser.get(f"/assets/{row.asset_id}")).text(".m-finding")
        assert "did not answer the roll" in finding
        assert "3 days ago" in finding


async def test_another_tenants_asset_is_not_there(site: Site, database: Database) -> None:
    row = (await site.world.all_assets())[0]
    stranger = await World.make(database, "Other IT")
    path = f"/assets/{row.asset_id}"
    async with site.logged_in(Role.ADMIN, stranger) as browser:
        for address in (path, f"{path}/history", f"/assets?client={row.client_id}"):
            assert (await browser.get(address)).status == 404
        for address in (f"{path}/type", f"{path}/refresh"):
            assert (await browser.post(address, {"asset_type": "server"})).status == 404
        for address in (path, f"{path}/history"):
            assert (await browser.json("GET", address)).status_code == 404
        assert (await browser.json("PATCH", path, {"asset_type": "server"})).status_code == 404
        assert (await browser.json("GET", "/assets")).json() == {"items": [], "total": 0}
        assert (await browser.get(f"/assets/{some_id()}")).status == 404
        assert len((await browser.get("/assets.csv")).response.text.splitlines()) == 1


# --- cost -------------------------------------------------------------------------------------------------


class Statements:
    """Counts what goes to the database."""

    def __init__(self, database: Database) -> None:
        self.sent = 0
        for engine in {database.reader.sync_engine, database.writer.sync_engine}:
            event.listen(engine, "before_cursor_execute", self._one)

    def _one(self, *_: object) -> None:
        self.sent += 1


async def test_no_page_asks_more_for_more_rows(site: Site) -> None:
    statements = Statements(site.world.database)
    async with site.logged_in() as browser:
        await browser.get("/assets")
        for query in ("", "sort=client", "q=a", "status=online&platform=windows"):
            costs = []
            for rows in (25, 50):
                statements.sent = 0
                page = await browser.get(f"/assets?{query}&rows={rows}")
                costs.append((statements.sent, len(names(page))))
            (few, shown), (many, more) = costs
            assert many == few, query
            assert more > shown, query
