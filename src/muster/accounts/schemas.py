"""A user as others see it: never the password hash."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from muster.accounts.models import User


class UserView(msgspec.Struct, frozen=True, kw_only=True):
    """One user. `id` is `user_id`."""

    id: UUID
    user_id: UUID
    email: str
    role: str
    is_active: bool
    created_at: datetime


def view(user: User) -> UserView:
    """The user as others see it."""
    return UserView(
        id=user.user_id,
        user_id=user.user_id,
        email=user.email,
        role=user.role,
        is_active=user.is_active,
        created_at=user.created_at,
    )
