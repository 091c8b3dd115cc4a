"""Users for programs, as JSON under /api/v1."""

from __future__ import annotations

from uuid import UUID

from litestar import get, patch, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, JSONBody
from msgspec import UNSET

from muster.accounts.auth import OWN, needs
from muster.accounts.permissions import Permission
from muster.accounts.schemas import Me, NewUser, UserChange, UserList, UserView, view
from muster.accounts.service import UserService
from muster.accounts.types import Actor
from muster.db import Database
from muster.web.paging import Limit, Offset


@get("/me", guards=[OWN], operation_id="getMe", tags=["Users"])
async def me(actor: NamedDependency[Actor], database: NamedDependency[Database]) -> Me:
    """Who you are logged in as, and what you may do."""
    async with database.read(actor.scope) as session:
        user = await UserService(session, actor.scope).get(actor.user_id)
    permissions = [permission for permission in Permission if actor.may(permission)]
    return Me(user=view(user), tenant=actor.tenant_name, permissions=permissions)


@get("/users", guards=[needs(Permission.USER_MANAGE)], operation_id="listUsers", tags=["Users"])
async def user_list(
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    limit: Limit = 100,
    offset: Offset = 0,
) -> UserList:
    """The users of the tenant, by e-mail address."""
    async with database.read(actor.scope) as session:
        users = UserService(session, actor.scope)
        items = [view(user) for user in await users.list(limit=limit, offset=offset)]
        return UserList(items=items, total=await users.count())


@post("/users", guards=[needs(Permission.USER_MANAGE)], operation_id="createUser", tags=["Users"])
async def user_create(
    data: JSONBody[NewUser], actor: NamedDependency[Actor], database: NamedDependency[Database]
) -> UserView:
    """Add a user. 409 when the address is taken."""
    async with database.write(actor.scope) as session:
        user = await UserService(session, actor.scope).create(
            data.email, password=data.password, role=data.role, name=data.name
        )
    return view(user)


@get("/users/{user_id:uuid}", guards=[needs(Permission.USER_MANAGE)], operation_id="getUser", tags=["Users"])
async def user_get(
    user_id: FromPath[UUID], actor: NamedDependency[Actor], database: NamedDependency[Database]
) -> UserView:
    """One user."""
    async with database.read(actor.scope) as session:
        return view(await UserService(session, actor.scope).get(user_id))


@patch(
    "/users/{user_id:uuid}", guards=[needs(Permission.USER_MANAGE)], operation_id="updateUser", tags=["Users"]
)
async def user_update(
    user_id: FromPath[UUID],
    data: JSONBody[UserChange],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
) -> UserView:
    """Change what is given. 409 when nobody would be left who may manage users."""
    async with database.write(actor.scope) as session:
        users = UserService(session, actor.scope)
        user = await users.update(user_id, name=data.name, role=data.role, is_active=data.is_active)
        if data.password is not UNSET:
            user = await users.set_password(user_id, data.password)
    return view(user)


ROUTES: list[BaseRouteHandler] = [me, user_list, user_create, user_get, user_update]
