"""Settings, Integrations, RMM: connecting, testing, the panel and disconnecting, as a browser sees them."""

import re
from collections.abc import Iterator
from uuid import UUID

import pyotp
import pytest

from muster.accounts.permissions import Role
from muster.audit.service import AuditService
from muster.db import Database
from muster.integrations.service import IntegrationService
from muster.providers.contract import CheckResult, Finding, ProviderErrorInfo
from muster.schedules.service import ScheduleService
from muster.schedules.types import Attempt
from muster.simulator import FleetSpec, SimulatorServer
from tests.integrations.beacon import BeaconProvider
from tests.support.site import Page, Site, some_id
from tests.support.world import World

RMM = "/settings/integrations/rmm"
NEW = f"{RMM}/new/tacticalrmm"


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(FleetSpec(agents=12)) as running:
        yield running


@pytest.fixture
async def site(database: Database) -> Site:
    return Site.of(await World.make(database))


def key_form(server: SimulatorServer, **changes: str) -> dict[str, str]:
    """What a person types to connect by API key."""
    typed = {
        "name": "Fleet",
        "instance_url": server.url,
        "source": "auto",
        "auth_mode": "api_key",
        "api_key": server.api_key,
        "action": "test",
    }
    return {**typed, **changes}


def login_form(server: SimulatorServer, user: str, **changes: str) -> dict[str, str]:
    """What a person types to connect by username and password."""
    password = server.users[user].password
    mode = {"auth_mode": "password", "username": user, "password": password, "api_key": ""}
    return key_form(server, **{**mode, **changes})


def path_of(page: Page) -> str:
    return page.response.url.path


async def audited(site: Site) -> list[str]:
    async with site.world.database.read(site.world.scope) as session:
        entries = await AuditService(session, site.world.scope).list(limit=100)
    return [entry.action for entry in reversed(entries) if entry.action.startswith("integration.")]


# --- the providers -----------------------------------------------------------------------------------------


async def test_without_an_integration_there_is_one_step_to_take(site: Site) -> None:
    async with site.logged_in() as browser:
        page = await browser.get("/settings/integrations")
        assert path_of(page) == RMM
        assert "Tactical RMM" in page.text("h2")
        assert "tacticalrmm" not in page.text()
        assert page.attribute(".btn-primary", "href") == NEW
        assert len(page.html.css(".btn-primary")) == 1


async def test_several_servers_stand_beside_one_another(
    site: Site, server: SimulatorServer, beacon: BeaconProvider
) -> None:
    world = site.world
    first = await world.connect(server, "Main")
    await world.add("Second", instance_url="https://other.example.com", api_key="K" * 32)
    async with site.logged_in() as browser:
        page = await browser.get(RMM)
        rows = page.texts(".m-list > li")
        assert page.texts(".m-list b") == ["Main", "Second"]
        assert "Connected" in rows[0]
        assert "Not connected" in rows[1]
        assert "Beacon Fleet" in page.text()
        assert page.attribute(".m-list a", "href") == f"{RMM}/{first}"
        page = await browser.get(NEW)
        assert page.attribute("#field-name", "value") == "Tactical RMM"


async def test_who_may_do_what(site: Site, server: SimulatorServer) -> None:
    integration_id = await site.world.connect(server)
    panel = f"{RMM}/{integration_id}"
    async with site.logged_in(Role.TECHNICIAN) as browser:
        page = await browser.get(panel)
        assert page.status == 200
        locked = page.texts(".m-locked")
        assert locked == ["Edit", "Test connection", "Disconnect…", "Set up for me", "Reveal"]
        assert "system_settings:update" in (page.attribute(".m-locked", "aria-label") or "")
        assert page.html.css_first(f'form[action="{panel}/sync"]') is not None
        assert page.html.css_first("#disconnect") is None
        for path in (f"{panel}/connection", f"{panel}/disconnect", NEW):
            assert (await browser.get(path)).status == 403
        for path in (f"{panel}/connection", f"{panel}/disconnect", f"{panel}/check", NEW):
            assert (await browser.post(path, key_form(server))).status == 403
    async with site.logged_in(Role.VIEWER) as browser:
        for path in (RMM, panel):
            assert (await browser.get(path)).status == 403
    assert (await site.world.integration(integration_id)).is_active


async def test_another_tenants_integration_is_not_there(
    site: Site, server: SimulatorServer, database: Database
) -> None:
    integration_id = await site.world.connect(server)
    stranger = await World.make(database, "Other MSP")
    async with site.logged_in(world=stranger) as browser:
        for found in (integration_id, some_id()):
            panel = f"{RMM}/{found}"
            for path in (panel, f"{panel}/connection", f"{panel}/disconnect"):
                assert (await browser.get(path)).status == 404
            for verb in ("connection", "check", "disconnect"):
                assert (await browser.post(f"{panel}/{verb}", key_form(server))).status == 404
        assert "Tactical" not in " ".join((await browser.get(RMM)).texts(".m-list"))
        assert (await browser.get(f"{RMM}/new/nosuch")).status == 404
    assert (await site.world.integration(integration_id)).is_active


# --- connecting --------------------------------------------------------------------------------------------


async def test_connecting_by_key(site: Site, server: SimulatorServer) -> None:
    async with site.logged_in() as browser:
        page = await browser.get(NEW)
        assert page.attribute("#field-instance_url", "placeholder") == "https://api.example.com"
        assert page.texts(".m-segment label") == ["API key", "Username and password"]
        assert page.attribute('input[name="auth_mode"][checked]', "value") == "api_key"
        page = await browser.post(NEW, key_form(server))
        assert page.text("h1") == "Fleet"
        assert page.text(".m-head .m-pill") == "Connected"
        assert "Fleet is connected" in page.text(".m-toast")
        facts = page.texts(".m-facts li")
        assert facts[0] == "Tactical RMM"
        assert {"API key", "Source: auto", f"Server {server.state.version}"} <= set(facts)
        masked = f"•••••••• {server.api_key[-4:]}"
        assert masked in page.texts(".m-pairs dd")
        # A reload asks the database, not the answer before.
        again = await browser.get(path_of(page))
        assert masked in again.texts(".m-pairs dd")
        assert server.api_key not in again.response.text
    assert await audited(site) == ["integration.added", "integration.checked", "integration.connected"]


async def test_saving_only_stores(site: Site, server: SimulatorServer) -> None:
    async with site.logged_in() as browser:
        await browser.get(NEW)
        page = await browser.post(NEW, key_form(server, action="save"))
        assert page.text(".m-head .m-pill") == "Not connected"
        assert server.requests == []
        assert "has not been tested" in page.text(".m-finding")
        assert page.text(".btn-primary") == "Test connection"
        assert len(page.html.css(".btn-primary")) == 1
        page = await browser.post(f"{path_of(page)}/check")
        assert page.text(".m-head .m-pill") == "Connected"
        assert page.text(".btn-primary") == "Sync everything"


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"instance_url": ""}, "instance_url", "It is empty"),
        ({"instance_url": "https://api.example.com/rmm"}, "instance_url", "must go"),
        ({"api_key": ""}, "api_key", "It is empty"),
        ({"api_key": "schlüssel"}, "api_key", "no API key has"),
        ({"name": "Taken"}, "name", "already"),
        ({"auth_mode": "password", "username": "ann"}, "password", "It is empty"),
        (
            {"auth_mode": "password", "username": "ann", "password": "geheim-77", "totp_secret": "1!"},
            "totp_secret",
            "base32",
        ),
    ],
)
async def test_a_refused_form_keeps_what_was_typed_but_no_secret(
    site: Site, server: SimulatorServer, changes: dict[str, str], field: str, said: str
) -> None:
    await site.world.add("Taken", instance_url="https://api.example.com", api_key="K" * 32)
    form = key_form(server, source="stable", **changes) if "name" in changes else None
    form = form or key_form(server, name="Näme & Söhne", source="stable", **changes)
    async with site.logged_in() as browser:
        await browser.get(NEW)
        page = await browser.post(NEW, form)
    assert page.status == 422
    assert said in page.text(f"#help-{field}")
    assert page.attribute(f"#field-{field}", "aria-invalid") == "true"
    assert page.attribute("#field-name", "value") == form["name"]
    assert page.attribute("#field-instance_url", "value") == (form["instance_url"] or "")
    assert page.attribute("#field-source option[selected]", "value") == "stable"
    assert page.attribute('input[name="auth_mode"][checked]', "value") == form["auth_mode"]
    for secret in filter(None, (form["api_key"], form.get("password"), form.get("totp_secret"))):
        assert secret not in page.response.text
    assert server.requests == []


async def test_the_mode_can_be_chosen_by_address(site: Site) -> None:
    async with site.logged_in() as browser:
        page = await browser.get(f"{NEW}?auth_mode=password")
        assert page.attribute('input[name="auth_mode"][checked]', "value") == "password"


# --- the test and its ladder -------------------------------------------------------------------------------


def steps(page: Page) -> dict[str, str]:
    """The ladder: how each step went, by its words."""
    found = {}
    for row in page.html.css(".m-ladder li"):
        words = row.css_first("span")
        assert words is not None
        found[" ".join(words.text(deep=False).split())] = (row.attributes["class"] or "")[len("m-step-") :]
    return found


async def test_a_wrong_key(site: Site, server: SimulatorServer) -> None:
    wrong = "Z" * 28 + "NOPE"
    async with site.logged_in() as browser:
        await browser.get(NEW)
        page = await browser.post(NEW, key_form(server, api_key=wrong))
        assert path_of(page).endswith("/connection")
        assert page.text("#test-title") == "Test failed"
        assert page.text(".m-found code") == "invalid_credentials"
        assert "Enter the API key again" in page.text(".m-found")
        ladder = steps(page)
        assert (ladder["Name resolves"], ladder["Signs in"]) == ("passed", "failed")
        assert ladder["Role may read clients and agents"] == "not_tried"
        # The failure is still there tomorrow, and on the panel.
        page = await browser.get(path_of(page).removesuffix("/connection"))
        assert page.text(".m-head .m-pill") == "Needs attention"
        assert "does not accept the credentials" in page.text(".m-finding")
        assert page.text(".btn-primary") == "Edit connection"
        # Typed again, it works; the name and all else stay.
        page = await browser.post(f"{path_of(page)}/connection", key_form(server))
        assert page.text(".m-head .m-pill") == "Connected"
        assert page.html.css_first(".m-level-error") is None
    assert (await audited(site)).count("integration.checked") == 2


async def test_the_dashboards_host_comes_with_its_remedy(site: Site, server: SimulatorServer) -> None:
    server.faults.add("dashboard")
    async with site.logged_in() as browser:
        await browser.get(NEW)
        page = await browser.post(NEW, key_form(server))
        assert page.text(".m-found code") == "dashboard_host"
        ladder = steps(page)
        assert ladder["Host is the API"] == "failed"
        assert ladder["Signs in"] == "not_tried"
    assert {request.path for request in server.requests} == {"/"}
    assert not any("x-api-key" in str(request).lower() for request in server.requests)


async def test_a_fix_is_the_primary_and_does_what_it_says(site: Site, server: SimulatorServer) -> None:
    server.beta = False
    async with site.logged_in() as browser:
        await browser.get(NEW)
        page = await browser.post(NEW, key_form(server, source="beta"))
        assert page.text(".m-found code") == "beta_disabled"
        assert page.texts(".btn-primary") == ["Use source auto, and test"]
        edit = path_of(page)
        typed = key_form(server, source="beta", api_key="", action="fix")
        page = await browser.post(edit, typed)
        assert page.text(".m-head .m-pill") == "Connected"
        assert "Source: auto" in page.texts(".m-facts li")
        assert "The beta API is off on this server" in page.text(".m-hint")


async def test_a_stored_key_does_not_follow_to_the_host_that_a_fix_names(site: Site) -> None:
    world = site.world
    integration_id = await world.add(instance_url="https://rmm.msp.example", api_key="K" * 28 + "K7QD")
    finding = Finding(
        code="dashboard_host",
        level="error",
        message="The host answers with a web page.",
        remedy="Use the API host.",
        fix={"instance_url": "https://api.msp.example"},
    )
    async with world.database.write(world.scope) as session:
        service = IntegrationService(session, world.scope, world.box)
        await service.record_check(integration_id, CheckResult(ok=False, findings=(finding,)))
    edit = f"{RMM}/{integration_id}/connection"
    async with site.logged_in() as browser:
        page = await browser.get(edit)
        assert page.texts(".btn-primary") == ["Use https://api.msp.example, and test"]
        form = {"name": "Tactical", "instance_url": "https://rmm.msp.example", "auth_mode": "api_key"}
        page = await browser.post(edit, {**form, "api_key": "", "action": "fix"})
        assert page.status == 422
        assert page.attribute("#field-instance_url", "value") == "https://api.msp.example"
        assert "never sent to one they were not typed for" in page.text(".m-finding")
    assert (await world.integration(integration_id)).instance_url == "https://rmm.msp.example"


async def test_a_warning_stays_in_sight(site: Site, server: SimulatorServer) -> None:
    async with site.logged_in() as browser:
        await browser.get(NEW)
        page = await browser.post(NEW, key_form(server, api_key=server.users["limited"].api_key))
        assert page.text(".m-head .m-pill") == "Connected"
        assert "with 1 warning" in page.text(".m-toast")
        assert page.texts(".m-finding code") == ["key_restricted"]
        page = await browser.get(path_of(page))
        assert page.texts(".m-finding code") == ["key_restricted"]


async def test_htmx_is_sent_to_the_page_that_follows(site: Site, server: SimulatorServer) -> None:
    integration_id = await site.world.connect(server)
    panel = f"{RMM}/{integration_id}"
    async with site.logged_in() as browser:
        await browser.get(panel)
        page = await browser.post(f"{panel}/check", part=True, follow=False)
        assert (page.status, page.response.headers["hx-redirect"]) == (200, panel)
        assert "The connection works" in (await browser.get(panel)).text(".m-toast")
        page = await browser.post(NEW, key_form(server, api_key=""), part=True, follow=False)
        assert page.status == 422
        assert page.html.css_first("#content #connection") is not None


# --- one-time codes ----------------------------------------------------------------------------------------


def asked(server: SimulatorServer) -> list[str]:
    return [request.path for request in server.requests if request.method == "POST"]


async def test_no_login_before_the_code_is_there(site: Site, server: SimulatorServer) -> None:
    user = server.users["totp"]
    assert user.totp_secret is not None
    async with site.logged_in() as browser:
        await browser.get(NEW)
        page = await browser.post(NEW, login_form(server, "totp"))
        assert asked(server) == ["/v2/checkcreds/"]
        assert page.text("#test-title") == "Test waits for a code"
        assert "No login was tried" in page.text(".m-code-box")
        assert steps(page)["Signs in"] == "waiting"
        assert page.text(".btn-primary") == "Log in and test"
        assert len(page.html.css('input[name="one_time_code"]')) == 1
        edit = path_of(page)
        # The panel says so too, after any reload.
        page = await browser.get(edit.removesuffix("/connection"))
        assert page.text(".btn-primary") == "Enter the code"
        assert page.text(".m-finding code") == "totp_required"
        code = pyotp.TOTP(user.totp_secret).at(server.clock.now())
        typed = login_form(server, "totp", password="", one_time_code=code)
        page = await browser.post(edit, typed)
        assert page.text(".m-head .m-pill") == "Connected"
        assert asked(server) == ["/v2/checkcreds/", "/v2/checkcreds/", "/v2/login/"]
        for secret in (user.password, user.totp_secret, code):
            assert secret not in page.response.text


async def test_a_refused_code_asks_for_the_next_one(site: Site, server: SimulatorServer) -> None:
    async with site.logged_in() as browser:
        await browser.get(NEW)
        page = await browser.post(NEW, login_form(server, "totp"))
        typed = login_form(server, "totp", password="", one_time_code="000000")
        page = await browser.post(path_of(page), typed)
        assert page.text("#test-title") == "Test failed"
        assert "The last code did not let Muster in" in page.text(".m-code-box")
        assert "wrong one-time code" in page.text(".m-found")
        assert steps(page)["Host is the API"] == "passed"
        assert steps(page)["Signs in"] == "failed"


async def test_a_saved_secret_needs_no_code(site: Site, server: SimulatorServer) -> None:
    user = server.users["totp"]
    assert user.totp_secret is not None
    async with site.logged_in() as browser:
        await browser.get(NEW)
        page = await browser.post(NEW, login_form(server, "totp", totp_secret=user.totp_secret))
        assert page.text(".m-head .m-pill") == "Connected"
        panel = path_of(page)
        page = await browser.get(f"{panel}/connection")
        assert page.attribute("#field-totp_secret", "placeholder") == "••••••••"
        # Deleted again when asked to; the password stays.
        typed = login_form(server, "totp", password="", forget_totp_secret="1", action="save")
        page = await browser.post(f"{panel}/connection", typed)
        assert page.text(".m-head .m-pill") == "Not connected"
    integration = await site.world.integration(UUID(panel.rpartition("/")[2]))
    assert [credential.name for credential in integration.credentials] == ["password"]


async def test_a_user_without_codes_is_let_in_at_once(site: Site, server: SimulatorServer) -> None:
    async with site.logged_in() as browser:
        await browser.get(NEW)
        page = await browser.post(NEW, login_form(server, "nototp"))
        assert page.text(".m-head .m-pill") == "Connected"
        assert page.html.css_first(".m-code-box") is None
    assert asked(server) == ["/v2/checkcreds/"]


# --- changing and disconnecting ----------------------------------------------------------------------------


async def test_an_empty_secret_keeps_the_stored_one(site: Site, server: SimulatorServer) -> None:
    integration_id = await site.world.connect(server)
    edit = f"{RMM}/{integration_id}/connection"
    async with site.logged_in() as browser:
        page = await browser.get(edit)
        field = page.html.css_first("#field-api_key")
        assert field is not None
        assert field.attributes["value"] == ""
        assert field.attributes["placeholder"] == f"•••••••• {server.api_key[-4:]}"
        page = await browser.post(edit, key_form(server, name="Fleet", api_key="", action="save"))
        assert page.text("h1") == "Fleet"
        assert page.text(".m-head .m-pill") == "Connected"
        page = await browser.post(edit, key_form(server, name="Fleet", api_key="", source="stable"))
        assert page.text(".m-head .m-pill") == "Connected"
    assert (await site.world.integration(integration_id)).integration_id == integration_id
    assert await audited(site) == [
        "integration.added",
        "integration.renamed",
        "integration.updated",
        "integration.checked",
    ]


async def test_disconnecting_says_what_goes_and_keeps_the_rest(site: Site, server: SimulatorServer) -> None:
    world = site.world
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    await world.devices(integration_id)
    mapped = [mapping for mapping in await world.mappings(integration_id) if mapping.client_id]
    panel = f"{RMM}/{integration_id}"
    async with site.logged_in() as browser:
        page = await browser.get(panel)
        assert figures(page)["Assets"] == "12"
        question = page.text("#disconnect")
        asked_again = await browser.get(f"{panel}/disconnect")
        for text in (question, asked_again.text()):
            assert "Deletes the saved API key and stops its syncs." in text
            assert "mappings, 12 assets and alerts stay" in text
            assert "Keep connected" in text
        page = await browser.post(f"{panel}/disconnect")
        assert page.text(".m-head .m-pill") == "Disconnected"
        assert "is disconnected" in page.text(".m-toast")
        assert page.text(".btn-primary") == "Connect again"
        assert server.api_key[-4:] not in " ".join(page.texts(".m-pairs dd"))
        assert (figures(page)["Assets"], figures(page)["Unknown"]) == ("12", "12")
        # Given a key again, the same integration goes on.
        page = await browser.post(f"{panel}/connection", key_form(server, name="Tactical"))
        assert path_of(page) == panel
        assert page.text(".m-head .m-pill") == "Connected"
    assert [mapping for mapping in await world.mappings(integration_id) if mapping.client_id] == mapped
    assert (await audited(site))[-4:] == [
        "integration.disconnected",
        "integration.updated",
        "integration.checked",
        "integration.connected",
    ]


async def test_a_disconnected_integration_is_not_tested(site: Site, server: SimulatorServer) -> None:
    integration_id = await site.world.connect(server)
    panel = f"{RMM}/{integration_id}"
    async with site.logged_in() as browser:
        await browser.get(panel)
        await browser.post(f"{panel}/disconnect")
        server.state.requests.clear()
        page = await browser.post(f"{panel}/check")
        assert path_of(page) == f"{panel}/connection"
        assert "Not tested" in page.text(".m-toast")
    assert server.requests == []


def figures(page: Page) -> dict[str, str]:
    """The counters by their label."""
    found = {}
    for counter in page.html.css(".m-counter"):
        label, figure = counter.css_first("span"), counter.css_first("b")
        assert label is not None
        assert figure is not None
        found[label.text(strip=True)] = figure.text(deep=False, strip=True)
    return found


async def test_counters_lead_to_their_lists_and_add_up(site: Site, server: SimulatorServer) -> None:
    world = site.world
    integration_id = await world.connect(server)
    async with site.logged_in() as browser:
        page = await browser.get(f"{RMM}/{integration_id}")
        assert set(figures(page).values()) == {"0"}
        assert "Never synced" in page.text()
        await world.map_all(integration_id)
        await world.devices(integration_id)
        page = await browser.get(f"{RMM}/{integration_id}")
    counted = figures(page)
    statuses = [int(counted[name]) for name in ("Online", "Offline", "Overdue", "Unknown")]
    assert int(counted["Assets"]) == sum(statuses) == 12
    links = {counter.attributes["href"] for counter in page.html.css("a.m-counter")}
    assert f"/assets?integration={integration_id}&status=overdue" in links
    assert re.search(r"Last sync (just now|\d+ s ago)", page.text(".m-synced"))


async def test_the_panel_says_when_syncs_run_and_when_they_wait(site: Site, server: SimulatorServer) -> None:
    world = site.world
    integration_id = await world.connect(server)
    panel = f"{RMM}/{integration_id}"
    async with site.logged_in() as browser:
        assert "Nothing is scheduled yet" in (await browser.get(panel)).text(".m-synced")
        async with world.database.write(world.scope) as session:
            await ScheduleService(session, world.scope, world.box).ensure(integration_id)
        page = await browser.get(panel)
        assert re.search(r"Next in \d+ (s|min)", page.text(".m-synced"))
        refused = ProviderErrorInfo(code="key_expired", message="The API key has expired.")
        async with world.database.write(world.scope) as session:
            attempt = Attempt(integration_id=integration_id, error=refused)
            await ScheduleService(session, world.scope, world.box).settle(attempt)
        page = await browser.get(panel)
        assert "Syncs wait until the connection works" in page.text(".m-synced")
