"""Logins that are still good: open, find by the browser's token, list, revoke.

The token is `<tenant id>.<session id>.<secret>`, so that a session is found within its tenant; only the
secret's hash is stored. A session ends 14 days after it was last seen.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.accounts.models import User, UserSession
from muster.accounts.repository import SessionRepository
from muster.audit.service import AuditService
from muster.db import bulk
from muster.db.types import new_id, table_of
from muster.errors import NotFound
from muster.naming import as_id
from muster.tenancy import TenantScope

LIFETIME = timedelta(days=14)
# A request that only reads should not write each time: the time of last sight may be this old.
SEEN_STEP = timedelta(minutes=5)
_SESSIONS = table_of(UserSession)
_SECRET_BYTES = 32
_AGENT_LIMIT = 300


@dataclass(frozen=True, slots=True)
class SessionToken:
    """The browser's token, taken apart."""

    tenant_id: UUID
    session_id: UUID
    secret: str

    def __str__(self) -> str:
        return f"{self.tenant_id}.{self.session_id}.{self.secret}"

    def __repr__(self) -> str:
        return f"SessionToken(session_id={self.session_id})"

    @classmethod
    def parse(cls, text: str) -> SessionToken | None:
        """The token in a cookie; None for anything else."""
        parts = text.split(".")
        if len(parts) != 3:
            return None
        tenant_id, session_id = as_id(parts[0]), as_id(parts[1])
        if tenant_id is None or session_id is None or not parts[2]:
            return None
        return cls(tenant_id, session_id, parts[2])


def hash_of(secret: str) -> bytes:
    """What is stored of a random secret: SHA-256, for there is nothing to guess."""
    return hashlib.sha256(secret.encode()).digest()


class SessionService:
    """The sessions of one tenant's users."""

    def __init__(self, session: AsyncSession, scope: TenantScope) -> None:
        self._session = session
        self._scope = scope
        self._repository = SessionRepository(session, scope)
        self._audit = AuditService(session, scope)

    async def open(self, user: User, *, address: str | None, user_agent: str | None) -> SessionToken:
        """Begin a session; sessions of the user that have ended are cleared away."""
        now = clock.now()
        token = SessionToken(self._scope.tenant_id, new_id(), secrets.token_urlsafe(_SECRET_BYTES))
        ended = await self._repository.expired_of(user.user_id, now)
        await bulk.delete(
            self._session, self._scope, _SESSIONS, [{"session_id": row} for row in ended], key=("session_id",)
        )
        row = {
            "session_id": token.session_id,
            "user_id": user.user_id,
            "token_hash": hash_of(token.secret),
            "created_at": now,
            "last_seen_at": now,
            "expires_at": now + LIFETIME,
            "address": address,
            "user_agent": user_agent[:_AGENT_LIMIT] if user_agent else None,
        }
        await bulk.insert(self._session, self._scope, _SESSIONS, [row])
        return token

    async def find(self, token: SessionToken) -> tuple[UserSession, User] | None:
        """The living session of a token and its active user; None for anything that is not one."""
        found = await self._repository.with_user(token.session_id)
        if found is None:
            return None
        session, user = found
        known = hmac.compare_digest(session.token_hash, hash_of(token.secret))
        return found if known and user.is_active and session.expires_at > clock.now() else None

    async def seen(self, session_id: UUID) -> None:
        """The session was used: it lives on."""
        now = clock.now()
        values = {"last_seen_at": now, "expires_at": now + LIFETIME}
        await bulk.update_where(
            self._session, self._scope, _SESSIONS, values, where={"session_id": session_id}
        )

    async def of_user(self, user_id: UUID) -> Sequence[UserSession]:
        """The user's living sessions, last seen first."""
        return await self._repository.of_user(user_id, clock.now())

    async def revoke(self, user_id: UUID, session_id: UUID) -> None:
        """End one of the user's sessions; NotFound when it is not theirs or has ended."""
        living = {row.session_id: row for row in await self.of_user(user_id)}
        if session_id not in living:
            raise NotFound(
                "That session has ended already.", remedy="Reload the page to see those that live."
            )
        await self._delete([session_id])
        await self._record("session.revoked", user_id, address=living[session_id].address)

    async def revoke_others(self, user_id: UUID, *, keep: UUID) -> int:
        """End the user's sessions but the one they are in; gives their number."""
        ended = await self.revoke_all(user_id, but=keep)
        if ended:
            await self._record("session.others_revoked", user_id, sessions_ended=ended)
        return ended

    async def log_out(self, user_id: UUID, session_id: UUID) -> None:
        """End the session that the user is in."""
        await self._delete([session_id])
        await self._record("login.ended", user_id)

    async def revoke_all(self, user_id: UUID, *, but: UUID | None = None) -> int:
        """End the user's sessions, all `but` one; gives their number. The caller records why."""
        ended = [row.session_id for row in await self.of_user(user_id) if row.session_id != but]
        await self._delete(ended)
        return len(ended)

    async def _record(self, action: str, user_id: UUID, **detail: str | int | None) -> None:
        await self._audit.record(action, "user", subject=self._scope.actor, subject_id=user_id, **detail)

    async def _delete(self, session_ids: Sequence[UUID]) -> None:
        rows = [{"session_id": session_id} for session_id in session_ids]
        await bulk.delete(self._session, self._scope, _SESSIONS, rows, key=("session_id",))
