"""One asset read anew, while somebody waits for it."""

from __future__ import annotations

from uuid import UUID

from muster.assets.listing import AssetListing
from muster.db import Database
from muster.encryption import SecretBox
from muster.errors import Conflict
from muster.sync.schemas import RunView
from muster.sync.service import SyncService
from muster.sync.types import SyncMode
from muster.tenancy import TenantScope


async def refresh(
    database: Database, secrets: SecretBox, sync: SyncService, scope: TenantScope, asset_id: UUID
) -> RunView:
    """Read the asset's device and give the run that did, whatever became of it. NotFound when this tenant has
    no such asset; Conflict when no device stands behind it, or another sync of its integration runs.
    """
    async with database.read(scope) as session:
        asset = await AssetListing(session, scope, secrets).row(asset_id)
    if asset.rmm_integration_id is None or asset.external_entity_id is None:
        raise Conflict(
            f"No device of an integration stands behind {asset.name}.",
            remedy="There is nothing to read it from.",
            code="no_device",
        )
    run = await sync.devices(
        scope, asset.rmm_integration_id, SyncMode.SINGLE, device_id=asset.external_entity_id
    )
    if not isinstance(run, RunView):
        raise TypeError("a sync that was not asked for a preview gave one")
    return run
