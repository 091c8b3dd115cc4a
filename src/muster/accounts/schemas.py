"""Users as others see them, never the password hash, and what the API takes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from muster.accounts.models import User
from muster.accounts.passwords import LONGEST, SHORTEST
from muster.accounts.permissions import Permission, Role
from muster.naming import NAME_LIMIT


class UserView(msgspec.Struct, frozen=True, kw_only=True):
    """One user. `id` is `user_id`."""

    id: UUID
    user_id: UUID
    email: str
    name: str | None
    role: Role
    is_active: bool
    last_login_at: datetime | None
    created_at: datetime


def view(user: User) -> UserView:
    """The user as others see it."""
    return UserView(
        id=user.user_id,
        user_id=user.user_id,
        email=user.email,
        name=user.name,
        role=Role(user.role),
        is_active=user.is_active,
        last_login_at=user.last_login_at,
        created_at=user.created_at,
    )


class UserList(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the users; `total` counts all of them."""

    items: list[UserView]
    total: int


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, in which tenant, and what they may do."""

    user: UserView
    tenant: str
    permissions: list[Permission]


Email = Annotated[str, Meta(min_length=3, max_length=254, description="What the user logs in with.")]
Password = Annotated[str, Meta(min_length=SHORTEST, max_length=LONGEST)]
PersonName = Annotated[str, Meta(max_length=NAME_LIMIT)]


class NewUser(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A user to be made."""

    email: Email
    password: Password
    role: Role = Role.VIEWER
    name: PersonName | None = None


class UserChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change about a user; what is left out stays. `password` ends all their sessions."""

    name: PersonName | UnsetType | None = UNSET
    role: Role | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    password: Password | UnsetType = UNSET
