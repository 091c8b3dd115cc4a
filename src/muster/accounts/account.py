"""The page of the person who is logged in: name, role, password, sessions."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect, Template

from muster.accounts.auth import OWN
from muster.accounts.browsers import shown
from muster.accounts.limits import ATTEMPTS
from muster.accounts.permissions import PERMISSION_NAMES
from muster.accounts.service import UserService
from muster.accounts.sessions import SessionService
from muster.accounts.types import Actor
from muster.db import Database
from muster.errors import InvalidInput, MusterError
from muster.web.forms import Form
from muster.web.frame import Frame, Toast, go
from muster.web.wording import plural

PATH = "/account"
# Which field of the password form an error belongs to.
_PASSWORD_FIELDS = {"current_password": "current", "same_password": "new", "password_length": "new"}


@get(PATH, guards=[OWN])
async def account_page(
    actor: NamedDependency[Actor], database: NamedDependency[Database], frame: NamedDependency[Frame]
) -> Template:
    """Everything about the person who asks."""
    return await _page(actor, database, frame, Form())


@post(PATH, guards=[OWN], status_code=200)
async def rename(
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
) -> Response[Any]:
    """Change one's own name; empty takes it away."""
    form = await Form.read(request)
    try:
        async with database.write(actor.scope) as session:
            await UserService(session, actor.scope).update(actor.user_id, name=form.text("name"))
    except InvalidInput as refused:
        form.refuse(refused, "name")
        return await _page(actor, database, frame, form)
    return go(request, PATH, Toast("Name saved."))


@post(f"{PATH}/password", guards=[OWN], middleware=[ATTEMPTS.middleware], status_code=200)
async def change_password(
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
) -> Response[Any]:
    """Change one's own password. Other sessions end, this one stays."""
    form = await Form.read(request)
    try:
        if form.raw("new") != form.raw("again"):
            raise InvalidInput("The two new passwords differ.", remedy="Type them again.", code="differ")
        async with database.write(actor.scope) as session:
            ended = await UserService(session, actor.scope).change_password(
                actor.user_id, form.raw("current"), form.raw("new"), keep=actor.session_id
            )
    except MusterError as refused:
        form.refuse(refused, _PASSWORD_FIELDS.get(refused.code, "again"))
        return await _page(actor, database, frame, form)
    others = f" {plural(ended, 'other session')} ended." if ended else ""
    return go(request, PATH, Toast(f"Password changed.{others}"))


@post(f"{PATH}/sessions/{{session_id:uuid}}/revoke", guards=[OWN], status_code=303)
async def revoke_session(
    request: Request[Actor, Any, Any],
    session_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
) -> Redirect:
    """End one of one's own sessions."""
    async with database.write(actor.scope) as session:
        await SessionService(session, actor.scope).revoke(actor.user_id, session_id)
    return go(request, PATH, Toast("Session ended."))


@get(f"{PATH}/sessions/revoke", guards=[OWN])
async def ask_revoke_others(frame: NamedDependency[Frame]) -> Template:
    """The question before all other sessions are ended, for browsers without scripts."""
    return frame.page(
        "accounts/revoke_others.html", title="End other sessions", place="", trail=[("Account", PATH)]
    )


@post(f"{PATH}/sessions/revoke", guards=[OWN], status_code=303)
async def revoke_others(
    request: Request[Actor, Any, Any], actor: NamedDependency[Actor], database: NamedDependency[Database]
) -> Redirect:
    """End all of one's own sessions but this one."""
    async with database.write(actor.scope) as session:
        ended = await SessionService(session, actor.scope).revoke_others(actor.user_id, keep=actor.session_id)
    return go(request, PATH, Toast(f"{plural(ended, 'session')} ended."))


ROUTES: list[BaseRouteHandler] = [
    account_page,
    rename,
    change_password,
    revoke_session,
    ask_revoke_others,
    revoke_others,
]


async def _page(actor: Actor, database: Database, frame: Frame, form: Form) -> Template:
    async with database.read(actor.scope) as session:
        user = await UserService(session, actor.scope).get(actor.user_id)
        logins = await SessionService(session, actor.scope).of_user(actor.user_id)
    return frame.page(
        "accounts/account.html",
        title="Account",
        place="",
        status_code=422 if form.errors else 200,
        form=form,
        user=user,
        actor=actor,
        logins=shown(logins, actor.session_id),
        permissions=[(name, actor.may(permission)) for permission, name in PERMISSION_NAMES.items()],
    )
