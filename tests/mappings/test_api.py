"""Organizations as JSON."""

import pytest

from muster.accounts.permissions import Role
from muster.db import Database
from tests.mappings.listed import List, listed
from tests.support.site import Site
from tests.support.world import World


@pytest.fixture
async def some(database: Database) -> List:
    return await listed(await World.make(database), {"1": "Contoso", "2": "Übermut"}, devices=3)


@pytest.fixture
def site(some: List) -> Site:
    return Site.of(some.world)


def _path(some: List, rest: str = "") -> str:
    return f"/integrations/{some.integration_id}/organizations{rest}"


async def test_organizations_are_listed_with_proposals(some: List, site: Site) -> None:
    contoso = await some.client("Contoso GmbH")
    async with site.logged_in(Role.TECHNICIAN) as browser:
        answer = (await browser.json("GET", _path(some))).json()
        assert answer["total"] == 2
        assert answer["summary"]["counts"] == {"all": 2, "unmapped": 2, "mapped": 0}
        first = answer["items"][0]
        assert first["proposal"] == {
            "client_id": str(contoso),
            "client_name": "Contoso GmbH",
            "confidence": 1.0,
        }
        found = (await browser.json("GET", _path(some, "?state=unmapped&q=uebermut&limit=1"))).json()
        assert [row["external_organization_name"] for row in found["items"]] == ["Übermut"]
        assert (await browser.json("GET", _path(some, "?state=odd"))).status_code == 400
        assert (await browser.json("PUT", _path(some, "/1/client"), {"client_id": None})).status_code == 403


async def test_a_mapping_is_changed_unless_somebody_else_did(some: List, site: Site) -> None:
    contoso = await some.client("Contoso")
    ann = await some.contact(contoso, "Ann")
    async with site.logged_in() as browser:
        row = (await browser.json("GET", _path(some))).json()["items"][0]
        body = {"client_id": str(contoso), "revision": row["revision"]}
        mapped = await browser.json("PUT", _path(some, "/1/client"), body)
        assert (mapped.status_code, mapped.json()["client_name"]) == (200, "Contoso")
        again = await browser.json("PUT", _path(some, "/1/client"), {**body, "client_id": None})
        assert (again.status_code, again.json()["code"]) == (409, "mapping_changed")
        chosen = await browser.json("PUT", _path(some, "/1/default-contact"), {"contact_id": str(ann)})
        assert chosen.json()["default_contact_name"] == "Ann"
        off = await browser.json("PUT", _path(some, "/1/auto-sync"), {"auto_sync_assets": False})
        assert off.json()["auto_sync_assets"] is False
        gone = await browser.json("PUT", _path(some, "/9/client"), {"client_id": None})
        assert gone.status_code == 404


async def test_proposals_are_accepted_together(some: List, site: Site) -> None:
    contoso = await some.client("Contoso")
    async with site.logged_in() as browser:
        accepted = [{"external_organization_id": each, "client_id": str(contoso)} for each in ("1", "2")]
        path = _path(some, "/accept-proposals")
        assert (await browser.json("POST", path, {"accepted": accepted})).json() == {"mapped": 2}
        late = await browser.json("POST", path, {"accepted": accepted[:1]})
        assert (late.status_code, late.json()["code"]) == (409, "mapping_changed")


async def test_another_tenants_organizations_are_not_there(some: List, site: Site) -> None:
    stranger = await World.make(some.world.database, "Stranger")
    async with site.logged_in(world=stranger) as browser:
        for method, path, body in (
            ("GET", "", None),
            ("PUT", "/1/client", {"client_id": None}),
            ("PUT", "/1/auto-sync", {"auto_sync_assets": False}),
            ("PUT", "/1/default-contact", {"contact_id": None}),
            ("POST", "/accept-proposals", {"accepted": []}),
        ):
            assert (await browser.json(method, _path(some, path), body)).status_code == 404
