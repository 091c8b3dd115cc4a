"""Users: make, list, change, switch off, and their passwords. What changes is recorded in the audit log."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Sequence
from uuid import UUID

from msgspec import UNSET, UnsetType
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.accounts.models import User
from muster.accounts.passwords import hash_password, is_password
from muster.accounts.permissions import Role
from muster.accounts.repository import UserRepository
from muster.accounts.sessions import SessionService
from muster.audit.service import AuditService
from muster.db.types import new_id
from muster.errors import Conflict, InvalidInput, NotFound
from muster.naming import as_id, clean_name
from muster.tenancy import TenantScope

# RFC 5321, 4.5.3.1: 64 before the @, 254 in a path.
_LOCAL_LIMIT, _ADDRESS_LIMIT = 64, 254


class UserService:
    """The verbs on the users of one tenant. The scope's actor is who does it."""

    def __init__(self, session: AsyncSession, scope: TenantScope) -> None:
        self.session = session
        self.scope = scope
        self.users = UserRepository(session, scope)
        self._sessions = SessionService(session, scope)
        self._audit = AuditService(session, scope)

    async def create(self, email: str, *, password: str, role: Role, name: str | None = None) -> User:
        """Make a user. InvalidInput for an unusable address, name or password, Conflict for an address that
        is taken.
        """
        address = normalized_email(email)
        called = _person_name(name)
        password_hash = await asyncio.to_thread(hash_password, password)
        taken = Conflict(f"There is a user {address} already.", remedy="See: muster user list", code="taken")
        if await self.users.by_email(address) is not None:
            raise taken
        user = User(
            tenant_id=self.scope.tenant_id,
            user_id=new_id(),
            email=address,
            name=called,
            password_hash=password_hash,
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
        await self._record("user.created", user, role=role.value)
        return user

    async def get(self, user_id: UUID) -> User:
        """One user; NotFound when this tenant has none with that id."""
        return _found(await self.users.by_id(user_id))

    async def find(self, reference: str) -> User:
        """The user with this address or id."""
        user_id = as_id(reference)
        if user_id is not None:
            return await self.get(user_id)
        return _found(await self.users.by_email(reference.strip().lower()))

    async def list(self, *, limit: int | None = None, offset: int = 0) -> Sequence[User]:
        """The users by address."""
        return await self.users.page(limit=limit, offset=offset)

    async def count(self) -> int:
        """How many users the tenant has."""
        return await self.users.count()

    async def update(
        self,
        user_id: UUID,
        *,
        name: str | UnsetType | None = UNSET,
        role: Role | UnsetType = UNSET,
        is_active: bool | UnsetType = UNSET,
    ) -> User:
        """Change what is given. Who is switched off is logged out everywhere.

        Conflict when nobody would be left who may manage users, or when people switch off themselves.
        """
        called = UNSET if name is UNSET else _person_name(name)
        loses = is_active is False or (role is not UNSET and role is not Role.ADMIN)
        # Before the user's own row: two who demote each other would each hold one and wait for the other's.
        administrators = await self.users.locked_administrators(Role.ADMIN) if loses else ()
        user = _found(await self.users.locked(user_id))
        if is_active is False and user.email == self.scope.actor:
            raise Conflict(
                "You cannot deactivate yourself.",
                remedy="Ask another administrator to do it.",
                code="own_account",
            )
        if list(administrators) == [user.user_id]:
            raise _last_administrator(user)
        if called is not UNSET and called != user.name:
            await self._record("user.renamed", user, old=user.name, new=called)
            user.name = called
        if role is not UNSET and role != user.role:
            await self._record("user.role_changed", user, old=user.role, new=role.value)
            user.role = role.value
        if is_active is not UNSET and is_active != user.is_active:
            await self._switch(user, is_active)
        return user

    async def set_password(self, user_id: UUID, password: str) -> User:
        """Give a user another password, whatever the old one was; all their sessions end."""
        password_hash = await asyncio.to_thread(hash_password, password)
        user = _found(await self.users.locked(user_id))
        await self._change_password(user, password_hash)
        await self._record("user.password_set", user)
        return user

    async def change_password(self, user_id: UUID, current: str, new: str, *, keep: UUID) -> int:
        """Change one's own password; gives the number of other sessions that ended. `keep` is this one.

        InvalidInput when the current one is wrong, or the new one is the same or cannot be used.
        """
        user = _found(await self.users.locked(user_id))
        if not await asyncio.to_thread(is_password, current, user.password_hash):
            raise InvalidInput(
                "That is not your current password.", remedy="Type it again.", code="current_password"
            )
        if new == current:
            raise InvalidInput(
                "That is the password you have.", remedy="Choose another one.", code="same_password"
            )
        ended = await self._change_password(user, await asyncio.to_thread(hash_password, new), keep=keep)
        await self._record("user.password_changed", user, sessions_ended=ended)
        return ended

    async def _change_password(self, user: User, password_hash: str, *, keep: UUID | None = None) -> int:
        user.password_hash = password_hash
        await self.session.flush()
        return await self._sessions.revoke_all(user.user_id, but=keep)

    async def _switch(self, user: User, is_active: bool) -> None:
        user.is_active = is_active
        await self.session.flush()
        if is_active:
            await self._record("user.reactivated", user)
            return
        ended = await self._sessions.revoke_all(user.user_id)
        await self._record("user.deactivated", user, sessions_ended=ended)

    async def _record(self, action: str, user: User, **detail: str | int | None) -> None:
        await self._audit.record(action, "user", subject=user.email, subject_id=user.user_id, **detail)


def _last_administrator(user: User) -> Conflict:
    return Conflict(
        f"{user.email} is the last active administrator: nobody could manage users any more.",
        remedy="Make somebody else an administrator first.",
        code="last_administrator",
    )


def _found(user: User | None) -> User:
    if user is None:
        raise NotFound("There is no such user.", remedy="Look under Settings, Users, or: muster user list")
    return user


def _person_name(name: str | None) -> str | None:
    """The name as it is kept; None for nothing typed."""
    return clean_name(name, what="the user") if name and name.strip() else None


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
        raise InvalidInput(
            "That is not an e-mail address.", remedy="It looks like name@example.com.", code="email"
        )
    return address
