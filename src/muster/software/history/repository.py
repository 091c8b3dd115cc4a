"""Questions about what changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, FromClause, and_, func, select

from muster.assets.service import assets
from muster.db.repository import TenantRepository
from muster.db.types import table_of
from muster.software.installs.repository import assets_of_client, retired_assets
from muster.software.models import InstalledSoftware, SoftwareChange, SoftwareTitle, SoftwareVersion
from muster.software.schemas import ChangeFilter, SoftwareChangeView

_changes = table_of(SoftwareChange)
_installs = table_of(InstalledSoftware)
_titles = table_of(SoftwareTitle)
_versions = table_of(SoftwareVersion)
_assets = assets()


class HistoryRepository(TenantRepository):
    """What changed on one tenant's assets."""

    async def page(self, wanted: ChangeFilter, *, limit: int, offset: int) -> Sequence[SoftwareChangeView]:
        """A part of the changes that match, the latest first."""
        columns = _changes.c
        latest = (columns.changed_at.desc(), columns.change_id.desc())
        chosen = (
            select(columns.change_id)
            .where(*self._matching(wanted))
            .order_by(*latest)
            .limit(limit)
            .offset(offset)
            .subquery()
        )
        before = _versions.alias("before")
        is_chosen = and_(columns.tenant_id == self.scope.tenant_id, columns.change_id == chosen.c.change_id)
        joined: FromClause = _changes.join(chosen, is_chosen)
        for table, name in ((_assets, "asset_id"), (_titles, "software_id"), (_versions, "version_id")):
            same = and_(table.c.tenant_id == columns.tenant_id, table.c[name] == columns[name])
            joined = joined.join(table, same)
        was = and_(before.c.tenant_id == columns.tenant_id, before.c.version_id == columns.from_version_id)
        joined = joined.outerjoin(before, was)
        statement = select(
            columns.change_id,
            columns.changed_at,
            columns.kind,
            columns.asset_id,
            _assets.c.name.label("asset_name"),
            _assets.c.client_id,
            columns.software_id,
            _titles.c.name,
            _titles.c.publisher,
            func.nullif(_versions.c.version, "").label("version"),
            func.nullif(before.c.version, "").label("from_version"),
        ).select_from(joined)
        found = (await self.session.execute(statement.order_by(*latest))).mappings()
        return [SoftwareChangeView(**row) for row in found]

    async def counts(self, wanted: ChangeFilter) -> Mapping[str, int]:
        """How many changes match, by kind."""
        statement = (
            select(_changes.c.kind, func.count()).where(*self._matching(wanted)).group_by(_changes.c.kind)
        )
        return {row[0]: row[1] for row in await self.session.execute(statement)}

    def _matching(self, wanted: ChangeFilter) -> Iterator[ColumnElement[bool]]:
        """What must hold. Changes of retired assets match only where one asset is asked for."""
        columns = _changes.c
        yield columns.tenant_id == self.scope.tenant_id
        for name in ("asset_id", "software_id", "kind"):
            if (value := getattr(wanted, name)) is not None:
                yield columns[name] == value
        if wanted.since is not None:
            yield columns.changed_at >= wanted.since
        if wanted.client_id is not None:
            yield columns.asset_id.in_(assets_of_client(self.scope, wanted.client_id))
        elif wanted.asset_id is None:
            yield columns.asset_id.not_in(retired_assets(self.scope))


def changed_before(moment: datetime) -> ColumnElement[bool]:
    """The changes from before a moment."""
    return _changes.c.changed_at < moment


def removed_before(moment: datetime) -> ColumnElement[bool]:
    """The installs that were gone before a moment."""
    return _installs.c.removed_at < moment
