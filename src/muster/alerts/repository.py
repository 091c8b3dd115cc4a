"""Questions to the alert table."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, select

from muster.alerts.models import Alert
from muster.db.repository import TenantRepository
from muster.db.types import table_of

_alerts = table_of(Alert)


class AlertRepository(TenantRepository):
    """Alerts of one tenant."""

    async def count(self, integration_id: UUID, status: str) -> int:
        """How many alerts of an integration have this status."""
        statement = select(func.count()).where(
            _alerts.c.tenant_id == self.scope.tenant_id,
            _alerts.c.integration_id == integration_id,
            _alerts.c.status == status,
        )
        return int((await self.session.execute(statement)).scalar_one())
