"""`/api/v1/integrations` and `/api/v1/providers`: the same verbs for programs."""

from collections.abc import Iterator
from typing import Any

import pyotp
import pytest

from muster.accounts.permissions import Role
from muster.db import Database
from muster.simulator import FleetSpec, SimulatorServer
from tests.support.site import Site, some_id
from tests.support.world import World


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(FleetSpec(agents=12)) as running:
        yield running


@pytest.fixture
async def site(database: Database) -> Site:
    return Site.of(await World.make(database))


def new(server: SimulatorServer, name: str = "Fleet", **fields: str | None) -> dict[str, object]:
    given = fields or {"api_key": server.api_key}
    return {"provider": "tacticalrmm", "name": name, "fields": {"instance_url": server.url, **given}}


async def test_providers_say_which_fields_a_connection_takes(site: Site) -> None:
    async with site.logged_in(Role.TECHNICIAN) as browser:
        answer = (await browser.json("GET", "/providers")).json()
    assert answer["total"] == len(answer["items"])
    [tactical] = [item for item in answer["items"] if item["key"] == "tacticalrmm"]
    assert tactical["display_name"] == "Tactical RMM"
    assert [mode["label"] for mode in tactical["auth_modes"]] == ["API key", "Username and password"]
    fields = {field["name"]: field for field in tactical["fields"]}
    assert fields["api_key"]["secret"]
    assert fields["instance_url"]["placeholder"] == "https://api.example.com"


async def test_the_life_of_a_connection(site: Site, server: SimulatorServer) -> None:
    async with site.logged_in() as browser:
        added = await browser.json("POST", "/integrations", new(server))
        assert added.status_code == 201
        assert (added.json()["state"], added.json()["is_active"]) == ("not_connected", False)
        one = f"/integrations/{added.json()['integration_id']}"
        checked = await browser.json("POST", f"{one}/check", {})
        assert (checked.status_code, checked.json()["ok"]) == (200, True)
        assert {step["state"] for step in checked.json()["steps"]} <= {"passed", "warned"}
        detail = (await browser.json("GET", one)).json()
        integration = detail["integration"]
        assert integration["state"] == "connected"
        assert integration["last_check"]["ok"]
        assert [held["last_four"] for held in integration["credentials"]] == [server.api_key[-4:]]
        assert set(detail["counts"]["devices"]) == {"online", "offline", "overdue", "unknown", "total"}
        renamed = await browser.json("PATCH", one, {"name": "Main"})
        assert (renamed.json()["name"], renamed.json()["state"]) == ("Main", "connected")
        moved = await browser.json("PATCH", one, {"fields": {"source": "stable"}})
        assert (moved.json()["source"], moved.json()["state"]) == ("stable", "connected")
        ended = await browser.json("POST", f"{one}/disconnect")
        assert ended.json()["integration"]["state"] == "disconnected"
        assert ended.json()["integration"]["credentials"] == []
        again = await browser.json("POST", f"{one}/check", {})
        assert (again.status_code, again.json()["code"]) == (409, "disconnected")
        listed = (await browser.json("GET", "/integrations?limit=1")).json()
        assert (listed["total"], [item["name"] for item in listed["items"]]) == (1, ["Main"])
        answers = (added, checked, renamed, moved, ended, again)
    assert not any(server.api_key in answer.text for answer in answers)


async def test_a_check_asks_for_a_code_before_it_logs_in(site: Site, server: SimulatorServer) -> None:
    user = server.users["totp"]
    assert user.totp_secret is not None
    async with site.logged_in() as browser:
        given = new(server, username=user.username, password=user.password)
        one = f"/integrations/{(await browser.json('POST', '/integrations', given)).json()['id']}"
        asked = (await browser.json("POST", f"{one}/check", {})).json()
        assert [finding["code"] for finding in asked["findings"]] == ["totp_required"]
        assert [request.path for request in server.requests if request.method == "POST"] == [
            "/v2/checkcreds/"
        ]
        code = pyotp.TOTP(user.totp_secret).at(server.clock.now())
        passed = await browser.json("POST", f"{one}/check", {"totp": code})
        assert passed.json()["ok"]
        shown = await browser.json("GET", one)
    for secret in (user.password, user.totp_secret, code):
        assert secret not in shown.text + passed.text


async def test_what_cannot_be_used_is_named(site: Site, server: SimulatorServer) -> None:
    async with site.logged_in() as browser:
        refused = await browser.json("POST", "/integrations", new(server, api_key=""))
        assert refused.status_code == 400
        assert refused.json()["detail"] == "api_key: an API key, or a username and password, is needed."
        await browser.json("POST", "/integrations", new(server))
        taken = await browser.json("POST", "/integrations", new(server))
        assert (taken.status_code, taken.json()["code"]) == (409, "conflict")
        for body in (
            {**new(server), "provider": "nosuch"},
            {**new(server, "Other"), "fields": {"instance_url": server.url, "colour": "red"}},
            {**new(server), "name": ""},
            {"name": "Other"},
        ):
            assert (await browser.json("POST", "/integrations", body)).status_code in (400, 404)
        assert (await browser.json("GET", "/integrations")).json()["total"] == 1


async def test_who_may_do_what(site: Site, server: SimulatorServer, database: Database) -> None:
    integration_id = await site.world.connect(server)
    one = f"/integrations/{integration_id}"
    changes: tuple[tuple[str, str, Any], ...] = (
        ("POST", "/integrations", new(server)),
        ("PATCH", one, {"name": "Mine"}),
        ("POST", f"{one}/check", {}),
        ("POST", f"{one}/disconnect", None),
    )
    async with site.logged_in(Role.TECHNICIAN) as browser:
        assert (await browser.json("GET", one)).status_code == 200
        for method, path, body in changes:
            answer = await browser.json(method, path, body)
            assert (answer.status_code, answer.json()["code"]) == (403, "permission_refused")
            assert "system_settings:update" in answer.json()["detail"]
    async with site.logged_in(Role.VIEWER) as browser:
        for path in ("/providers", "/integrations", one):
            assert (await browser.json("GET", path)).status_code == 403
    stranger = await World.make(database, "Other MSP")
    async with site.logged_in(world=stranger) as browser:
        for found in (one, f"/integrations/{some_id()}"):
            assert (await browser.json("GET", found)).status_code == 404
            for method, path, body in changes[1:]:
                answer = await browser.json(method, path.replace(one, found), body)
                assert answer.status_code == 404
        assert (await browser.json("GET", "/integrations")).json() == {"items": [], "total": 0}
    assert (await site.world.integration(integration_id)).name == "Tactical"
