"""A webhook's set-up on pages, by the API and on the command line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from muster.accounts.permissions import Role
from muster.simulator import SimulatorServer
from tests.support.cli import Muster
from tests.support.site import Browser, Site, some_id
from tests.support.world import World

RMM = "/settings/integrations/rmm"


@pytest.fixture
async def connected(world: World, server: SimulatorServer) -> UUID:
    """An integration with a key that may change the server."""
    return await world.connect(server, api_key=server.users["technician"].api_key)


@pytest.fixture
async def admin(site: Site) -> AsyncIterator[Browser]:
    async with site.logged_in() as browser:
        yield browser


def path(integration_id: UUID, rest: str = "") -> str:
    return f"{RMM}/{integration_id}/webhook{rest}"


def templates(server: SimulatorServer) -> list[str]:
    return [template["name"] for template in server.state.alert_settings.templates]


def add_default(server: SimulatorServer) -> None:
    settings = server.state.alert_settings
    made = settings.templates.add({"name": "Night shift"}, who="owner", now=server.clock.now_us())
    settings.put_core({"alert_template": made.pk})


# --- pages -------------------------------------------------------------------------------------------------


async def test_set_up_is_offered_shown_and_done(
    admin: Browser, connected: UUID, server: SimulatorServer
) -> None:
    section = await admin.get(path(connected))
    assert section.attribute("#webhook-setup a.btn", "href") == path(connected, "/setup")
    question = await admin.get(path(connected, "/setup"))
    assert [text.split(" Muster")[0] for text in question.texts(".m-webhook-plan b")] == [
        "URL action",
        "URL action",
        "Alert template",
        "Default alert template",
    ]
    # The tests' own address is plain http and of one machine.
    assert len(question.texts(".m-level-warning")) >= 1
    assert templates(server) == []
    done = await admin.post(path(connected, "/setup"))
    assert done.status == 200
    assert templates(server) == [f"Muster webhook {connected.hex[-12:]}"]
    assert "as Muster made it" in done.text("#webhook-setup")
    assert done.texts("#webhook-setup button") == ["Send a test", "Check now"]


async def test_a_default_is_replaced_only_with_the_box_ticked(
    admin: Browser, connected: UUID, server: SimulatorServer
) -> None:
    add_default(server)
    question = await admin.get(path(connected, "/setup"))
    assert "Night shift" in question.text("label.m-check")
    refused = await admin.post(path(connected, "/setup"))
    assert refused.status == 422
    assert "would_replace" in refused.text("main")
    assert templates(server) == ["Night shift"]
    assert (await admin.post(path(connected, "/setup"), {"replace": "yes"})).status == 200
    assert len(templates(server)) == 2


async def test_a_key_that_may_not_is_told_before_anything_is_asked(
    site: Site, world: World, server: SimulatorServer
) -> None:
    role = server.users["technician"].role
    assert role is not None
    role.permissions -= {"can_manage_alerttemplates"}
    partly = await world.connect(server, "Partly", api_key=server.users["technician"].api_key)
    reader = await world.connect(server, "Reader", api_key=server.users["nototp"].api_key)
    async with site.logged_in() as browser:
        page = await browser.get(path(partly, "/setup"))
        assert "can_manage_alerttemplates" in page.text(".m-level-error")
        assert page.texts("main button[type=submit].btn-primary") == []
        page = await browser.get(path(reader, "/setup"))
        assert page.status == 422
        assert "can_run_urlactions" in page.text(".m-level-error")
    assert templates(server) == []


async def test_drift_is_shown_and_repaired(admin: Browser, connected: UUID, server: SimulatorServer) -> None:
    await admin.post(path(connected, "/setup"))
    server.clock.advance(timedelta(minutes=5))
    server.state.alert_settings.remove_action(1)
    section = await admin.post(path(connected, "/setup/check"))
    assert "2 things to repair" in section.text("#webhook-setup .m-level-warning")
    assert len(section.texts(".m-webhook-drift li")) == 2
    question = await admin.get(path(connected, "/setup"))
    assert question.text("h1").startswith("Repair the webhook")
    section = await admin.post(path(connected, "/setup"))
    assert section.texts("#webhook-setup .m-level-warning") == []
    assert len(server.state.alert_settings.actions) == 2


async def test_removal_asks_first_and_leaves_nothing(
    admin: Browser, connected: UUID, server: SimulatorServer
) -> None:
    add_default(server)
    await admin.post(path(connected, "/setup"), {"replace": "yes"})
    question = await admin.get(path(connected, "/setup/remove"))
    assert "Night shift again" in question.text(".m-webhook-plan")
    section = await admin.post(path(connected, "/setup/remove"))
    assert section.attribute("#webhook-setup a.btn", "href") == path(connected, "/setup")
    assert templates(server) == ["Night shift"]
    assert len(server.state.alert_settings.actions) == 0


async def test_a_test_that_does_not_arrive_is_a_toast(admin: Browser, connected: UUID) -> None:
    await admin.post(path(connected, "/setup"))
    # The tests' own host is none that the simulator would call.
    section = await admin.post(path(connected, "/setup/test"))
    assert "The test did not arrive" in section.text(".m-toast-problem")


async def test_coverage_is_a_page(admin: Browser, synced: UUID, server: SimulatorServer) -> None:
    page = await admin.get(path(synced, "/coverage"))
    assert page.text("h2").startswith("0 of 30")
    assert "The webhook is not set up" in page.texts("h2")[1]
    assert page.attribute("td.m-name a", "href") is not None
    server.add_fault("error500@/agents/")
    page = await admin.get(path(synced, "/coverage"))
    assert page.status == 409
    assert "failed with 500" in page.text(".m-level-error")


async def test_an_integration_that_is_not_connected_offers_nothing(
    admin: Browser, integration_id: UUID
) -> None:
    section = await admin.get(path(integration_id))
    assert section.texts("#webhook-setup a") == []
    assert "Test the connection first" in section.text("#webhook-setup")


async def test_who_may(site: Site, connected: UUID, server: SimulatorServer) -> None:
    async with site.logged_in(Role.TECHNICIAN) as browser:
        section = await browser.get(path(connected))
        assert section.texts("#webhook-setup a.btn") == []
        assert "system_settings:update" in (section.attribute("#webhook-setup .m-locked", "data-tip") or "")
        for rest in ("/setup", "/setup/remove"):
            assert (await browser.get(path(connected, rest))).status == 403
        for rest in ("/setup", "/setup/check", "/setup/test", "/setup/remove"):
            assert (await browser.post(path(connected, rest))).status == 403
        assert (await browser.get(path(connected, "/coverage"))).status == 200
        assert (await browser.json("POST", f"/integrations/{connected}/webhook/setup", {})).status_code == 403
    assert templates(server) == []


async def test_another_tenants_integration_is_a_404(site: Site, world: World, connected: UUID) -> None:
    other = await World.make(world.database, "Other MSP")
    async with site.logged_in(world=other) as browser:
        for rest in ("/setup", "/setup/remove", "/coverage"):
            assert (await browser.get(path(connected, rest))).status == 404
        for rest in ("/setup", "/setup/check", "/setup/remove"):
            assert (await browser.post(path(connected, rest))).status == 404
        assert (await browser.json("GET", f"/integrations/{connected}/webhook/setup")).status_code == 404


# --- the API ---------------------------------------------------------------------------------------------


async def test_the_same_by_the_api(admin: Browser, connected: UUID, server: SimulatorServer) -> None:
    one = f"/integrations/{connected}/webhook"
    add_default(server)
    assert (await admin.json("GET", f"{one}/setup")).json()["is_set_up"] is False
    plan = (await admin.json("GET", f"{one}/setup/plan")).json()
    assert plan["replaces"] == ["Night shift"]
    refused = await admin.json("POST", f"{one}/setup", {})
    assert (refused.status_code, refused.json()["code"]) == (409, "would_replace")
    made = await admin.json("POST", f"{one}/setup", {"replace": True})
    assert made.status_code == 200, made.text
    assert made.json()["objects"]["previous"] == "1"
    server.clock.advance(timedelta(minutes=5))
    assert (await admin.json("POST", f"{one}/setup/check")).json()["drift"] == {"steps": [], "problem": None}
    assert (await admin.json("POST", f"{one}/setup/test")).json()["arrived"] is False
    coverage = (await admin.json("GET", f"{one}/coverage")).json()
    assert coverage["devices"] == 30
    removal = (await admin.json("GET", f"{one}/setup/removal")).json()
    assert removal["steps"][0]["kind"] == "unassign"
    assert (await admin.json("DELETE", f"{one}/setup")).json()["is_set_up"] is False
    assert templates(server) == ["Night shift"]
    assert (await admin.json("GET", f"/integrations/{some_id()}/webhook/setup")).status_code == 404


# --- the command line --------------------------------------------------------------------------------------


@pytest.fixture
def muster(tmp_path: Path, server: SimulatorServer) -> Muster:
    """A command line whose integration Main is connected with a key that may."""
    muster = Muster({"MUSTER_DATA_DIR": str(tmp_path / "cli")})
    muster.done("tenant", "create", "Acme IT")
    key = server.users["technician"].api_key
    added = ("integration", "add", "tacticalrmm", "--name", "Main", "--url", server.url)
    muster.done(*added, settings={"MUSTER_API_KEY": key})
    assert muster("integration", "check", "Main").code == 0
    return muster


def test_on_the_command_line(muster: Muster, server: SimulatorServer) -> None:
    url = ("--url", "https://muster.example.com")
    nowhere = muster("webhook", "provision", "Main", "--yes", "--json")
    assert (nowhere.code, nowhere.error["code"]) == (2, "no_public_url")
    add_default(server)
    ended = muster("webhook", "provision", "Main", *url, "--yes")
    assert ended.code == 1
    assert "Night shift" in ended.out
    assert "--replace" in ended.err
    unasked = muster("webhook", "provision", "Main", *url, "--replace", "--json")
    assert (unasked.code, templates(server)) == (2, ["Night shift"])
    declined = muster("webhook", "provision", "Main", *url, "--replace", stdin=b"n\n")
    assert declined.code != 0
    assert templates(server) == ["Night shift"]
    made = muster.done("webhook", "provision", "Main", *url, "--replace", "--yes")
    assert made["is_set_up"] is True
    server.clock.advance(timedelta(minutes=5))
    assert muster("webhook", "check", "Main").code == 0
    assert "as it was made" in muster("webhook", "check", "Main").out
    server.state.alert_settings.remove_action(1)
    drifted = muster("webhook", "check", "Main", "--json")
    assert drifted.code == 1
    assert [step["kind"] for step in drifted.json["drift"]["steps"]] == ["make_action", "mend_template"]
    shown = muster("webhook", "check", "Main")
    assert "muster webhook provision" in shown.err
    muster.done("webhook", "provision", "Main", "--yes")
    tested = muster("webhook", "test", "Main", "--json")
    assert (tested.code, tested.json["arrived"]) == (1, False)
    covered = muster.done("webhook", "coverage", "Main")
    assert covered["devices"] == 30
    assert "devices are covered" in muster("webhook", "coverage", "Main").out
    removed = muster("webhook", "remove", "Main", "--yes")
    assert removed.code == 0
    assert templates(server) == ["Night shift"]
    assert "has not set the webhook up" in muster("webhook", "check", "Main").out
