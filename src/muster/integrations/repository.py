"""Questions to the tables of integrations and their credentials."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, RowMapping, and_, case, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from muster.db.repository import TenantRepository
from muster.integrations.models import Credential, Integration


class IntegrationRepository(TenantRepository):
    """Integrations and credentials of one tenant. What it gives is read only; writing goes through bulk."""

    async def by_id(self, integration_id: UUID, *, for_update: bool = False) -> Integration | None:
        """The integration with this id. `for_update` keeps others from changing it meanwhile."""
        return await self._one(Integration.integration_id == integration_id, for_update=for_update)

    async def by_name_key(self, name_key: str, *, for_update: bool = False) -> Integration | None:
        """The integration with this folded name."""
        return await self._one(Integration.name_key == name_key, for_update=for_update)

    async def _one(self, condition: ColumnElement[bool], *, for_update: bool) -> Integration | None:
        statement = select(Integration).where(Integration.tenant_id == self.scope.tenant_id, condition)
        if for_update:
            statement = statement.with_for_update()
        # Without populate_existing a second read in one session would give the row as first seen.
        found = await self.session.scalars(statement, execution_options={"populate_existing": True})
        return found.one_or_none()

    async def listed(self, limit: int, offset: int = 0) -> Sequence[Integration]:
        """Integrations by name, after the first `offset`."""
        statement = (
            select(Integration)
            .where(Integration.tenant_id == self.scope.tenant_id)
            .order_by(Integration.name_key)
            .limit(limit)
            .offset(offset)
        )
        return (await self.session.scalars(statement, execution_options={"populate_existing": True})).all()

    async def total(self) -> int:
        """Number of integrations."""
        statement = select(func.count()).where(Integration.tenant_id == self.scope.tenant_id)
        return (await self.session.execute(statement)).scalar_one()

    async def by_ids(self, integration_ids: Sequence[UUID]) -> Sequence[Integration]:
        """The integrations with these ids."""
        statement = select(Integration).where(
            Integration.tenant_id == self.scope.tenant_id, Integration.integration_id.in_(integration_ids)
        )
        return (await self.session.scalars(statement, execution_options={"populate_existing": True})).all()

    async def active(self) -> Sequence[Integration]:
        """All active integrations."""
        statement = select(Integration).where(
            Integration.tenant_id == self.scope.tenant_id, Integration.is_active
        )
        return (await self.session.scalars(statement, execution_options={"populate_existing": True})).all()

    async def doors(
        self, provider: str, integration_id: UUID | None, names: Collection[str]
    ) -> Sequence[RowMapping]:
        """The tenant's integrations of a provider (or the one of this id), a row for each credential, sealed
        ones of these names in it; one statement, for it is asked at each webhook.
        """
        statement = (
            select(
                Integration.integration_id,
                Integration.is_active,
                Integration.connected_at,
                Credential.name,
                case((Credential.name.in_(names), Credential.sealed), else_=None).label("sealed"),
            )
            .outerjoin(
                Credential,
                and_(
                    Credential.tenant_id == Integration.tenant_id,
                    Credential.integration_id == Integration.integration_id,
                ),
            )
            .where(Integration.tenant_id == self.scope.tenant_id, Integration.provider == provider)
            .order_by(Integration.integration_id)
        )
        if integration_id is not None:
            statement = statement.where(Integration.integration_id == integration_id)
        return (await self.session.execute(statement)).mappings().all()

    async def credentials(self, integration_ids: Sequence[UUID]) -> dict[UUID, list[Credential]]:
        """The credentials of each of the given integrations, by name."""
        statement = (
            select(Credential)
            .where(
                Credential.tenant_id == self.scope.tenant_id,
                Credential.integration_id.in_(integration_ids),
            )
            .order_by(Credential.name)
        )
        found: dict[UUID, list[Credential]] = {integration_id: [] for integration_id in integration_ids}
        rows = await self.session.scalars(statement, execution_options={"populate_existing": True})
        for credential in rows:
            found[credential.integration_id].append(credential)
        return found


class DirectoryRepository:
    """What background work asks about integrations of all tenants."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def changed(self, since: datetime | None) -> Sequence[RowMapping]:
        """Whose integrations changed at or after a moment (None: all), and how each stands."""
        statement = select(
            Integration.tenant_id,
            Integration.integration_id,
            Integration.provider,
            Integration.is_active,
            Integration.sync_error,
        )
        if since is not None:
            statement = statement.where(Integration.updated_at >= since)
        return (await self.session.execute(statement)).mappings().all()
