"""Clients and contacts as JSON."""

import pytest

from muster.accounts.permissions import Role
from muster.db import Database
from tests.support.site import Site, some_id
from tests.support.world import World


@pytest.fixture
async def site(database: Database) -> Site:
    return Site.of(await World.make(database))


async def test_clients_are_made_listed_and_renamed(site: Site) -> None:
    async with site.logged_in(Role.TECHNICIAN) as browser:
        for name in ("Zeta", "Übermut"):
            assert (await browser.json("POST", "/clients", {"name": name})).status_code == 201
        taken = await browser.json("POST", "/clients", {"name": "zeta"})
        assert (taken.status_code, taken.json()["code"]) == (409, "conflict")
        assert (await browser.json("POST", "/clients", {"name": ""})).status_code == 400
        answer = (await browser.json("GET", "/clients")).json()
        assert [row["name"] for row in answer["items"]] == ["Übermut", "Zeta"]
        assert answer["items"][0]["assets"] == {"online": 0, "offline": 0, "overdue": 0, "unknown": 0}
        found = (await browser.json("GET", "/clients?q=ueber&limit=1")).json()
        assert (found["total"], found["items"][0]["contacts"]) == (1, 0)
        path = f"/clients/{found['items'][0]['id']}"
        assert (await browser.json("PATCH", path, {"name": "Ubermut"})).json()["name"] == "Ubermut"
        assert (await browser.json("GET", path)).json()["name"] == "Ubermut"
        assert (await browser.json("GET", f"/clients/{some_id()}")).status_code == 404


async def test_contacts_are_made_changed_and_removed(site: Site) -> None:
    async with site.logged_in(Role.TECHNICIAN) as browser:
        client = (await browser.json("POST", "/clients", {"name": "Contoso"})).json()
        people = f"/clients/{client['id']}/contacts"
        made = await browser.json("POST", people, {"name": "Ann", "email": "Ann@Contoso.example"})
        assert (made.status_code, made.json()["email"]) == (201, "ann@contoso.example")
        wrong = await browser.json("POST", people, {"name": "Bob", "email": "nowhere"})
        assert (wrong.status_code, wrong.json()["code"]) == (400, "contact_email")
        listed = (await browser.json("GET", people)).json()
        assert (listed["total"], listed["items"]) == (1, [made.json()])
        ann = f"/contacts/{made.json()['id']}"
        changed = await browser.json("PATCH", ann, {"name": "Ann B.", "phone": "1"})
        assert (changed.json()["name"], changed.json()["email"], changed.json()["phone"]) == (
            "Ann B.",
            None,
            "1",
        )
        assert (await browser.json("DELETE", ann)).status_code == 204
        assert (await browser.json("GET", ann)).status_code == 404


async def test_who_may_look_cannot_change_and_strangers_see_nothing(site: Site) -> None:
    async with site.logged_in() as browser:
        client = (await browser.json("POST", "/clients", {"name": "Contoso"})).json()
        people = f"/clients/{client['id']}/contacts"
        ann = f"/contacts/{(await browser.json('POST', people, {'name': 'Ann'})).json()['id']}"
    changes = (
        ("POST", people, {"name": "Eve"}),
        ("PATCH", f"/clients/{client['id']}", {"name": "Eve"}),
        ("PATCH", ann, {"name": "Eve"}),
        ("DELETE", ann, None),
    )
    async with site.logged_in(Role.VIEWER) as browser:
        assert (await browser.json("GET", people)).json()["total"] == 1
        for method, path, body in changes:
            assert (await browser.json(method, path, body)).status_code == 403
    stranger = await World.make(site.world.database, "Stranger")
    async with site.logged_in(world=stranger) as browser:
        assert (await browser.json("GET", "/clients")).json()["total"] == 0
        for path in (people, ann, f"/clients/{client['id']}"):
            assert (await browser.json("GET", path)).status_code == 404
        for method, path, body in changes:
            assert (await browser.json(method, path, body)).status_code == 404
