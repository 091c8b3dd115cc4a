"""Alerts at work: resolved here and there, receipts replayed, without scripts, and by who may not."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from muster.accounts.permissions import Role
from muster.simulator import FleetSpec, SimulatorServer
from muster.tenancy import TenantScope
from tests.support.chromium import visitor
from tests.support.house import House

pytestmark = pytest.mark.slow

RMM = "/settings/integrations/rmm"
HEADER = "X-Alga-Webhook-Secret"


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(FleetSpec(agents=12, clients=4, seed=7, alerts=0)) as running:
        yield running


@dataclass
class Connected:
    """A tenant with a synced integration, and an administrator's session."""

    scope: TenantScope
    integration: str
    session: str

    @property
    def panel(self) -> str:
        """Where its panel is."""
        return f"{RMM}/{self.integration}"


@pytest.fixture
def connected(house: House, server: SimulatorServer) -> Connected:
    scope = house.tenant()
    return Connected(scope, house.connected(scope, server), house.session(scope))


def set_up_by_muster(page: Page, server: SimulatorServer) -> None:
    """On the page of the webhook: agree to the plan; the server hands its template out."""
    page.get_by_role("link", name="Set up for me…").click()
    page.get_by_role("button", name="Set up", exact=True).click()
    expect(page.get_by_text("as Muster made it")).to_be_visible()
    server.clock.advance(timedelta(seconds=5))


def call(page: Page, body: str) -> int:
    """Call the webhook whose page, with its secret revealed, is open; the answer's status."""
    address, secret = page.locator("#webhook-url").inner_text(), page.locator("#webhook-secret").inner_text()
    return httpx2.post(address, content=body, headers={HEADER: secret}, timeout=30).status_code


def test_resolved_here_and_resolved_there(
    browser: Browser, house: House, server: SimulatorServer, connected: Connected
) -> None:
    with house.serve() as serving, visitor(browser, serving.url, session=connected.session) as guest:
        page = guest.open(f"{connected.panel}/webhook")
        set_up_by_muster(page, server)
        ours = server.alerts.raise_alert(1, message="Resolved by a person")
        theirs = server.alerts.raise_alert(2, message="Resolved by the server")
        guest.open("/alerts")
        row = page.get_by_role("row").filter(has_text="Resolved by a person")
        expect(row).to_be_visible()
        row.get_by_role("link", name="Resolved by a person").click()
        pane = page.get_by_role("complementary", name="Resolved by a person")
        expect(pane.get_by_text("Read from Tactical RMM")).to_be_visible()
        guest.accessible()
        pane.get_by_role("button", name="Acknowledge").click()
        expect(pane.get_by_text("Acknowledged", exact=True).first).to_be_visible()
        pane.get_by_role("link", name="Resolve…").click()
        dialog = page.get_by_role("dialog", name="Resolve this alert?")
        expect(dialog.get_by_role("button", name="Keep it open")).to_be_focused()
        guest.accessible()
        dialog.get_by_role("button", name="Resolve alert").click()
        expect(pane.get_by_text("Tactical RMM has it as resolved.")).to_be_visible()
        told = server.alerts.get(ours)
        assert told is not None
        assert told.resolved
        guest.accessible()

        guest.open("/alerts")
        page.get_by_role("link", name="Resolved by the server").click()
        pane = page.get_by_role("complementary", name="Resolved by the server")
        expect(pane.get_by_role("button", name="Acknowledge")).to_be_visible()
        server.alerts.recover(theirs)
        expect(pane.get_by_text(re.compile(r"Resolved .*by Tactical RMM")).first).to_be_visible()
        expect(pane.get_by_role("button", name="Acknowledge")).to_have_count(0)


def test_receipts_that_were_not_processed_are_replayed(
    browser: Browser, house: House, server: SimulatorServer, connected: Connected
) -> None:
    known = server.fleet.agent(1)
    with house.serve() as serving, visitor(browser, serving.url, session=connected.session) as guest:
        page = guest.open(f"{connected.panel}/webhook")
        page.get_by_role("button", name="Make and reveal").click()
        expect(page.locator("#webhook-secret")).to_be_visible()
        assert call(page, "disk full on the file server") == 400
        colleague = page.context.new_page()
        colleague.goto(f"{serving.url}{connected.panel}/receipts?state=not_understood")
        colleague.get_by_role("table").get_by_role("link").first.click()
        expect(colleague.get_by_text("disk full on the file server")).to_be_visible()
        colleague.get_by_role("button", name="Replay").click()
        expect(colleague.get_by_text("Replayed by admin@example.com")).to_be_visible()
        expect(colleague.locator(".m-head-title")).to_contain_text("Not understood")

        # While it is disconnected what comes is kept; once it is connected again, all of that is replayed.
        colleague.goto(f"{serving.url}{connected.panel}")
        colleague.get_by_role("link", name="Disconnect…").click()
        colleague.get_by_role("dialog").get_by_role("button", name="Disconnect", exact=True).click()
        expect(colleague.get_by_text("The credentials are deleted.")).to_be_visible()
        assert call(page, f'{{"agent_id": "{known.agent_id}", "event": "trigger"}}') == 200
        colleague.goto(f"{serving.url}{connected.panel}/connection")
        colleague.get_by_role("textbox", name="API key").fill(server.api_key)
        colleague.get_by_role("button", name="Save and test").click()
        expect(colleague.locator(".m-head .m-pill")).to_have_text("Connected")
        guest.open(f"{connected.panel}/receipts?state=kept")
        guest.accessible()
        page.get_by_role("link", name="Replay 1…").click()
        page.get_by_role("dialog").get_by_role("button", name="Replay", exact=True).click()
        expect(page.get_by_text("1 receipt will be processed again.")).to_be_visible()
        row = page.get_by_role("row").filter(has_text=known.hostname)
        expect(row.get_by_text("Processed", exact=True)).to_be_visible()
        guest.open("/alerts")
        expect(page.get_by_role("row").filter(has_text=known.hostname)).to_be_visible()


def test_without_scripts(
    browser: Browser, house: House, server: SimulatorServer, connected: Connected
) -> None:
    with (
        house.serve() as serving,
        visitor(browser, serving.url, session=connected.session, java_script_enabled=False) as guest,
    ):
        page = guest.open(connected.panel)
        page.locator("#webhook summary").first.click()
        page.get_by_role("button", name="Make and reveal").click()
        assert call(page, "an alert was raised") == 400
        page.get_by_role("link", name="Receipts").first.click()
        page.get_by_role("table").get_by_role("link").first.click()
        page.get_by_role("button", name="Replay").click()
        expect(page.get_by_text("Replayed by admin@example.com")).to_be_visible()

        guest.open(f"{connected.panel}/webhook")
        set_up_by_muster(page, server)
        page.get_by_role("link", name="Rotate…").click()
        page.get_by_label("The old secret holds on for").select_option("1 h")
        page.get_by_role("button", name="Make a new secret").click()
        expect(page.get_by_text("the server still has the old one")).to_be_visible()
        alert = server.alerts.raise_alert(1, message="Resolved by a form")
        appeared(page, f"{serving.url}/alerts", "Resolved by a form")
        page.get_by_role("link", name="Resolved by a form").click()
        there = page.url
        page.get_by_role("link", name="Resolve…").click()
        expect(page.get_by_role("heading", name="Resolve this alert?")).to_be_visible()
        page.get_by_role("button", name="Resolve alert").click()
        expect(page.get_by_text("Nothing is active").first).to_be_visible()
        appeared(page, there, "Tactical RMM has it as resolved.")
        row = server.alerts.get(alert)
        assert row is not None
        assert row.resolved


def appeared(page: Page, url: str, text: str) -> None:
    """A page without scripts is loaded again until something stands on it, as a person would."""
    for _ in range(60):
        page.goto(url)
        if page.get_by_text(text).count():
            return
        page.wait_for_timeout(500)
    raise AssertionError(f"{text!r} did not appear on {url}")


def test_who_may_not_is_told_what_it_takes(
    browser: Browser, house: House, server: SimulatorServer, connected: Connected
) -> None:
    ids = house.trouble(connected.scope, server, connected.integration)
    viewer = house.session(connected.scope, Role.VIEWER)
    technician = house.session(connected.scope, Role.TECHNICIAN)
    with house.serve() as serving:
        with visitor(browser, serving.url, session=viewer) as guest:
            guest.expected = {403}
            page = guest.open(f"/alerts/{ids['alert']}")
            for name in ("Acknowledge", "Snooze", "Resolve…", "Add note"):
                locked(page, name, "alert:update")
            guest.accessible()
            guest.open("/alerts")
            expect(page.get_by_role("checkbox")).to_have_count(0)
            expect(page.get_by_role("link", name="Rules")).to_have_count(0)
            guest.open(f"{RMM}/receipts/{ids['receipt']}")
            expect(page.get_by_text("system_settings:read")).to_be_visible()
        with visitor(browser, serving.url, session=technician) as guest:
            guest.expected = {403}
            page = guest.open(f"{connected.panel}/webhook")
            locked(page, "Reveal", "system_settings:update")
            locked(page, "Send a test", "system_settings:update")
            expect(page.get_by_role("link", name="Rotate…")).to_have_count(0)
            guest.accessible()
            guest.open(f"/settings/rules/integrations/{connected.integration}")
            locked(page, "Add rule", "system_settings:update")
            guest.open("/settings/webhooks")
            locked(page, "Add webhook", "system_settings:update")
            guest.open(f"/alerts/{ids['alert']}")
            expect(page.get_by_role("button", name="Acknowledge")).to_be_enabled()


def locked(page: Page, name: str, permission: str) -> None:
    """A button that does nothing, and says which permission it takes."""
    button = page.get_by_role("button", name=f"{name}. Your role lacks the permission {permission}")
    expect(button.first).to_be_disabled()
