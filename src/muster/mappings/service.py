"""What of theirs stands for what of ours: the verbs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.db import bulk
from muster.db.types import table_of
from muster.errors import Conflict, NotFound
from muster.mappings.models import ExternalEntityMapping, OrganizationMapping
from muster.mappings.repository import DEVICE, MappingRepository
from muster.mappings.schemas import EntityState, EntityView, MappingCounts, MappingView
from muster.providers.contract import OrganizationRecord
from muster.tenancy import TenantScope

_ORGANIZATIONS = table_of(OrganizationMapping)
_ENTITIES = table_of(ExternalEntityMapping)
_ORGANIZATION_KEY = ("integration_id", "external_organization_id")
_ENTITY_KEY = ("integration_id", "entity_type", "external_entity_id")


class MappingService:
    """Organization mappings and external entity mappings of one tenant."""

    def __init__(self, session: AsyncSession, scope: TenantScope) -> None:
        self._session = session
        self._scope = scope
        self._repository = MappingRepository(session, scope)

    async def list(self, integration_id: UUID) -> Sequence[MappingView]:
        """Every organization the server ever listed, by name."""
        return await self._repository.organizations(integration_id)

    async def counts(self, integration_id: UUID) -> MappingCounts:
        """How many organizations, and how many of them with a client."""
        return await self._repository.counts(integration_id)

    async def find(self, integration_id: UUID, reference: str) -> MappingView:
        """The organization with this id or, failing that, with this name (upper and lower case alike).

        NotFound when there is none, Conflict when several share the name.
        """
        everything = await self._repository.organizations(integration_id)
        for view in everything:
            if view.external_organization_id == reference:
                return view
        wanted = reference.strip().casefold()
        named = [view for view in everything if view.external_organization_name.casefold() == wanted]
        if len(named) == 1:
            return named[0]
        if named:
            raise Conflict(
                f"{len(named)} organizations are called {reference!r}.", remedy="Name the one by its id."
            )
        raise NotFound(
            f"No organization {reference!r} here.",
            remedy="`muster mapping list` shows them; `muster sync organizations` fetches new ones.",
        )

    async def assign(
        self, integration_id: UUID, external_organization_id: str, client_id: UUID | None
    ) -> None:
        """Say which client an organization stands for; None takes that back. Existing assets stay."""
        await self._change(integration_id, external_organization_id, {"client_id": client_id})

    async def set_auto_sync(
        self, integration_id: UUID, external_organization_id: str, auto_sync_assets: bool
    ) -> None:
        """Whether syncs bring this organization's devices in."""
        await self._change(integration_id, external_organization_id, {"auto_sync_assets": auto_sync_assets})

    async def _change(self, integration_id: UUID, organization: str, values: Mapping[str, Any]) -> None:
        changed = await bulk.update_where(
            self._session,
            self._scope,
            _ORGANIZATIONS,
            {**values, "updated_at": clock.now()},
            where={"integration_id": integration_id, "external_organization_id": organization},
        )
        if changed != 1:
            raise NotFound(f"No organization {organization!r} here.")

    async def save_listed(
        self, integration_id: UUID, records: Sequence[OrganizationRecord], at: datetime
    ) -> None:
        """Upsert organizations by id, so that a rename keeps the client; listing ends being missing."""
        rows = [
            {
                "integration_id": integration_id,
                "external_organization_id": record.external_id,
                "external_organization_name": record.name,
                "client_id": None,
                "auto_sync_assets": True,
                "device_count": record.device_count,
                "sites": [
                    {"external_id": s.external_id, "name": s.name, "device_count": s.device_count}
                    for s in record.sites
                ],
                "missing_since": None,
                "created_at": at,
                "updated_at": at,
            }
            for record in records
        ]
        keep = ("client_id", "auto_sync_assets", "created_at")
        await bulk.upsert(self._session, self._scope, _ORGANIZATIONS, rows, key=_ORGANIZATION_KEY, keep=keep)

    async def save_missing(self, integration_id: UUID, external_ids: Sequence[str], at: datetime) -> None:
        """Mark organizations that a listing no longer holds; they and their assets are kept."""
        rows = [
            {
                "integration_id": integration_id,
                "external_organization_id": external_id,
                "missing_since": at,
                "updated_at": at,
            }
            for external_id in external_ids
        ]
        await bulk.update(self._session, self._scope, _ORGANIZATIONS, rows, key=_ORGANIZATION_KEY)

    # --- devices ---------------------------------------------------------------------------------------

    async def device_states(
        self, integration_id: UUID, external_ids: Sequence[str] | None = None
    ) -> Sequence[EntityState]:
        """Devices already known, all of them or those named."""
        return await self._repository.entity_states(integration_id, external_ids)

    async def devices_of_assets(self, asset_ids: Sequence[UUID]) -> Mapping[UUID, EntityView]:
        """The device behind each of the given assets, where there is one."""
        return await self._repository.entities_of_assets(asset_ids)

    async def save_devices(self, integration_id: UUID, states: Sequence[EntityState], at: datetime) -> None:
        """Upsert the mapping of devices whose assets exist in this transaction."""
        rows = [
            {
                "integration_id": integration_id,
                "entity_type": DEVICE,
                "external_entity_id": state.external_entity_id,
                "asset_id": state.asset_id,
                "external_realm_id": state.external_realm_id,
                "external_pk": state.external_pk,
                "metadata": {"site_id": state.site_id, "site_name": state.site_name},
                "light_hash": state.light_hash,
                "detail_hash": state.detail_hash,
                "detail_read_at": state.detail_read_at,
                "missing_since": state.missing_since,
                "created_at": at,
            }
            for state in states
        ]
        keep = ("asset_id", "created_at")
        await bulk.upsert(self._session, self._scope, _ENTITIES, rows, key=_ENTITY_KEY, keep=keep)

    async def save_missing_devices(
        self, integration_id: UUID, external_ids: Sequence[str], since: datetime | None
    ) -> None:
        """Mark devices as missing since a moment, or (None) as listed again."""
        rows = [
            {
                "integration_id": integration_id,
                "entity_type": DEVICE,
                "external_entity_id": external_id,
                "missing_since": since,
            }
            for external_id in external_ids
        ]
        await bulk.update(self._session, self._scope, _ENTITIES, rows, key=_ENTITY_KEY)
