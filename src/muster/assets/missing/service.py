"""Missing devices: the review and a person's decisions. Nothing here happens by itself, except that what
answers again is back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.assets.missing import linking
from muster.assets.missing.repository import MissingRepository
from muster.assets.missing.schemas import (
    Agent,
    Decision,
    DecisionCounts,
    LinkRecord,
    MissingFilter,
    MissingView,
    Successor,
)
from muster.assets.missing.views import MissingViews
from muster.assets.models import Asset
from muster.assets.repository import AssetRepository
from muster.audit.service import AuditService
from muster.clients.service import ClientService
from muster.db import bulk
from muster.db.types import table_of
from muster.errors import Conflict, NotFound
from muster.mappings.missing.service import AbsenceService
from muster.tenancy import TenantScope

_ASSETS = table_of(Asset)
# Who acts when a device answers again.
SYNC = "sync"
_SUBJECT = "asset"
# What is asked about them takes several parameters each; SQLite's older builds take 999 in one statement.
_AT_A_TIME = 250


class MissingService:
    """The review of one tenant's missing devices. The scope's actor is who decides."""

    def __init__(self, session: AsyncSession, scope: TenantScope) -> None:
        self._session = session
        self._scope = scope
        self._repository = MissingRepository(session, scope)
        self._absence = AbsenceService(session, scope)
        self._audit = AuditService(session, scope)
        self._views = MissingViews(session, scope)

    # --- what a person looks at ----------------------------------------------------------------------------

    async def page(self, wanted: MissingFilter, *, limit: int, offset: int = 0) -> Sequence[MissingView]:
        """Devices that match, open ones with what each was probably reinstalled as."""
        rows = await self._repository.page(wanted, limit=limit, offset=offset)
        views: list[MissingView] = []
        for start in range(0, len(rows), _AT_A_TIME):
            some = rows[start : start + _AT_A_TIME]
            views.extend(await self._views.of(some, suggest=wanted.decision is Decision.OPEN))
        return views

    async def count(self, wanted: MissingFilter) -> int:
        """How many match."""
        return await self._repository.count(wanted)

    async def counts(self, wanted: MissingFilter) -> DecisionCounts:
        """How many match for each decision; the other conditions of `wanted` hold."""
        return {
            decision: await self._repository.count(msgspec.structs.replace(wanted, decision=decision))
            for decision in Decision
        }

    async def oldest(self) -> datetime | None:
        """The first miss of the device that waits the longest; None when none does."""
        return await self._repository.oldest()

    async def clients(self, decision: Decision) -> Sequence[tuple[UUID, str]]:
        """The clients that have devices of this decision, by name."""
        ids = await self._repository.clients(MissingFilter(decision=decision))
        names = await ClientService(self._session, self._scope).names(ids)
        return sorted(names.items(), key=lambda each: each[1].casefold())

    async def get(self, asset_id: UUID) -> MissingView:
        """One device; NotFound when this tenant has no such asset, or one that nothing is to decide about."""
        row = await self._repository.one(asset_id)
        if row is None or (row["missing_since"] is None and row["retired_at"] is None):
            raise NotFound(f"No missing device {asset_id} here.", remedy="`muster asset missing` shows them.")
        (view,) = await self._views.of([row], suggest=True)
        return view

    async def agents(self, asset_id: UUID, search: str = "", *, limit: int = 20) -> Sequence[Agent]:
        """Assets with a living agent that a missing device may be linked to: those of its client first."""
        view = await self.get(asset_id)
        rows = await self._repository.living(search.strip(), view.client_id, limit=limit)
        return await self._views.agents(rows)

    # --- what a person decides -----------------------------------------------------------------------------

    async def retire(self, asset_id: UUID) -> MissingView:
        """Take a missing device out of lists and counts; its history and alerts stay. Should it answer
        again, it is back. Conflict for one that its server lists.
        """
        view = await self._undecided(asset_id)
        values = {"retired_at": clock.now(), "retired_by": self._scope.actor}
        await self._set(asset_id, values)
        await self._record("asset.retired", view)
        return await self.get(asset_id)

    async def bring_back(self, asset_id: UUID) -> None:
        """Take retiring back: the device is missing as before. Conflict for one that is not retired."""
        view = await self.get(asset_id)
        if view.decision is Decision.LINKED:
            raise Conflict(
                f"{view.name} is the same machine as {view.linked_name}.", remedy="Separate the two first."
            )
        if view.decision is not Decision.RETIRED:
            raise Conflict(f"{view.name} is not retired.", remedy="Reload the page.")
        await self._set(asset_id, {"retired_at": None, "retired_by": None})
        await self._record("asset.brought_back", view)

    async def keep(self, asset_id: UUID) -> MissingView:
        """Leave a missing device in lists and out of the review, until it has answered and goes missing
        again. Conflict for one that its server lists.
        """
        view = await self._undecided(asset_id)
        await self._absence.keep(asset_id, clock.now())
        await self._record("asset.kept", view)
        return await self.get(asset_id)

    async def review(self, asset_id: UUID) -> MissingView:
        """Take keeping back. Conflict for a device that is not kept."""
        view = await self.get(asset_id)
        if view.decision is not Decision.KEPT:
            raise Conflict(f"{view.name} is not kept.", remedy="Reload the page.")
        await self._absence.keep(asset_id, None)
        await self._record("asset.reviewed", view)
        return await self.get(asset_id)

    async def link(self, asset_id: UUID, other_id: UUID) -> None:
        """Say that a missing device is the same machine as a newer asset: it takes over that asset's agent
        and all that is known of it, and keeps its own id and history. The newer asset leaves the lists.

        Conflict when the one is not missing, or the other has no living agent or a sync under way.
        """
        view = await self._undecided(asset_id)
        other = await self._repository.one(other_id)
        if other is None:
            raise NotFound(f"No asset {other_id} here.", remedy="`muster asset list` shows them.")
        if other["external_entity_id"] is None or other["missing_since"] or other["retired_at"]:
            raise Conflict(
                f"{other['name']} has no living agent.", remedy="Choose an asset that its server lists."
            )
        await linking.link(self._session, self._scope, asset_id, other_id)
        await self._record("asset.linked", view, linked_asset_id=str(other_id), linked_name=other["name"])

    async def separate(self, merged_asset_id: UUID) -> None:
        """Take a link back: the older asset is missing as before, the newer one is back with its agent.

        Conflict when the two are not linked, or when more has happened since than can be taken apart.
        """
        row = await self._repository.link(merged_asset_id)
        if row is None:
            raise NotFound("These two are not linked.", remedy="Reload the page.")
        if await self._repository.latest_link(row.asset_id) != merged_asset_id:
            raise Conflict(
                "Another agent was linked since.", remedy="Separate the latest one first.", code="not_latest"
            )
        before = msgspec.convert(row.before, LinkRecord, strict=False)
        view = await self.get(merged_asset_id)
        await linking.separate(self._session, self._scope, row.asset_id, merged_asset_id, before)
        await self._record("asset.separated", view, asset_id=str(row.asset_id))

    async def successor(self, merged_asset_id: UUID) -> Successor | None:
        """The asset that took over this one's agent; None when it has its own, or none at all."""
        row = await self._repository.link(merged_asset_id)
        if row is None:
            return None
        taker = await self._repository.one(row.asset_id)
        if taker is None:
            return None
        return Successor(
            asset_id=row.asset_id,
            name=taker["name"],
            linked_at=row.linked_at,
            linked_by=row.linked_by,
        )

    # --- inside ---

    async def _undecided(self, asset_id: UUID) -> MissingView:
        view = await self.get(asset_id)
        if view.decision in (Decision.RETIRED, Decision.LINKED) or view.missing_since is None:
            raise Conflict(
                f"{view.name} is {'linked' if view.decision is Decision.LINKED else 'retired'} already.",
                remedy="Reload the page.",
            )
        return view

    async def _set(self, asset_id: UUID, values: Mapping[str, object]) -> None:
        await bulk.update_where(self._session, self._scope, _ASSETS, values, where={"asset_id": asset_id})

    async def _record(self, action: str, view: MissingView, **detail: str) -> None:
        detail = {**detail, "device_id": view.device_id or "", "client": view.client_name or ""}
        await self._audit.record(action, _SUBJECT, subject=view.name, subject_id=view.asset_id, **detail)


async def reinstate(session: AsyncSession, scope: TenantScope, asset_ids: Sequence[UUID]) -> None:
    """Retired assets whose agent answers again: retiring said that it never would, so they are back in lists
    and counts, and the record says so. Called by what syncs, in its transaction.
    """
    if not asset_ids:
        return
    contents = await AssetRepository(session, scope).contents(asset_ids)
    rows = [{"asset_id": asset_id, "retired_at": None, "retired_by": None} for asset_id in contents]
    await bulk.update(session, scope, _ASSETS, rows, key=("asset_id",))
    audit = AuditService(session, TenantScope(scope.tenant_id, SYNC))
    for asset_id, content in contents.items():
        await audit.record("asset.returned", _SUBJECT, subject=content.name, subject_id=asset_id)
