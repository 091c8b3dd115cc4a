"""Questions to the tables of software that intake asks; lists have theirs beside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping, and_, func, select

from muster.db.repository import TenantRepository
from muster.db.turns import rows
from muster.db.types import table_of
from muster.software.models import (
    InstalledSoftware,
    SoftwareReading,
    SoftwareReported,
    SoftwareTitle,
    SoftwareVersion,
)
from muster.software.types import Details, KnownInstall, KnownReport, Program

_titles = table_of(SoftwareTitle)
_versions = table_of(SoftwareVersion)
_installs = table_of(InstalledSoftware)
_reports = table_of(SoftwareReported)
_readings = table_of(SoftwareReading)
# SQLite's older builds take 999 parameters in one statement.
_IDS_AT_A_TIME = 500


class SoftwareRepository(TenantRepository):
    """Software of one tenant."""

    async def digests(self, integration_id: UUID) -> dict[UUID, str]:
        """What the list of each asset of an integration was when it was last read."""
        statement = select(_reports.c.asset_id, _reports.c.digest).where(
            _reports.c.tenant_id == self.scope.tenant_id, _reports.c.integration_id == integration_id
        )
        return {row[0]: row[1] async for row in rows(self.session, statement)}

    async def reports(self, asset_ids: Sequence[UUID]) -> dict[UUID, KnownReport]:
        """How the last reports of some assets stand."""
        columns = [_reports.c[name] for name in KnownReport.__struct_fields__]
        found: dict[UUID, KnownReport] = {}
        for some in _some(asset_ids):
            statement = select(*columns).where(
                _reports.c.tenant_id == self.scope.tenant_id, _reports.c.asset_id.in_(some)
            )
            found |= {row[0]: KnownReport(*row) async for row in rows(self.session, statement)}
        return found

    async def report(self, asset_id: UUID) -> RowMapping | None:
        """An asset's report, and when its integration was last read whole (`read_at`)."""
        columns = _reports.c
        is_integration = and_(
            _readings.c.tenant_id == columns.tenant_id, _readings.c.integration_id == columns.integration_id
        )
        statement = (
            select(
                columns.first_reported_at,
                columns.seen_at,
                columns.missed_since,
                columns.changed_at,
                _readings.c.read_at,
            )
            .select_from(_reports.outerjoin(_readings, is_integration))
            .where(columns.tenant_id == self.scope.tenant_id, columns.asset_id == asset_id)
        )
        return (await self.session.execute(statement)).mappings().one_or_none()

    async def missed(self, asset_ids: Sequence[UUID]) -> list[UUID]:
        """Those of some assets that the last complete answer did not have."""
        found: list[UUID] = []
        for some in _some(asset_ids):
            statement = select(_reports.c.asset_id).where(
                _reports.c.tenant_id == self.scope.tenant_id,
                _reports.c.asset_id.in_(some),
                _reports.c.missed_since.is_not(None),
            )
            found += await self.session.scalars(statement)
        return found

    async def not_missed(self, asset_ids: Sequence[UUID]) -> list[tuple[UUID, datetime]]:
        """Those of some assets that report as far as is known, and when they were last written to do so."""
        columns = _reports.c
        found: list[tuple[UUID, datetime]] = []
        for some in _some(asset_ids):
            statement = select(columns.asset_id, columns.seen_at).where(
                columns.tenant_id == self.scope.tenant_id,
                columns.asset_id.in_(some),
                columns.missed_since.is_(None),
            )
            found += [(row[0], row[1]) for row in await self.session.execute(statement)]
        return found

    async def read_at(self, integration_id: UUID | None = None) -> datetime | None:
        """When an integration, or the latest of all, was last read whole."""
        statement = select(func.max(_readings.c.read_at)).where(_readings.c.tenant_id == self.scope.tenant_id)
        if integration_id is not None:
            statement = statement.where(_readings.c.integration_id == integration_id)
        found: datetime | None = (await self.session.execute(statement)).scalar_one_or_none()
        return found

    async def installed(self, asset_ids: Sequence[UUID]) -> dict[UUID, list[KnownInstall]]:
        """What is installed on some assets (some dozens: each has hundreds)."""
        columns = _installs.c
        statement = select(
            columns.asset_id,
            columns.version_id,
            columns.installed_on,
            columns.size_bytes,
            columns.source,
            columns.first_seen_at,
        ).where(
            columns.tenant_id == self.scope.tenant_id,
            columns.asset_id.in_(asset_ids),
            columns.removed_at.is_(None),
        )
        found: dict[UUID, list[KnownInstall]] = {}
        async for row in rows(self.session, statement):
            details = Details(row[2], row[3], row[4])
            found.setdefault(row[0], []).append(KnownInstall(row[1], details, row[5]))
        return found

    async def programs(self, version_ids: Sequence[UUID]) -> dict[UUID, Program]:
        """The programs that some versions are of."""
        of_title = and_(
            _titles.c.tenant_id == _versions.c.tenant_id, _titles.c.software_id == _versions.c.software_id
        )
        tables = {**dict(_titles.c), **dict(_versions.c)}
        columns = [tables[name] for name in Program.__struct_fields__]
        found: dict[UUID, Program] = {}
        for some in _some(version_ids):
            statement = (
                select(*columns)
                .select_from(_versions.join(_titles, of_title))
                .where(_versions.c.tenant_id == self.scope.tenant_id, _versions.c.version_id.in_(some))
            )
            async for row in rows(self.session, statement):
                program = Program(*row)
                found[program.version_id] = program
        return found

    async def known_versions(self, version_ids: Sequence[UUID]) -> set[UUID]:
        """Those of some versions that the catalogue has."""
        found: set[UUID] = set()
        for some in _some(version_ids):
            statement = select(_versions.c.version_id).where(
                _versions.c.tenant_id == self.scope.tenant_id, _versions.c.version_id.in_(some)
            )
            found.update(await self.session.scalars(statement))
        return found


def _some(ids: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    for start in range(0, len(ids), _IDS_AT_A_TIME):
        yield ids[start : start + _IDS_AT_A_TIME]
