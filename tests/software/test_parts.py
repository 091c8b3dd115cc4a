"""What other rooms' pages show of software."""

import pytest

from muster.accounts.permissions import Role
from muster.db import Database
from tests.software.shelf import OPENSSL, Shelf, days_ago, record, shown
from tests.support.site import Site
from tests.support.world import World

TAB = "section[aria-labelledby=asset-software]"


@pytest.fixture
async def shelf(database: Database) -> Shelf:
    """A tenant whose machines are synced and have not reported."""
    return await Shelf.make(database)


@pytest.fixture
def site(shelf: Shelf) -> Site:
    return Site.of(shelf.world)


def tab(shelf: Shelf, machine: int) -> str:
    return f"/assets/{shelf.machines[machine].asset_id}/software"


# --- the tab of an asset ----------------------------------------------------------------------------------


async def test_the_tab_has_the_list_and_its_history(shelf: Shelf, site: Site) -> None:
    await shelf.fill()
    async with site.logged_in(Role.VIEWER) as browser:
        page = await browser.get(tab(shelf, 1))
        assert "Software 4" in page.texts(".m-tabs a")
        rows = page.html.css(f"{TAB} tbody tr")
        assert [" ".join(cell.text().split()) for cell in rows[0].css("td")][:3] == [
            "Mozilla Firefox Mozilla",
            "121.0",
            "-",
        ]
        assert shown(page) == ["Mozilla Firefox", OPENSSL, OPENSSL, "Übermut 1"]
        assert page.texts("section[aria-labelledby=asset-report] dd") == [
            "just now",
            "3 days ago",
            "4 installs",
        ]
        (line,) = page.texts("section[aria-labelledby=asset-changes] li")
        assert "Installed 1.0.2" in line
        page = await browser.get(tab(shelf, 0))
        assert sorted(line.split(":")[0] for line in page.texts(".m-timeline li")) == [
            "Removed",
            "Removed",
            "Updated",
        ]


async def test_the_tab_has_a_search(shelf: Shelf, site: Site) -> None:
    await shelf.fill()
    async with site.logged_in() as browser:
        assert shown(await browser.get(f"{tab(shelf, 1)}?q=moz")) == ["Mozilla Firefox"]
        page = await browser.get(f"{tab(shelf, 1)}?q=nothing")
        assert "No title matches" in page.text(".m-nothing")
        assert page.text(".m-nothing a") == "Show all 4"
        assert "Software 4" in page.texts(".m-tabs a")


async def test_a_long_list_is_turned(shelf: Shelf, site: Site) -> None:
    await shelf.report(0, *(record(f"Program {n:02}", "1") for n in range(60)))
    async with site.logged_in() as browser:
        page = await browser.get(f"{tab(shelf, 0)}?page=3")
        assert shown(page) == [f"Program {n:02}" for n in range(50, 60)]
        assert page.attribute("a[rel=prev]", "href") == f"{tab(shelf, 0)}?page=2"
        assert len(shown(await browser.get(f"{tab(shelf, 0)}?page=9&rows=50"))) == 10


async def test_not_read_not_reported_and_nothing_are_three_things(shelf: Shelf, site: Site) -> None:
    windows = next(n for n, each in enumerate(shelf.machines) if each.os_type == "windows")
    other = next(n for n, each in enumerate(shelf.machines) if each.os_type != "windows")
    async with site.logged_in() as browser:
        page = await browser.get(tab(shelf, windows))
        assert "Software was not read yet" in page.text(".m-nothing")
        await shelf.read()
        page = await browser.get(tab(shelf, windows))
        assert "Software" in page.texts(".m-tabs a")
        assert "This device does not report its software" in page.text(".m-nothing")
        assert "That is not the same as nothing being installed." in page.text(".m-nothing")
        assert "last read, just now" in page.text(".m-nothing")
        assert "A new device gets one" in page.text(".m-nothing")
        page = await browser.get(tab(shelf, other))
        assert "report none" in page.text(".m-nothing")
        await shelf.report(windows)
        page = await browser.get(tab(shelf, windows))
        assert "Software 0" in page.texts(".m-tabs a")
        assert "Nothing is installed" in page.text(".m-nothing")
        assert page.texts("section[aria-labelledby=asset-report] dd")[0] == "just now"


async def test_a_device_that_reports_no_longer_keeps_its_last_list(shelf: Shelf, site: Site) -> None:
    await shelf.report(0, record(OPENSSL, "3.0.15"), at=days_ago(2))
    await shelf.read(at=days_ago(2))
    await shelf.read(0)
    async with site.logged_in() as browser:
        page = await browser.get(tab(shelf, 0))
    told = page.texts(".m-finding")[-1]
    assert "This device no longer reports its software." in told
    assert "Last reported 2 days ago" in told
    assert shown(page) == [OPENSSL]


async def test_a_tab_is_made_when_it_is_shown(shelf: Shelf, site: Site) -> None:
    asset = f"/assets/{shelf.machines[0].asset_id}"
    async with site.logged_in() as browser:
        # What the tab Software refuses is none of the tab Alerts' business.
        assert (await browser.get(f"{asset}/software?vendor=Mozilla")).status == 400
        assert (await browser.get(f"{asset}/alerts?vendor=Mozilla")).status == 200


async def test_another_tenants_device_has_no_tab(shelf: Shelf, site: Site) -> None:
    await shelf.fill()
    stranger = await World.make(shelf.world.database, "Beta IT")
    async with site.logged_in(Role.ADMIN, stranger) as browser:
        assert (await browser.get(tab(shelf, 0))).status == 404
        assert (await browser.get(f"{tab(shelf, 0)}.csv")).status == 404


# --- a client, the dashboard ------------------------------------------------------------------------------


async def test_a_client_shows_what_most_of_its_machines_have(shelf: Shelf, site: Site) -> None:
    section = "section[aria-labelledby=client-software]"
    client = shelf.machines[1].client_id
    async with site.logged_in(Role.VIEWER) as browser:
        page = await browser.get(f"/clients/{client}")
        assert "No machine of this client has reported" in page.text(section)
        await shelf.fill()
        page = await browser.get(f"/clients/{client}")
        own = [n for n in range(8) if shelf.machines[n].client_id == client]
        assert page.texts(f"{section} li b")[:2] == ["Mozilla Firefox", OPENSSL]
        assert page.texts(f"{section} li .m-numeric")[1] == f"{len(own)} machines"
        listed = await browser.get(page.attribute(f"{section} .m-card-head a", "href") or "")
        assert page.text(f"{section} .m-card-head a") == f"All {len(shown(listed))} titles"
        changed = await browser.get(page.attribute(f"{section} .m-card-foot a", "href") or "")
        assert page.text(f"{section} .m-card-foot a").startswith(changed.text("#matches").split(" within")[0])


async def test_the_dashboard_tells_of_this_week(shelf: Shelf, site: Site) -> None:
    card = "section[aria-labelledby=dashboard-software]"
    async with site.logged_in(Role.VIEWER) as browser:
        page = await browser.get("/")
        assert "No machine has reported its software yet." in page.text(card)
        await shelf.fill()
        page = await browser.get("/")
        assert page.text(f"{card} .m-card-head a") == "9 titles"
        assert page.texts(f"{card} li") == [
            "Installed this week 1",
            "Updated this week 1",
            "Removed this week 2",
        ]
        assert "8 machines report, 4 do not" in page.text(f"{card} .m-card-foot")
        for link in page.html.css(f"{card} li a"):
            there = await browser.get(link.attributes["href"] or "")
            assert f"{len(shown(there))} change" in there.text("#matches")
            assert link.text().split()[-1] == str(len(shown(there)))
