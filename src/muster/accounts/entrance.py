"""Pages for who is not logged in: first run, login, logout; and the choice between light and dark."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter
from litestar.response import Redirect, Template

from muster.accounts.auth import COOKIE, OWN, current_actor, session_cookie
from muster.accounts.limits import ATTEMPTS
from muster.accounts.login import LoginService
from muster.accounts.sessions import SessionService, SessionToken
from muster.accounts.setup import SetupService
from muster.accounts.types import Actor
from muster.db import Database
from muster.errors import MusterError
from muster.tenants.service import TenantService
from muster.web.forms import Form
from muster.web.frame import THEME_COOKIE, THEMES, bare_page
from muster.web.security import PUBLIC, client_address, is_secure

_A_YEAR = 31_536_000
# Which field of the first run's form an error belongs to.
_SETUP_FIELDS = {"setup_token": "token", "password_length": "password"}


@get("/login", opt=PUBLIC)
async def login_page(
    request: Request[Any, Any, Any],
    database: NamedDependency[Database],
    next_path: Annotated[str, QueryParameter(name="next", max_length=2000)] = "/",
) -> Response[Any]:
    """The login; on a fresh installation the first run instead, and for who is logged in the dashboard."""
    async with database.read(system=True) as session:
        if await SetupService(session).is_needed():
            return Redirect("/setup", status_code=303)
    if await current_actor(request, database) is not None:
        return Redirect(_local(next_path), status_code=303)
    return await _login_form(request, database, Form({"next": _local(next_path)}))


@post("/login", opt=PUBLIC, middleware=[ATTEMPTS.middleware], status_code=200)
async def login(request: Request[Any, Any, Any], database: NamedDependency[Database]) -> Response[Any]:
    """Begin a session; a wrong address or password shows the form again."""
    form = await Form.read(request)
    try:
        token = await LoginService(database).log_in(
            form.text("email"), form.raw("password"), **_visitor(request)
        )
    except MusterError as refused:
        form.refuse(refused)
        return await _login_form(request, database, form, status_code=422)
    return _entered(request, token, _local(form.text("next")))


@post("/logout", guards=[OWN], status_code=303)
async def logout(actor: NamedDependency[Actor], database: NamedDependency[Database]) -> Redirect:
    """End this session."""
    async with database.write(actor.scope) as session:
        await SessionService(session, actor.scope).log_out(actor.user_id, actor.session_id)
    answer = Redirect("/login", status_code=303)
    answer.delete_cookie(COOKIE)
    return answer


@get("/setup", opt=PUBLIC)
async def setup_page(request: Request[Any, Any, Any], database: NamedDependency[Database]) -> Response[Any]:
    """The first run; afterwards it leads to the login."""
    async with database.read(system=True) as session:
        setup = SetupService(session)
        if not await setup.is_needed():
            return Redirect("/login", status_code=303)
        tenant_name = await setup.tenant_name()
    return bare_page(
        request, "accounts/setup.html", title="Set up Muster", form=Form(), tenant_name=tenant_name
    )


@post("/setup", opt=PUBLIC, middleware=[ATTEMPTS.middleware], status_code=200)
async def set_up(request: Request[Any, Any, Any], database: NamedDependency[Database]) -> Response[Any]:
    """Make tenant and administrator, and log that person in."""
    form = await Form.read(request)
    try:
        async with database.write(system=True) as session:
            user, scope = await SetupService(session).complete(
                form.text("token"),
                tenant=form.text("tenant"),
                email=form.text("email"),
                password=form.raw("password"),
            )
            await session.flush()
            token = await SessionService(session, scope).open(user, **_visitor(request))
    except MusterError as refused:
        form.refuse(refused, _SETUP_FIELDS.get(refused.code, ""))
        async with database.read(system=True) as session:
            tenant_name = await SetupService(session).tenant_name()
        return bare_page(
            request,
            "accounts/setup.html",
            title="Set up Muster",
            status_code=422,
            form=form,
            tenant_name=tenant_name,
        )
    return _entered(request, token, "/")


@post("/theme", opt=PUBLIC, status_code=303)
async def choose_theme(request: Request[Any, Any, Any]) -> Redirect:
    """Switch between light and dark, for browsers without scripts; back to where one was."""
    now = request.cookies.get(THEME_COOKIE)
    theme = THEMES[0] if now == THEMES[1] else THEMES[1]
    answer = Redirect(_local(request.headers.get("referer", "/").partition(request.url.netloc)[2] or "/"))
    # The script that switches without a reload reads and writes it too.
    answer.set_cookie(THEME_COOKIE, theme, max_age=_A_YEAR, secure=is_secure(request), samesite="lax")
    return answer


ROUTES: list[BaseRouteHandler] = [login_page, login, logout, setup_page, set_up, choose_theme]


class _Visitor(TypedDict):
    """Whose browser it is, for the list of sessions."""

    address: str | None
    user_agent: str | None


def _visitor(request: Request[Any, Any, Any]) -> _Visitor:
    return {"address": client_address(request), "user_agent": request.headers.get("user-agent")}


def _entered(request: Request[Any, Any, Any], token: SessionToken, path: str) -> Redirect:
    return Redirect(path, status_code=303, cookies=[session_cookie(token, secure=is_secure(request))])


async def _login_form(
    request: Request[Any, Any, Any], database: Database, form: Form, *, status_code: int = 200
) -> Template:
    async with database.read() as session:
        tenants = await TenantService(session).list(limit=2)
    return bare_page(
        request,
        "accounts/login.html",
        title="Log in",
        status_code=status_code,
        form=form,
        next=_local(form.text("next")),
        tenant_name=tenants[0].name if len(tenants) == 1 else None,
    )


def _local(path: str) -> str:
    """The path when it is one of ours: a login must not lead to another host."""
    is_local = path.startswith("/") and not path.startswith(("//", "/\\")) and not any(c < " " for c in path)
    return path if is_local else "/"
