"""Logging in: before it the tenant is not known, so it looks across all of them."""

from __future__ import annotations

import asyncio

from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.accounts.models import User
from muster.accounts.passwords import burn, is_password
from muster.accounts.repository import LoginRepository
from muster.errors import InvalidInput

_ADDRESS_LIMIT, _PASSWORD_LIMIT = 254, 1024


class LoginService:
    """Finds the user behind an address and a password. Needs a session across tenants."""

    def __init__(self, session: AsyncSession) -> None:
        self._repository = LoginRepository(session)

    async def verify(self, email: str, password: str) -> User:
        """The user; where one address is known in several tenants, the one whose password it is.

        InvalidInput, the same one, for an unknown address, a wrong password and a user that was switched
        off. It takes as long for an unknown address as for a known one.
        """
        address = email.strip().lower()
        known = []
        if len(address) <= _ADDRESS_LIMIT and len(password) <= _PASSWORD_LIMIT:
            known = list(await self._repository.by_email(address))
            if not known:
                await asyncio.to_thread(burn, password)
        for user in known:
            if await asyncio.to_thread(is_password, password, user.password_hash):
                user.last_login_at = clock.now()
                return user
        raise InvalidInput(
            "The address or the password is wrong.",
            remedy="An administrator can set a new password: muster user password EMAIL",
            code="login_refused",
        )
