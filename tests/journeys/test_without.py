"""What still works when something is missing: scripts, or a worker."""

import re

import pytest
from playwright.sync_api import Browser, expect

from muster.simulator import SimulatorServer
from tests.support.chromium import visitor
from tests.support.house import House

pytestmark = pytest.mark.slow


def test_without_scripts(browser: Browser, house: House, server: SimulatorServer) -> None:
    scope = house.tenant()
    ids = house.furnish(scope, server)
    session = house.session(scope)
    panel = f"/settings/integrations/rmm/{ids['integration']}"
    with (
        house.serve() as serving,
        visitor(browser, serving.url, session=session, java_script_enabled=False) as guest,
    ):
        page = guest.open(panel)
        # The browser parses <noscript> as if it ran scripts: only their running is switched off.
        assert "Live updates are off." in page.locator("noscript").first.inner_text()
        page.get_by_role("button", name="Sync devices").click()
        expect(page.get_by_role("heading", name="Tactical RMM")).to_be_visible()
        guest.open("/runs")
        expect(page.get_by_role("row")).not_to_have_count(1)
        guest.open("/assets")
        page.get_by_role("link", name=re.compile("Next page")).click()
        expect(page).to_have_url(re.compile("page=2"))
        guest.open(panel)
        page.get_by_role("link", name="Disconnect…").click()
        page.get_by_role("button", name="Disconnect", exact=True).click()
        expect(page.get_by_text("The credentials are deleted.")).to_be_visible()


def test_without_a_worker(browser: Browser, house: House, server: SimulatorServer) -> None:
    scope = house.tenant()
    ids = house.furnish(scope, server)
    session = house.session(scope)
    panel = f"/settings/integrations/rmm/{ids['integration']}"
    with house.serve("--no-worker") as serving, visitor(browser, serving.url, session=session) as guest:
        page = guest.open(panel)
        page.get_by_role("button", name="Sync devices").click()
        expect(page.get_by_text("Live updates are off.")).to_be_visible()
        expect(page.get_by_text("muster worker")).to_be_visible()
        guest.accessible()
        guest.open("/assets")
        expect(page.get_by_role("row")).not_to_have_count(1)
