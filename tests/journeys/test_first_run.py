"""From an empty installation to a login."""

import pytest
from playwright.sync_api import Browser, expect

from tests.support.chromium import visitor
from tests.support.house import House
from tests.support.site import PASSWORD

pytestmark = pytest.mark.slow


def test_first_run_then_logout_and_login(browser: Browser, house: House) -> None:
    with house.serve() as serving, visitor(browser, serving.url) as guest:
        guest.expected = {422}
        page = guest.open("/")
        expect(page.get_by_role("heading", name="Set up Muster")).to_be_visible()
        guest.accessible()
        page.get_by_label("Setup token").fill("mst_0000")
        page.get_by_label("Name of your company").fill("Brightwater IT")
        page.get_by_label("Your e-mail address").fill("dana@brightwater.example")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Create tenant and administrator").click()
        expect(page.get_by_text("muster setup-token")).to_be_visible()
        expect(page.get_by_label("Name of your company")).to_have_value("Brightwater IT")
        page.get_by_label("Setup token").fill(serving.setup_token)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Create tenant and administrator").click()
        expect(page.get_by_text("Brightwater IT").first).to_be_visible()
        guest.accessible()
