"""Alerts: the verbs."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from muster.alerts.repository import AlertRepository
from muster.tenancy import TenantScope

ACTIVE = "active"


class AlertService:
    """Alerts of one tenant."""

    def __init__(self, session: AsyncSession, scope: TenantScope) -> None:
        self._repository = AlertRepository(session, scope)

    async def count_active(self, integration_id: UUID) -> int:
        """How many of an integration's alerts are active."""
        return await self._repository.count(integration_id, ACTIVE)
