"""Questions to the table of what people did."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from muster.audit.models import AuditEntry
from muster.db.repository import TenantRepository


class AuditRepository(TenantRepository):
    """Named questions to `audit_entries`, within one tenant."""

    async def page(
        self, *, actor: str | None, action: str | None, limit: int, offset: int
    ) -> Sequence[AuditEntry]:
        """Entries, newest first."""
        query = (
            self._matching(select(AuditEntry), actor, action)
            .order_by(AuditEntry.at.desc(), AuditEntry.entry_id.desc())
            .limit(limit)
            .offset(offset)
        )
        return (await self.session.scalars(query)).all()

    async def count(self, *, actor: str | None, action: str | None) -> int:
        """How many entries match."""
        query = self._matching(select(func.count()).select_from(AuditEntry), actor, action)
        return (await self.session.scalar(query)) or 0

    async def actors(self) -> Sequence[str]:
        """Everybody who ever did something, by name."""
        query = (
            select(AuditEntry.actor)
            .where(AuditEntry.tenant_id == self.scope.tenant_id)
            .distinct()
            .order_by(AuditEntry.actor)
        )
        return (await self.session.scalars(query)).all()

    async def actions(self) -> Sequence[str]:
        """Every action there is an entry of."""
        query = (
            select(AuditEntry.action)
            .where(AuditEntry.tenant_id == self.scope.tenant_id)
            .distinct()
            .order_by(AuditEntry.action)
        )
        return (await self.session.scalars(query)).all()

    async def has(self, action: str, subject_id: str, since: datetime) -> bool:
        """Whether there is such an entry since then."""
        query = (
            select(AuditEntry.entry_id)
            .where(
                AuditEntry.tenant_id == self.scope.tenant_id,
                AuditEntry.at >= since,
                AuditEntry.action == action,
                AuditEntry.subject_id == subject_id,
            )
            .limit(1)
        )
        return (await self.session.scalar(query)) is not None

    def _matching(self, query: Any, actor: str | None, action: str | None) -> Any:
        query = query.where(AuditEntry.tenant_id == self.scope.tenant_id)
        if actor is not None:
            query = query.where(AuditEntry.actor == actor)
        if action is not None:
            query = query.where(AuditEntry.action == action)
        return query
