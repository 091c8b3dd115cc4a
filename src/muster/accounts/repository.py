"""Questions to the table of users."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from muster.accounts.models import User
from muster.db.repository import TenantRepository


class UserRepository(TenantRepository):
    """Named questions to `users`, within one tenant."""

    async def by_email(self, email: str) -> User | None:
        """The user with this address (in lower case)."""
        query = select(User).where(User.tenant_id == self.scope.tenant_id, User.email == email)
        return (await self.session.scalars(query)).one_or_none()

    async def page(self, *, limit: int | None) -> Sequence[User]:
        """Users by address."""
        query = select(User).where(User.tenant_id == self.scope.tenant_id).order_by(User.email).limit(limit)
        return (await self.session.scalars(query)).all()

    def add(self, user: User) -> None:
        """A new user, written when the transaction is."""
        self.session.add(user)
