"""From a connected server to assets in use: map, preview, sync, filter, refresh, disconnect."""

import re

import pytest
from playwright.sync_api import Browser, expect

from muster.simulator import FleetSpec, SimulatorServer
from tests.support.chromium import visitor
from tests.support.house import House

pytestmark = pytest.mark.slow


def test_map_preview_sync_and_look(browser: Browser, house: House) -> None:
    with SimulatorServer(FleetSpec(agents=250, clients=6, seed=7)) as server:
        scope = house.tenant()
        session = house.session(scope)
        panel = f"/settings/integrations/rmm/{house.connected(scope, server, synced=False)}"
        first, second, third, *_ = [client.name for client in server.fleet.clients.values()]
        house.client(scope, first.upper())
        house.client(scope, "Übermut & Söhne GmbH")
        with house.serve() as serving, visitor(browser, serving.url, session=session) as guest:
            page = guest.open(panel)
            page.get_by_role("button", name="Sync clients").click()
            row = page.get_by_role("row").filter(has_text=first)
            expect(row).to_be_visible()
            guest.accessible()

            # A proposal is accepted, a client made from the row, another one found by its first letters.
            row.get_by_role("button", name=re.compile("^Accept")).click()
            expect(row.get_by_role("button", name=re.compile("^Client of"))).to_contain_text(first.upper())
            page.get_by_role("button", name=f"Create client {second}").click()
            chosen = page.get_by_role("button", name=re.compile(f"^Client of {re.escape(second)}"))
            expect(chosen).to_contain_text(second)
            page.get_by_role("button", name=re.compile(f"^Client of {re.escape(third)}")).click()
            search = page.get_by_role("combobox", name=f"Client of {third}")
            expect(search).to_be_focused()
            search.press_sequentially("ueberm")
            option = page.get_by_role("option", name=re.compile("Übermut"))
            expect(option).to_be_visible()
            guest.accessible()
            page.keyboard.press("Enter")
            chosen = page.get_by_role("button", name=re.compile(f"^Client of {re.escape(third)}"))
            expect(chosen).to_contain_text("Übermut")
            switch = page.get_by_role("switch", name=f"Auto-sync of {third}")
            expect(switch).to_be_checked()
            switch.click()
            expect(page.get_by_role("switch", name=f"Auto-sync of {third}")).not_to_be_checked()
            page.reload()
            expect(page.get_by_role("switch", name=f"Auto-sync of {third}")).not_to_be_checked()

            page.get_by_role("link", name="Preview changes").click()
            page.get_by_role("link", name="With hardware").click()
            expect(page.get_by_role("heading", name=re.compile("Created"))).to_be_visible()
            guest.accessible()
            server.add_fault("slow=1.0@/beta/v1/agent/")
            page.get_by_role("button", name="Sync devices").click()
            expect(page.get_by_role("progressbar").first).to_be_visible()
            guest.accessible()
            expect(page.get_by_text(re.compile(r"processed, \d+ created")).first).to_be_visible()
            expect(page.get_by_role("progressbar")).to_have_count(0)

            guest.open("/assets")
            menu = page.locator("details", has=page.locator("summary", has_text=re.compile("^Status$")))
            menu.locator("summary").click()
            menu.get_by_label("Overdue").check()
            menu.get_by_role("button", name="Show").click()
            expect(page).to_have_url(re.compile("status=overdue"))
            expect(page.get_by_role("cell", name="Overdue").first).to_be_visible()
            expect(page.get_by_role("cell", name="Online")).to_have_count(0)
            guest.accessible()
            page.keyboard.press("j")
            page.keyboard.press("Enter")
            expect(page.get_by_role("button", name="Refresh now")).to_be_visible()
            guest.accessible()
            page.get_by_role("button", name="Refresh now").click()
            expect(page.get_by_text(re.compile(r"Read in \d"))).to_be_visible()

            guest.open(panel)
            page.get_by_role("link", name="Disconnect…").click()
            page.get_by_role("dialog").get_by_role("button", name="Disconnect", exact=True).click()
            expect(page.get_by_text("The credentials are deleted.")).to_be_visible()
            chosen = page.get_by_role("button", name=re.compile(f"^Client of {re.escape(third)}"))
            expect(chosen).to_contain_text("Übermut")
