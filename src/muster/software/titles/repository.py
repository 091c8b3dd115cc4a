"""Questions of the catalogue: which titles are installed, where, and in which versions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, RowMapping, Select, and_, distinct, func, literal, select

from muster.assets.service import assets
from muster.db.repository import TenantRepository
from muster.db.types import table_of
from muster.software.installs.repository import described, matching, retired_assets, within
from muster.software.models import InstalledSoftware, SoftwareReported, SoftwareTitle, SoftwareVersion
from muster.software.schemas import (
    ClientCount,
    InstallFilter,
    SoftwareCounts,
    TitleFilter,
    TitleOrder,
    TitleSort,
    TitleView,
    VersionView,
)

_titles = table_of(SoftwareTitle)
_versions = table_of(SoftwareVersion)
_installs = table_of(InstalledSoftware)
_reports = table_of(SoftwareReported)
_assets = assets()
_TITLE = ("software_id", "name", "publisher", "first_seen_at")
_BY_NAME = (_titles.c.name_key, _titles.c.publisher_key, _titles.c.software_id)
# SQLite's older builds take 999 parameters in one statement.
_IDS_AT_A_TIME = 500
_NONE: Mapping[UUID, int] = {}


class _Numbers(NamedTuple):
    """What is counted of a title: assets, versions, and which of these is the latest."""

    machines: int
    versions: int
    newest: str | None


class TitleRepository(TenantRepository):
    """The catalogue of one tenant."""

    async def page(
        self, wanted: TitleFilter, order: TitleOrder, *, limit: int, offset: int
    ) -> tuple[Sequence[TitleView], int]:
        """A part of the titles that match, and how many match in all."""
        if wanted.client_id is None and order.by is not TitleSort.MACHINES:
            # That a title is installed anywhere is found sooner than where.
            everything = select(_titles).where(*self._described(wanted), self._is_installed(wanted))
            keys, known = _sort_keys(order), []
        else:
            meant = _installs_of(wanted)
            if wanted.client_id is None:
                # Only of the titles that match: to count on all assets is most of the work.
                meant = msgspec.structs.replace(meant, search=wanted.search, publisher=wanted.publisher)
            counted = self._machines(matching(self.scope, meant)).subquery()
            is_title = counted.c.software_id == _titles.c.software_id
            joined = _titles.join(counted, is_title)
            everything = select(_titles).select_from(joined).where(*self._described(wanted))
            keys, known = _sort_keys(order, counted.c.machines), [counted.c.machines]
        if limit == 0:
            return [], await self._count(everything)
        # Counted on the way: where everything is counted to be sorted, that is done once.
        total = func.count().over().label("total")
        chosen = everything.with_only_columns(*(_titles.c[name] for name in _TITLE), *known, total)
        chosen = chosen.order_by(*keys).limit(limit).offset(offset)
        found = (await self.session.execute(chosen)).mappings().all()
        if not found:
            return [], await self._count(everything)
        machines = {row["software_id"]: row["machines"] for row in found} if known else {}
        return await self._views(found, _installs_of(wanted), machines), found[0]["total"]

    async def count(self) -> int:
        """How many titles are installed."""
        everything = TitleFilter()
        return await self._count(
            select(_titles).where(*self._described(everything), self._is_installed(everything))
        )

    async def view(self, software_id: UUID) -> TitleView | None:
        """One title, installed or not; None when this tenant has none with that id."""
        columns = [_titles.c[name] for name in _TITLE]
        statement = select(*columns).where(
            _titles.c.tenant_id == self.scope.tenant_id, _titles.c.software_id == software_id
        )
        found = (await self.session.execute(statement)).mappings().all()
        views = await self._views(found, InstallFilter())
        return views[0] if views else None

    async def namesakes(self, software_id: UUID) -> Sequence[TitleView]:
        """The titles of a title's name that have another publisher and are installed."""
        itself = _titles.alias("itself")
        statement = (
            select(*(_titles.c[name] for name in _TITLE))
            .select_from(
                _titles.join(
                    itself,
                    and_(itself.c.tenant_id == _titles.c.tenant_id, itself.c.name_key == _titles.c.name_key),
                )
            )
            .where(
                itself.c.tenant_id == self.scope.tenant_id,
                itself.c.software_id == software_id,
                _titles.c.software_id != software_id,
                self._is_installed(TitleFilter()),
            )
            .order_by(*_BY_NAME)
        )
        found = (await self.session.execute(statement)).mappings().all()
        return await self._views(found, InstallFilter())

    async def versions(self, software_id: UUID) -> Sequence[VersionView]:
        """A title's versions, newest first, those at the end that are installed nowhere."""
        counted = (
            select(_installs.c.version_id, func.count().label("machines"))
            .where(*matching(self.scope, InstallFilter(software_id=software_id)))
            .group_by(_installs.c.version_id)
            .subquery()
        )
        statement = (
            select(
                _versions.c.version_id,
                _versions.c.version,
                _versions.c.first_seen_at,
                func.coalesce(counted.c.machines, 0).label("machines"),
            )
            .select_from(_versions.outerjoin(counted, counted.c.version_id == _versions.c.version_id))
            .where(_versions.c.tenant_id == self.scope.tenant_id, _versions.c.software_id == software_id)
            .order_by(
                counted.c.machines.is_(None), _versions.c.version_key.desc(), _versions.c.version.desc()
            )
        )
        found = (await self.session.execute(statement)).mappings()
        return [VersionView(**{**row, "version": row["version"] or None}) for row in found]

    async def clients(self, software_id: UUID) -> Sequence[ClientCount]:
        """On how many assets of each client a title is installed, most first."""
        machines = func.count(distinct(_installs.c.asset_id))
        is_asset = and_(
            _assets.c.tenant_id == _installs.c.tenant_id, _assets.c.asset_id == _installs.c.asset_id
        )
        statement = (
            select(_assets.c.client_id, machines)
            .select_from(_installs.join(_assets, is_asset))
            .where(*matching(self.scope, InstallFilter(software_id=software_id)))
            .group_by(_assets.c.client_id)
            .order_by(machines.desc(), _assets.c.client_id)
        )
        return [
            ClientCount(client_id=row[0], machines=row[1]) for row in await self.session.execute(statement)
        ]

    async def counts(self) -> SoftwareCounts:
        """What stands at the head of the catalogue."""
        reporting = select(
            func.count(), func.coalesce(func.sum(_reports.c.installs), 0), func.count(_reports.c.missed_since)
        ).where(
            _reports.c.tenant_id == self.scope.tenant_id,
            _reports.c.asset_id.not_in(retired_assets(self.scope)),
        )
        reported, installs, missed = (await self.session.execute(reporting)).one()
        with_agent = select(func.count()).where(
            _assets.c.tenant_id == self.scope.tenant_id, _assets.c.rmm_integration_id.is_not(None)
        )
        retired = with_agent.where(_assets.c.retired_at.is_not(None))
        agents = select(with_agent.scalar_subquery() - retired.scalar_subquery())
        number = int((await self.session.execute(agents)).scalar_one())
        return SoftwareCounts(
            titles=await self.count(),
            installs=int(installs),
            reporting=reported - missed,
            not_reporting=max(0, number - (reported - missed)),
        )

    # --- inside ---

    def _described(self, wanted: TitleFilter) -> Iterator[ColumnElement[bool]]:
        """What a title's own row can tell."""
        yield _titles.c.tenant_id == self.scope.tenant_id
        yield from described(wanted.search, wanted.publisher)

    def _is_installed(self, wanted: TitleFilter) -> ColumnElement[bool]:
        """Whether one install at least is found, title by title: as an EXISTS it tempts PostgreSQL, which
        cannot tell how few titles a search finds, to begin with all installs there are.
        """
        statement = select(literal(1)).where(*matching(self.scope, InstallFilter()))
        if wanted.bound is None:
            statement = statement.where(_installs.c.software_id == _titles.c.software_id)
        else:
            of_version = and_(
                _installs.c.tenant_id == _versions.c.tenant_id,
                _installs.c.version_id == _versions.c.version_id,
                _installs.c.software_id == _versions.c.software_id,
            )
            statement = statement.select_from(_versions.join(_installs, of_version)).where(
                _versions.c.tenant_id == self.scope.tenant_id,
                _versions.c.software_id == _titles.c.software_id,
                *within(wanted.bound),
            )
        return statement.limit(1).correlate(_titles).scalar_subquery().is_not(None)

    def _machines(self, conditions: Iterable[ColumnElement[bool]]) -> Select[Any]:
        """On how many assets each title is installed."""
        machines = func.count(distinct(_installs.c.asset_id)).label("machines")
        return select(_installs.c.software_id, machines).where(*conditions).group_by(_installs.c.software_id)

    async def _count(self, statement: Select[Any]) -> int:
        counted = statement.with_only_columns(func.count(), maintain_column_froms=True)
        return int((await self.session.execute(counted)).scalar_one())

    async def _views(
        self, rows: Sequence[RowMapping], wanted: InstallFilter, machines: Mapping[UUID, int] = _NONE
    ) -> Sequence[TitleView]:
        numbers: dict[UUID, _Numbers] = {}
        ids = [row["software_id"] for row in rows]
        for start in range(0, len(ids), _IDS_AT_A_TIME):
            numbers |= await self._numbers(ids[start : start + _IDS_AT_A_TIME], wanted, machines)
        nothing = _Numbers(0, 0, None)
        return [
            TitleView(
                **{name: row[name] for name in _TITLE},
                machines=numbers.get(row["software_id"], nothing).machines,
                versions=numbers.get(row["software_id"], nothing).versions,
                newest_version=numbers.get(row["software_id"], nothing).newest,
            )
            for row in rows
        ]

    async def _numbers(
        self, ids: Sequence[UUID], wanted: InstallFilter, machines: Mapping[UUID, int]
    ) -> Mapping[UUID, _Numbers]:
        """What is counted of some titles; `machines` of those where it is known already."""
        columns = _installs.c
        counted = (
            select(columns.software_id, columns.version_id, func.count().label("machines"))
            .where(*matching(self.scope, wanted, ids))
            .group_by(columns.software_id, columns.version_id)
            .subquery()
        )
        is_version = and_(
            _versions.c.tenant_id == self.scope.tenant_id, _versions.c.version_id == counted.c.version_id
        )
        statement = (
            select(counted.c.software_id, _versions.c.version, counted.c.machines)
            .select_from(counted.join(_versions, is_version))
            .order_by(counted.c.software_id, _versions.c.version_key.desc(), _versions.c.version.desc())
        )
        found: dict[UUID, _Numbers] = {}
        for software_id, version, count in await self.session.execute(statement):
            known = found.get(software_id)
            if known is None:
                found[software_id] = _Numbers(machines.get(software_id, count), 1, version or None)
            else:
                found[software_id] = known._replace(versions=known.versions + 1)
        # With several versions an asset may be counted more than once.
        several = [each for each, numbers in found.items() if numbers.versions > 1 and each not in machines]
        if several:
            exact = self._machines(matching(self.scope, wanted, several))
            for software_id, count in await self.session.execute(exact):
                found[software_id] = found[software_id]._replace(machines=count)
        return found


def _installs_of(wanted: TitleFilter) -> InstallFilter:
    """The installs that are counted for a list of titles."""
    return InstallFilter(bound=wanted.bound, client_id=wanted.client_id)


def _sort_keys(order: TitleOrder, machines: ColumnElement[int] | None = None) -> Sequence[ColumnElement[Any]]:
    key: ColumnElement[Any]
    match order.by:
        case TitleSort.NAME:
            return [each.desc() for each in _BY_NAME] if order.descending else _BY_NAME
        case TitleSort.PUBLISHER:
            key = func.nullif(_titles.c.publisher_key, "")
        case TitleSort.FIRST_SEEN:
            key = _titles.c.first_seen_at
        case TitleSort.MACHINES:
            if machines is None:
                raise ValueError("sorted by a number, titles need it")
            key = machines
    return (key.desc() if order.descending else key.asc()).nulls_last(), *_BY_NAME
