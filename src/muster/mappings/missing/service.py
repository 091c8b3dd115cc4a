"""Devices that are missing: the verbs on their mappings. Which asset goes or stays is decided above."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import FromClause
from sqlalchemy.ext.asyncio import AsyncSession

from muster.db import bulk
from muster.db.types import table_of
from muster.mappings.missing import repository
from muster.mappings.missing.repository import AbsenceRepository
from muster.mappings.missing.types import DeviceMapping
from muster.mappings.models import ExternalEntityMapping
from muster.mappings.repository import DEVICE
from muster.tenancy import TenantScope

_ENTITIES = table_of(ExternalEntityMapping)
_KEY = ("integration_id", "entity_type", "external_entity_id")
# SQLite's older builds take 999 parameters in one statement.
_IDS_AT_A_TIME = 500


def devices() -> FromClause:
    """The table of devices with their place and the record of their absence, for questions of the rooms
    above: join it by tenant and asset where its `entity_type` is "device".
    """
    return repository.devices()


class AbsenceService:
    """The record of devices' absence, of one tenant."""

    def __init__(self, session: AsyncSession, scope: TenantScope) -> None:
        self._session = session
        self._scope = scope
        self._repository = AbsenceRepository(session, scope)

    async def organization_names(
        self, integration_ids: Collection[UUID], external_ids: Collection[str]
    ) -> Mapping[tuple[UUID, str], str]:
        """What some organizations (a few hundred at most) are called, by integration and id there."""
        return await self._repository.organization_names(integration_ids, external_ids)

    async def missed(self, integration_id: UUID, external_ids: Sequence[str], at: datetime) -> None:
        """A complete snapshot lacks these devices: the first such is since when each is missing, and every
        one is counted.
        """
        for start in range(0, len(external_ids), _IDS_AT_A_TIME):
            some = external_ids[start : start + _IDS_AT_A_TIME]
            before = await self._repository.missed(integration_id, some)
            rows = [
                {
                    **_key(integration_id, external_id),
                    "missing_since": record.since or at,
                    "missed_answers": record.answers + 1 if record.since is not None else 1,
                    "last_missed_at": at,
                }
                for external_id, record in before.items()
            ]
            await bulk.update(self._session, self._scope, _ENTITIES, rows, key=_KEY)

    async def keep(self, asset_id: UUID, at: datetime | None) -> None:
        """A person keeps a missing device, for as long as this absence lasts; None takes that back."""
        by = self._scope.actor if at is not None else None
        where = {"asset_id": asset_id, "entity_type": DEVICE}
        values = {"kept_at": at, "kept_by": by}
        await bulk.update_where(self._session, self._scope, _ENTITIES, values, where=where)

    async def of_asset(self, asset_id: UUID) -> DeviceMapping | None:
        """The whole mapping of an asset's device; None where it has none."""
        return await self._repository.of_asset(asset_id)

    async def is_known(self, integration_id: UUID, external_id: str) -> bool:
        """Whether a device has a mapping."""
        return await self._repository.is_known(integration_id, external_id)

    async def forget(self, device: DeviceMapping) -> None:
        """Delete a mapping as `of_asset` gives it: nothing stands for that device any more."""
        await bulk.delete_where(self._session, self._scope, _ENTITIES, where=_key_of(device))

    async def restore(self, device: DeviceMapping) -> None:
        """Put a mapping back as `of_asset` gave it."""
        await bulk.insert(self._session, self._scope, _ENTITIES, [msgspec.structs.asdict(device)])

    async def give(self, device: DeviceMapping, asset_id: UUID) -> None:
        """Have a device stand for another asset. What was read of it is outdated: the next answer is
        compared field by field with what that asset holds.
        """
        values = {"asset_id": asset_id, "light_hash": None, "detail_hash": None}
        await bulk.update_where(self._session, self._scope, _ENTITIES, values, where=_key_of(device))


def _key_of(device: DeviceMapping) -> dict[str, Any]:
    return _key(device.integration_id, device.external_entity_id)


def _key(integration_id: UUID, external_id: str) -> dict[str, Any]:
    return {
        "integration_id": integration_id,
        "entity_type": DEVICE,
        "external_entity_id": external_id,
    }
