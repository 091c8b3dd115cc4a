"""Software as JSON: the same lists as the pages."""

from typing import Any

import pytest

from muster.accounts.permissions import Role
from muster.db import Database
from tests.software.shelf import OPENSSL, Shelf
from tests.support.site import Browser, Site, some_id
from tests.support.world import World


@pytest.fixture
async def shelf(database: Database) -> Shelf:
    """A tenant whose machines report."""
    shelf = await Shelf.make(database)
    await shelf.fill()
    return shelf


@pytest.fixture
def site(shelf: Shelf) -> Site:
    return Site.of(shelf.world)


async def asked(browser: Browser, path: str) -> Any:
    answer = await browser.json("GET", path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_titles_machines_and_changes(shelf: Shelf, site: Site) -> None:
    async with site.logged_in(Role.VIEWER) as browser:
        found = await asked(browser, "/software?version=3.0.15&op=below&sort=-machines&q=ssl")
        assert (found["total"], len(found["items"])) == (1, 1)
        title = found["items"][0]
        assert (title["name"], title["machines"], title["versions"]) == (OPENSSL, 3, 3)
        assert await asked(browser, "/software?q=OpenSSL+below+3.0.15") == found
        whole = await asked(browser, f"/software/{title['software_id']}")
        assert whole["machines"] == sum(client["machines"] for client in whole["clients"]) == 8
        assert {client["client_name"] for client in whole["clients"]} == {
            machine.client_name for machine in shelf.machines[:8]
        }
        assert whole["version_list"][0]["version"] == "3.3.1"
        path = f"/software/{title['software_id']}/machines"
        installs = await asked(browser, f"{path}?version=3.0.15&op=below&sort=version")
        assert [item["version"] for item in installs["items"]] == ["1.0.2", "1.1.1w", "3.0.9", "3.0.9"]
        exact = await asked(
            browser, f"{path}?exact={whole['version_list'][1]['version_id']}&limit=2&offset=1"
        )
        assert (exact["total"], [item["version"] for item in exact["items"]]) == (3, ["3.0.15", "3.0.15"])
        changes = await asked(browser, f"/software/changes?kind=updated&title={title['software_id']}")
        assert changes["total"] == 1
        assert changes["items"][0]["from_version"] == "1.1.1w"
        assert changes["items"][0]["client_name"] == shelf.machines[0].client_name


async def test_an_assets_software(shelf: Shelf, site: Site) -> None:
    async with site.logged_in() as browser:
        found = await asked(browser, f"/assets/{shelf.machines[1].asset_id}/software?q=openssl")
        assert (found["reported"], found["total"]) == (True, 2)
        silent = await asked(browser, f"/assets/{shelf.machines[9].asset_id}/software")
        assert (silent["reported"], silent["total"], silent["seen_at"]) == (False, 0, None)


async def test_what_nobody_knows_is_refused(site: Site) -> None:
    refused = (
        "/software?op=like&version=3",
        "/software?version=latest",
        "/software?vendor=Mozilla",
        "/software?limit=251",
        "/software/changes?days=8",
        "/software/changes?kind=renamed",
        "/software/changes?client=Acme",
    )
    async with site.logged_in() as browser:
        for path in refused:
            answer = await browser.json("GET", path)
            assert answer.status_code == 400, (path, answer.text)
            assert answer.headers["content-type"].startswith("application/problem+json")


async def test_another_tenant_has_none_of_it(shelf: Shelf, site: Site) -> None:
    title, machine = await shelf.title(OPENSSL), shelf.machines[0]
    stranger = await World.make(shelf.world.database, "Beta IT")
    async with site.logged_in(Role.ADMIN, stranger) as browser:
        for path in (
            f"/software/{title.software_id}",
            f"/software/{title.software_id}/machines",
            f"/software/changes?title={title.software_id}",
            f"/software?client={machine.client_id}",
            f"/assets/{machine.asset_id}/software",
            f"/software/{some_id()}",
        ):
            assert (await browser.json("GET", path)).status_code == 404, path
        assert (await asked(browser, "/software"))["total"] == 0
