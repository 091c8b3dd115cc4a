"""The search of the fleet, the page of a title and what changed, as a browser meets them."""

import csv
import io

import pytest

from muster.accounts.permissions import Role
from muster.db import Database
from muster.simulator import FleetSpec, SimulatorServer
from tests.software.shelf import OPENSSL, Shelf, days_ago, record, shown
from tests.support.site import Browser, Page, Site, some_id
from tests.support.world import World

FOUNDATION = "OpenSSL Software Foundation"


@pytest.fixture
async def shelf(database: Database) -> Shelf:
    """A tenant whose machines report."""
    shelf = await Shelf.make(database)
    await shelf.fill()
    return shelf


@pytest.fixture
def site(shelf: Shelf) -> Site:
    return Site.of(shelf.world)


def cells(page: Page, name: str) -> list[str]:
    """The cells of the row with this name."""
    for row in page.html.css("[data-rows] tbody tr"):
        texts = [" ".join(cell.text().split()) for cell in row.css("td")]
        if texts[0] == name:
            return texts
    raise AssertionError(f"{name} is not among {shown(page)}")


async def table(browser: Browser, path: str) -> list[dict[str, str]]:
    """A file for spreadsheets, row by row."""
    answer = await browser.client.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"].startswith("attachment")
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


# --- the search -------------------------------------------------------------------------------------------


async def test_every_title_stands_with_its_machines(site: Site) -> None:
    async with site.logged_in(Role.VIEWER) as browser:
        page = await browser.get("/software")
    assert shown(page) == ["Mozilla Firefox", OPENSSL, *(f"Übermut {n}" for n in range(1, 8))]
    assert page.texts("#matches") == ["9 titles"]
    assert "8 machines report, 4 do not" in page.text(".m-facts")
    assert "Read just now" in page.text(".m-facts")
    name, publisher, machines, versions, newest, _ = cells(page, OPENSSL)
    assert (name, publisher, newest) == (OPENSSL, FOUNDATION, "3.3.1")
    assert (machines, versions) == ("8 machines", "6")
    assert page.attribute('.m-place[href="/software"]', "aria-current") == "page"


async def test_who_has_the_old_version(shelf: Shelf, site: Site) -> None:
    title = await shelf.title(OPENSSL)
    async with site.logged_in() as browser:
        page = await browser.get("/software?q=openssl+below+3.0.15")
        assert shown(page) == [OPENSSL]
        assert cells(page, OPENSSL)[2:5] == ["3 machines", "3", "3.0.9"]
        assert page.texts(".m-chip b") == ["below 3.0.15"]
        assert page.attribute(".m-filter-search input[type=search]", "value") == "openssl"
        assert page.texts("#matches") == ["1 of 9 titles match 2 filters"]
        there = page.attribute("[data-rows] td.m-name a", "href")
        assert there == f"/software/{title.software_id}?op=below&version=3.0.15"
        page = await browser.get(there)
    machines = {shelf.machines[each].name for each in (1, 5, 6)}
    assert set(page.texts(".m-machines td.m-name a")) == machines
    assert len(page.html.css(".m-machines tbody tr")) == 4
    assert page.texts(".m-chip b") == ["below 3.0.15"]
    assert "3 of 6 below 3.0.15" in page.text("section[aria-labelledby=title-versions] .m-card-head")


async def test_each_filter_finds_what_it_names(site: Site) -> None:
    own = [f"Übermut {n}" for n in range(1, 8)]
    expected = {
        "q=openssl": [OPENSSL],
        "q=MÜLLER": own,
        "q=übermut+3": ["Übermut 3"],
        "publisher=mozilla": ["Mozilla Firefox"],
        "publisher=Mozilla+Messaging": [],
        "version=121.0&op=is": ["Mozilla Firefox"],
        "version=121&op=at_most": ["Mozilla Firefox", OPENSSL, *own],
        "version=121&op=above": ["Mozilla Firefox"],
        "version=1.0.2&op=below": own,
        "version=999&op=at_least": [],
        "q=%25": [],
    }
    async with site.logged_in() as browser:
        for query, titles in expected.items():
            assert shown(await browser.get(f"/software?{query}")) == titles, query


async def test_a_client_counts_its_own_machines(shelf: Shelf, site: Site) -> None:
    client = shelf.machines[2].client_id
    own = [n for n in range(8) if shelf.machines[n].client_id == client]
    async with site.logged_in() as browser:
        page = await browser.get(f"/software?client={client}")
        assert cells(page, OPENSSL)[2].split()[0] == str(len(own))
        assert page.attribute("[data-rows] td.m-name a", "href") is not None
        assert f"client={client}" in (page.attribute("[data-rows] td.m-name a", "href") or "")


async def test_rows_are_sorted_and_turned(site: Site) -> None:
    async with site.logged_in() as browser:
        page = await browser.get("/software?sort=-machines")
        assert shown(page)[:2] == [OPENSSL, "Mozilla Firefox"]
        assert page.attribute("th[aria-sort=descending] a", "href") == "/software?sort=machines"
        assert shown(await browser.get("/software?sort=-name"))[0] == "Übermut 7"
        # Past the end the last page stands.
        page = await browser.get("/software?page=7")
        assert len(shown(page)) == 9
        assert "1-9 of 9" in page.text(".m-pages")


async def test_no_result_says_which_filter_to_take_away(site: Site) -> None:
    async with site.logged_in() as browser:
        page = await browser.get("/software?q=nothing+like+it&version=3&op=below")
    assert "No title matches" in page.text(".m-nothing")
    assert [node.attributes["href"] for node in page.html.css(".m-loosen a")] == [
        "/software?op=below&version=3",
        "/software?q=nothing+like+it",
    ]


async def test_what_nobody_knows_is_refused(site: Site) -> None:
    refused = {
        "version=latest": 400,
        "op=like&version=3": 400,
        "vendor=Mozilla": 400,
        f"client={some_id()}": 404,
    }
    async with site.logged_in() as browser:
        for query, status in refused.items():
            assert (await browser.get(f"/software?{query}")).status == status, query


async def test_before_the_first_read_the_page_says_what_comes(database: Database) -> None:
    nobody = await World.make(database, "Empty IT")
    async with Site.of(nobody).logged_in() as browser:
        page = await browser.get("/software")
        assert page.attribute(".m-nothing a", "href") == "/settings/integrations/rmm"
        assert "No software yet" in page.text(".m-nothing")
    with SimulatorServer(FleetSpec(agents=2, clients=2), frozen=True) as server:
        integration_id = await nobody.connect(server)
    async with Site.of(nobody).logged_in() as browser:
        page = await browser.get("/software")
        assert page.text(".m-nothing .btn") == "Ingest software"
        there = f"/settings/integrations/rmm/{integration_id}#sync"
        assert page.attribute(".m-nothing .btn", "href") == there
    async with Site.of(nobody).logged_in(Role.VIEWER) as browser:
        page = await browser.get("/software")
        assert not page.html.css(".m-nothing .btn")
        assert "An administrator does it" in page.text(".m-nothing")


# --- a title ----------------------------------------------------------------------------------------------


async def test_a_title_shows_versions_clients_and_machines(shelf: Shelf, site: Site) -> None:
    title = await shelf.title(OPENSSL)
    async with site.logged_in(Role.VIEWER) as browser:
        page = await browser.get(f"/software/{title.software_id}")
        assert page.text("h1") == OPENSSL
        assert "8 machines" in page.text(".m-facts")
        rows = [
            [" ".join(cell.text().split()) for cell in row.css("td")]
            for row in page.html.css(".m-versions tbody tr")
        ]
        assert [(row[0], row[2].split()[0]) for row in rows] == [
            ("3.3.1", "1"),
            ("3.0.15", "3"),
            ("3.0.9", "2"),
            ("1.1.1w", "1"),
            ("1.0.2", "1"),
            ("Not stated", "1"),
        ]
        assert page.attribute(".m-versions .m-meter", "aria-label") == "1 machine"
        # Each leads to the machines that have it.
        there = page.html.css(".m-versions td.m-name a")[1].attributes["href"]
        assert there is not None
        assert sorted((await browser.get(there)).texts(".m-machines td.m-name a")) == sorted(
            shelf.machines[n].name for n in (0, 2, 3)
        )
        unstated = page.html.css(".m-versions td.m-name a")[-1].attributes["href"]
        assert unstated is not None
        assert (await browser.get(unstated)).texts(".m-machines td.m-name a") == [shelf.machines[7].name]
        clients = [text.rpartition(" ") for text in page.texts(".m-by-client a")]
        expected: dict[str, int] = {}
        for machine in shelf.machines[:8]:
            assert machine.client_name is not None
            expected[machine.client_name] = expected.get(machine.client_name, 0) + 1
        assert {name: int(count) for name, _, count in clients} == expected
        assert len(page.html.css(".m-machines tbody tr")) == 9


async def test_a_title_says_what_changed_with_it(shelf: Shelf, site: Site) -> None:
    title = await shelf.title(OPENSSL)
    async with site.logged_in() as browser:
        page = await browser.get(f"/software/{title.software_id}")
    lines = page.texts(".m-timeline li")
    assert len(lines) == 2
    updated = next(line for line in lines if "Updated" in line)
    assert shelf.machines[0].name in updated
    assert "1.1.1w" in updated
    assert "3.0.15" in updated
    assert "Installed 1.0.2" in next(line for line in lines if "Installed" in line)


async def test_a_title_names_its_namesakes(shelf: Shelf, site: Site) -> None:
    await shelf.report(8, record(OPENSSL, "3.0.15", "Shining Light"), at=days_ago(1))
    title = (await shelf.title(OPENSSL, FOUNDATION)).software_id
    async with site.logged_in() as browser:
        page = await browser.get(f"/software/{title}")
        assert "Other titles have this name" in page.text(".m-finding")
        there = page.attribute(".m-finding a", "href")
        assert there is not None
        assert "Shining Light" in (await browser.get(there)).text(".m-facts")


async def test_a_title_that_nobody_has_any_more_is_still_there(shelf: Shelf, site: Site) -> None:
    async with site.logged_in() as browser:
        changes = await browser.get("/software/changes?kind=removed")
        there = next(
            node.attributes["href"]
            for node in changes.html.css("[data-rows] td.m-name a")
            if node.text() == "Übermut 0"
        )
        assert there is not None
        page = await browser.get(there)
    assert page.status == 200
    assert "0 machines" in page.text(".m-facts")
    assert "No machine has it now" in page.text("section[aria-labelledby=title-versions]")


async def test_another_tenants_title_is_not_there(shelf: Shelf, site: Site) -> None:
    title = await shelf.title(OPENSSL)
    stranger = await World.make(shelf.world.database, "Beta IT")
    async with site.logged_in(Role.ADMIN, stranger) as browser:
        for path in ("", "/machines.csv", "/clients.csv"):
            assert (await browser.get(f"/software/{title.software_id}{path}")).status == 404
        assert (await browser.get(f"/software/changes?title={title.software_id}")).status == 404
        assert (await browser.get(f"/software/changes?asset={shelf.machines[0].asset_id}")).status == 404
        assert (await browser.get(f"/software?client={shelf.machines[0].client_id}")).status == 404
        assert shown(await browser.get("/software")) == []
    async with site.logged_in() as browser:
        assert (await browser.get(f"/software/{some_id()}")).status == 404
        assert (await browser.get(f"/software/{title.software_id}?exact={some_id()}")).status == 404


# --- what changed -----------------------------------------------------------------------------------------


async def changed(browser: Browser, query: str = "") -> list[tuple[str, str]]:
    """(title, what) of the rows of the list of changes."""
    page = await browser.get(f"/software/changes{query}")
    rows = [
        [" ".join(cell.text().split()) for cell in row.css("td")]
        for row in page.html.css("[data-rows] tbody tr")
    ]
    assert f"{len(rows)} change" in page.text("#matches")
    return sorted((row[0], row[1]) for row in rows)


async def test_what_changed_this_week(shelf: Shelf, site: Site) -> None:
    everything = [
        ("Mozilla Firefox", "Removed"),
        (OPENSSL, "Installed"),
        (OPENSSL, "Updated"),
        ("Übermut 0", "Removed"),
    ]
    title, machine = await shelf.title(OPENSSL), shelf.machines[1]
    async with site.logged_in(Role.VIEWER) as browser:
        assert await changed(browser) == everything
        assert await changed(browser, "?days=1") == []
        assert await changed(browser, "?days=all") == everything
        assert await changed(browser, "?kind=removed") == [everything[0], everything[3]]
        assert await changed(browser, "?kind=updated&days=30") == [everything[2]]
        assert await changed(browser, f"?title={title.software_id}") == everything[1:3]
        assert await changed(browser, f"?asset={machine.asset_id}") == [everything[1]]
        own = [
            *(
                [everything[0], everything[2], everything[3]]
                if shelf.machines[0].client_id == machine.client_id
                else []
            ),
            everything[1],
        ]
        assert await changed(browser, f"?client={machine.client_id}") == sorted(own)
        page = await browser.get(f"/software/changes?title={title.software_id}&days=30")
        assert page.texts(".m-chip b") == [OPENSSL]
        assert [node.attributes["href"] for node in page.html.css(".m-segment a[aria-current]")] == [
            f"/software/changes?days=30&title={title.software_id}",
            f"/software/changes?days=30&title={title.software_id}",
        ]


async def test_where_nothing_changed_the_page_says_so(shelf: Shelf, site: Site) -> None:
    async with site.logged_in() as browser:
        page = await browser.get("/software/changes?days=1")
        assert "Nothing changed" in page.text(".m-nothing")
        assert page.attribute(".m-nothing a", "href") == "/software/changes?days=all"
        page = await browser.get(f"/software/changes?asset={shelf.machines[4].asset_id}")
        assert "No change matches" in page.text(".m-nothing")


# --- files ------------------------------------------------------------------------------------------------


async def test_each_list_is_a_file_of_what_it_shows(shelf: Shelf, site: Site) -> None:
    title = f"/software/{(await shelf.title(OPENSSL)).software_id}"
    async with site.logged_in() as browser:
        page = await browser.get("/software?q=openssl&version=3.0.15&op=below&rows=50")
        there = page.attribute(".m-actions a[download]", "href")
        assert there is not None
        (row,) = await table(browser, there)
        assert (row["Title"], row["Machines"], row["Newest version"]) == (OPENSSL, "3", "3.0.9")
        assert len(await table(browser, "/software.csv")) == 9
        page = await browser.get(f"{title}?version=3.0.15&op=below")
        there = page.attribute("#machines a[download]", "href")
        assert there is not None
        rows = await table(browser, there)
        assert sorted(row["Version"] for row in rows) == ["1.0.2", "1.1.1w", "3.0.9", "3.0.9"]
        assert {row["Machine"] for row in rows} == {shelf.machines[n].name for n in (1, 5, 6)}
        rows = await table(browser, f"{title}/clients.csv")
        assert sum(int(row["Machines"]) for row in rows) == 8
        rows = await table(browser, "/software/changes.csv?kind=updated")
        assert [(row["What"], row["Version before"], row["Version"]) for row in rows] == [
            ("Updated", "1.1.1w", "3.0.15")
        ]
        rows = await table(browser, f"/assets/{shelf.machines[1].asset_id}/software.csv")
        assert sorted(row["Title"] for row in rows) == ["Mozilla Firefox", OPENSSL, OPENSSL, "Übermut 1"]
        assert (await browser.get(f"/assets/{some_id()}/software.csv")).status == 404


async def test_a_long_list_is_a_file_of_all_of_it(
    shelf: Shelf, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muster.software.export._PIECE", 4)
    async with site.logged_in() as browser:
        names = [row["Title"] for row in await table(browser, "/software.csv?sort=-name")]
    assert names == [*(f"Übermut {n}" for n in range(7, 0, -1)), OPENSSL, "Mozilla Firefox"]
