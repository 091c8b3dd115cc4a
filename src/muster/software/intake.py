"""Intake: what assets report becomes the catalogue, installs and changes, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.db import bulk
from muster.db.session import give_way
from muster.db.types import new_id, table_of
from muster.software import plan as plans
from muster.software.models import (
    InstalledSoftware,
    SoftwareChange,
    SoftwareReading,
    SoftwareReported,
    SoftwareTitle,
    SoftwareVersion,
)
from muster.software.plan import Plan
from muster.software.repository import SoftwareRepository
from muster.software.types import (
    AssetReport,
    ChangeKind,
    Install,
    IntakeResult,
    KnownReport,
    Program,
    SoftwareDelta,
    installs_of,
    seen_at,
)
from muster.tenancy import TenantScope

_TITLES = table_of(SoftwareTitle)
_VERSIONS = table_of(SoftwareVersion)
_INSTALLS = table_of(InstalledSoftware)
_REPORTS = table_of(SoftwareReported)
_READINGS = table_of(SoftwareReading)
_CHANGES = table_of(SoftwareChange)
_INSTALL_KEY = ("asset_id", "version_id")
# A few milliseconds of making rows ready for the database.
_ROWS_AT_A_TIME = 1000

Rows = list[dict[str, Any]]


@dataclass(slots=True)
class _Written:
    """The rows that some reports make."""

    programs: dict[UUID, Program] = field(default_factory=dict)
    installs: Rows = field(default_factory=list)
    details: Rows = field(default_factory=list)
    removed: Rows = field(default_factory=list)
    renamed: Rows = field(default_factory=list)
    changes: Rows = field(default_factory=list)
    reports: Rows = field(default_factory=list)

    def add(self, asset_id: UUID, plan: Plan, was_seen: datetime, at: datetime) -> None:
        """What a plan does to an asset's installs, whose list was last seen at a moment."""
        for install in plan.came:
            self._install(asset_id, install, at)
        for gone, install in plan.renamed:
            self.renamed.append({"asset_id": asset_id, "version_id": gone.program.version_id})
            self._install(asset_id, install, gone.install.first_seen_at)
        self.details += [
            {"asset_id": asset_id, "version_id": each.program.version_id, **_details(each)}
            for each in plan.detailed
        ]
        self.removed += [
            {
                "asset_id": asset_id,
                "version_id": gone.program.version_id,
                "last_seen_at": was_seen,
                "removed_at": at,
            }
            for gone in plan.went
        ]
        self.changes += [
            {
                "change_id": new_id(),
                "asset_id": asset_id,
                "software_id": each.program.software_id,
                "version_id": each.program.version_id,
                "from_version_id": None if each.was is None else each.was.version_id,
                "kind": each.kind.value,
                "changed_at": at,
            }
            for each in plan.changes
        ]

    def _install(self, asset_id: UUID, install: Install, first_seen_at: datetime) -> None:
        program = install.program
        self.programs[program.version_id] = program
        self.installs.append(
            {
                "asset_id": asset_id,
                "version_id": program.version_id,
                "software_id": program.software_id,
                **_details(install),
                "first_seen_at": first_seen_at,
                "last_seen_at": None,
                "removed_at": None,
            }
        )

    def add_report(
        self,
        report: AssetReport,
        known: KnownReport | None,
        plan: Plan,
        *,
        integration_id: UUID,
        installs: int,
        at: datetime,
    ) -> None:
        """That an asset reported; its list is another one where the plan has anything to do."""
        unchanged = known is not None and plan.is_empty
        self.reports.append(
            {
                "asset_id": report.asset_id,
                "integration_id": integration_id,
                "digest": report.digest,
                "installs": installs,
                "first_reported_at": at,
                "changed_at": known.changed_at if known is not None and unchanged else at,
                "seen_at": at,
                "missed_since": None,
            }
        )


def _details(install: Install) -> dict[str, Any]:
    details = install.details
    return {
        "installed_on": details.installed_on,
        "size_bytes": details.size_bytes,
        "source": details.source,
    }


class SoftwareIntake:
    """Takes in what the assets of one integration report. Every `at` is a moment of our own clock from
    before the server was asked. The same again writes nothing.
    """

    def __init__(self, session: AsyncSession, scope: TenantScope, integration_id: UUID) -> None:
        self._session = session
        self._scope = scope
        self._id = integration_id
        self._repository = SoftwareRepository(session, scope)

    async def digests(self) -> Mapping[UUID, str]:
        """What each asset of the integration reported last; an asset without a report is absent."""
        return await self._repository.digests(self._id)

    async def apply(self, reports: Sequence[AssetReport], *, at: datetime) -> IntakeResult:
        """Take in some dozens of reports, one for each asset.

        An asset's first report says what there is; changes count from then on. An empty list after one that
        was not is not believed: nothing is removed, and the asset is in `doubted`.
        """
        before = await self._repository.reports([report.asset_id for report in reports])
        listed: dict[UUID, Sequence[Install]] = {}
        result = IntakeResult()
        taken: list[AssetReport] = []
        unchanged: list[UUID] = []
        for report in reports:
            # A list has hundreds of entries: between two of them others on the event loop go on.
            await give_way(self._session)
            known = before.get(report.asset_id)
            installs = listed[report.asset_id] = installs_of(self._scope.tenant_id, report.records)
            if known is not None and known.installs and not installs:
                result.doubted.append(report.asset_id)
            elif known is not None and (known.digest, known.integration_id) == (report.digest, self._id):
                unchanged.append(report.asset_id)
                result.deltas[report.asset_id] = SoftwareDelta(installs=len(installs))
            else:
                taken.append(report)
        await self.seen([*unchanged, *result.doubted], at=at)
        if taken:
            await self._take(taken, listed, before, result, at)
        return result

    async def seen(self, asset_ids: Sequence[UUID], *, at: datetime | None = None) -> None:
        """The lists of some assets are what they were. Writes something of those only that the last complete
        answer did not have: they are in this one, `at` a moment, by default now.
        """
        missed = await self._repository.missed(asset_ids)
        rows = [
            {"asset_id": asset_id, "missed_since": None, "seen_at": at or clock.now()} for asset_id in missed
        ]
        await self._write(bulk.update, _REPORTS, rows, key=("asset_id",))

    async def missed(self, asset_ids: Sequence[UUID], *, at: datetime) -> None:
        """A complete answer does not have some assets that were asked for. Their installs stay. To be called
        before `read_whole` says that there was this answer.
        """
        read_at = await self._repository.read_at(self._id)
        rows = [
            {
                "asset_id": asset_id,
                "missed_since": at,
                "seen_at": was_seen if read_at is None or read_at >= at else max(was_seen, read_at),
            }
            for asset_id, was_seen in await self._repository.not_missed(asset_ids)
        ]
        await self._write(bulk.update, _REPORTS, rows, key=("asset_id",))

    async def read_whole(self, *, at: datetime) -> None:
        """The integration's software was read whole: every asset that is not said to be missed was in it."""
        row = {"integration_id": self._id, "read_at": at}
        await bulk.upsert(self._session, self._scope, _READINGS, [row], key=("integration_id",))

    # --- inside ---

    async def _take(
        self,
        reports: Sequence[AssetReport],
        listed: Mapping[UUID, Sequence[Install]],
        before: Mapping[UUID, KnownReport],
        result: IntakeResult,
        at: datetime,
    ) -> None:
        # Also of those without a report: it goes with its integration, the installs do not.
        installed = await self._repository.installed([report.asset_id for report in reports])
        programs = {each.program.version_id: each.program for some in listed.values() for each in some}
        unlisted = {each.version_id for some in installed.values() for each in some} - set(programs)
        programs |= await self._repository.programs(sorted(unlisted))
        read_at = await self._repository.read_at(self._id)
        written = _Written()
        for report in reports:
            await give_way(self._session)
            known = before.get(report.asset_id)
            is_first = known is None or not known.installs
            installs = listed[report.asset_id]
            plan = plans.of_report(installed.get(report.asset_id, ()), installs, programs, is_first=is_first)
            was_seen = at if known is None else seen_at(known.seen_at, known.missed_since, read_at)
            written.add(report.asset_id, plan, was_seen, at)
            written.add_report(report, known, plan, integration_id=self._id, installs=len(installs), at=at)
            result.deltas[report.asset_id] = _delta(plan, len(installs), is_first=is_first)
        await self._save(written, at)

    async def _save(self, written: _Written, at: datetime) -> None:
        if written.programs:
            await self._save_catalogue(written.programs, at)
        await self._write(bulk.delete, _INSTALLS, written.renamed, key=_INSTALL_KEY)
        await self._write(bulk.update, _INSTALLS, written.removed, key=_INSTALL_KEY)
        await self._write(bulk.update, _INSTALLS, written.details, key=_INSTALL_KEY)
        await self._write(bulk.upsert, _INSTALLS, written.installs, key=_INSTALL_KEY, keep=("first_seen_at",))
        await self._write(bulk.insert, _CHANGES, written.changes)
        await self._write(
            bulk.upsert, _REPORTS, written.reports, key=("asset_id",), keep=("first_reported_at",)
        )
        for table in (_TITLES, _VERSIONS, _INSTALLS, _REPORTS):
            await bulk.learn(self._session, table)

    async def _save_catalogue(self, programs: Mapping[UUID, Program], at: datetime) -> None:
        """Write titles and versions that are new. In the order of their ids: two that write the same ones at
        once then wait for each other in turn, not in a circle.
        """
        known = await self._repository.known_versions(sorted(programs))
        new = [programs[each] for each in sorted(set(programs) - known)]
        titles = {
            each.software_id: {
                "software_id": each.software_id,
                "name": each.name,
                "publisher": each.publisher,
                "name_key": each.name_key,
                "publisher_key": each.publisher_key,
                "first_seen_at": at,
            }
            for each in new
        }
        versions = [
            {
                "version_id": each.version_id,
                "software_id": each.software_id,
                "version": each.version,
                "version_key": each.version_key,
                "first_seen_at": at,
            }
            for each in new
        ]
        await self._write(bulk.insert_new, _TITLES, [titles[each] for each in sorted(titles)])
        await self._write(bulk.insert_new, _VERSIONS, versions)

    async def _write(
        self, verb: Callable[..., Awaitable[None]], table: Table, rows: Rows, **options: Any
    ) -> None:
        """Write rows, some at a time: to make them ready for the database takes its time, in turns with
        others.
        """
        for start in range(0, len(rows), _ROWS_AT_A_TIME):
            if start:
                await give_way(self._session)
            await verb(self._session, self._scope, table, rows[start : start + _ROWS_AT_A_TIME], **options)


def _delta(plan: Plan, installs: int, *, is_first: bool) -> SoftwareDelta:
    by_kind = {kind: [each for each in plan.changes if each.kind is kind] for kind in ChangeKind}
    return SoftwareDelta(
        installed=by_kind[ChangeKind.INSTALLED],
        updated=by_kind[ChangeKind.UPDATED],
        removed=by_kind[ChangeKind.REMOVED],
        is_first=is_first,
        installs=installs,
    )
