"""Questions to the asset tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    String,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    or_,
    select,
)

from muster.assets.models import Asset, AssetChange, ServerAsset, WorkstationAsset
from muster.assets.schemas import AssetFilter, ChangeView
from muster.assets.types import ASSET_FIELDS, EXTENSION_FIELDS, AssetContent, SyncedAsset
from muster.db.repository import TenantRepository
from muster.db.types import table_of
from muster.providers.contract import AgentStatus

_assets = table_of(Asset)
_workstations = table_of(WorkstationAsset)
_servers = table_of(ServerAsset)
_changes = table_of(AssetChange)

Freshness = Mapping[UUID, datetime]


def _with_extensions() -> FromClause:
    joined: FromClause = _assets
    for extension in (_workstations, _servers):
        joined = joined.outerjoin(
            extension,
            and_(
                extension.c.tenant_id == _assets.c.tenant_id,
                extension.c.asset_id == _assets.c.asset_id,
            ),
        )
    return joined


def _extension(field: str) -> ColumnElement[Any]:
    return func.coalesce(_workstations.c[field], _servers.c[field], type_=_workstations.c[field].type)


def _status(freshness: Freshness) -> ColumnElement[str]:
    """The status that still holds: `unknown` where the integration is absent or the reading too old."""
    good = [
        and_(_assets.c.rmm_integration_id == integration_id, _assets.c.last_rmm_sync_at >= oldest)
        for integration_id, oldest in freshness.items()
    ]
    return case((or_(false(), *good), _assets.c.agent_status), else_=literal(AgentStatus.UNKNOWN.value))


class AssetRepository(TenantRepository):
    """Assets of one tenant."""

    async def synced(
        self, integration_id: UUID, asset_ids: Sequence[UUID] | None = None
    ) -> list[SyncedAsset]:
        """What every refresh compares, of all the integration's assets or of those named."""
        statement = select(*(_assets.c[field] for field in SyncedAsset.__struct_fields__)).where(
            _assets.c.tenant_id == self.scope.tenant_id,
            _assets.c.rmm_integration_id == integration_id,
        )
        if asset_ids is not None:
            statement = statement.where(_assets.c.asset_id.in_(asset_ids))
        return [
            SyncedAsset(
                asset_id=row[0],
                client_id=row[1],
                agent_status=row[2],
                last_seen_at=row[3],
                asset_type_overridden=row[4],
                retired_at=row[5],
                last_rmm_sync_at=row[6],
            )
            for row in await self.session.execute(statement)
        ]

    async def contents(self, asset_ids: Sequence[UUID]) -> dict[UUID, AssetContent]:
        """The content of the given assets."""
        statement = (
            select(
                _assets.c.asset_id,
                *(_assets.c[field] for field in ASSET_FIELDS),
                *(_extension(field).label(field) for field in EXTENSION_FIELDS),
            )
            .select_from(_with_extensions())
            .where(_assets.c.tenant_id == self.scope.tenant_id, _assets.c.asset_id.in_(asset_ids))
        )
        fields = (*ASSET_FIELDS, *EXTENSION_FIELDS)
        return {
            row[0]: AssetContent(**dict(zip(fields, row[1:], strict=True)))
            for row in await self.session.execute(statement)
        }

    async def views(
        self, wanted: AssetFilter, freshness: Freshness, *, limit: int
    ) -> Sequence[Mapping[str, Any]]:
        """Assets that match, by name, with `effective_status`."""
        statement = self._filtered(self._select(freshness), wanted, freshness)
        statement = statement.order_by(func.lower(_assets.c.name), _assets.c.asset_id).limit(limit)
        rows: Sequence[Mapping[str, Any]] = (await self.session.execute(statement)).mappings().all()
        return rows

    async def view(self, asset_id: UUID, freshness: Freshness) -> Mapping[str, Any] | None:
        """One asset with `effective_status`, or None."""
        statement = self._select(freshness).where(
            _assets.c.tenant_id == self.scope.tenant_id, _assets.c.asset_id == asset_id
        )
        row: Mapping[str, Any] | None = (await self.session.execute(statement)).mappings().one_or_none()
        return row

    def _select(self, freshness: Freshness) -> Select[Any]:
        return select(
            *_assets.c,
            *(_extension(field).label(field) for field in EXTENSION_FIELDS),
            _status(freshness).label("effective_status"),
        ).select_from(_with_extensions())

    def _filtered(self, statement: Select[Any], wanted: AssetFilter, freshness: Freshness) -> Select[Any]:
        statement = statement.where(
            _assets.c.tenant_id == self.scope.tenant_id, _assets.c.retired_at.is_(None)
        )
        if wanted.status is not None:
            statement = statement.where(_status(freshness) == wanted.status.value)
        if wanted.client_id is not None:
            statement = statement.where(_assets.c.client_id == wanted.client_id)
        if wanted.asset_type is not None:
            statement = statement.where(_assets.c.asset_type == wanted.asset_type.value)
        if wanted.search:
            text = wanted.search.strip()
            looked_at = [
                _assets.c.name,
                _assets.c.serial_number,
                _extension("current_user"),
                _extension("last_user"),
                _extension("wan_ip"),
                cast(_extension("lan_ips"), String),
            ]
            statement = statement.where(or_(*(c.icontains(text, autoescape=True) for c in looked_at)))
        return statement

    async def count(self, wanted: AssetFilter, freshness: Freshness) -> int:
        """How many assets match."""
        statement = self._filtered(select(func.count()).select_from(_with_extensions()), wanted, freshness)
        return int((await self.session.execute(statement)).scalar_one())

    async def count_by_status(
        self, freshness: Freshness, *, integration_id: UUID | None = None
    ) -> Sequence[tuple[UUID, str, int]]:
        """(client, effective status, number) of assets not retired."""
        status = _status(freshness).label("status")
        statement = (
            select(_assets.c.client_id, status, func.count())
            .where(_assets.c.tenant_id == self.scope.tenant_id, _assets.c.retired_at.is_(None))
            .group_by(_assets.c.client_id, status)
        )
        if integration_id is not None:
            statement = statement.where(_assets.c.rmm_integration_id == integration_id)
        return [(row[0], row[1], row[2]) for row in await self.session.execute(statement)]

    async def history(self, asset_id: UUID, *, limit: int) -> list[ChangeView]:
        """What changed, newest first."""
        columns = _changes.c
        statement = (
            select(columns.changed_at, columns.field, columns.old_value, columns.new_value, columns.cause)
            .where(columns.tenant_id == self.scope.tenant_id, columns.asset_id == asset_id)
            .order_by(columns.changed_at.desc(), columns.change_id.desc())
            .limit(limit)
        )
        return [ChangeView(**row) for row in (await self.session.execute(statement)).mappings()]
