"""First run, login, logout: through the door that a browser uses."""

import pytest

from muster.accounts.auth import COOKIE
from muster.accounts.permissions import Role
from muster.accounts.setup import SetupService
from muster.db import Database
from tests.support.site import PASSWORD, Site
from tests.support.world import World


@pytest.fixture
async def site(database: Database) -> Site:
    return Site.of(await World.make(database))


async def _token(database: Database) -> str:
    async with database.write(system=True) as session:
        return await SetupService(session).new_token()


async def test_the_first_run_makes_the_administrator_and_logs_in(site: Site, database: Database) -> None:
    token = await _token(database)
    async with site.browser() as browser:
        page = await browser.get("/account")
        assert page.response.url.path == "/setup"
        assert "Acme IT" in page.text()
        wrong = {"token": "mst_0000", "email": "ann@example.com", "password": PASSWORD}
        page = await browser.post("/setup", wrong)
        assert page.status == 422
        assert "muster setup-token" in page.text(".m-problem")
        assert page.attribute("#field-email", "value") == "ann@example.com"
        page = await browser.post("/setup", {**wrong, "token": token, "password": "short"})
        assert "5 characters" in page.text(".m-problem")
        page = await browser.post("/setup", {**wrong, "token": token}, follow=False)
        assert (page.status, page.response.headers["location"]) == (303, "/")
        cookie = page.response.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
    async with site.browser() as other:
        page = await other.post("/setup", {**wrong, "token": token})
        assert "set up already" in page.text(".m-finding")
        assert (await other.get("/setup")).response.url.path == "/login"


async def test_login_refuses_alike_and_leads_back(site: Site) -> None:
    async with site.logged_in() as known:
        await known.client.aclose()
    async with site.browser() as browser:
        page = await browser.get("/audit?action=user.created")
        assert page.response.url.path == "/login"
        refusals = set()
        for email, password in (("admin@example.com", "wrong password"), ("nobody@example.com", PASSWORD)):
            page = await browser.post("/login", {"email": email, "password": password})
            assert page.status == 422
            assert page.attribute("#field-email", "value") == email
            refusals.add(page.text(".m-finding"))
        assert len(refusals) == 1
        given = {"email": "Admin@Example.com", "password": PASSWORD}
        page = await browser.post("/login", {**given, "next": "/audit?action=user.created"}, follow=False)
        assert page.response.headers["location"] == "/audit?action=user.created"
        page = await browser.post("/login", {**given, "next": "//evil.example/"}, follow=False)
        assert page.response.headers["location"] == "/"


async def test_logout_ends_the_session_on_the_server(site: Site) -> None:
    async with site.logged_in(Role.VIEWER) as browser:
        token = browser.client.cookies[COOKIE]
        assert (await browser.get("/login", follow=False)).status == 303
        assert (await browser.post("/logout", follow=False)).response.headers["location"] == "/login"
    async with site.browser() as thief:
        thief.client.cookies.set(COOKIE, token, domain="muster.test")
        assert (await thief.get("/login", follow=False)).status == 200


async def test_a_form_without_its_token_is_refused(site: Site) -> None:
    async with site.browser() as browser:
        await browser.get("/login")
        response = await browser.client.post(
            "/login", data={"email": "a@b.c"}, headers={"accept": "text/html"}
        )
        assert response.status_code == 403
        assert "reload the page" in response.text


async def test_every_answer_carries_the_headers(site: Site) -> None:
    async with site.browser() as browser:
        for path in ("/login", "/nowhere", "/healthz", "/api/v1/nothing"):
            headers = (await browser.get(path)).response.headers
            assert "script-src 'self'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
