"""Who is asking: the session cookie becomes an Actor, and guards say what an Actor needs.

A page asked for without a login leads to the login and back; an API call or a part of a page is answered 401.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar.connection import ASGIConnection, Request
from litestar.datastructures import Cookie
from litestar.exceptions import NotAuthorizedException
from litestar.handlers import BaseRouteHandler
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.types import ASGIApp

from muster import clock
from muster.accounts.models import User
from muster.accounts.permissions import PERMISSION_NAMES, Permission, Role
from muster.accounts.sessions import SEEN_STEP, SessionService, SessionToken
from muster.accounts.types import Actor
from muster.db import Database
from muster.errors import PermissionRefused
from muster.tenancy import TenantScope
from muster.tenants.service import TenantService

COOKIE = "muster_session"
# The server decides when a session ends; the browser keeps its cookie for as long as browsers do (400 days).
_KEPT_SECONDS = 400 * 86_400

Connection = ASGIConnection[Any, Any, Any, Any]


class SessionAuthentication(AbstractAuthenticationMiddleware):
    """Finds the session of a request; NotAuthorizedException where there is none."""

    def __init__(self, app: ASGIApp, database: Database) -> None:
        super().__init__(app)
        self._database = database

    async def authenticate_request(self, connection: Connection) -> AuthenticationResult:
        """The Actor behind the session cookie."""
        actor = await current_actor(connection, self._database)
        if actor is None:
            raise NotAuthorizedException("Log in first.")
        return AuthenticationResult(user=actor, auth=actor.session_id)


async def current_actor(connection: Connection, database: Database) -> Actor | None:
    """The Actor behind the request's session cookie, for routes that need none too."""
    token = SessionToken.parse(connection.cookies.get(COOKIE, ""))
    if token is None:
        return None
    scope = TenantScope(token.tenant_id)
    async with database.read(scope) as session:
        found = await SessionService(session, scope).find(token)
        tenant_name = await TenantService(session).name(token.tenant_id) if found is not None else None
    if found is None or tenant_name is None:
        return None
    login, user = found
    if clock.now() - login.last_seen_at > SEEN_STEP:
        async with database.write(scope) as session:
            await SessionService(session, scope).seen(login.session_id)
    return actor_of(user, tenant_name, login.session_id)


def actor_of(user: User, tenant_name: str, session_id: UUID) -> Actor:
    """The Actor that a user is in one session."""
    return Actor(
        scope=TenantScope(user.tenant_id, actor=user.email),
        tenant_name=tenant_name,
        user_id=user.user_id,
        session_id=session_id,
        email=user.email,
        name=user.name,
        role=Role(user.role),
    )


class Guard:
    """What a route needs: PermissionRefused, naming the permission, unless the Actor's role has it.

    Without a permission a login is enough; that stands for what is the person's own.
    """

    def __init__(self, permission: Permission | None) -> None:
        self.permission = permission

    async def __call__(self, connection: Connection, _: BaseRouteHandler) -> None:
        """Let the request pass or refuse it. Asynchronous: the framework runs others in threads."""
        actor: Actor = connection.user
        if self.permission is not None and not actor.may(self.permission):
            raise PermissionRefused(
                f"Your role, {actor.role_name.lower()}, lacks the permission {self.permission}: "
                f"{PERMISSION_NAMES[self.permission][0].lower()}{PERMISSION_NAMES[self.permission][1:]}.",
                remedy="An administrator can change your role under Settings, Users.",
            )


OWN = Guard(None)


def needs(permission: Permission) -> Guard:
    """A guard for routes that take this permission."""
    return Guard(permission)


def provide_actor(request: Request[Actor, Any, Any]) -> Actor:
    """The dependency `actor` of every route that needs a login."""
    return request.user


def session_cookie(token: SessionToken, *, secure: bool) -> Cookie:
    """The cookie that keeps a browser logged in."""
    return Cookie(
        key=COOKIE,
        value=str(token),
        max_age=_KEPT_SECONDS,
        httponly=True,
        secure=secure,
        samesite="lax",
    )
