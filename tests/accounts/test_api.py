"""Users through the API."""

import pytest

from muster.accounts.permissions import PERMISSIONS, Role
from muster.db import Database
from tests.support.site import PASSWORD, Site, some_id
from tests.support.world import World

ANN = {"email": "ann@example.com", "password": PASSWORD}


@pytest.fixture
async def site(database: Database) -> Site:
    return Site.of(await World.make(database))


@pytest.mark.parametrize("role", list(Role))
async def test_me_says_who_asks_and_what_they_may_do(site: Site, role: Role) -> None:
    async with site.logged_in(role) as browser:
        me = (await browser.json("GET", "/me")).json()
    assert (me["user"]["email"], me["user"]["role"], me["tenant"]) == (
        f"{role.value}@example.com",
        role.value,
        "Acme IT",
    )
    assert set(me["permissions"]) == {permission.value for permission in PERMISSIONS[role]}
    assert "password" not in str(me)


async def test_users_are_made_listed_and_changed(site: Site) -> None:
    async with site.logged_in() as browser:
        made = await browser.json("POST", "/users", {**ANN, "name": "Ann"})
        assert made.status_code == 201
        user = made.json()
        assert (user["name"], user["role"], user["last_login_at"]) == ("Ann", "viewer", None)
        listed = (await browser.json("GET", "/users?limit=1&offset=1")).json()
        assert (listed["total"], [each["email"] for each in listed["items"]]) == (2, ["ann@example.com"])
        path = f"/users/{user['id']}"
        assert (await browser.json("GET", path)).json() == user
        changed = await browser.json("PATCH", path, {"role": "technician", "name": None})
        assert changed.json() == {**user, "role": "technician", "name": None}
        changed = await browser.json("PATCH", path, {"is_active": False, "password": "another good password"})
        assert (changed.status_code, changed.json()["is_active"]) == (200, False)


async def test_refusals_are_problem_details(site: Site) -> None:
    async with site.logged_in() as browser, site.browser() as stranger:
        own = (await browser.json("GET", "/me")).json()["user"]["id"]
        cases = [
            ("POST", "/users", {**ANN, "email": "ADMIN@example.com"}, 409, "taken"),
            ("POST", "/users", {**ANN, "email": "no address"}, 400, "email"),
            ("POST", "/users", {**ANN, "password": "short"}, 400, None),
            ("POST", "/users", {**ANN, "is_owner": True}, 400, None),
            ("PATCH", f"/users/{own}", {"role": "viewer"}, 409, "last_administrator"),
            ("PATCH", f"/users/{own}", {"is_active": False}, 409, "own_account"),
            ("GET", f"/users/{some_id()}", None, 404, "not_found"),
            ("GET", "/users?limit=251", None, 400, None),
            ("GET", "/nothing", None, 404, None),
        ]
        for method, path, body, status, code in cases:
            answer = await browser.json(method, path, body)
            assert (answer.status_code, answer.json().get("code")) == (status, code), (method, path)
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["status"] == status
        answer = await browser.json("POST", "/users", {**ANN, "password": "short"})
        assert answer.json()["errors"][0]["key"] == "password"
        answer = await stranger.json("GET", "/me")
        assert (answer.status_code, answer.json()["code"]) == (401, "login_needed")
