"""Questions about devices that are missing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import FromClause, func, select

from muster.db.repository import TenantRepository
from muster.db.types import table_of
from muster.mappings.missing.types import DeviceMapping, Missed
from muster.mappings.models import ExternalEntityMapping, OrganizationMapping
from muster.mappings.repository import DEVICE

_organizations = table_of(OrganizationMapping)
_entities = table_of(ExternalEntityMapping)


def devices() -> FromClause:
    """The table of device mappings, to be joined by the rooms above: a row is a device where its
    `entity_type` is DEVICE.
    """
    return _entities.alias("devices")


class AbsenceRepository(TenantRepository):
    """Named questions to the device mappings of one tenant."""

    async def organization_names(
        self, integration_ids: Collection[UUID], external_ids: Collection[str]
    ) -> dict[tuple[UUID, str], str]:
        """What some organizations are called, by integration and their id there."""
        columns = _organizations.c
        statement = select(
            columns.integration_id, columns.external_organization_id, columns.external_organization_name
        ).where(
            columns.tenant_id == self.scope.tenant_id,
            columns.integration_id.in_(integration_ids),
            columns.external_organization_id.in_(external_ids),
        )
        return {(row[0], row[1]): row[2] for row in await self.session.execute(statement)}

    async def missed(self, integration_id: UUID, external_ids: Sequence[str]) -> dict[str, Missed]:
        """Since when and how often some devices (a few hundred at most) were missed."""
        columns = _entities.c
        statement = select(columns.external_entity_id, columns.missing_since, columns.missed_answers).where(
            columns.tenant_id == self.scope.tenant_id,
            columns.integration_id == integration_id,
            columns.entity_type == DEVICE,
            columns.external_entity_id.in_(external_ids),
        )
        return {row[0]: Missed(row[1], row[2]) for row in await self.session.execute(statement)}

    async def of_asset(self, asset_id: UUID) -> DeviceMapping | None:
        """The device mapping of an asset, or None."""
        statement = select(*(_entities.c[name] for name in DeviceMapping.__struct_fields__)).where(
            _entities.c.tenant_id == self.scope.tenant_id,
            _entities.c.entity_type == DEVICE,
            _entities.c.asset_id == asset_id,
        )
        row = (await self.session.execute(statement)).mappings().first()
        return None if row is None else DeviceMapping(**row)

    async def is_known(self, integration_id: UUID, external_id: str) -> bool:
        """Whether an integration's device has a mapping."""
        statement = select(func.count()).where(
            _entities.c.tenant_id == self.scope.tenant_id,
            _entities.c.integration_id == integration_id,
            _entities.c.entity_type == DEVICE,
            _entities.c.external_entity_id == external_id,
        )
        return bool((await self.session.execute(statement)).scalar_one())
