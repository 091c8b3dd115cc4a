"""Users: make, list."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Sequence

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.accounts.models import User
from muster.accounts.passwords import hash_password
from muster.accounts.permissions import Role
from muster.accounts.repository import UserRepository
from muster.db.types import new_id
from muster.errors import Conflict, InvalidInput
from muster.tenancy import TenantScope

# RFC 5321, 4.5.3.1: 64 before the @, 254 in a path.
_LOCAL_LIMIT, _ADDRESS_LIMIT = 64, 254


class UserService:
    """The verbs on the users of one tenant."""

    def __init__(self, session: AsyncSession, scope: TenantScope) -> None:
        self.session = session
        self.scope = scope
        self.users = UserRepository(session, scope)

    async def create(self, email: str, *, password: str, role: Role) -> User:
        """Make a user. InvalidInput for an unusable address or password, Conflict for a taken address."""
        address = normalized_email(email)
        taken = Conflict(f"There is a user {address} already.", remedy="See: muster user list")
        if await self.users.by_email(address) is not None:
            raise taken
        user = User(
            tenant_id=self.scope.tenant_id,
            user_id=new_id(),
            email=address,
            name=None,
            password_hash=await asyncio.to_thread(hash_password, password),
            role=role.value,
            is_active=True,
            last_login_at=None,
            created_at=clock.now(),
        )
        try:
            async with self.session.begin_nested():
                self.users.add(user)
        except IntegrityError:
            raise taken from None
        return user

    async def list(self, *, limit: int | None = None) -> Sequence[User]:
        """The users by address."""
        return await self.users.page(limit=limit)


def normalized_email(text: str) -> str:
    """The address as it is kept: trimmed, NFC, lower case. InvalidInput unless it looks like name@host.

    Whether it exists only a message to it can tell, so no more is asked of it.
    """
    address = unicodedata.normalize("NFC", text.strip()).lower()
    local, at, host = address.rpartition("@")
    odd = any(letter.isspace() or unicodedata.category(letter).startswith("C") for letter in address)
    labels = host.split(".")
    if (
        odd
        or not at
        or not local
        or "@" in local
        or len(local) > _LOCAL_LIMIT
        or len(address) > _ADDRESS_LIMIT
        or not all(labels)
    ):
        raise InvalidInput("That is not an e-mail address.", remedy="It looks like name@example.com.")
    return address
