"""Connecting Tactical: by key, by password, with a code; what goes wrong, and how it is undone."""

import re
from collections.abc import Iterator

import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from muster.simulator import SimulatorServer
from tests.support.chromium import Visitor, visitor
from tests.support.house import House

pytestmark = pytest.mark.slow

NEW = "/settings/integrations/rmm/new/tacticalrmm"


@pytest.fixture
def guest(browser: Browser, house: House) -> Iterator[Visitor]:
    """An administrator in front of a Muster that knows no server."""
    session = house.session(house.tenant())
    with house.serve() as serving, visitor(browser, serving.url, session=session) as guest:
        yield guest


def sign_in_with_password(page: Page, server: SimulatorServer, user: str) -> None:
    page.get_by_label("Instance URL").fill(server.url)
    page.locator("label", has_text="Username and password").click()
    page.get_by_label("Username", exact=True).fill(user)
    page.get_by_label("Password", exact=True).fill(server.users[user].password)
    page.get_by_role("button", name="Save and test").click()


def asked(server: SimulatorServer) -> list[str]:
    """Which logins the server saw."""
    return [each.path for each in server.requests if each.path.startswith("/v2/")]


def test_by_key_and_disconnect(guest: Visitor, server: SimulatorServer) -> None:
    page = guest.open("/")
    guest.accessible()
    page.get_by_role("main").get_by_role("link", name=re.compile("^Connect")).click()
    expect(page.get_by_label("Instance URL")).to_have_attribute("placeholder", "https://api.example.com")
    guest.accessible()

    page.get_by_label("Instance URL").fill(server.url)
    page.get_by_role("textbox", name="API key").fill("WRONGKEYWRONGKEYWRONGKEYWRONGKEY")
    page.get_by_role("button", name="Save and test").click()
    expect(page.get_by_role("heading", name="Test failed")).to_be_visible()
    expect(page.get_by_text("invalid_credentials")).to_be_visible()
    guest.accessible()

    page.get_by_role("textbox", name="API key").fill(server.api_key)
    page.get_by_role("button", name="Save and test").click()
    expect(page.locator(".m-head .m-pill")).to_have_text("Connected")
    masked = page.get_by_text(re.compile(f"•.*{server.api_key[-4:]}"))
    expect(masked).to_be_visible()
    page.reload()
    expect(masked).to_be_visible()
    assert server.api_key not in page.content()

    page.get_by_role("link", name="Disconnect…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Keep connected")).to_be_focused()
    guest.accessible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Disconnect…")).to_be_focused()
    page.get_by_role("link", name="Disconnect…").click()
    dialog.get_by_role("button", name="Disconnect", exact=True).click()
    expect(page.get_by_text("The credentials are deleted.")).to_be_visible()
    expect(masked).not_to_be_visible()
    guest.accessible()


def test_by_password_without_a_code(guest: Visitor, server: SimulatorServer) -> None:
    page = guest.open(NEW)
    sign_in_with_password(page, server, "nototp")
    expect(page.locator(".m-head .m-pill")).to_have_text("Connected")
    assert asked(server) == ["/v2/checkcreds/"]


def test_by_password_with_a_code(guest: Visitor, server: SimulatorServer) -> None:
    secret = server.users["totp"].totp_secret
    assert secret is not None
    page = guest.open(NEW)
    sign_in_with_password(page, server, "totp")
    expect(page.get_by_text("No login was tried")).to_be_visible()
    assert asked(server) == ["/v2/checkcreds/"]
    guest.accessible()
    page.get_by_label(re.compile("Code from the authenticator")).fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Log in and test").click()
    expect(page.locator(".m-head .m-pill")).to_have_text("Connected")
    assert asked(server) == ["/v2/checkcreds/", "/v2/checkcreds/", "/v2/login/"]


def test_the_dashboards_host_and_beta_off(guest: Visitor, server: SimulatorServer) -> None:
    server.add_fault("dashboard")
    page = guest.open(NEW)
    page.get_by_label("Instance URL").fill(server.url)
    page.get_by_role("textbox", name="API key").fill(server.api_key)
    page.get_by_role("button", name="Save and test").click()
    expect(page.get_by_text("dashboard_host")).to_be_visible()
    guest.accessible()

    server.faults.clear()
    server.beta = False
    page.locator("summary", has_text="Source").click()
    page.get_by_label("Source").select_option("beta")
    page.get_by_role("textbox", name="API key").fill(server.api_key)
    page.get_by_role("button", name="Save and test").click()
    expect(page.get_by_text("beta_disabled")).to_be_visible()
    expect(page.get_by_role("heading", name="Test failed")).to_be_visible()
