"""Software at work: taken in, searched for an old version, followed to the machine; and at full size."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from muster.simulator import FleetSpec, SimulatorServer
from tests.support.chromium import visitor
from tests.support.house import House
from tests.support.installed import CLIENTS, MACHINE_NAME, PROGRAM_NAME

pytestmark = pytest.mark.slow

FOUNDATION = "OpenSSL Software Foundation"


def ingest(page: Page, said: str) -> None:
    """On the panel: take software in, until its row says so."""
    page.get_by_role("button", name="Ingest software").click()
    expect(page.locator("#sync-software .m-sync-result")).to_contain_text(said)


def search(page: Page, text: str) -> None:
    """In the search of the fleet."""
    field = page.get_by_role("searchbox", name=re.compile("^Title"))
    field.fill(text)
    field.press("Enter")


def windows(server: SimulatorServer) -> list[int]:
    """The machines that list something, by pk."""
    return [agent.pk for agent in server.fleet if server.software.of(agent)]


def test_who_still_has_the_old_version(browser: Browser, house: House) -> None:
    with SimulatorServer(FleetSpec(agents=12, clients=4, seed=7, alerts=0)) as server:
        old, new, *_ = windows(server)
        server.software.install(old, "OpenSSL", "3.0.9", publisher=FOUNDATION)
        server.software.install(new, "OpenSSL", "3.0.15", publisher=FOUNDATION)
        machine = server.fleet.agent(old).hostname
        scope = house.tenant()
        panel = f"/settings/integrations/rmm/{house.connected(scope, server)}"
        session = house.session(scope)
        with house.serve() as serving, visitor(browser, serving.url, session=session) as guest:
            page = guest.open("/software")
            expect(page.get_by_role("heading", name="No software yet")).to_be_visible()
            page.get_by_role("link", name="Ingest software").click()
            ingest(page, "new devices")

            page.get_by_role("link", name="Software", exact=True).first.click()
            search(page, "openssl below 3.0.15")
            row = page.get_by_role("row").filter(has_text="OpenSSL")
            expect(row.get_by_role("cell", name="1", exact=True).first).to_be_visible()
            expect(page.get_by_text(re.compile(r"^1 of \d+ titles match 2 filters$"))).to_be_visible()
            guest.accessible()
            page.reload()
            expect(page.get_by_role("searchbox", name=re.compile("^Title"))).to_have_value("openssl")
            row.get_by_role("link", name="OpenSSL").click()

            machines = page.get_by_role("region", name="Machines")
            expect(machines.get_by_role("row")).to_have_count(2)
            page.get_by_role("link", name="Remove the filter version").click()
            expect(machines.get_by_role("row")).to_have_count(3)
            page.get_by_role("region", name="Versions").get_by_role("link", name="3.0.9").click()
            expect(machines.get_by_role("row")).to_have_count(2)
            guest.accessible()
            with page.expect_download() as download:
                machines.get_by_role("link", name=re.compile("^Export 1")).click()
            assert machine in download.value.path().read_text(encoding="utf-8-sig")
            machines.get_by_role("link", name=machine).click()

            field = page.get_by_role("searchbox", name="Search this device's software")
            field.fill("openssl")
            field.press("Enter")
            expect(page.get_by_role("region", name="Installed").get_by_role("row")).to_have_count(2)
            guest.accessible()

            server.software.upgrade(old, "OpenSSL", "3.0.15")
            guest.open(panel)
            ingest(page, "1 updated")
            guest.open("/software/changes?kind=updated")
            changed = page.get_by_role("row").filter(has_text="OpenSSL")
            expect(changed).to_contain_text("3.0.9")
            expect(changed).to_contain_text("3.0.15")
            guest.accessible()
            changed.get_by_role("link", name=machine).click()
            history = page.get_by_role("region", name="History")
            expect(history.get_by_role("listitem").filter(has_text="OpenSSL")).to_contain_text("Updated")
            guest.open("/software?q=openssl&version=3.0.15&op=below")
            expect(page.get_by_role("heading", name="No title matches")).to_be_visible()
            guest.accessible()


def test_a_hundred_thousand_installs(browser: Browser, house: House) -> None:
    with SimulatorServer(FleetSpec(agents=4, clients=2, seed=7, alerts=0)) as server:
        scope = house.tenant()
        machines = house.inventory(scope, house.connected(scope, server), installs=100_000)
        session = house.session(scope)
    with house.serve() as serving, visitor(browser, serving.url, session=session) as guest:
        page = guest.open("/software?sort=-machines")
        expect(page.get_by_text(f"{machines:,} machines report")).to_be_visible()
        guest.fits()
        search(page, f"{PROGRAM_NAME} below 9.7")
        expect(page.get_by_text(re.compile(r"^1 of [\d,]+ titles match 2 filters$"))).to_be_visible()
        page.get_by_role("table").get_by_role("link", name=PROGRAM_NAME).click()
        page.get_by_text(f"{CLIENTS - 12} more clients").click()
        expect(page.get_by_role("region", name="By client").get_by_role("listitem")).to_have_count(CLIENTS)
        found = page.get_by_role("region", name="Machines")
        expect(found.get_by_text(re.compile(r"^[\d,]+ installs match 1 filter$"))).to_be_visible()
        found.get_by_role("link", name="Next page").click()
        expect(found.get_by_text(re.compile("^Page 2 of"))).to_be_visible()
        guest.accessible()
        guest.fits()
        found.get_by_role("link", name=re.compile(f"^{MACHINE_NAME}")).first.click()
        field = page.get_by_role("searchbox", name="Search this device's software")
        field.fill(PROGRAM_NAME)
        field.press("Enter")
        expect(page.get_by_role("region", name="Installed").get_by_role("row")).to_have_count(2)
        guest.accessible()
