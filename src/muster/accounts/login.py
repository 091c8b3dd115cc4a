"""Logging in: before it the tenant is not known, so it looks across all of them.

It holds the database and not a session: comparing a password takes tens of milliseconds, in which no
transaction should keep others from writing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import structlog

from muster import clock
from muster.accounts.models import User
from muster.accounts.passwords import LONGEST, burn, is_password
from muster.accounts.repository import LoginRepository, UserRepository
from muster.accounts.sessions import SessionService, SessionToken
from muster.audit.service import AuditService
from muster.db import Database
from muster.errors import InvalidInput
from muster.tenancy import TenantScope

log = structlog.get_logger(__name__)

_ADDRESS_LIMIT = 254
# Guessing goes on for thousands of tries: the log has each, the audit log that it goes on.
_REFUSALS_STEP = timedelta(hours=1)


class LoginService:
    """Turns an address and a password into a session."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def log_in(
        self, email: str, password: str, *, address: str | None, user_agent: str | None
    ) -> SessionToken:
        """Begin a session; where one e-mail address is known in several tenants, in the one whose password
        it is.

        InvalidInput, the same one, for an unknown address, a wrong password and a user that was switched
        off. It takes as long for an unknown address as for a known one.
        """
        known = await self._known(email.strip().lower(), password)
        for user in known:
            if await asyncio.to_thread(is_password, password, user.password_hash):
                token = await self._begin(user, address=address, user_agent=user_agent)
                if token is not None:
                    return token
        await self._refused(known, address)
        raise InvalidInput(
            "The address or the password is wrong.",
            remedy="An administrator can set a new password.",
            code="login_refused",
        )

    async def _known(self, email: str, password: str) -> Sequence[User]:
        if len(email) > _ADDRESS_LIMIT or len(password) > LONGEST:
            return []
        async with self._database.read(system=True) as session:
            known = await LoginRepository(session).by_email(email)
        if not known:
            await asyncio.to_thread(burn, password)
        return known

    async def _begin(self, user: User, *, address: str | None, user_agent: str | None) -> SessionToken | None:
        scope = TenantScope(user.tenant_id, user.email)
        async with self._database.write(scope) as session:
            now = await UserRepository(session, scope).locked(user.user_id)
            # Switched off, or given another password, while the old one was compared.
            if now is None or not now.is_active or now.password_hash != user.password_hash:
                return None
            now.last_login_at = clock.now()
            token = await SessionService(session, scope).open(now, address=address, user_agent=user_agent)
            await AuditService(session, scope).record(
                "login.succeeded", "user", subject=now.email, subject_id=now.user_id, address=address
            )
        return token

    async def _refused(self, known: Sequence[User], address: str | None) -> None:
        # What was typed is not logged unless it is a user's: people type passwords into the wrong field.
        log.warning("login.refused", address=address, user=known[0].email if known else None)
        since = clock.now() - _REFUSALS_STEP
        for user in known:
            scope = TenantScope(user.tenant_id, user.email)
            async with self._database.write(scope) as session:
                audit = AuditService(session, scope)
                if not await audit.has("login.refused", subject_id=user.user_id, since=since):
                    await audit.record(
                        "login.refused", "user", subject=user.email, subject_id=user.user_id, address=address
                    )
