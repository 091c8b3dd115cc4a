"""Logging in: how often, how long it lasts, what is recorded, and what the cookies say."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx2
import pytest

from muster import clock
from muster.accounts.auth import COOKIE
from muster.accounts.limits import ATTEMPTS_A_MINUTE
from muster.accounts.models import UserSession
from muster.accounts.permissions import Role
from muster.accounts.service import UserService
from muster.accounts.sessions import LIFETIME, SEEN_STEP
from muster.audit.schemas import AuditView
from muster.audit.service import AuditService
from muster.db import Database, bulk
from muster.db.types import table_of
from muster.encryption import new_key
from muster.tenancy import TenantScope
from muster.tenants.service import TenantService
from tests.support.postgres import run_apart
from tests.support.serving import Serving
from tests.support.site import PASSWORD, Browser, Page, Site
from tests.support.world import World

ADMIN = {"email": "admin@example.com", "password": PASSWORD}
WRONG = {"email": "admin@example.com", "password": "wrong password"}


@pytest.fixture
async def site(database: Database) -> Site:
    site = Site.of(await World.make(database))
    async with site.logged_in() as known:
        await known.client.aclose()
    return site


async def _recorded(site: Site, action: str | None = None) -> Sequence[AuditView]:
    async with site.world.database.read(site.world.scope) as session:
        return await AuditService(session, site.world.scope).list(action=action, limit=100)


async def _age(site: Site, by: timedelta) -> None:
    """Make every session older."""
    world, now = site.world, clock.now()
    async with world.database.write(world.scope) as session:
        values = {"last_seen_at": now - by, "expires_at": now - by + LIFETIME}
        await bulk.update_where(session, world.scope, table_of(UserSession), values, where={})


async def _try(browser: Browser, times: int) -> Page:
    for _ in range(times):
        page = await browser.post("/login", WRONG)
    return page


async def test_the_twenty_first_attempt_in_a_minute_waits(site: Site) -> None:
    async with site.browser() as browser:
        page = await _try(browser, ATTEMPTS_A_MINUTE)
        assert page.status == 422
        page = await browser.post("/login", ADMIN)
        assert page.status == 429
        assert page.text("h1") == "Too many attempts"
        assert "Wait a minute" in page.text()
        answer = await browser.client.post(
            "/login", data={**ADMIN, "_csrf_token": browser.token}, headers={"accept": "application/json"}
        )
        assert answer.status_code == 429
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == 429
        assert (await browser.get("/login")).status == 200


async def test_a_login_is_recorded_with_where_it_came_from(site: Site) -> None:
    async with site.browser() as browser:
        page = await browser.post("/login", ADMIN, follow=False)
        assert page.status == 303
        assert (await browser.post("/logout", follow=False)).status == 303
    ended, began = (await _recorded(site))[:2]
    assert (began.action, began.actor, began.detail) == (
        "login.succeeded",
        "admin@example.com",
        {"address": "127.0.0.1"},
    )
    assert ended.action == "login.ended"
    async with site.world.database.read(site.world.scope) as session:
        user = await UserService(session, site.world.scope).find("admin@example.com")
    assert user.last_login_at is not None


async def test_refused_logins_do_not_flood_the_record(site: Site) -> None:
    async with site.browser() as browser:
        await _try(browser, 5)
        await browser.post("/login", {**WRONG, "email": "nobody@example.com"})
    (refused,) = await _recorded(site, "login.refused")
    assert (refused.subject, refused.detail) == ("admin@example.com", {"address": "127.0.0.1"})


async def test_a_session_ends_when_it_was_not_used_for_its_lifetime(site: Site) -> None:
    async with site.logged_in() as browser:
        await _age(site, LIFETIME - timedelta(minutes=1))
        assert (await browser.get("/account")).response.url.path == "/account"
        # That made it live on.
        await _age(site, LIFETIME + timedelta(seconds=1))
        page = await browser.get("/account", follow=False)
        assert page.response.headers["location"] == "/login?next=%2Faccount"
        answer = await browser.json("GET", "/me")
        assert (answer.status_code, answer.json()["code"]) == (401, "login_needed")


async def test_use_makes_a_session_live_on(site: Site) -> None:
    async with site.logged_in() as browser:
        await _age(site, SEEN_STEP * 2)
        await browser.get("/account")
        async with site.world.database.read(site.world.scope) as session:
            found = await session.get(UserSession, (site.world.scope.tenant_id, _session_id(browser)))
        assert found is not None
        assert found.expires_at > clock.now() + LIFETIME - timedelta(minutes=1)


def _session_id(browser: Browser) -> UUID:
    return UUID(browser.client.cookies[COOKIE].split(".")[1])


async def test_who_was_switched_off_or_given_another_password_does_not_get_in(site: Site) -> None:
    scope = site.world.scope
    async with site.world.database.write(scope) as session:
        users = UserService(session, scope)
        await users.create("second@example.com", password=PASSWORD, role=Role.ADMIN)
        await session.flush()
        admin = await users.find("admin@example.com")
        await users.update(admin.user_id, is_active=False)
    async with site.browser() as browser:
        assert (await browser.post("/login", ADMIN)).status == 422
        async with site.world.database.write(scope) as session:
            users = UserService(session, scope)
            await users.update(admin.user_id, is_active=True)
            await users.set_password(admin.user_id, "another good password")
        assert (await browser.post("/login", ADMIN)).status == 422
        page = await browser.post("/login", {**ADMIN, "password": "another good password"}, follow=False)
        assert page.status == 303


async def test_one_address_in_two_tenants_leads_to_the_one_whose_password_it_is(site: Site) -> None:
    other = await World.make(site.world.database, "Beta IT")
    async with site.world.database.write(other.scope) as session:
        await UserService(session, other.scope).create(
            "admin@example.com", password="the password of the other", role=Role.VIEWER
        )
    async with site.browser() as browser:
        await browser.post("/login", {**ADMIN, "password": "the password of the other"})
        assert (await browser.json("GET", "/me")).json()["tenant"] == "Beta IT"


async def test_the_login_page_says_what_to_do_without_a_password(site: Site) -> None:
    async with site.browser() as browser:
        page = await browser.get("/login")
    assert page.text("details summary") == "Forgot password"
    assert "muster user password EMAIL" in page.text("details")


async def test_the_theme_switches_without_scripts(site: Site) -> None:
    async with site.browser() as browser:
        assert (await browser.get("/login")).attribute("html", "data-theme") == "auto"
        for theme in ("dark", "light", "dark"):
            await browser.post("/theme", {"theme": "toggle"})
            assert (await browser.get("/login")).attribute("html", "data-theme") == theme


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_session_alone_changes_nothing(site: Site, method: str) -> None:
    """Another site can have a browser send its cookies, but not the token of our page."""
    async with site.logged_in() as browser:
        await browser.get("/account")
        answer = await browser.client.request(
            method, "/api/v1/users", json={"email": "x@example.com", "password": PASSWORD}
        )
    assert answer.status_code in (403, 405)
    assert answer.headers["content-type"] == "application/problem+json"
    async with site.world.database.read(site.world.scope) as session:
        assert await UserService(session, site.world.scope).count() == 1


def test_cookies_are_for_tls_only_behind_a_proxy_with_tls(database_url: str, tmp_path: Path) -> None:
    """Through a real server: it is the one that believes a proxy on its own machine."""
    key = new_key()
    settings = {
        "MUSTER_DATA_DIR": str(tmp_path / "data"),
        "MUSTER_DATABASE_URL": database_url,
        "MUSTER_SECRET_KEY": key.material.hex(),
    }
    run_apart(_one_user(database_url))
    with Serving(settings, "--no-worker") as serving:
        for scheme in ("https", "http"):
            proxied = {"x-forwarded-proto": scheme, "x-forwarded-for": "203.0.113.9", "accept": "text/html"}
            with httpx2.Client(base_url=serving.url, headers=proxied) as client:
                page = client.get("/login")
                token = page.cookies["muster_csrf"]
                # The jar keeps a cookie with Secure from going out over this plain connection.
                cookies = {"cookie": f"muster_csrf={token}"}
                entered = client.post("/login", data={**ADMIN, "_csrf_token": token}, headers=cookies)
            assert entered.status_code == 303, entered.text
            set_cookies = [*page.headers.get_list("set-cookie"), *entered.headers.get_list("set-cookie")]
            assert {"muster_csrf", "muster_session"} <= {each.partition("=")[0] for each in set_cookies}
            for each in set_cookies:
                assert ("; secure" in each.lower()) == (scheme == "https"), each
                assert "httponly" in each.lower()
            assert ("strict-transport-security" in entered.headers) == (scheme == "https")


async def _one_user(database_url: str) -> None:
    database = Database(database_url)
    try:
        async with database.write() as session:
            scope = TenantScope((await TenantService(session).create("Acme IT")).tenant_id)
            await UserService(session, scope).create(ADMIN["email"], password=PASSWORD, role=Role.ADMIN)
    finally:
        await database.close()
