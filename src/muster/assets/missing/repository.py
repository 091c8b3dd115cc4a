"""Questions about assets whose agent is missing, and about those that were decided."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Row,
    RowMapping,
    Select,
    and_,
    func,
    or_,
    select,
    union,
)

from muster.assets.missing.models import AssetLink
from muster.assets.missing.schemas import Decision, MissingFilter
from muster.assets.models import Asset
from muster.db.repository import TenantRepository
from muster.db.types import table_of
from muster.mappings.missing.service import devices

_assets = table_of(Asset)
_links = table_of(AssetLink)
_devices = devices()
OF_AGENT = (
    "rmm_provider",
    "rmm_integration_id",
    "rmm_device_id",
    "agent_status",
    "last_seen_at",
    "last_rmm_sync_at",
)
_RECORD = (
    "external_entity_id",
    "external_realm_id",
    "metadata",
    "missing_since",
    "last_missed_at",
    "missed_answers",
    "kept_at",
    "kept_by",
)


class MissingRepository(TenantRepository):
    """Assets of one tenant with the record of their agents' absence."""

    async def page(self, wanted: MissingFilter, *, limit: int, offset: int) -> Sequence[RowMapping]:
        """Devices that match: open ones by their first miss, decided ones by the latest decision."""
        order: tuple[ColumnElement[Any], ...] = {
            Decision.OPEN: (_devices.c.missing_since,),
            Decision.KEPT: (_devices.c.kept_at.desc(),),
            Decision.RETIRED: (_assets.c.retired_at.desc(),),
            Decision.LINKED: (_links.c.linked_at.desc(),),
        }[wanted.decision]
        statement = (
            self._matching(self._select(wanted.decision), wanted)
            .order_by(*order, func.lower(_assets.c.name), _assets.c.asset_id)
            .limit(limit)
            .offset(offset)
        )
        found: Sequence[RowMapping] = (await self.session.execute(statement)).mappings().all()
        return found

    async def count(self, wanted: MissingFilter) -> int:
        """How many match."""
        statement = self._matching(select(func.count()).select_from(self._joined(wanted.decision)), wanted)
        return int((await self.session.execute(statement)).scalar_one())

    async def oldest(self) -> datetime | None:
        """The first miss of the device that is open the longest."""
        wanted = MissingFilter()
        oldest = select(func.min(_devices.c.missing_since)).select_from(self._joined(wanted.decision))
        statement = self._matching(oldest, wanted)
        found: datetime | None = (await self.session.execute(statement)).scalar_one_or_none()
        return found

    async def one(self, asset_id: UUID) -> RowMapping | None:
        """One asset with the record of its agent, whatever its state."""
        statement = self._select().where(self._own(), _assets.c.asset_id == asset_id)
        found: RowMapping | None = (await self.session.execute(statement)).mappings().first()
        return found

    async def clients(self, wanted: MissingFilter) -> Sequence[UUID]:
        """The clients that matching devices belong to."""
        clients = select(_assets.c.client_id).select_from(self._joined(wanted.decision))
        statement = self._matching(clients, wanted).distinct()
        found: Sequence[UUID] = (await self.session.execute(statement)).scalars().all()
        return found

    async def alike(
        self, serials: Collection[str], names: Collection[str], clients: Collection[UUID]
    ) -> Sequence[RowMapping]:
        """Assets with a living agent and one of these serial numbers, or one of these names (in lower case)
        at one of these clients.
        """
        ids = select(_assets.c.asset_id).where(self._own())
        named = ids.where(_assets.c.client_id.in_(clients), func.lower(_assets.c.name).in_(names))
        # Each half has an index of its own, which an OR of both would leave unused.
        likely = union(ids.where(_assets.c.serial_number.in_(serials)), named)
        statement = self._living().where(_assets.c.asset_id.in_(likely))
        found: Sequence[RowMapping] = (await self.session.execute(statement)).mappings().all()
        return found

    async def living(self, search: str, first: UUID, *, limit: int) -> Sequence[RowMapping]:
        """Assets with a living agent whose name or serial number contains a text; those of the client
        `first` before the others, then the newest.
        """
        statement = self._living()
        if search:
            looked_at = (_assets.c.name, _assets.c.serial_number)
            statement = statement.where(or_(*(c.icontains(search, autoescape=True) for c in looked_at)))
        statement = statement.order_by(
            (_assets.c.client_id != first), _assets.c.created_at.desc(), _assets.c.asset_id
        ).limit(limit)
        found: Sequence[RowMapping] = (await self.session.execute(statement)).mappings().all()
        return found

    async def agents(self, asset_ids: Collection[UUID]) -> dict[UUID, RowMapping]:
        """Of each asset what its agent is, and whether its type was chosen by hand."""
        names = (*OF_AGENT, "asset_type_overridden")
        statement = select(_assets.c.asset_id, *(_assets.c[name] for name in names)).where(
            self._own(), _assets.c.asset_id.in_(asset_ids)
        )
        return {row["asset_id"]: row for row in (await self.session.execute(statement)).mappings()}

    async def link(self, merged_asset_id: UUID) -> Row[Any] | None:
        """The link that took an asset's agent away, or None."""
        statement = select(_links).where(
            _links.c.tenant_id == self.scope.tenant_id, _links.c.merged_asset_id == merged_asset_id
        )
        return (await self.session.execute(statement)).one_or_none()

    async def latest_link(self, asset_id: UUID) -> UUID | None:
        """The asset that was linked to this one last, or None."""
        statement = (
            select(_links.c.merged_asset_id)
            .where(_links.c.tenant_id == self.scope.tenant_id, _links.c.asset_id == asset_id)
            .order_by(_links.c.linked_at.desc(), _links.c.merged_asset_id.desc())
            .limit(1)
        )
        return (await self.session.execute(statement)).scalar_one_or_none()

    # --- inside ---

    def _own(self) -> ColumnElement[bool]:
        return _assets.c.tenant_id == self.scope.tenant_id

    def _with_devices(self, *, outer: bool) -> FromClause:
        device = and_(
            _devices.c.tenant_id == _assets.c.tenant_id,
            _devices.c.asset_id == _assets.c.asset_id,
            _devices.c.entity_type == "device",
        )
        return _assets.join(_devices, device, isouter=outer)

    def _joined(self, decision: Decision | None = None) -> FromClause:
        # Said as an inner join where it is one: SQLite finds the few missing by their index only then.
        outer = decision not in (Decision.OPEN, Decision.KEPT)
        links = and_(
            _links.c.tenant_id == _assets.c.tenant_id, _links.c.merged_asset_id == _assets.c.asset_id
        )
        return self._with_devices(outer=outer).outerjoin(_links, links)

    def _select(self, decision: Decision | None = None) -> Select[Any]:
        names = (
            "asset_id",
            "name",
            "serial_number",
            "asset_type",
            "client_id",
            "rmm_provider",
            "rmm_integration_id",
            "last_seen_at",
            "retired_at",
            "retired_by",
            "created_at",
        )
        return select(
            *(_assets.c[name] for name in names),
            *(_devices.c[name] for name in _RECORD),
            _links.c.asset_id.label("linked_to"),
            _links.c.linked_at,
            _links.c.linked_by,
        ).select_from(self._joined(decision))

    def _living(self) -> Select[Any]:
        names = (
            "asset_id",
            "name",
            "serial_number",
            "client_id",
            "agent_status",
            "last_seen_at",
            "created_at",
        )
        return (
            select(
                *(_assets.c[name] for name in names),
                _devices.c.metadata,
                _devices.c.external_entity_id,
            )
            .select_from(self._with_devices(outer=False))
            .where(self._own(), _assets.c.retired_at.is_(None), _devices.c.missing_since.is_(None))
        )

    def _matching(self, statement: Select[Any], wanted: MissingFilter) -> Select[Any]:
        devices = _devices.c
        kept = and_(devices.kept_at.is_not(None), devices.kept_at >= devices.missing_since)
        missing = and_(devices.missing_since.is_not(None), _assets.c.retired_at.is_(None))
        linked = _links.c.merged_asset_id.is_not(None)
        state: ColumnElement[bool] = {
            Decision.OPEN: and_(
                missing, or_(devices.kept_at.is_(None), devices.kept_at < devices.missing_since)
            ),
            Decision.KEPT: and_(missing, kept),
            Decision.RETIRED: and_(_assets.c.retired_at.is_not(None), ~linked),
            # Said twice, for its index: a linked asset is retired too.
            Decision.LINKED: and_(_assets.c.retired_at.is_not(None), linked),
        }[wanted.decision]
        statement = statement.where(self._own(), state)
        if wanted.client_id is not None:
            statement = statement.where(_assets.c.client_id == wanted.client_id)
        if wanted.integration_id is not None:
            statement = statement.where(_assets.c.rmm_integration_id == wanted.integration_id)
        return statement
