"""The base of every repository: none can be built without a TenantScope."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from muster.db.row_security import bind
from muster.tenancy import TenantScope


class TenantRepository:
    """Named questions to one room's tables, always within one tenant."""

    def __init__(self, session: AsyncSession, scope: TenantScope) -> None:
        bind(session, scope.tenant_id)
        self.session = session
        self.scope = scope
