"""Where alerts belong: the assets, clients and organizations that Muster knows their devices by."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from muster.alerts.types import Place
from muster.assets.service import AssetService
from muster.assets.types import Belonging
from muster.mappings.schemas import EntityState, MappingView
from muster.mappings.service import MappingService
from muster.tenancy import TenantScope


class Places:
    """What stands for some devices of one integration; `load` asks for them."""

    def __init__(
        self,
        devices: Mapping[str, EntityState],
        assets: Mapping[UUID, Belonging],
        organizations: Collection[MappingView],
    ) -> None:
        self._devices = devices
        self._assets = assets
        self._by_id = {view.external_organization_id: view for view in organizations}
        self._by_name = {view.external_organization_name: view for view in organizations}

    @classmethod
    async def load(
        cls, session: AsyncSession, scope: TenantScope, integration_id: UUID, device_ids: Collection[str]
    ) -> Places:
        """Ask for a few hundred devices at most."""
        mappings = MappingService(session, scope)
        found = await mappings.device_states(integration_id, sorted(device_ids)) if device_ids else ()
        devices = {state.external_entity_id: state for state in found}
        assets = await AssetService(session, scope).belongings({state.asset_id for state in found})
        # A device that is synced says itself whose it is.
        strangers = len(devices) < len(device_ids)
        organizations = await mappings.list(integration_id) if strangers else ()
        return cls(devices, assets, organizations)

    def of(
        self,
        device_id: str | None,
        *,
        organization_id: str | None = None,
        organization_name: str | None = None,
    ) -> Place:
        """Where an alert of this device belongs; the organization's id or name is what it was told with."""
        device = self._devices.get(device_id) if device_id is not None else None
        asset = self._assets.get(device.asset_id) if device is not None else None
        if device is not None and asset is not None:
            return Place(
                device_name=asset.name,
                asset_id=device.asset_id,
                client_id=asset.client_id,
                organization_id=device.external_realm_id,
                organization_name=organization_name,
            )
        organization = self._by_id.get(organization_id or "") or self._by_name.get(organization_name or "")
        if organization is None:
            return Place(organization_id=organization_id, organization_name=organization_name)
        return Place(
            client_id=organization.client_id,
            organization_id=organization.external_organization_id,
            organization_name=organization.external_organization_name,
        )
