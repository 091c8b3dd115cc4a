"""Clients through the browser's door."""

from uuid import UUID

import pytest

from muster.accounts.permissions import Role
from muster.clients.service import ClientService, ContactService
from muster.db import Database
from muster.simulator import FleetSpec, SimulatorServer
from tests.mappings.listed import listed
from tests.support.site import Site, some_id
from tests.support.world import World


@pytest.fixture
async def world(database: Database) -> World:
    return await World.make(database)


@pytest.fixture
def site(world: World) -> Site:
    return Site.of(world)


async def _client(world: World, *names: str) -> list[UUID]:
    async with world.database.write(world.scope) as session:
        return [(await ClientService(session, world.scope).create(name)).client_id for name in names]


async def _contact(world: World, client_id: UUID, name: str) -> UUID:
    async with world.database.write(world.scope) as session:
        return (await ContactService(session, world.scope).create(client_id, name=name)).contact_id


async def test_without_clients_the_list_says_how_they_come(site: Site) -> None:
    async with site.logged_in() as browser:
        page = await browser.get("/clients")
        assert "No client yet" in page.text()
        assert page.attribute(".m-nothing a", "href") == "/settings/integrations/rmm"
        assert len(page.html.css(".btn-primary")) == 1
    async with site.logged_in(Role.VIEWER) as browser:
        page = await browser.get("/clients")
        assert not page.html.css("main .btn")


async def test_clients_are_searched_sorted_and_turned(world: World, site: Site) -> None:
    await _client(world, "Ångström", "Übermut & Söhne", "Zeta", *(f"Client {n:02}" for n in range(30)))
    async with site.logged_in(Role.VIEWER) as browser:
        page = await browser.get("/clients")
        names = page.texts("tbody .m-name")
        assert (len(names), names[0]) == (25, "Ångström")
        assert "1-25 of 33" in page.text(".m-pages")
        assert page.attribute("a[rel=next]", "href") == "/clients?page=2"
        page = await browser.get("/clients?sort=-name&rows=50")
        assert page.texts("tbody .m-name")[:2] == ["Zeta", "Übermut & Söhne"]
        assert page.attribute("th[aria-sort]", "aria-sort") == "descending"
        page = await browser.get("/clients?q=ueberm&page=9")
        assert page.texts("tbody .m-name") == ["Übermut & Söhne"]
        assert "1 of 33 clients matches" in page.text(".m-facts")
        page = await browser.get("/clients?q=nobody&sort=odd")
        assert "No client matches" in page.text()
        assert not page.html.css("a[href='/clients/new']")


async def test_a_clients_assets_are_counted_by_status(world: World, site: Site) -> None:
    async with SimulatorServer(FleetSpec(agents=40, seed=3)) as server:
        integration_id = await world.connect(server)
        await world.map_all(integration_id)
        await world.devices(integration_id)
    by_client: dict[str, list[str]] = {}
    for asset in await world.all_assets():
        by_client.setdefault(asset.client_name or "", []).append(asset.agent_status)
    most = max(by_client, key=lambda name: len(by_client[name]))
    async with site.logged_in() as browser:
        page = await browser.get("/clients?sort=-assets")
        assert page.text("tbody tr .m-name") == most
        assert page.text("tbody tr .m-first a") == str(len(by_client[most]))
        path = page.attribute("tbody tr .m-name a", "href")
        assert path is not None
        page = await browser.get(path)
        client_id = path.removeprefix("/clients/")
        figures = dict(zip(page.texts(".m-counter span"), page.texts(".m-counter b"), strict=True))
        assert figures["Assets"] == str(len(by_client[most]))
        for status in ("online", "offline", "overdue", "unknown"):
            assert figures[status.capitalize()] == str(by_client[most].count(status))
        overdue = page.attribute(".m-counter:nth-child(4)", "href") or ""
        assert overdue == f"/assets?client={client_id}&status=overdue"
        # The organization that stands for it, from the room of mappings.
        assert most in page.text("section[aria-labelledby=client-organizations]")
        listed_there = await browser.get(overdue)
        assert len(listed_there.html.css("tbody tr")) == by_client[most].count("overdue")


async def test_a_client_is_made_and_renamed(world: World, site: Site) -> None:
    await _client(world, "Fabrikam")
    async with site.logged_in(Role.TECHNICIAN) as browser:
        page = await browser.post("/clients", {"name": "fabrikam"})
        assert (page.status, page.attribute("#field-name", "value")) == (422, "fabrikam")
        assert "There is a client fabrikam already." in page.text(".m-problem")
        page = await browser.post("/clients", {"name": "Contoso"})
        assert (page.text("h1"), page.text(".m-toast-text")) == ("Contoso", "Contoso created.")
        assert "No device is read" in page.text()
        path = page.response.url.path
        page = await browser.get(f"{path}/rename")
        assert page.attribute("#field-name", "value") == "Contoso"
        page = await browser.post(f"{path}/rename", {"name": " "})
        assert (page.status, "Rename Contoso") == (422, page.text("h1"))
        page = await browser.post(f"{path}/rename", {"name": "Contoso Ltd"})
        assert page.text("h1") == "Contoso Ltd"


async def test_contacts_are_added_changed_and_removed(world: World, site: Site) -> None:
    (client_id,) = await _client(world, "Contoso")
    some = await listed(world, {"1": "Contoso"})
    await some.assign("1", client_id)
    there = f"/clients/{client_id}"
    async with site.logged_in(Role.TECHNICIAN) as browser:
        assert "Nobody is known here yet" in (await browser.get(there)).text("#contacts")
        bad = {"name": "Ilja Novák", "email": "nowhere", "phone": "1"}
        page = await browser.post(f"{there}/contacts", bad)
        assert (page.status, page.attribute("#field-name", "value")) == (422, "Ilja Novák")
        assert "not an e-mail address" in page.text(".m-wrong .m-problem")
        page = await browser.post(f"{there}/contacts", {**bad, "email": "ilja@contoso.example"})
        assert "ilja@contoso.example" in page.text("#contacts")
        edit = page.attribute("#contacts a[aria-label='Edit Ilja Novák']", "href")
        assert edit is not None
        assert (await browser.get(edit)).attribute("#field-phone", "value") == "1"
        page = await browser.post(edit, {"name": "Ilja N.", "email": "", "phone": "x" * 51})
        assert (page.status, page.attribute("#field-name", "value")) == (422, "Ilja N.")
        page = await browser.post(edit, {"name": "Ilja N.", "email": "", "phone": ""})
        assert page.texts("#contacts li b") == ["Ilja N."]
        await some.choose("1", UUID(edit.rpartition("/")[2]))
        page = await browser.get(f"{edit}/delete")
        assert page.text("h1") == "Remove Ilja N.?"
        page = await browser.post(f"{edit}/delete")
        assert "Ilja N. removed." in page.text(".m-toast-text")
        assert (await browser.get(edit)).status == 404
    assert (await some.view("1")).default_contact_id is None


async def test_who_may_look_cannot_change(world: World, site: Site) -> None:
    (client_id,) = await _client(world, "Contoso")
    ann = await _contact(world, client_id, "Ann")
    there = f"/clients/{client_id}"
    async with site.logged_in(Role.VIEWER) as browser:
        page = await browser.get(there)
        assert page.texts("#contacts li b") == ["Ann"]
        assert not page.html.css("main form, main .btn")
        for path in ("/clients/new", f"{there}/rename", f"{there}/contacts/new", f"{there}/contacts/{ann}"):
            assert (await browser.get(path)).status == 403
        for path in ("/clients", f"{there}/rename", f"{there}/contacts", f"{there}/contacts/{ann}/delete"):
            assert (await browser.post(path, {"name": "Eve"})).status == 403


async def test_another_tenants_clients_are_not_there(world: World, site: Site) -> None:
    client_id, other = await _client(world, "Contoso", "Other")
    ann = await _contact(world, client_id, "Ann")
    stranger = await World.make(world.database, "Stranger")
    there = f"/clients/{client_id}"
    async with site.logged_in(world=stranger) as browser:
        for path in (there, f"{there}/rename", f"{there}/contacts/new", f"{there}/contacts/{ann}"):
            assert (await browser.get(path)).status == 404
        for path in (f"{there}/rename", f"{there}/contacts", f"{there}/contacts/{ann}/delete"):
            assert (await browser.post(path, {"name": "Eve"})).status == 404
        assert (await browser.part("/clients/pick?q=con")).texts("[role=option]") == []
    async with site.logged_in() as browser:
        # A contact is at its own client only.
        assert (await browser.get(f"/clients/{other}/contacts/{ann}")).status == 404
        assert (await browser.get(f"/clients/{some_id()}")).status == 404
