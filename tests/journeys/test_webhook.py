"""The webhook, copied by a person or set up by Muster: an alert stands on open pages at once."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from muster.simulator import FleetSpec, SimulatorServer
from tests.support.chromium import visitor
from tests.support.house import House
from tests.support.tactical_admin import TacticalAdmin

pytestmark = pytest.mark.slow

CLIPBOARD = ["clipboard-read", "clipboard-write"]


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(FleetSpec(agents=12, clients=4, seed=7, alerts=0)) as running:
        yield running


def handed_out(server: SimulatorServer) -> None:
    """The server works out in the background which template acts for whom; here that is over."""
    server.clock.advance(timedelta(seconds=5))
    agents = [server.state.alert_settings.effective_template(agent) for agent in server.fleet]
    assert None not in agents


def copied(page: Page, what: str) -> str:
    """What a button to copy puts on the clipboard."""
    page.evaluate("() => navigator.clipboard.writeText('')")
    page.get_by_role("button", name=f"Copy {what}", exact=True).click()
    page.wait_for_function("() => navigator.clipboard.readText()")
    return str(page.evaluate("() => navigator.clipboard.readText()"))


def test_copied_by_hand_then_an_alert_stands_on_open_pages(
    browser: Browser, house: House, server: SimulatorServer
) -> None:
    scope = house.tenant()
    server.alerts.raise_alert(2, message="Already there")
    integration = house.connected(scope, server)
    session = house.session(scope)
    tactical = TacticalAdmin(server)
    with (
        house.serve() as serving,
        visitor(browser, serving.url, session=session, permissions=CLIPBOARD) as guest,
        visitor(browser, serving.url, session=session) as colleague,
    ):
        page = guest.open(f"/settings/integrations/rmm/{integration}")
        page.locator("#webhook summary").first.click()
        page.get_by_role("button", name="Make and reveal").click()
        address, header = copied(page, "the address"), copied(page, "the header's name")
        headers = json.dumps({header: copied(page, "the secret"), "Content-Type": "application/json"})
        assert header == "X-Alga-Webhook-Secret"
        guest.accessible()
        raised, resolved = (
            tactical.add_action(name, url=address, headers=headers, body=copied(page, f"the body: {name}"))
            for name in ("When an alert is raised", "When an alert is resolved")
        )
        tactical.make_default_template("Tell Muster", raised=raised, resolved=resolved)
        handed_out(server)
        page.get_by_role("button", name="Sync alerts").click()
        expect(page.get_by_text(re.compile(r"1 open|1 raised|1 created")).first).to_be_visible()

        listed = guest.open("/alerts")
        expect(listed.get_by_role("row").filter(has_text="Already there")).to_be_visible()
        agent = server.fleet.agent(1)
        tab = colleague.open("/assets")
        tab.get_by_role("link", name=agent.hostname, exact=True).first.click()
        tab.get_by_role("link", name=re.compile("^Alerts")).last.click()
        expect(tab.get_by_text("No alert yet")).to_be_visible()
        for each in (listed, tab):
            each.evaluate("() => { window.stillTheSame = true; }")
        alert = server.alerts.raise_alert(agent, message='Disk "D:" is full')
        row = listed.get_by_role("row").filter(has_text='Disk "D:" is full')
        expect(row).to_contain_text(agent.hostname)
        expect(row).not_to_contain_text("Unconfirmed")
        expect(listed.locator(".m-place", has_text="Alerts").first).to_contain_text("2")
        expect(tab.get_by_role("row").filter(has_text='Disk "D:" is full')).to_contain_text("Active")
        server.alerts.recover(alert)
        expect(tab.get_by_role("row").filter(has_text='Disk "D:" is full')).to_contain_text("Resolved")
        expect(row).to_have_count(0)
        for each in (listed, tab):
            assert each.evaluate("() => window.stillTheSame") is True
        guest.accessible()


def test_set_up_for_me_tested_mended_and_removed(
    browser: Browser, house: House, server: SimulatorServer
) -> None:
    scope = house.tenant()
    integration = house.connected(scope, server)
    session = house.session(scope)
    tactical = TacticalAdmin(server)
    with house.serve() as serving, visitor(browser, serving.url, session=session) as guest:
        page = guest.open(f"/settings/integrations/rmm/{integration}")
        page.locator("#webhook summary").first.click()
        page.get_by_role("link", name="Set up for me…").click()
        steps = page.get_by_role("main").get_by_role("listitem")
        expect(steps.filter(has_text="Make URL action")).to_have_count(2)
        assert tactical.actions() == []
        guest.accessible()
        page.get_by_role("button", name="Set up", exact=True).click()
        expect(page.get_by_text("as Muster made it")).to_be_visible()
        assert (len(tactical.actions()), len(tactical.templates())) == (2, 1)
        handed_out(server)
        page.get_by_role("button", name="Send a test").click()
        expect(page.get_by_role("heading", name="Receipt", exact=True)).to_be_visible()
        expect(page.get_by_text("The server's own test, about no alert.")).to_be_visible()
        guest.accessible()

        guest.open("/alerts")
        expect(page.get_by_text("No alerts yet")).to_be_visible()
        server.alerts.raise_alert(1, message="The first one")
        expect(page.get_by_role("row").filter(has_text="The first one")).to_be_visible()

        changed = tactical.actions()[0]
        tactical.call("PUT", f"/core/urlaction/{changed['id']}/", **{**changed, "rest_body": "{}"})
        guest.open(f"/settings/integrations/rmm/{integration}/webhook")
        page.get_by_role("button", name="Check now").click()
        expect(page.get_by_text("The server is not as Muster made it: 1 thing to repair.")).to_be_visible()
        guest.accessible()
        page.get_by_role("link", name="Repair…").click()
        expect(page.get_by_role("heading", name=re.compile("Repair the webhook"))).to_be_visible()
        page.get_by_role("button", name="Repair", exact=True).click()
        expect(page.get_by_text("as Muster made it")).to_be_visible()
        assert {each["id"]: each["rest_body"] for each in tactical.actions()}[changed["id"]] == changed[
            "rest_body"
        ]

        page.get_by_role("link", name="Coverage").click()
        (spared,) = [agent.hostname for agent in server.fleet if agent.maintenance_mode]
        expect(page.get_by_role("heading", name="11 of 12 devices covered")).to_be_visible()
        maintained = page.get_by_role("region", name="In maintenance mode")
        expect(maintained.get_by_role("link", name=spared)).to_be_visible()
        guest.accessible()
        guest.open(f"/settings/integrations/rmm/{integration}/webhook")
        page.get_by_role("link", name="Remove…").click()
        expect(page.get_by_role("heading", name=re.compile("Remove the webhook"))).to_be_visible()
        page.get_by_role("button", name="Remove", exact=True).click()
        expect(page.get_by_text("Nothing of Muster's is left on Tactical RMM.")).to_be_visible()
        assert (tactical.actions(), tactical.templates()) == ([], [])
