"""Every page, light and dark, on a desktop and on a phone: accessible, inside the window, nothing amiss."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from muster.simulator import FleetSpec, SimulatorServer
from tests.support.chromium import LOOKS, visitor
from tests.support.databases import build
from tests.support.house import House
from tests.support.tour import every_page

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_in_every_look(browser: Browser, tmp_path: Path, look: str) -> None:
    url = f"sqlite:///{tmp_path}/muster.db"
    build(url)
    house = House(url, tmp_path)
    with SimulatorServer(FleetSpec(agents=60, seed=7)) as server:
        scope = house.tenant()
        session = house.session(scope)
        ids = house.furnish(scope, server)
        pages = every_page({**ids, **house.trouble(scope, server, ids["integration"])})
        with house.serve() as serving:
            for stop in pages:
                known = session if stop.login else None
                with visitor(browser, serving.url, session=known, **LOOKS[look]) as guest:
                    guest.expected = {404}
                    stop.visit(guest)
                    guest.accessible()
                    guest.fits()


def test_every_page_while_there_is_nothing(browser: Browser, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/muster.db"
    build(url)
    house = House(url, tmp_path)
    session = house.session(house.tenant())
    with house.serve() as serving, visitor(browser, serving.url, session=session) as guest:
        for path in (
            "/",
            "/assets",
            "/alerts",
            "/software",
            "/software/changes",
            "/missing",
            "/clients",
            "/runs",
            "/settings/integrations/rmm",
            "/settings/rules",
            "/settings/channels",
            "/settings/webhooks",
            "/audit",
        ):
            guest.open(path)
            guest.accessible()
            guest.fits()
