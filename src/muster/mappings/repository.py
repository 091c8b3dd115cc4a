"""Questions to the mapping tables."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select

from muster.db.repository import TenantRepository
from muster.db.turns import rows
from muster.db.types import table_of
from muster.mappings.models import ExternalEntityMapping, OrganizationMapping
from muster.mappings.schemas import EntityState, EntityView, MappingCounts, MappingView

DEVICE = "device"

_organizations = table_of(OrganizationMapping)
_entities = table_of(ExternalEntityMapping)


class MappingRepository(TenantRepository):
    """Organization mappings and external entity mappings of one tenant."""

    async def organizations(self, integration_id: UUID, *, for_update: bool = False) -> list[MappingView]:
        """Every organization ever listed, by name. `for_update` keeps others from changing them meanwhile."""
        statement = self._views(_organizations.c.integration_id == integration_id).order_by(
            func.lower(_organizations.c.external_organization_name),
            _organizations.c.external_organization_id,
        )
        if for_update:
            statement = statement.with_for_update()
        return [MappingView(**row) for row in (await self.session.execute(statement)).mappings()]

    async def organization(self, integration_id: UUID, external_organization_id: str) -> MappingView | None:
        """One organization."""
        statement = self._views(
            _organizations.c.integration_id == integration_id,
            _organizations.c.external_organization_id == external_organization_id,
        )
        row = (await self.session.execute(statement)).mappings().one_or_none()
        return None if row is None else MappingView(**row)

    async def organizations_of(self, client_id: UUID) -> list[MappingView]:
        """The organizations that stand for a client, of all integrations, by name."""
        statement = self._views(_organizations.c.client_id == client_id).order_by(
            func.lower(_organizations.c.external_organization_name)
        )
        return [MappingView(**row) for row in (await self.session.execute(statement)).mappings()]

    async def count_by_client(self, client_ids: Collection[UUID] | None) -> dict[UUID, int]:
        """How many organizations stand for each of these clients; None: for each that has any."""
        columns = _organizations.c
        statement = (
            select(columns.client_id, func.count())
            .where(columns.tenant_id == self.scope.tenant_id, columns.client_id.is_not(None))
            .group_by(columns.client_id)
        )
        if client_ids is not None:
            statement = statement.where(columns.client_id.in_(client_ids))
        return {row[0]: row[1] for row in await self.session.execute(statement)}

    async def unmapped(self) -> list[tuple[UUID, int, int]]:
        """(integration, organizations, devices) that are listed and stand for no client."""
        columns = _organizations.c
        statement = (
            select(columns.integration_id, func.count(), func.coalesce(func.sum(columns.device_count), 0))
            .where(
                columns.tenant_id == self.scope.tenant_id,
                columns.client_id.is_(None),
                columns.missing_since.is_(None),
            )
            .group_by(columns.integration_id)
        )
        return [(row[0], row[1], row[2]) for row in await self.session.execute(statement)]

    def _views(self, *conditions: ColumnElement[bool]) -> Select[Any]:
        return select(*(_organizations.c[field] for field in MappingView.__struct_fields__)).where(
            _organizations.c.tenant_id == self.scope.tenant_id, *conditions
        )

    async def counts(self, integration_id: UUID) -> MappingCounts:
        """How many organizations, and how many with a client."""
        statement = select(func.count(), func.count(_organizations.c.client_id)).where(
            _organizations.c.tenant_id == self.scope.tenant_id,
            _organizations.c.integration_id == integration_id,
        )
        organizations, mapped = (await self.session.execute(statement)).one()
        return MappingCounts(organizations=organizations, mapped_organizations=mapped)

    async def entity_states(
        self, integration_id: UUID, external_ids: Sequence[str] | None = None
    ) -> list[EntityState]:
        """Devices already known, all of them or those named."""
        columns = _entities.c
        statement = select(
            columns.asset_id,
            columns.external_entity_id,
            columns.external_realm_id,
            columns.external_pk,
            columns.metadata,
            columns.light_hash,
            columns.detail_hash,
            columns.detail_read_at,
            columns.missing_since,
        ).where(
            columns.tenant_id == self.scope.tenant_id,
            columns.integration_id == integration_id,
            columns.entity_type == DEVICE,
        )
        if external_ids is not None:
            statement = statement.where(columns.external_entity_id.in_(external_ids))
        return [
            EntityState(
                asset_id=row[0],
                external_entity_id=row[1],
                external_realm_id=row[2],
                external_pk=row[3],
                site_id=row[4].get("site_id"),
                site_name=row[4].get("site_name"),
                light_hash=row[5],
                detail_hash=row[6],
                detail_read_at=row[7],
                missing_since=row[8],
            )
            async for row in rows(self.session, statement)
        ]

    async def entities_of_assets(self, asset_ids: Sequence[UUID]) -> dict[UUID, EntityView]:
        """The device mapping of each of the given assets that has one."""
        columns = _entities.c
        statement = select(
            columns.asset_id,
            columns.integration_id,
            columns.external_entity_id,
            columns.external_realm_id,
            columns.external_pk,
            columns.metadata,
            columns.missing_since,
        ).where(columns.tenant_id == self.scope.tenant_id, columns.asset_id.in_(asset_ids))
        return {
            row[0]: EntityView(
                integration_id=row[1],
                external_entity_id=row[2],
                external_realm_id=row[3],
                external_pk=row[4],
                metadata=row[5],
                missing_since=row[6],
            )
            for row in await self.session.execute(statement)
        }
