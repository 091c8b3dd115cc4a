"""Who may not, does not: a technician without permission, a viewer, and another tenant's addresses."""

import pytest
from playwright.sync_api import Browser, expect

from muster.accounts.permissions import Role
from muster.simulator import SimulatorServer
from tests.support.chromium import visitor
from tests.support.house import House

pytestmark = pytest.mark.slow


def test_roles_and_tenants(browser: Browser, house: House, server: SimulatorServer) -> None:
    ours, theirs = house.tenant(), house.tenant("Another MSP")
    ids = house.furnish(ours, server)
    panel = f"/settings/integrations/rmm/{ids['integration']}"
    technician, stranger = house.session(ours, Role.TECHNICIAN), house.session(theirs, Role.ADMIN)
    with house.serve() as serving:
        with visitor(browser, serving.url, session=technician) as guest:
            guest.expected = {403}
            page = guest.open(panel)
            expect(page.get_by_role("button", name="Sync devices")).to_be_enabled()
            expect(page.get_by_text("Disconnect…")).to_be_visible()
            expect(page.get_by_role("link", name="Disconnect…")).to_have_count(0)
            guest.accessible()
            guest.open(f"{panel}/connection")
            expect(page.get_by_text("system_settings:update")).to_be_visible()
            guest.open("/settings/users")
            expect(page.get_by_text("user:manage")).to_be_visible()
            guest.accessible()
        with visitor(browser, serving.url, session=stranger) as guest:
            guest.expected = {404}
            for path in (
                panel,
                f"/assets/{ids['asset']}",
                f"/clients/{ids['client']}",
                f"/runs/{ids['run']}",
            ):
                page = guest.open(path)
                expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
