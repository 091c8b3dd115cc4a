"""Software: what the devices of an integration report as installed is taken in, list by list.

Most lists are what they were the last time, and are not even looked into. Nothing is concluded from a device
that is not in an answer but that it does not report: what it had stays.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.assets.service import AssetService
from muster.db import Database
from muster.encryption import SecretBox
from muster.events.service import EventService
from muster.events.types import ON_REQUEST
from muster.integrations.schemas import IntegrationView
from muster.mappings.service import MappingService
from muster.outbound_webhooks.service import SubscriptionService
from muster.providers.contract import ProviderConnection, ProviderErrorInfo, ProviderPayloadError
from muster.providers.inventory import SoftwareConnection, SoftwareRead, SoftwareReport
from muster.software.intake import SoftwareIntake
from muster.software.types import AssetReport, IntakeResult
from muster.sync import announcements, entries
from muster.sync.announcements import Machine
from muster.sync.kinds import CHANGED
from muster.sync.ledger import Ledger
from muster.sync.repository import RunRepository
from muster.sync.schemas import RunFilter
from muster.sync.tally import Tally
from muster.sync.types import Counters, Entry, Outcome, RunStatus, SyncType
from muster.tenancy import TenantScope

# What one transaction takes: lists that changed, programs in them, and lists that need nothing. On SQLite a
# small write waits for it.
_LISTS, _PROGRAMS, _OTHERS = 50, 3_000, 500
# Lines about rows of an answer that make no sense; the run counts all of them.
_MOST_LINES = 100
# Devices of a part, where each is asked for by itself; the list of all is read before each part.
_PART = 200
# And how far it came where each device is asked for by itself: after which, since when, and if all was whole.
LEFT = "left"
# The code of a run that ended so.
CONTINUES = "continues"
_NOTHING = {"listed": 0, "installed": 0, "updated": 0, "removed": 0}


@dataclass(slots=True)
class _Batch:
    """Lists that are written together: Counted, for the tally."""

    reports: dict[str, AssetReport] = field(default_factory=dict)
    unchanged: dict[str, UUID] = field(default_factory=dict)
    unread: int = 0
    lines: list[Entry] = field(default_factory=list)
    programs: int = 0
    created: set[str] = field(default_factory=set)
    updated: set[str] = field(default_factory=set)

    @property
    def seen(self) -> set[str]:
        """The devices whose lists were understood."""
        return {*self.reports, *self.unchanged}

    @property
    def rejected(self) -> int:
        """How many lists could not be."""
        return self.unread

    @property
    def is_full(self) -> bool:
        """Whether it is time to write it."""
        others = len(self.unchanged) + self.unread
        return len(self.reports) >= _LISTS or self.programs >= _PROGRAMS or others >= _OTHERS


class SoftwareSync:
    """One reading of what an integration's devices have installed. Its verb: `ingest`."""

    def __init__(
        self,
        database: Database,
        scope: TenantScope,
        integration: IntegrationView,
        secrets: SecretBox,
        *,
        connection: ProviderConnection,
        ledger: Ledger,
        patience: timedelta | None = None,
    ) -> None:
        """Where each device is asked for by itself, a run that has taken longer than `patience` ends between
        two parts, and leaves the others to a next one.
        """
        if not isinstance(connection, SoftwareConnection):
            raise TypeError(f"{integration.provider} declares software, and its connection has none")
        self._database = database
        self._scope = scope
        self._integration_id = integration.integration_id
        self._secrets = secrets
        self._about = announcements.About(ledger.run_id, integration.integration_id, integration.provider)
        self._connection: SoftwareConnection = connection
        self._ledger = ledger
        self._patience = patience
        self._tally = Tally()
        self._at = clock.now()
        self._devices: Mapping[str, UUID] = {}
        self._digests: Mapping[UUID, str] = {}
        self._met: set[str] = set()
        self._batch = _Batch()

    async def ingest(self) -> Outcome:
        """Take in what devices report that are assets of mapped organizations.

        A run that is taken up again reads anew; what an earlier attempt has written is unchanged by then.
        """
        self._ledger.phase = "software"
        if before := self._ledger.resumed:
            self._tally.restore(before.created | before.updated, before.created, before.updated)
        async with self._database.read(self._scope) as session:
            self._devices = await self._mapped(session)
            self._digests = await self._intake(session).digests()
            left = self._ledger.cursor.get(LEFT) or await left_over(
                session, self._scope, self._integration_id
            )
        if self._connection.software_in_bulk():
            left = None
            parts = [list(self._devices)] if self._devices else []
        else:
            rest = sorted(each for each in self._devices if left is None or each > left["after"])
            parts = [rest[start : start + _PART] for start in range(0, len(rest), _PART)]
        wanted = [self._devices[device_id] for part in parts for device_id in part]
        self._ledger.total = sum(each in self._digests for each in wanted) or len(wanted)
        self._ledger.position.begin("software", self._ledger.total)
        return await self._read_parts(parts, left or {"since": self._at.isoformat(), "whole": True})

    async def _read_parts(self, parts: Sequence[Sequence[str]], left: Mapping[str, Any]) -> Outcome:
        """Read part by part. `left` is what was read before: since when, and whether it was whole."""
        outcome, whole = Outcome(RunStatus.SUCCEEDED), bool(left["whole"])
        for number, part in enumerate(parts, start=1):
            read = await self._read(part)
            await self._flush()
            whole, is_last = whole and read.complete, number == len(parts)
            if is_last:
                self._ledger.cursor.pop(LEFT, None)
            else:
                self._ledger.cursor[LEFT] = {"after": part[-1], "since": left["since"], "whole": whole}
            read_at = datetime.fromisoformat(left["since"]) if is_last and whole else None
            await self._close(part, read, read_at)
            if outcome.error is None and not read.complete:
                outcome = _in_part(read)
            if not is_last and self._patience is not None and clock.now() - self._at >= self._patience:
                return Outcome(RunStatus.PARTIAL, _to_be_continued(number * _PART, sum(map(len, parts))))
        return outcome

    # --- the steps ---------------------------------------------------------------------------------------

    async def _mapped(self, session: AsyncSession) -> Mapping[str, UUID]:
        """The assets whose devices are asked about, by the server's ids: those that are there, of
        organizations that bring assets in.
        """
        mappings = MappingService(session, self._scope)
        wanted = {
            view.external_organization_id
            for view in await mappings.list(self._integration_id)
            if view.client_id is not None and view.auto_sync_assets
        }
        assets = await AssetService(session, self._scope).synced(self._integration_id)
        present = {asset.asset_id for asset in assets if asset.retired_at is None}
        return {
            state.external_entity_id: state.asset_id
            for state in await mappings.device_states(self._integration_id)
            if state.external_realm_id in wanted and state.missing_since is None and state.asset_id in present
        }

    async def _read(self, part: Sequence[str]) -> SoftwareRead:
        async with self._answer(part) as reports:
            async for item in reports:
                if isinstance(item, SoftwareRead):
                    return item
                self._take(item)
                self._ledger.position.add(1)
                if self._batch.is_full:
                    await self._flush()
                else:
                    self._ledger.pause()
                # What a provider makes of one answer comes without a wait in between.
                await self._database.give_way()
        raise ProviderPayloadError("What is installed was not told to the end.")

    @asynccontextmanager
    async def _answer(
        self, part: Sequence[str]
    ) -> AsyncIterator[AsyncIterator[SoftwareReport | SoftwareRead]]:
        """The answer; left at once when the work ends before it does, since it may lie on the disk."""
        reports = self._connection.software(part)
        try:
            yield reports
        finally:
            if isinstance(reports, AsyncGenerator):
                await reports.aclose()

    def _take(self, report: SoftwareReport) -> None:
        device_id, batch = report.external_id, self._batch
        asset_id = self._devices.get(device_id)
        # Two lists of one machine would undo each other in every run.
        if asset_id is None or device_id in self._met:
            return
        self._met.add(device_id)
        if self._digests.get(asset_id) == report.digest:
            batch.unchanged[device_id] = asset_id
            return
        try:
            found = report.read()
        except ProviderPayloadError as error:
            batch.unread += 1
            batch.lines.append(entries.list_unread(device_id, asset_id, error))
            return
        if found.rejected:
            batch.lines.append(entries.programs_rejected(device_id, asset_id, found.rejected))
        batch.programs += len(found.records)
        batch.reports[device_id] = AssetReport(asset_id=asset_id, digest=report.digest, records=found.records)

    async def _flush(self) -> None:
        """Write what was gathered, in one transaction."""
        batch, self._batch = self._batch, _Batch()
        if not (batch.seen or batch.lines):
            return
        before = self._ledger.cursor.get(CHANGED, _NOTHING)

        async def work(session: AsyncSession) -> tuple[Counters, Sequence[Entry]]:
            done = IntakeResult()
            if batch.reports:
                done = await self._intake(session).apply(list(batch.reports.values()), at=self._at)
            if batch.unchanged:
                await self._intake(session).seen(list(batch.unchanged.values()), at=self._at)
            machines = await self._machines(session, batch, done)
            await self._tell(session, machines, done)
            batch.created = {
                machines[each].device_id for each, delta in done.deltas.items() if delta.is_first
            }
            batch.updated = {machines[each].device_id for each, delta in done.deltas.items() if delta.changes}
            self._ledger.cursor[CHANGED] = _counted(before, done)
            self._ledger.total = max(self._ledger.total or 0, len(self._tally.seen | batch.seen))
            return self._tally.counters(batch), [*batch.lines, *_lines(machines, done)]

        try:
            await self._ledger.carry_out(work)
        except BaseException:
            self._ledger.cursor[CHANGED] = before
            raise
        self._tally.add(batch)

    async def _machines(
        self, session: AsyncSession, batch: _Batch, done: IntakeResult
    ) -> Mapping[UUID, Machine]:
        """The machines of which there is something to say."""
        told = {each for each, delta in done.deltas.items() if delta.is_first or delta.changes}
        told.update(done.doubted)
        devices = {report.asset_id: device_id for device_id, report in batch.reports.items()}
        names = await AssetService(session, self._scope).belongings(told)
        return {each: Machine(each, devices[each], names[each].name) for each in told}

    async def _tell(
        self, session: AsyncSession, machines: Mapping[UUID, Machine], done: IntakeResult
    ) -> None:
        """Publish what changed, if anybody has asked for it."""
        changed = [(machines[each], delta) for each, delta in done.deltas.items() if delta.changes]
        if changed and await SubscriptionService(session, self._scope, self._secrets).asks_for(ON_REQUEST):
            told = announcements.of_software(self._about, changed)
            await EventService(session, self._scope).publish_many(told)

    async def _close(self, part: Sequence[str], read: SoftwareRead, read_at: datetime | None) -> None:
        """Write what a whole answer tells beside its lists: who does not report any more. `read_at` is since
        when all devices were read, once they are.
        """
        self._tally.failed += len(read.rejected)
        lines = [entries.malformed(row, None, "software") for row in read.rejected[:_MOST_LINES]]
        silent: list[UUID] = []
        if read.complete:
            absent = [self._devices[device_id] for device_id in part if device_id not in self._met]
            silent = [asset_id for asset_id in absent if asset_id in self._digests]
        if silent:
            lines.append(entries.not_reported(len(silent)))

        async def work(session: AsyncSession) -> tuple[Counters, Sequence[Entry]]:
            if silent:
                await self._intake(session).missed(silent, at=self._at)
            if read_at is not None:
                await self._intake(session).read_whole(at=read_at)
            return self._tally.counters(), lines

        await self._ledger.carry_out(work)

    def _intake(self, session: AsyncSession) -> SoftwareIntake:
        return SoftwareIntake(session, self._scope, self._integration_id)


async def left_over(
    session: AsyncSession, scope: TenantScope, integration_id: UUID
) -> Mapping[str, Any] | None:
    """How far the last run came, if it did not come to its end where each device is asked for by itself."""
    wanted = RunFilter(integration_id=integration_id, sync_type=SyncType.SOFTWARE.value)
    last = await RunRepository(session, scope).latest_ended(wanted)
    return None if last is None else last.cursor.get(LEFT)


def _in_part(read: SoftwareRead) -> Outcome:
    why = read.problem or "The answer is not complete."
    problem = ProviderErrorInfo(code="incomplete", message=f"{why} What is not in it is left as it is.")
    return Outcome(RunStatus.PARTIAL, read.error or problem)


def _to_be_continued(count: int, total: int) -> ProviderErrorInfo:
    return ProviderErrorInfo(
        code=CONTINUES,
        message=f"{count:,} of {total:,} devices were asked for one by one; the others follow by themselves.",
    )


def _counted(before: Mapping[str, int], done: IntakeResult) -> dict[str, int]:
    """How much changed, this batch included."""
    deltas = done.deltas.values()
    now = {
        "listed": sum(delta.installs for delta in deltas if delta.is_first),
        "installed": sum(len(delta.installed) for delta in deltas),
        "updated": sum(len(delta.updated) for delta in deltas),
        "removed": sum(len(delta.removed) for delta in deltas),
    }
    return {name: before[name] + count for name, count in now.items()}


def _lines(machines: Mapping[UUID, Machine], done: IntakeResult) -> Iterator[Entry]:
    for asset_id in done.doubted:
        yield entries.list_emptied(machines[asset_id])
    for asset_id, delta in done.deltas.items():
        if delta.is_first:
            yield entries.first_list(machines[asset_id], delta.installs)
        elif delta.changes:
            yield entries.list_changed(machines[asset_id], delta)
