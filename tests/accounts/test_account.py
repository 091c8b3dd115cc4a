"""The page of who is logged in: name, role, password, sessions."""

import pytest

from muster.accounts.auth import COOKIE
from muster.accounts.permissions import Role
from muster.db import Database
from tests.support.site import PASSWORD, Browser, Page, Site, some_id
from tests.support.world import World

NEW = "another good password"
CHANGE = {"current": PASSWORD, "new": NEW, "again": NEW}


@pytest.fixture
async def site(database: Database) -> Site:
    return Site.of(await World.make(database))


async def _is_in(browser: Browser) -> bool:
    return (await browser.get("/account", follow=False)).status == 200


def _sessions(page: Page) -> list[str]:
    return page.texts(".m-columns .m-card:nth-child(2) .m-row-words")


@pytest.mark.parametrize(("role", "name"), [(Role.ADMIN, "Administrator"), (Role.VIEWER, "Viewer")])
async def test_it_says_who_one_is_and_what_one_may_do(site: Site, role: Role, name: str) -> None:
    async with site.logged_in(role) as browser:
        page = await browser.get("/account")
    assert page.text("h1") == f"{role.value}@example.com"
    assert name in page.text(".m-facts")
    may = page.texts(".m-may li")
    assert "See assets and clients" in may
    assert ("Manage users" in may) == (role is Role.ADMIN)
    assert ("Not allowed: Manage users" in may) == (role is Role.VIEWER)


async def test_a_name_is_saved_shown_and_taken_away(site: Site) -> None:
    async with site.logged_in(Role.VIEWER) as browser:
        page = await browser.post("/account", {"name": "  Ann  Änderson "})
        assert page.text("h1") == "Ann Änderson"
        assert page.text(".m-person-name span") == "Ann Änderson"
        assert page.text("[data-toast] .m-toast-text") == "Name saved."
        page = await browser.post("/account", {"name": "x" * 201})
        assert page.status == 422
        assert page.attribute("#field-name", "value") == "x" * 201
        assert "too long" in page.text(".m-problem")
        assert (await browser.post("/account", {"name": ""})).text("h1") == "viewer@example.com"


async def test_a_new_password_ends_the_other_sessions_and_keeps_this_one(site: Site) -> None:
    async with site.logged_in() as browser, site.logged_in() as elsewhere, site.browser() as later:
        page = await browser.post("/account/password", CHANGE)
        assert page.text("[data-toast] .m-toast-text") == "Password changed. 1 other session ended."
        assert await _is_in(browser)
        assert not await _is_in(elsewhere)
        old = {"email": "admin@example.com", "password": PASSWORD}
        assert (await later.post("/login", old)).status == 422
        assert (await later.post("/login", {**old, "password": NEW}, follow=False)).status == 303


@pytest.mark.parametrize(
    ("given", "field", "problem"),
    [
        ({"current": "wrong"}, "current", "not your current password"),
        ({"again": "something else"}, "again", "differ"),
        ({"new": "short", "again": "short"}, "new", "5 characters"),
        ({"new": PASSWORD, "again": PASSWORD}, "new", "password you have"),
    ],
)
async def test_an_unusable_change_is_refused(
    site: Site, given: dict[str, str], field: str, problem: str
) -> None:
    async with site.logged_in() as browser, site.logged_in() as elsewhere:
        page = await browser.post("/account/password", {**CHANGE, **given})
        assert page.status == 422
        assert problem in page.text(f"#help-{field}")
        assert PASSWORD not in page.response.text
        assert await _is_in(elsewhere)


async def test_sessions_are_listed_in_words_and_ended_one_by_one(site: Site) -> None:
    async with site.logged_in() as browser, site.logged_in() as elsewhere:
        elsewhere.client.headers["user-agent"] = "irrelevant: the login says which"
        page = await browser.get("/account")
        this, other = _sessions(page)
        assert this.startswith("An unknown browser This session 127.0.0.1, in use now")
        assert "last seen just now" in other
        action = page.attribute(".m-card form[action$='/revoke']", "action")
        assert action is not None
        page = await browser.post(action)
        assert page.text("[data-toast] .m-toast-text") == "Session ended."
        assert len(_sessions(page)) == 1
        assert not await _is_in(elsewhere)
        again = await browser.post(action)
        assert again.status == 404
        assert "ended already" in again.text()


async def test_all_other_sessions_end_at_once_after_a_question(site: Site) -> None:
    async with site.logged_in() as browser, site.logged_in() as one, site.logged_in() as two:
        question = await browser.get("/account/sessions/revoke")
        assert question.text("h1") == "End all other sessions?"
        assert question.attribute("a.btn", "href") == "/account"
        page = await browser.post("/account/sessions/revoke")
        assert page.text("[data-toast] .m-toast-text") == "2 sessions ended."
        assert await _is_in(browser)
        assert not await _is_in(one)
        assert not await _is_in(two)


async def test_nobody_ends_somebody_elses_session(site: Site) -> None:
    async with site.logged_in() as admin, site.logged_in(Role.VIEWER) as viewer:
        theirs = viewer.client.cookies[COOKIE].split(".")[1]
        for session_id in (theirs, some_id()):
            assert (await admin.post(f"/account/sessions/{session_id}/revoke")).status == 404
        assert await _is_in(viewer)
