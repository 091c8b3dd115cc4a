"""What other rooms' pages show of alerts."""

import pytest

from muster.accounts.permissions import Role
from tests.alerts.saying import Alerts
from tests.alerts.shelf import fill, of_device, shown
from tests.support.site import Site
from tests.support.world import World


@pytest.fixture
def site(alerts: Alerts) -> Site:
    return Site.of(alerts.world)


# --- on other pages ---------------------------------------------------------------------------------------


async def test_other_pages_show_their_part(alerts: Alerts, site: Site) -> None:
    found = await fill(alerts)
    alert = next(each for each in found if each.asset_id and each.status == "active")
    of_asset = [each for each in found if each.asset_id == alert.asset_id]
    still = [each for each in of_asset if each.status in ("active", "acknowledged", "snoozed")]
    async with site.logged_in() as browser:
        page = await browser.get(f"/assets/{alert.asset_id}")
        assert f"Alerts {len(still)}" in page.texts(".m-tabs a")
        assert len(page.html.css("section[aria-labelledby=open-alerts] .m-brief li")) == min(5, len(still))
        page = await browser.get(f"/assets/{alert.asset_id}/alerts")
        assert len(page.html.css("#asset-alerts tbody tr")) == len(of_asset)
        page = await browser.get(f"/clients/{alert.client_id}")
        assert page.attribute("section[aria-labelledby=client-alerts] .m-brief a", "href")
        active = [each for each in found if each.status == "active"]
        page = await browser.get("/")
        card = "section[aria-labelledby=dashboard-alerts]"
        assert page.text(f"{card} .m-card-head a") == f"{len(active)} active"
        figures = [int(text) for text in page.texts(f"{card} .m-severities .m-numeric")]
        assert sum(figures) == len(active)
        page = await browser.get(f"/settings/integrations/rmm/{alerts.integration.integration_id}")
        assert page.text(".m-counter.m-alerts b") == str(len(active))
        there = page.attribute(".m-counter.m-alerts", "href")
        assert there is not None
        assert len(shown(await browser.get(there))) == len(active)


async def test_a_device_of_another_tenant_has_no_alerts_here(alerts: Alerts, site: Site) -> None:
    await alerts.apply(of_device(alerts, 0, "1"))
    asset_id = (await alerts.only()).asset_id
    stranger = await World.make(alerts.database, "Beta IT")
    async with site.logged_in(Role.ADMIN, stranger) as browser:
        assert (await browser.part(f"/alerts/of-device/{asset_id}")).status == 404
        assert (await browser.get(f"/assets/{asset_id}/alerts")).status == 404


async def test_the_head_says_when_alerts_were_checked(alerts: Alerts, site: Site) -> None:
    await alerts.apply(of_device(alerts, 0, "1"))
    async with site.logged_in() as browser:
        page = await browser.get("/alerts")
        assert "Not checked against Tactical RMM yet" in page.text(".m-facts")
        run = await alerts.world.alerts(alerts.integration.integration_id)
        assert run.status == "succeeded"
        page = await browser.get("/alerts")
        assert "Checked against Tactical RMM just now" in page.text(".m-facts")
        form = page.attribute(".m-actions form", "action")
        assert form == f"/settings/integrations/rmm/{alerts.integration.integration_id}/sync/alerts"
    async with site.logged_in(Role.VIEWER) as browser:
        page = await browser.get("/alerts")
        assert page.text(".m-actions .m-locked") == "Sync alerts"
