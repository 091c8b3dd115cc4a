"""Settings: what there is to set, the people of the tenant, and what their roles may do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template

from muster.accounts.auth import needs
from muster.accounts.browsers import shown
from muster.accounts.passwords import generate_password
from muster.accounts.permissions import (
    PERMISSION_NAMES,
    PERMISSIONS,
    ROLE_NAMES,
    ROLE_TEXTS,
    Permission,
    Role,
)
from muster.accounts.service import UserService
from muster.accounts.sessions import SessionService
from muster.accounts.types import Actor
from muster.db import Database
from muster.errors import Conflict, InvalidInput, MusterError
from muster.web.forms import Form
from muster.web.frame import Frame, Toast, go
from muster.web.paging import Page, address

_SETTINGS = "/settings"
_USERS = f"{_SETTINGS}/users"
_TRAIL: Sequence[tuple[str, str | None]] = (("Settings", _SETTINGS), ("Users", _USERS))
# Which field of a user's form an error belongs to.
_FIELDS = {"password_length": "password", "taken": "email", "email": "email", "role": "role"}


class Entry(NamedTuple):
    """A page of the settings."""

    label: str
    text: str
    icon: str
    path: str
    permission: Permission


ENTRIES: Sequence[Entry] = (
    Entry(
        "Integrations",
        "Servers that Muster reads from: connections, mappings, schedules.",
        "plug-connected",
        "/settings/integrations",
        Permission.SETTINGS_READ,
    ),
    Entry(
        "Alert rules",
        "What is done when an alert comes: notify, send a webhook, suppress.",
        "filter",
        f"{_SETTINGS}/rules",
        Permission.SETTINGS_READ,
    ),
    Entry(
        "Notifications",
        "Channels that rules can tell: mail, Slack, Teams and others.",
        "bell-ringing",
        f"{_SETTINGS}/channels",
        Permission.SETTINGS_READ,
    ),
    Entry(
        "Webhooks",
        "Other programs that are told of events.",
        "send",
        f"{_SETTINGS}/webhooks",
        Permission.SETTINGS_READ,
    ),
    Entry("Users", "Who may log in, and in which role.", "users", _USERS, Permission.USER_MANAGE),
    Entry(
        "Roles",
        "What each role may do.",
        "shield-check",
        f"{_SETTINGS}/roles",
        Permission.SETTINGS_READ,
    ),
    Entry(
        "API description",
        "Every route of the API, as OpenAPI for your own programs.",
        "file-text",
        "/api/openapi.json",
        Permission.SETTINGS_READ,
    ),
)


@get(_SETTINGS, guards=[needs(Permission.SETTINGS_READ)])
async def settings_index(actor: NamedDependency[Actor], frame: NamedDependency[Frame]) -> Template:
    """What there is to set."""
    entries = [entry for entry in ENTRIES if actor.may(entry.permission)]
    return frame.page("settings/index.html", title="Settings", place="settings", entries=entries)


@get(f"{_SETTINGS}/roles", guards=[needs(Permission.SETTINGS_READ)])
async def role_table(frame: NamedDependency[Frame]) -> Template:
    """What each role may do."""
    return frame.page(
        "settings/roles.html",
        title="Roles",
        place="settings",
        trail=_TRAIL[:1],
        roles=[(ROLE_NAMES[role], ROLE_TEXTS[role]) for role in Role],
        permissions=[
            (permission, name, [permission in PERMISSIONS[role] for role in Role])
            for permission, name in PERMISSION_NAMES.items()
        ],
    )


@get(_USERS, guards=[needs(Permission.USER_MANAGE)])
async def user_list(
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
    page: FromQuery[int | None] = None,
    rows: FromQuery[int | None] = None,
) -> Template:
    """Who may log in."""
    async with database.read(actor.scope) as session:
        users = UserService(session, actor.scope)
        shown_page = Page.wanted(page, rows).of(await users.count())
        people = await users.list(limit=shown_page.size, offset=shown_page.offset)
    return frame.page(
        "settings/users.html",
        title="Users",
        place="settings",
        trail=_TRAIL[:1],
        users=people,
        actor=actor,
        role_names=ROLE_NAMES,
        page=shown_page,
        query={} if rows is None else {"rows": str(rows)},
        link=address,
    )


@get(f"{_USERS}/new", guards=[needs(Permission.USER_MANAGE)])
async def user_new(frame: NamedDependency[Frame]) -> Template:
    """The form for another user."""
    return _new_form(frame, Form({"role": Role.TECHNICIAN.value}))


@post(f"{_USERS}/new", guards=[needs(Permission.USER_MANAGE)], status_code=200)
async def user_create(
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
) -> Response[Any]:
    """Add a user. A password that Muster made is shown once, in the answer."""
    form = await Form.read(request)
    try:
        password, generated = _password(form)
        async with database.write(actor.scope) as session:
            user = await UserService(session, actor.scope).create(
                form.text("email"), password=password, role=_role(form), name=form.text("name")
            )
    except MusterError as refused:
        form.refuse(refused, _FIELDS.get(refused.code, ""))
        return _new_form(frame, form)
    if generated:
        return _password_once(frame, user.user_id, user.email, password, is_new=True)
    return go(request, _USERS, Toast(f"{user.email} added."))


@get(f"{_USERS}/{{user_id:uuid}}", guards=[needs(Permission.USER_MANAGE)])
async def user_page(
    user_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
) -> Template:
    """One user: name, role, password, sessions, active or not."""
    return await _user_page(user_id, actor, database, frame, Form())


@post(f"{_USERS}/{{user_id:uuid}}", guards=[needs(Permission.USER_MANAGE)], status_code=200)
async def user_update(
    request: Request[Actor, Any, Any],
    user_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
) -> Response[Any]:
    """Change name and role."""
    form = await Form.read(request)
    try:
        async with database.write(actor.scope) as session:
            users = UserService(session, actor.scope)
            await users.get(user_id)
            user = await users.update(user_id, name=form.text("name"), role=_role(form))
    except (InvalidInput, Conflict) as refused:
        form.refuse(refused, _FIELDS.get(refused.code, "role" if isinstance(refused, Conflict) else "name"))
        return await _user_page(user_id, actor, database, frame, form)
    return go(request, _USERS, Toast(f"{user.name or user.email} saved."))


@post(f"{_USERS}/{{user_id:uuid}}/password", guards=[needs(Permission.USER_MANAGE)], status_code=200)
async def user_password(
    request: Request[Actor, Any, Any],
    user_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
) -> Response[Any]:
    """Give a user another password; all their sessions end."""
    form = await Form.read(request)
    try:
        async with database.write(actor.scope) as session:
            users = UserService(session, actor.scope)
            await users.get(user_id)
            password, generated = _password(form)
            user = await users.set_password(user_id, password)
    except InvalidInput as refused:
        form.refuse(refused, "password")
        return await _user_page(user_id, actor, database, frame, form)
    if generated:
        return _password_once(frame, user.user_id, user.email, password, is_new=False)
    return go(request, f"{_USERS}/{user_id}", Toast(f"{user.email} has a new password."))


@get(f"{_USERS}/{{user_id:uuid}}/deactivate", guards=[needs(Permission.USER_MANAGE)])
async def ask_deactivate(
    user_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
) -> Template:
    """The question before a user is switched off, for browsers without scripts."""
    async with database.read(actor.scope) as session:
        user = await UserService(session, actor.scope).get(user_id)
    return frame.page(
        "settings/user_deactivate.html",
        title="Deactivate",
        place="settings",
        trail=[*_TRAIL, (user.email, f"{_USERS}/{user_id}")],
        user=user,
    )


@post(f"{_USERS}/{{user_id:uuid}}/deactivate", guards=[needs(Permission.USER_MANAGE)], status_code=200)
async def user_deactivate(
    request: Request[Actor, Any, Any],
    user_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
) -> Response[Any]:
    """Switch a user off; their sessions end."""
    try:
        async with database.write(actor.scope) as session:
            user = await UserService(session, actor.scope).update(user_id, is_active=False)
    except Conflict as refused:
        form = Form()
        form.refuse(refused)
        return await _user_page(user_id, actor, database, frame, form)
    return go(request, f"{_USERS}/{user_id}", Toast(f"{user.email} can no longer log in."))


@post(f"{_USERS}/{{user_id:uuid}}/reactivate", guards=[needs(Permission.USER_MANAGE)], status_code=303)
async def user_reactivate(
    request: Request[Actor, Any, Any],
    user_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
) -> Redirect:
    """Let a user log in again."""
    async with database.write(actor.scope) as session:
        user = await UserService(session, actor.scope).update(user_id, is_active=True)
    return go(request, f"{_USERS}/{user_id}", Toast(f"{user.email} can log in again."))


ROUTES: list[BaseRouteHandler] = [
    settings_index,
    role_table,
    user_list,
    user_new,
    user_create,
    user_page,
    user_update,
    user_password,
    ask_deactivate,
    user_deactivate,
    user_reactivate,
]


def _password(form: Form) -> tuple[str, bool]:
    """The password to set, and whether Muster made it."""
    if form.text("how") == "generate":
        return generate_password(), True
    return form.raw("password"), False


def _role(form: Form) -> Role:
    try:
        return Role(form.text("role"))
    except ValueError:
        raise InvalidInput("There is no such role.", remedy="Choose from the list.", code="role") from None


def _new_form(frame: Frame, form: Form) -> Template:
    return frame.page(
        "settings/user_new.html",
        title="Add user",
        place="settings",
        trail=_TRAIL,
        status_code=422 if form.errors else 200,
        form=form,
        roles=_role_options(),
    )


async def _user_page(user_id: UUID, actor: Actor, database: Database, frame: Frame, form: Form) -> Template:
    async with database.read(actor.scope) as session:
        user = await UserService(session, actor.scope).get(user_id)
        logins = await SessionService(session, actor.scope).of_user(user_id)
    return frame.page(
        "settings/user.html",
        title=user.name or user.email,
        place="settings",
        trail=_TRAIL,
        status_code=422 if form.errors else 200,
        form=form,
        user=user,
        role_name=ROLE_NAMES[Role(user.role)],
        roles=_role_options(),
        is_self=user.user_id == actor.user_id,
        logins=shown(logins, actor.session_id),
    )


def _password_once(frame: Frame, user_id: UUID, email: str, password: str, *, is_new: bool) -> Template:
    return frame.page(
        "settings/user_password.html",
        title="User added" if is_new else "New password",
        place="settings",
        trail=_TRAIL,
        user_id=user_id,
        email=email,
        password=password,
        is_new=is_new,
    )


def _role_options() -> Sequence[tuple[str, str]]:
    return [(role.value, f"{ROLE_NAMES[role]}: {ROLE_TEXTS[role]}") for role in Role]
