"""The first run: a one-time token, printed by the server, guards the making of tenant and administrator."""

from __future__ import annotations

import secrets
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.accounts.models import User
from muster.accounts.permissions import Role
from muster.accounts.repository import SetupRepository
from muster.accounts.service import UserService
from muster.accounts.sessions import hash_of
from muster.audit.service import AuditService
from muster.errors import Conflict, InvalidInput
from muster.tenancy import TenantScope
from muster.tenants.service import TenantService

TOKEN_LIFETIME = timedelta(hours=24)
_PREFIX = "mst_"


class SetupService:
    """The first run of an installation. Needs a session that may look across tenants: there is none yet."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._repository = SetupRepository(session)
        self._tenants = TenantService(session)

    async def is_needed(self) -> bool:
        """Whether nobody can log in yet."""
        return not await self._repository.any_user()

    async def tenant_name(self) -> str | None:
        """The tenant that waits for its first user, where the command line has made just one."""
        waiting = await self._waiting()
        return None if waiting is None else waiting[1]

    async def new_token(self) -> str:
        """Make the token anew; the ones before are no longer good. Conflict when somebody can log in."""
        if not await self.is_needed():
            raise Conflict(
                "Muster is set up: there are users already.",
                remedy="Make another one with: muster user create EMAIL --role admin",
                code="already_set_up",
            )
        token = _PREFIX + "-".join(secrets.token_hex(2) for _ in range(6))
        now = clock.now()
        await self._repository.replace(hash_of(token), now, now + TOKEN_LIFETIME)
        return token

    async def complete(
        self, token: str, *, tenant: str, email: str, password: str
    ) -> tuple[User, TenantScope]:
        """Make the tenant and its administrator, and use the token up.

        InvalidInput for a token that is not the last one printed or has ended, and for an unusable name,
        address or password; Conflict when the set-up was done meanwhile.
        """
        if not await self.is_needed():
            raise Conflict("Muster is set up already.", remedy="Log in.", code="already_set_up")
        if not await self._repository.is_good(hash_of(token.strip()), clock.now()):
            raise InvalidInput(
                "This token was already used, has ended, or is not the last one that was printed.",
                remedy="The server prints a new one: muster setup-token",
                code="setup_token",
            )
        waiting = await self._waiting()
        if waiting is None:
            made = await self._tenants.create(tenant)
            waiting = made.tenant_id, made.name
        tenant_id, tenant_name = waiting
        scope = TenantScope(tenant_id, actor=email.strip().lower())
        user = await UserService(self._session, scope).create(email, password=password, role=Role.ADMIN)
        await self._repository.forget()
        await AuditService(self._session, scope).record("tenant.set_up", "tenant", subject=tenant_name)
        return user, scope

    async def _waiting(self) -> tuple[UUID, str] | None:
        tenants = await self._tenants.list(limit=2)
        return (tenants[0].tenant_id, tenants[0].name) if len(tenants) == 1 else None
