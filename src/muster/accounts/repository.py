"""Questions to the tables of users, their sessions and the token of the first run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from muster.accounts.models import SetupToken, User, UserSession
from muster.db.repository import TenantRepository


class UserRepository(TenantRepository):
    """Named questions to `users`, within one tenant."""

    async def by_email(self, email: str) -> User | None:
        """The user with this address (in lower case)."""
        query = select(User).where(User.tenant_id == self.scope.tenant_id, User.email == email)
        return (await self.session.scalars(query)).one_or_none()

    async def by_id(self, user_id: UUID) -> User | None:
        """One user."""
        return await self.session.get(User, (self.scope.tenant_id, user_id))

    async def locked(self, user_id: UUID) -> User | None:
        """One user as it stands now; on PostgreSQL nobody else changes it before the transaction ends."""
        query = (
            select(User)
            .where(User.tenant_id == self.scope.tenant_id, User.user_id == user_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        return (await self.session.scalars(query)).one_or_none()

    async def locked_administrators(self, role: str) -> Sequence[UUID]:
        """The active users with the role that may do everything, locked: two who take that from each other
        at the same moment must come one after the other.
        """
        query = (
            select(User.user_id)
            .where(User.tenant_id == self.scope.tenant_id, User.role == role, User.is_active.is_(True))
            .order_by(User.user_id)
            .with_for_update()
        )
        return (await self.session.scalars(query)).all()

    async def page(self, *, limit: int | None, offset: int = 0) -> Sequence[User]:
        """Users by address."""
        query = (
            select(User)
            .where(User.tenant_id == self.scope.tenant_id)
            .order_by(User.email)
            .limit(limit)
            .offset(offset)
        )
        return (await self.session.scalars(query)).all()

    async def count(self) -> int:
        """How many users there are."""
        query = select(func.count()).select_from(User).where(User.tenant_id == self.scope.tenant_id)
        return (await self.session.scalar(query)) or 0

    def add(self, user: User) -> None:
        """A new user, written when the transaction is."""
        self.session.add(user)


class SessionRepository(TenantRepository):
    """Named questions to `user_sessions`, within one tenant."""

    async def with_user(self, session_id: UUID) -> tuple[UserSession, User] | None:
        """A session and whose it is."""
        query = (
            select(UserSession, User)
            .join(User, (User.tenant_id == UserSession.tenant_id) & (User.user_id == UserSession.user_id))
            .where(UserSession.tenant_id == self.scope.tenant_id, UserSession.session_id == session_id)
        )
        row = (await self.session.execute(query)).one_or_none()
        return None if row is None else (row[0], row[1])

    async def of_user(self, user_id: UUID, now: datetime) -> Sequence[UserSession]:
        """A user's living sessions, last seen first."""
        query = (
            select(UserSession)
            .where(
                UserSession.tenant_id == self.scope.tenant_id,
                UserSession.user_id == user_id,
                UserSession.expires_at > now,
            )
            .order_by(UserSession.last_seen_at.desc())
        )
        return (await self.session.scalars(query)).all()

    async def expired_of(self, user_id: UUID, now: datetime) -> Sequence[UUID]:
        """A user's sessions that have ended by themselves."""
        query = select(UserSession.session_id).where(
            UserSession.tenant_id == self.scope.tenant_id,
            UserSession.user_id == user_id,
            UserSession.expires_at <= now,
        )
        return (await self.session.scalars(query)).all()


class LoginRepository:
    """What a login asks before it knows the tenant. Needs a session across tenants."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def by_email(self, email: str) -> Sequence[User]:
        """The active users with this address, of all tenants."""
        query = select(User).where(User.email == email, User.is_active.is_(True)).order_by(User.created_at)
        return (await self._session.scalars(query)).all()


class SetupRepository:
    """Named questions to `setup_tokens`, which is global. Needs a session across tenants."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def any_user(self) -> bool:
        """Whether there is a user in any tenant."""
        return (await self._session.scalar(select(User.user_id).limit(1))) is not None

    async def replace(self, token_hash: bytes, created_at: datetime, expires_at: datetime) -> None:
        """Make this the only token."""
        await self.forget()
        self._session.add(SetupToken(token_hash=token_hash, created_at=created_at, expires_at=expires_at))

    async def is_good(self, token_hash: bytes, now: datetime) -> bool:
        """Whether the token is there and has not ended."""
        query = select(SetupToken).where(SetupToken.token_hash == token_hash, SetupToken.expires_at > now)
        return (await self._session.scalars(query)).one_or_none() is not None

    async def forget(self) -> None:
        """Delete every token."""
        for token in await self._session.scalars(select(SetupToken)):
            await self._session.delete(token)
        await self._session.flush()
