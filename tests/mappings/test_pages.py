"""Mapping organizations through the browser's door, with scripts and without."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from selectolax.lexbor import LexborHTMLParser
from selectolax.lexbor import LexborNode as Node

from muster.accounts.permissions import Role
from muster.db import Database
from muster.simulator import FleetSpec, SimulatorServer
from tests.mappings.listed import List, listed
from tests.support.site import Browser, Page, Site, some_id
from tests.support.world import World

NAMES = {"1": "Contoso", "2": "Übermut & Söhne GmbH", "3": "Lindqvist Bakery"}


@pytest.fixture
async def some(database: Database) -> List:
    return await listed(await World.make(database), NAMES, devices=5)


@pytest.fixture
def site(some: List) -> Site:
    return Site.of(some.world)


def _panel(some: List) -> str:
    return f"/settings/integrations/rmm/{some.integration_id}"


def _one(some: List, organization: str = "1") -> str:
    return f"{_panel(some)}/organizations/{organization}"


def _rows(page: Page) -> list[str]:
    return page.texts("tbody .m-org-name > span")


async def _list(browser: Browser, some: List, query: str = "") -> Page:
    page = await browser.part(f"{_panel(some)}/organizations{query}")
    assert page.status == 200
    return page


def _in_row(page: Page, selector: str) -> Node:
    """Something in an answer that is a single row: by itself a parser does not take it for one."""
    found = LexborHTMLParser(f"<table>{page.response.text}</table>").css_first(f"tr {selector}")
    assert found is not None, f"there is no {selector} in the row"
    return found


def _seen(page: Page) -> str:
    """What the first row's form carries."""
    seen = page.attribute("input[name=revision]", "value")
    assert seen
    return seen


async def test_the_panel_shows_the_organizations(some: List, site: Site) -> None:
    await some.client("Contoso GmbH")
    await some.assign("3", await some.client("Bakery"))
    await some.lose("3")
    async with site.logged_in() as browser:
        page = await browser.get(_panel(some))
        section = "#organizations"
        assert page.texts(f"{section} tbody .m-org-name > span") == [
            "Contoso",
            "Übermut & Söhne GmbH",
            "Lindqvist Bakery",
        ]
        assert page.texts(f"{section} .m-segment a") == ["All 3", "Unmapped 2", "Mapped 1"]
        assert "100%" in page.text(f"{section} tbody tr")
        assert "No longer listed since" in page.text(f"{section} tbody tr:last-child")
        assert page.text("#org-accept") == "Accept 1 proposal"
        assert page.text("#org-tally") == (
            "10 agents on the server: 0 in mapped organizations, 10 in 2 unmapped ones are not read."
        )
        # The screen's one primary is the panel's own.
        assert not page.html.css(f"{section} .btn-primary")


async def test_the_address_says_which_are_shown(some: List, site: Site) -> None:
    await some.assign("1", await some.client("Contoso"))
    async with site.logged_in() as browser:
        page = await browser.get(f"{_panel(some)}?org=unmapped&org_q=ueberm")
        assert page.texts("#organizations tbody .m-org-name > span") == ["Übermut & Söhne GmbH"]
        assert page.attribute("#org-search", "value") == "ueberm"
        assert page.text("#org-counts [aria-current]") == "Unmapped 1"
        part = await _list(browser, some, "?org=mapped&org_q=ueberm")
        assert _rows(part) == []
        assert "No organization matches" in part.text("#org-list")
        assert part.response.headers["hx-push-url"] == f"{_panel(some)}?org=mapped&org_q=ueberm"
        # Without a script the list has no address of its own.
        plain = await browser.get(f"{_panel(some)}/organizations?org=mapped", follow=False)
        assert plain.response.headers["location"] == f"{_panel(some)}?org=mapped#organizations"
        odd = await _list(browser, some, "?org=odd&org_page=nine&rows=7")
        assert len(_rows(odd)) == 3


async def test_a_thousand_organizations_come_in_pages(some: List, site: Site) -> None:
    await some.list_again({str(number): f"Organization {number:04}" for number in range(1000)})
    async with site.logged_in() as browser:
        page = await browser.get(f"{_panel(some)}?org_page=2&rows=50")
        rows = page.texts("#organizations tbody .m-org-name > span")
        assert (len(rows), rows[0]) == (50, "Organization 0050")
        assert "51-100 of 1,000" in page.text("#org-list .m-pages")
        following = page.attribute("#org-list a[rel=next]", "href")
        assert following == f"{_panel(some)}?org_page=3&rows=50#organizations"
        last = await _list(browser, some, "?org_page=999")
        assert _rows(last)[-1] == "Organization 0999"


async def test_a_row_is_mapped_in_place(some: List, site: Site) -> None:
    client = await some.client("Contoso Ltd")
    async with site.logged_in() as browser:
        seen = _seen(await _list(browser, some))
        page = await browser.post(
            f"{_one(some)}/client", {"client": client, "revision": seen, "back": "org=unmapped"}, part=True
        )
        assert page.status == 200
        assert "Contoso Ltd" in _in_row(page, ".m-org-client").text()
        assert page.response.headers["hx-trigger"].count("Contoso mapped.") == 1
        # What stands around the list comes along.
        assert "Mapped <small>1</small>" in page.response.text
        assert "10 in 2 unmapped ones are not read" in page.response.text
    assert (await some.view("1")).client_id == client


async def test_a_plain_form_leads_back_to_where_one_was_and_can_be_undone(some: List, site: Site) -> None:
    client = await some.client("Contoso Ltd")
    ann = await some.contact(client, "Ann")
    await some.assign("1", client)
    await some.choose("1", ann)
    async with site.logged_in() as browser:
        seen = (await some.view("1")).revision
        page = await browser.post(
            f"{_one(some)}/client",
            {"client": "", "revision": seen, "back": "org=mapped&org_q=con"},
            follow=False,
        )
        assert page.status == 303
        back = urlsplit(page.response.headers["location"])
        assert parse_qs(back.query) == {"org": ["mapped"], "org_q": ["con"]}
        assert (await some.view("1")).client_id is None
        page = await browser.get(page.response.headers["location"])
        assert "Contoso no longer mapped." in page.text(".m-toast-text")
        undo = page.attribute(".m-toast form", "action")
        assert undo == f"{_one(some)}/client"
        fields = {
            str(node.attributes["name"]): node.attributes["value"]
            for node in page.html.css(".m-toast input")
            if node.attributes["name"] != "_csrf_token"
        }
        page = await browser.post(undo, fields)
        assert page.status == 200
        view = await some.view("1")
        assert (view.client_id, view.default_contact_id) == (client, ann)


@pytest.mark.parametrize("part", [True, False])
async def test_who_comes_too_late_sees_what_it_is_now(some: List, site: Site, part: bool) -> None:
    mine, theirs = await some.client("Mine"), await some.client("Theirs")
    async with site.logged_in() as browser:
        seen = _seen(await _list(browser, some))
        await some.assign("1", theirs)
        for path, fields in (
            ("client", {"client": mine}),
            ("auto-sync", {}),
            ("contact", {"contact": ""}),
        ):
            page = await browser.post(f"{_one(some)}/{path}", {**fields, "revision": seen}, part=part)
            assert page.status == 409
            assert "Theirs" in (_in_row(page, ".m-org-client").text() if part else page.text())
            said = page.response.headers["hx-trigger"] if part else page.text(".m-finding")
            assert "Not saved: another person changed this mapping." in said
    view = await some.view("1")
    assert (view.client_id, view.auto_sync_assets) == (theirs, True)


async def test_a_client_is_created_from_the_row(some: List, site: Site) -> None:
    async with site.logged_in() as browser:
        page = await browser.post(f"{_one(some, '3')}/client", {"create": "Lindqvist Bakery"}, part=True)
        assert "Lindqvist Bakery" in _in_row(page, ".m-org-client").text()
        # A name that is taken is said, and nothing is mapped.
        page = await browser.post(f"{_one(some)}/client", {"create": "LINDQVIST bakery"})
        assert page.status == 422
        assert "There is a client LINDQVIST bakery already." in page.text(".m-finding")
        page = await browser.post(f"{_one(some)}/client", {"create": "LINDQVIST bakery"}, part=True)
        assert (page.status, page.response.json()["code"]) == (409, "conflict")
    assert (await some.view("1")).client_id is None
    assert (await some.view("3")).client_id is not None


async def test_all_proposals_are_accepted_at_once_or_not_at_all(some: List, site: Site) -> None:
    await some.client("Contoso")
    path = f"{_panel(some)}/organizations/proposals"
    async with site.logged_in() as browser:
        page = await browser.get(_panel(some))
        agreement = page.attribute("#org-accept input[name=agreement]", "value")
        await some.client("Übermut und Söhne")
        for part in (True, False):
            page = await browser.post(path, {"agreement": agreement, "back": ""}, part=part)
            assert page.status == 409
            assert "Accept 2 proposals" in page.text("#org-accept")
        assert (await some.view("1")).client_id is None
        agreement = page.attribute("#org-accept input[name=agreement]", "value")
        page = await browser.post(path, {"agreement": agreement, "back": "org=unmapped"}, part=True)
        assert _rows(page) == ["Lindqvist Bakery"]
        assert "2 organizations mapped." in page.response.headers["hx-trigger"]


async def test_auto_sync_is_saved_at_once(some: List, site: Site) -> None:
    async with site.logged_in() as browser:
        page = await _list(browser, some)
        assert "Map it to a client first" in (page.attribute("tbody .m-tipped", "data-tip") or "")
        await some.assign("1", await some.client("Contoso"))
        seen = (await some.view("1")).revision
        page = await browser.post(f"{_one(some)}/auto-sync", {"revision": seen}, part=True)
        assert "checked" not in _in_row(page, "[role=switch]").attributes
        assert not (await some.view("1")).auto_sync_assets
        page = await browser.post(f"{_one(some)}/auto-sync", {"auto_sync": "on"}, follow=False)
        assert page.status == 303
        assert (await some.view("1")).auto_sync_assets


async def test_the_default_contact_is_made_in_the_row(some: List, site: Site) -> None:
    contoso = await some.client("Contoso")
    await some.assign("1", contoso)
    async with site.logged_in() as browser:
        page = await browser.part(f"{_one(some)}/contact")
        assert "New contact at Contoso" in page.text("#contact-editor")
        bad = {"name": "Ilja Novák", "email": "nowhere"}
        page = await browser.post(f"{_one(some)}/contact", bad, part=True)
        assert (page.status, page.response.headers["hx-retarget"]) == (422, "#contact-editor")
        assert page.attribute("#contact-name", "value") == "Ilja Novák"
        assert "not an e-mail address" in page.text(".m-problem")
        page = await browser.post(f"{_one(some)}/contact", bad)
        assert (page.status, page.attribute("#field-email", "value")) == (422, "nowhere")
        page = await browser.post(
            f"{_one(some)}/contact", {"name": "Ilja Novák", "email": "ilja@contoso.example"}, part=True
        )
        assert _in_row(page, ".m-org-contact a").text() == "Ilja Novák"
        page = await browser.part(f"{_one(some)}/contact")
        assert page.texts("#contact-editor .m-option") == ["Ilja Novák ilja@contoso.example", "Nobody"]
        page = await browser.post(f"{_one(some)}/contact", {"contact": ""}, part=True)
        assert _in_row(page, ".m-org-contact a").text() == "Add contact"
        page = await browser.post(f"{_one(some, '3')}/contact", {"name": "X", "email": "x@y.example"})
        assert "is not mapped" in page.text(".m-finding")


async def test_the_picker_finds_however_umlauts_are_spelt(some: List, site: Site) -> None:
    for name in ("Bäckerei Übermann", "Übermut GmbH", "Contoso"):
        await some.client(name)
    async with site.logged_in() as browser:
        page = await browser.part(f"{_one(some)}/picker")
        assert page.attribute("[role=combobox]", "hx-get") == "/clients/pick?create=true"
        assert len(page.html.css("[role=option]")) == 3
        page = await browser.part("/clients/pick?q=ueberm&create=true")
        # Whose name begins so comes first; the last one makes a client.
        assert page.texts("[role=option]") == [
            "Übermut GmbH 0 assets",
            "Bäckerei Übermann 0 assets",
            'Create client "ueberm"',
        ]
        assert page.texts("[role=option] b") == ["Überm", "Überm"]
        page = await browser.part("/clients/pick?q=CONTOSO&create=true")
        assert page.texts("[role=option]") == ["Contoso 0 assets"]
        page = await browser.get(f"{_one(some)}?q=ueberm&back=org%3Dunmapped")
        assert page.texts(".m-option span")[:2] == ["Übermut GmbH", "Bäckerei Übermann"]
        assert "org=unmapped" in (page.attribute(".m-actions a", "href") or "")


async def test_who_may_look_cannot_change(some: List, site: Site) -> None:
    client = await some.client("Contoso")
    await some.assign("1", client)
    await some.lose("2", "3")
    async with site.logged_in(Role.TECHNICIAN) as browser:
        page = await browser.get(_panel(some))
        assert not page.html.css("#organizations form[method=post]")
        tip = page.attribute("#organizations tbody .m-tipped", "data-tip")
        assert tip == "Your role lacks system_settings:update"
        for path in ("client", "auto-sync", "contact"):
            assert (await browser.post(f"{_one(some)}/{path}", {"client": ""})).status == 403
        assert (await browser.post(f"{_panel(some)}/organizations/proposals")).status == 403
    async with site.logged_in(Role.VIEWER) as browser:
        assert (await browser.part(f"{_panel(some)}/organizations")).status == 403
    assert (await some.view("1")).client_id == client


async def test_another_tenants_organizations_are_not_there(some: List, site: Site) -> None:
    stranger = await World.make(some.world.database, "Stranger")
    async with site.logged_in(world=stranger) as browser:
        for path in (_panel(some), _one(some), f"{_one(some)}/picker", f"{_one(some)}/contact"):
            assert (await browser.get(path)).status == 404
        for path in ("client", "auto-sync", "contact"):
            assert (await browser.post(f"{_one(some)}/{path}", {"client": ""})).status == 404
        mine = await listed(stranger, {"1": "Mine"})
        theirs = await some.client("Contoso")
        page = await browser.post(f"{_one(mine)}/client", {"client": theirs})
        assert page.status == 404
    async with site.logged_in() as browser:
        gone = f"/settings/integrations/rmm/{some_id()}/organizations"
        assert (await browser.part(gone)).status == 404
        assert (await browser.get(_one(some, "99"))).status == 404


async def test_empty_lists_say_what_comes(database: Database) -> None:
    world = await World.make(database)
    none = await listed(world, {})
    async with Site.of(world).logged_in() as browser:
        page = await browser.get(_panel(none))
        assert "No organization is known yet" in page.text("#organizations")
        await none.list_again({"1": "Contoso"})
        page = await browser.get(f"{_panel(none)}?org=mapped")
        assert "No organization is mapped yet" in page.text("#organizations")
        await none.assign("1", await none.client("Contoso"))
        page = await browser.get(f"{_panel(none)}?org=unmapped")
        assert "Every organization is mapped" in page.text("#organizations")


async def test_the_dashboard_says_what_is_not_mapped(database: Database, tmp_path: Path) -> None:
    world = await World.make(database)
    async with SimulatorServer(FleetSpec(agents=30, seed=2)) as server:
        integration_id = await world.connect(server)
        await world.organizations(integration_id)
        views = await world.mappings(integration_id)
        await world.map(integration_id, views[0].external_organization_id)
        left = views[1:]
        devices = sum(view.device_count or 0 for view in left)
        async with Site.of(world).logged_in() as browser:
            page = await browser.get("/")
            row = page.text(".m-person-rows li a[href*='org=unmapped']")
            assert f"{len(left)} organizations not mapped" in row
            assert f"{devices} devices are not read" in row
            for view in left:
                await world.map(integration_id, view.external_organization_id)
            page = await browser.get("/")
            assert not page.html.css("a[href*='org=unmapped']")
