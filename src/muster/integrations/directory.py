"""Many integrations at once, for background work: how those of all tenants stand, and views by id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from muster.integrations.repository import DirectoryRepository, IntegrationRepository
from muster.integrations.schemas import IntegrationView, view_of
from muster.tenancy import TenantScope

# Far more than a tenant has.
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Standing:
    """Whose integration it is, and whether it is `connected` (a check passed and it was not disconnected
    since) and `healthy` (connected, and nothing is known to be wrong).
    """

    scope: TenantScope
    integration_id: UUID
    provider: str
    connected: bool
    healthy: bool


class IntegrationDirectory:
    """Needs a session that may read across tenants."""

    def __init__(self, session: AsyncSession) -> None:
        self._repository = DirectoryRepository(session)

    async def changed(self, since: datetime | None) -> Sequence[Standing]:
        """How the integrations stand that changed at or after a moment; None: all there are."""
        return [
            Standing(
                TenantScope(row["tenant_id"]),
                row["integration_id"],
                row["provider"],
                connected=row["is_active"],
                healthy=row["is_active"] and row["sync_error"] is None,
            )
            for row in await self._repository.changed(since)
        ]


async def views(
    session: AsyncSession, scope: TenantScope, integration_ids: Sequence[UUID]
) -> Mapping[UUID, IntegrationView]:
    """Those of the tenant's integrations that exist, by id."""
    repository = IntegrationRepository(session, scope)
    rows = await repository.by_ids(integration_ids)
    credentials = await repository.credentials([row.integration_id for row in rows])
    return {row.integration_id: view_of(row, credentials[row.integration_id]) for row in rows}


async def ids_of_provider(session: AsyncSession, scope: TenantScope, provider: str) -> Sequence[UUID]:
    """The tenant's integrations with servers of one provider."""
    listed = await IntegrationRepository(session, scope).listed(limit=_MOST)
    return [integration.integration_id for integration in listed if integration.provider == provider]
