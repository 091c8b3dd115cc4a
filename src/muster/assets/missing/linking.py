"""One machine that has two assets: the older one takes over the agent of the newer one, and back again.

The newer asset is not deleted: what refers to it (runs, alerts) stays whole, and the link can be undone.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.assets.missing.models import AssetLink
from muster.assets.missing.repository import OF_AGENT, MissingRepository
from muster.assets.missing.schemas import LinkRecord
from muster.assets.models import Asset
from muster.assets.repository import AssetRepository
from muster.assets.service import AssetService
from muster.assets.types import AssetContent, ChangedAsset, FieldChange, differences
from muster.db import bulk
from muster.db.types import table_of
from muster.errors import Conflict
from muster.events.service import EventService
from muster.events.types import EventType
from muster.jobs.service import JobService
from muster.jobs.types import JobState
from muster.mappings.missing.service import AbsenceService
from muster.mappings.missing.types import DeviceMapping
from muster.tenancy import TenantScope

_ASSETS = table_of(Asset)
_LINKS = table_of(AssetLink)
_MOST_JOBS = 1000


async def link(session: AsyncSession, scope: TenantScope, asset_id: UUID, other_id: UUID) -> None:
    """Have an asset take over the agent of another one. Who calls has checked that it may."""
    absence = AbsenceService(session, scope)
    old, new = await _device(absence, asset_id), await _device(absence, other_id)
    await _wait_for_nobody(session, scope, {old.integration_id, new.integration_id})
    repository = AssetRepository(session, scope)
    contents = await repository.contents([asset_id, other_id])
    agents = await MissingRepository(session, scope).agents([asset_id, other_id])
    mine, theirs = agents[asset_id], agents[other_id]
    before = LinkRecord(
        content=contents[asset_id],
        provider=mine["rmm_provider"],
        integration_id=mine["rmm_integration_id"],
        device_id=mine["rmm_device_id"],
        agent_status=mine["agent_status"],
        last_seen_at=mine["last_seen_at"],
        last_rmm_sync_at=mine["last_rmm_sync_at"],
        device=old,
    )
    at = clock.now()
    # In this order: no two assets have the same agent at any moment.
    await _set(session, scope, other_id, {"rmm_device_id": None, "retired_at": at, "retired_by": scope.actor})
    await _set(session, scope, asset_id, {name: theirs[name] for name in OF_AGENT})
    await absence.forget(old)
    await absence.give(new, asset_id)
    agent = FieldChange(field="agent", old=old.external_entity_id, new=new.external_entity_id)
    after = contents[other_id]
    if mine["asset_type_overridden"]:
        after = msgspec.structs.replace(after, asset_type=contents[asset_id].asset_type)
    await _write(session, scope, asset_id, before=contents[asset_id], after=after, first=agent)
    row = {
        "merged_asset_id": other_id,
        "asset_id": asset_id,
        "linked_at": at,
        "linked_by": scope.actor,
        "before": msgspec.to_builtins(before),
    }
    await bulk.insert(session, scope, _LINKS, [row])
    await _announce(session, scope, asset_id, new, after.name, reason="linked")


async def separate(
    session: AsyncSession, scope: TenantScope, asset_id: UUID, merged_id: UUID, before: LinkRecord
) -> None:
    """Give the agent back to the asset that had it, with what is known of it by now."""
    absence = AbsenceService(session, scope)
    current = await _device(absence, asset_id)
    await _wait_for_nobody(session, scope, {current.integration_id, before.integration_id})
    if await absence.is_known(before.device.integration_id, before.device.external_entity_id):
        raise Conflict(
            "The agent that this asset had before answers again and has an asset of its own by now.",
            remedy="Leave the two linked, or retire the one that is not needed once it is missing.",
            code="agent_returned",
        )
    repository = AssetRepository(session, scope)
    contents = await repository.contents([asset_id, merged_id])
    agents = await MissingRepository(session, scope).agents([asset_id])
    own = {
        "rmm_provider": before.provider,
        "rmm_integration_id": before.integration_id,
        "rmm_device_id": before.device_id,
        "agent_status": before.agent_status,
        "last_seen_at": before.last_seen_at,
        "last_rmm_sync_at": before.last_rmm_sync_at,
    }
    await _set(session, scope, asset_id, own)
    theirs = {name: agents[asset_id][name] for name in OF_AGENT}
    await _set(session, scope, merged_id, {**theirs, "retired_at": None, "retired_by": None})
    await absence.give(current, merged_id)
    await absence.restore(before.device)
    agent = FieldChange(field="agent", old=current.external_entity_id, new=before.device_id)
    now = contents[asset_id]
    await _write(session, scope, asset_id, before=now, after=before.content, first=agent)
    # A type chosen by hand was the older asset's own.
    after = msgspec.structs.replace(now, asset_type=contents[merged_id].asset_type)
    await _write(session, scope, merged_id, before=contents[merged_id], after=after)
    await bulk.delete_where(session, scope, _LINKS, where={"merged_asset_id": merged_id})
    await _announce(session, scope, merged_id, current, after.name, reason="separated")


async def _device(absence: AbsenceService, asset_id: UUID) -> DeviceMapping:
    device = await absence.of_asset(asset_id)
    if device is None:
        raise Conflict("This asset has no agent.", remedy="Choose an asset that its server lists.")
    return device


async def _wait_for_nobody(session: AsyncSession, scope: TenantScope, integrations: set[UUID]) -> None:
    """Conflict while a sync of these integrations works: it would write to the assets as they were."""
    busy = {str(integration_id) for integration_id in integrations}
    started = await JobService(session, scope).list([JobState.STARTED.value], limit=_MOST_JOBS)
    if any(job.payload.get("integration_id") in busy for job in started):
        raise Conflict(
            "A sync of this integration is under way.", remedy="Try again when it has ended.", code="busy"
        )


async def _announce(
    session: AsyncSession,
    scope: TenantScope,
    asset_id: UUID,
    device: DeviceMapping,
    name: str,
    *,
    reason: str,
) -> None:
    """Tell others which asset a device stands for by now: what they keep of it may have to follow."""
    data = {
        "integration_id": device.integration_id,
        "provider": await _provider(session, scope, asset_id),
        "run_id": None,
        "asset_id": asset_id,
        "device_id": device.external_entity_id,
        "organization_id": device.external_realm_id,
        "name": name,
        "reason": reason,
        "changed": ["agent"],
    }
    source = f"/integrations/{device.integration_id}"
    await EventService(session, scope).publish(EventType.DEVICE_UPDATED, asset_id, data, source=source)


async def _provider(session: AsyncSession, scope: TenantScope, asset_id: UUID) -> str | None:
    agents = await MissingRepository(session, scope).agents([asset_id])
    provider: str | None = agents[asset_id]["rmm_provider"]
    return provider


async def _set(session: AsyncSession, scope: TenantScope, asset_id: UUID, values: dict[str, Any]) -> None:
    await bulk.update_where(session, scope, _ASSETS, values, where={"asset_id": asset_id})


async def _write(
    session: AsyncSession,
    scope: TenantScope,
    asset_id: UUID,
    *,
    before: AssetContent,
    after: AssetContent,
    first: FieldChange | None = None,
) -> None:
    changes = differences(before, after)
    changed = ChangedAsset(
        asset_id=asset_id,
        content=after,
        changes=changes if first is None else (first, *changes),
        type_before=before.asset_type,
    )
    cause = scope.actor or "person"
    await AssetService(session, scope).save([changed], cause=cause, at=clock.now())
