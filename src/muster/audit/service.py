"""The record: write an entry in the transaction of what it tells of, and read entries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.audit.models import AuditEntry
from muster.audit.repository import AuditRepository
from muster.audit.schemas import AuditView
from muster.db import bulk
from muster.db.types import new_id, table_of
from muster.tenancy import TenantScope

_ENTRIES = table_of(AuditEntry)
# Who acts when no user does: the person at the server's own command line.
COMMAND_LINE = "command line"


class AuditService:
    """What people did in one tenant. The scope's actor is who did it."""

    def __init__(self, session: AsyncSession, scope: TenantScope) -> None:
        self._session = session
        self._scope = scope
        self._repository = AuditRepository(session, scope)

    async def record(
        self,
        action: str,
        subject_type: str,
        *,
        subject: str | None = None,
        subject_id: UUID | str | None = None,
        **detail: Any,
    ) -> None:
        """Write an entry. `action` is `<room's thing>.<what was done>`; `detail` must be JSON-ready."""
        row = {
            "entry_id": new_id(),
            "at": clock.now(),
            "actor": self._scope.actor or COMMAND_LINE,
            "action": action,
            "subject_type": subject_type,
            "subject_id": None if subject_id is None else str(subject_id),
            "subject": subject,
            "detail": detail,
        }
        await bulk.insert(self._session, self._scope, _ENTRIES, [row])

    async def list(
        self, *, actor: str | None = None, action: str | None = None, limit: int, offset: int = 0
    ) -> Sequence[AuditView]:
        """Entries, newest first."""
        rows = await self._repository.page(actor=actor, action=action, limit=limit, offset=offset)
        return [
            AuditView(**{name: getattr(row, name) for name in AuditView.__struct_fields__}) for row in rows
        ]

    async def count(self, *, actor: str | None = None, action: str | None = None) -> int:
        """How many entries match."""
        return await self._repository.count(actor=actor, action=action)

    async def has(self, action: str, *, subject_id: UUID | str, since: datetime) -> bool:
        """Whether this was done to the subject since then."""
        return await self._repository.has(action, str(subject_id), since)

    async def actions(self) -> Sequence[str]:
        """Every action that the record holds."""
        return await self._repository.actions()

    async def actors(self) -> Sequence[str]:
        """Everybody who ever did something."""
        return await self._repository.actors()
