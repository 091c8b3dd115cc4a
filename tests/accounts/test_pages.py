"""Settings, users and roles, through the pages."""

import asyncio
import re
from collections.abc import Sequence

import pytest

from muster.accounts.models import User
from muster.accounts.permissions import Permission, Role
from muster.accounts.service import UserService
from muster.audit.service import AuditService
from muster.db import Database
from muster.errors import Conflict
from muster.tenancy import TenantScope
from tests.support.site import PASSWORD, Browser, Page, Site
from tests.support.world import World

USERS = "/settings/users"
ANN = {"email": "Ann@Example.com", "name": "Ann Änderson", "role": "technician", "how": "generate"}
_GENERATED = re.compile(r"[a-z2-9]{5}(-[a-z2-9]{5}){3}")


@pytest.fixture
async def site(database: Database) -> Site:
    return Site.of(await World.make(database))


async def _user(site: Site, email: str) -> User:
    async with site.world.database.read(site.world.scope) as session:
        return await UserService(session, site.world.scope).find(email)


async def _add(site: Site, email: str, role: Role = Role.ADMIN) -> User:
    async with site.world.database.write(site.world.scope) as session:
        return await UserService(session, site.world.scope).create(email, password=PASSWORD, role=role)


async def _actions(site: Site) -> list[str]:
    async with site.world.database.read(site.world.scope) as session:
        return [entry.action for entry in await AuditService(session, site.world.scope).list(limit=100)]


def _toast(page: Page) -> str:
    return page.text("[data-toast] .m-toast-text")


def _threes(cells: Sequence[str]) -> list[list[str]]:
    return [list(cells[at : at + 3]) for at in range(0, len(cells), 3)]


async def _log_in(browser: Browser, email: str, password: str) -> int:
    return (await browser.post("/login", {"email": email, "password": password}, follow=False)).status


async def test_settings_show_what_one_may_open(site: Site) -> None:
    async with site.logged_in() as admin, site.logged_in(Role.TECHNICIAN) as technician:
        labels = ".m-settings b"
        assert (await admin.get("/settings")).texts(labels) == [
            "Integrations",
            "Alert rules",
            "Notifications",
            "Webhooks",
            "Users",
            "Roles",
            "API description",
        ]
        assert "Users" not in (await technician.get("/settings")).texts(labels)
        page = await technician.get(USERS)
        assert page.status == 403
        assert "user:manage" in page.text()


async def test_the_table_of_roles_is_what_is_enforced(site: Site) -> None:
    async with site.logged_in(Role.TECHNICIAN) as browser:
        page = await browser.get("/settings/roles")
    assert page.texts("thead th") == ["Permission", "Administrator", "Technician", "Viewer"]
    rows = dict(zip(page.texts("tbody code"), _threes(page.texts("tbody td .visually-hidden")), strict=True))
    assert set(rows) == {permission.value for permission in Permission}
    assert rows["user:manage"] == ["Yes", "No", "No"]
    assert rows["rmm:sync"] == ["Yes", "Yes", "No"]
    assert rows["asset:read"] == ["Yes", "Yes", "Yes"]


async def test_an_added_user_gets_a_password_that_is_shown_once(site: Site) -> None:
    async with site.logged_in() as admin, site.browser() as ann:
        page = await admin.post(f"{USERS}/new", ANN)
        password = page.text("#password")
        assert _GENERATED.fullmatch(password)
        assert page.response.headers["cache-control"] == "no-store"
        assert await _log_in(ann, "ann@example.com", password) == 303
        listed = await admin.get(USERS)
        assert password not in listed.response.text
        assert listed.texts("tbody .m-name") == ["admin@example.com You", "Ann Änderson"]
        assert listed.texts("tbody td.m-first") == ["Active", "Active"]
        assert "just now" in listed.texts("tbody td.m-numeric")[1]
    assert "user.created" in await _actions(site)


async def test_a_refused_user_keeps_what_was_typed(site: Site) -> None:
    async with site.logged_in() as admin:
        for given, field, problem in (
            ({"email": "no address"}, "email", "not an e-mail address"),
            ({"email": "ADMIN@example.com"}, "email", "already"),
            ({"how": "type", "password": "short"}, "password", "5 characters"),
        ):
            page = await admin.post(f"{USERS}/new", {**ANN, **given})
            assert page.status == 422
            assert problem in page.text(f"#help-{field}")
            assert page.attribute("#field-name", "value") == "Ann Änderson"
            assert page.attribute("#field-role option[selected]", "value") == "technician"
        page = await admin.post(f"{USERS}/new", {**ANN, "role": "emperor"})
        assert page.status == 422
    async with site.world.database.read(site.world.scope) as session:
        assert await UserService(session, site.world.scope).count() == 1


async def test_role_and_name_change_at_once(site: Site) -> None:
    async with site.logged_in() as admin, site.logged_in(Role.VIEWER) as viewer:
        path = f"{USERS}/{(await _user(site, 'viewer@example.com')).user_id}"
        assert (await viewer.get("/settings")).status == 403
        page = await admin.post(path, {"name": "Vera", "role": "technician"})
        assert _toast(page) == "Vera saved."
        assert (await viewer.get("/settings")).status == 200
    assert (await _actions(site))[:2] == ["user.role_changed", "user.renamed"]


async def test_who_is_deactivated_is_out_until_reactivated(site: Site) -> None:
    async with site.logged_in() as admin, site.logged_in(Role.VIEWER) as viewer:
        path = f"{USERS}/{(await _user(site, 'viewer@example.com')).user_id}"
        assert "Nothing is deleted" in (await admin.get(f"{path}/deactivate")).text()
        page = await admin.post(f"{path}/deactivate")
        assert page.text(".m-head-title .m-pill") == "Inactive"
        assert (await viewer.get("/account", follow=False)).status == 303
        assert await _log_in(viewer, "viewer@example.com", PASSWORD) == 422
        page = await admin.post(f"{path}/reactivate")
        assert _toast(page) == "viewer@example.com can log in again."
        assert await _log_in(viewer, "viewer@example.com", PASSWORD) == 303
    assert {"user.deactivated", "user.reactivated"} <= set(await _actions(site))


async def test_a_new_password_ends_the_users_sessions(site: Site) -> None:
    async with site.logged_in() as admin, site.logged_in(Role.VIEWER) as viewer:
        path = f"{USERS}/{(await _user(site, 'viewer@example.com')).user_id}"
        page = await admin.post(f"{path}/password", {"how": "type", "password": "short"})
        assert (page.status, "5 characters" in page.text("#help-password")) == (422, True)
        assert (await viewer.get("/account", follow=False)).status == 200
        page = await admin.post(f"{path}/password", {"how": "generate"})
        password = page.text("#password")
        assert (await viewer.get("/account", follow=False)).status == 303
        assert await _log_in(viewer, "viewer@example.com", PASSWORD) == 422
        assert await _log_in(viewer, "viewer@example.com", password) == 303
        page = await admin.post(f"{path}/password", {"how": "type", "password": "a typed password"})
        assert _toast(page) == "viewer@example.com has a new password."


async def test_the_last_administrator_stays_one(site: Site) -> None:
    async with site.logged_in() as admin:
        path = f"{USERS}/{(await _user(site, 'admin@example.com')).user_id}"
        page = await admin.post(path, {"name": "", "role": "viewer"})
        assert page.status == 422
        assert "last active administrator" in page.text(".m-finding")
        page = await admin.post(f"{path}/deactivate")
        assert page.status == 422
        assert "cannot deactivate yourself" in page.text(".m-finding")
        second = await _add(site, "second@example.com")
        page = await admin.post(f"{path}/deactivate")
        assert "cannot deactivate yourself" in page.text(".m-finding")
        # With another one beside, administrators may step down, or take it from the other.
        page = await admin.post(f"{USERS}/{second.user_id}", {"name": "", "role": "viewer"})
        assert page.status == 200
        await admin.post(f"{USERS}/{second.user_id}", {"name": "", "role": "admin"})
        await admin.post(path, {"name": "", "role": "viewer"})
        assert (await admin.get(USERS)).status == 403


async def test_two_administrators_do_not_remove_each_other_at_once(database: Database) -> None:
    world = await World.make(database)
    site = Site.of(world)
    one, two = await _add(site, "one@example.com"), await _add(site, "two@example.com")

    async def demote(user: User, by: User) -> bool:
        scope = TenantScope(world.scope.tenant_id, by.email)
        try:
            async with database.write(scope) as session:
                await UserService(session, scope).update(user.user_id, role=Role.VIEWER)
        except Conflict:
            return False
        return True

    done = await asyncio.gather(demote(one, two), demote(two, one))
    assert sorted(done) == [False, True]
    roles = {(await _user(site, email)).role for email in ("one@example.com", "two@example.com")}
    assert roles == {"admin", "viewer"}
