"""One asset with all that its page tells, gathered from the rooms below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from muster.assets import history
from muster.assets.history import Told
from muster.assets.listing import AssetListing, AssetRow
from muster.assets.missing.schemas import Successor
from muster.assets.missing.service import MissingService
from muster.assets.service import AssetService
from muster.clients.service import ClientService
from muster.encryption import SecretBox
from muster.integrations import directory
from muster.integrations.schemas import IntegrationView
from muster.mappings.missing.service import AbsenceService
from muster.providers import registry
from muster.tenancy import TenantScope


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetSheet:
    """An asset with its integration, its organization's name, a part of its history, and where a person
    finds it on the server (None: the address does not tell). `successor`: who took over its agent.
    """

    row: AssetRow
    integration: IntegrationView | None
    organization_name: str | None
    device_url: str | None
    changes: Sequence[Told]
    changes_total: int
    successor: Successor | None


class SheetService:
    """Gathers sheets of one tenant's assets."""

    def __init__(self, session: AsyncSession, scope: TenantScope, secrets: SecretBox) -> None:
        self._session = session
        self._scope = scope
        self._secrets = secrets

    async def sheet(self, asset_id: UUID, *, limit: int, offset: int = 0) -> AssetSheet:
        """The asset with some of its changes; NotFound when this tenant has none with that id."""
        session, scope = self._session, self._scope
        row = await AssetListing(session, scope, self._secrets).row(asset_id)
        assets = AssetService(session, scope)
        changes = await assets.history(asset_id, limit=limit, offset=offset) if limit else ()
        clients = await ClientService(session, scope).names(history.clients_in(changes))
        integration = await self._integration(row)
        return AssetSheet(
            row=row,
            integration=integration,
            organization_name=await self._organization(row),
            device_url=_device_url(row, integration),
            changes=history.told(changes, clients),
            changes_total=await assets.count_changes(asset_id),
            successor=None
            if row.retired_at is None
            else await MissingService(session, scope).successor(asset_id),
        )

    async def _integration(self, row: AssetRow) -> IntegrationView | None:
        if row.rmm_integration_id is None:
            return None
        found = await directory.views(self._session, self._scope, [row.rmm_integration_id])
        return found.get(row.rmm_integration_id)

    async def _organization(self, row: AssetRow) -> str | None:
        if row.rmm_integration_id is None or row.external_realm_id is None:
            return None
        key = (row.rmm_integration_id, row.external_realm_id)
        names = await AbsenceService(self._session, self._scope).organization_names([key[0]], [key[1]])
        return names.get(key)


def _device_url(row: AssetRow, integration: IntegrationView | None) -> str | None:
    if integration is None or row.external_entity_id is None:
        return None
    return registry.device_url(integration.provider, integration.instance_url, row.external_entity_id)
