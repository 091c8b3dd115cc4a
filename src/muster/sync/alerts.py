"""Alerts: ours are made to agree with the server's.

What is open there is listed in one answer. What is open here and not in it is read one by one: only the alert
itself says that it was resolved, that it is gone, or that these credentials may not see it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import starmap

from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.alerts.intake import AlertIntake
from muster.alerts.types import IntakeResult
from muster.db import Database
from muster.integrations.schemas import IntegrationView
from muster.providers.alerting import AlertConnection, AlertRecord, AlertSnapshot
from muster.providers.contract import (
    ProviderAuthError,
    ProviderConnection,
    ProviderError,
    ProviderErrorInfo,
    ProviderNotFound,
    ProviderPermissionError,
)
from muster.sync import entries, kinds
from muster.sync.ledger import Ledger
from muster.sync.repository import RunRepository
from muster.sync.schemas import RunFilter
from muster.sync.tally import Tally
from muster.sync.types import Action, Counters, Entry, Outcome, RunStatus, SyncType
from muster.tenancy import TenantScope

# Alerts in one transaction, and single reads between two of them.
_CHUNK, _READS = 200, 20
# After so many single reads that failed for the moment the rest is left to the next run.
_FAILURES = 3
_NONE: Mapping[str, ProviderError] = {}
# In a run's cursor: when the server was asked to name what webhooks had left nameless, and when for alerts
# that it had not shown before.
_NAMED, _UNSEEN = "named_at", "unseen_at"
_UNSEEN_AGAIN = timedelta(hours=6)
# How long a webhook may take from its arrival until it is an alert.
_NAMING = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """What became of some alerts: Counted, for the tally."""

    seen: Set[str] = frozenset()
    created: Set[str] = frozenset()
    updated: Set[str] = frozenset()
    rejected: int = 0


class AlertSync:
    """One sync of an integration's alerts. Its verb: `reconcile`."""

    def __init__(
        self,
        database: Database,
        scope: TenantScope,
        integration: IntegrationView,
        *,
        connection: ProviderConnection,
        ledger: Ledger,
    ) -> None:
        if not isinstance(connection, AlertConnection):
            raise TypeError(f"{integration.provider} declares alerts, and its connection has none")
        self._database = database
        self._scope = scope
        self._integration = integration
        self._connection: AlertConnection = connection
        self._ledger = ledger
        self._tally = Tally()
        self._rejected: set[str] = set()

    async def reconcile(self, days: int | None = None, *, thorough: bool = True) -> Outcome:
        """Take in what the server lists: what is open, with `days` also what was resolved of so many days.
        Then find out what became of the others that are open here. Unless `thorough`, those that the
        credentials could not see are asked for again some hours later only.
        """
        if before := self._ledger.resumed:
            self._tally.restore(before.created | before.updated, before.created, before.updated)
            self._tally.missing = self._ledger.counters.missing
        # Before the lists: what opens while they travel is not absent from them.
        async with self._database.read(self._scope) as session:
            ours = await self._intake(session).open_ids()
            earlier = await self._earlier(session)
        listed = await self._read_lists(days, earlier.get(_NAMED))
        absent = [each for each in ours if each not in listed]
        return await self._read_absent(await self._worth_asking(absent, earlier.get(_UNSEEN), thorough))

    async def _earlier(self, session: AsyncSession) -> Mapping[str, datetime]:
        """What the last whole run remembered."""
        wanted = RunFilter(
            integration_id=self._integration.integration_id,
            sync_type=SyncType.ALERTS.value,
            status=RunStatus.SUCCEEDED.value,
        )
        for run in await RunRepository(session, self._scope).page(wanted, limit=1, offset=0):
            return {
                name: datetime.fromisoformat(run.cursor[name])
                for name in (_NAMED, _UNSEEN)
                if name in run.cursor
            }
        return {}

    async def _read_lists(self, days: int | None, named_at: datetime | None) -> Set[str]:
        """Take in what is listed; gives the ids of it, understood or not."""
        self._ledger.phase = "alerts"
        if days is not None:
            self._ledger.cursor[kinds.DAYS] = days
        listed = await self._take(self._connection.open_alerts)
        now = clock.now()
        async with self._database.read(self._scope) as session:
            after = None if named_at is None else named_at - _NAMING
            since = await self._intake(session).unnamed_since(after)
        self._ledger.cursor[_NAMED] = now.isoformat()
        if since is not None:
            # What a webhook told of without its name, and is over by now, is only in such a list.
            days = max(days or 1, min((now - since).days + 1, kinds.MOST_DAYS))
        if days is None:
            return listed
        self._ledger.pause()
        return listed | await self._take(partial(self._connection.recent_alerts, days))

    async def _take(self, ask: Callable[[], Awaitable[AlertSnapshot]]) -> Set[str]:
        at = clock.now()
        snapshot = await ask()
        ids = {record.external_id for record in snapshot.records}
        rejected = [row for row in snapshot.rejected if row.external_id not in self._rejected]
        self._rejected |= {row.external_id for row in rejected if row.external_id is not None}
        self._tally.failed += len(rejected)
        self._ledger.total = len(self._tally.seen | ids) + self._tally.failed
        if rejected:
            lines = [entries.malformed(row, None, "alert") for row in rejected]
            await self._ledger.commit(self._tally.counters(), lines)
        for start in range(0, len(snapshot.records), _CHUNK):
            await self._settle(at, snapshot.records[start : start + _CHUNK])
        return ids | self._rejected

    async def _worth_asking(
        self, absent: Sequence[str], unseen_at: datetime | None, thorough: bool
    ) -> Sequence[str]:
        """What is to be read one by one: without that which these credentials could not see lately."""
        now = clock.now()
        if thorough or unseen_at is None or now - unseen_at > _UNSEEN_AGAIN:
            self._ledger.cursor[_UNSEEN] = now.isoformat()
            return absent
        self._ledger.cursor[_UNSEEN] = unseen_at.isoformat()
        async with self._database.read(self._scope) as session:
            unseen = await self._intake(session).unseen_before(absent)
        if unseen:
            await self._ledger.commit(self._tally.counters(), [entries.alerts_unseen(len(unseen))])
        return [each for each in absent if each not in unseen]

    async def _read_absent(self, absent: Sequence[str]) -> Outcome:
        """Read one by one what is open here and not listed there."""
        self._ledger.phase = "absent"
        self._ledger.total = (self._ledger.total or 0) + len(absent)
        failures: list[ProviderErrorInfo] = []
        for start in range(0, len(absent), _READS):
            some = absent[start : start + _READS]
            at = clock.now()
            # At a time as many as the connection lets through: see MUSTER_SERVER_CONCURRENCY.
            answers = await asyncio.gather(
                *(self._connection.alert(external_id) for external_id in some), return_exceptions=True
            )
            records: list[AlertRecord] = []
            refused: dict[str, ProviderError] = {}
            for external_id, answer in zip(some, answers, strict=True):
                if isinstance(answer, AlertRecord):
                    records.append(answer)
                elif isinstance(answer, ProviderError) and not isinstance(answer, ProviderAuthError):
                    refused[external_id] = answer
                else:
                    raise answer
            await self._settle(at, records, refused)
            failures += [error.info() for error in refused.values() if error.retryable]
            if len(failures) >= _FAILURES:
                break
        return Outcome(RunStatus.PARTIAL, failures[0]) if failures else Outcome(RunStatus.SUCCEEDED)

    async def _settle(
        self, at: datetime, records: Sequence[AlertRecord], refused: Mapping[str, ProviderError] = _NONE
    ) -> None:
        """Write what some alerts say, or what the server says in their place, in one transaction."""
        gone = [eid for eid, error in refused.items() if isinstance(error, ProviderNotFound)]
        unseen = [eid for eid, error in refused.items() if isinstance(error, ProviderPermissionError)]
        batch = _Batch()

        async def work(session: AsyncSession) -> tuple[Counters, Sequence[Entry]]:
            nonlocal batch
            intake = self._intake(session)
            done = await intake.apply(records, at=at, origin="sync") if records else IntakeResult()
            if gone:
                await intake.absent(gone, at=at)
            if unseen:
                await intake.unseen(unseen, at=at)
            batch = _Batch(
                seen={record.external_id for record in records},
                created=done.created.keys(),
                updated=done.updated.keys(),
                rejected=len(refused) - len(gone) - len(unseen),
            )
            unread = starmap(entries.alert_unread, refused.items())
            return self._tally.counters(batch), [*_taken(records, done), *unread]

        self._tally.missing += len(gone)
        await self._ledger.carry_out(work)
        self._tally.add(batch)

    def _intake(self, session: AsyncSession) -> AlertIntake:
        return AlertIntake(session, self._scope, self._integration)


def _taken(records: Sequence[AlertRecord], done: IntakeResult) -> Iterator[Entry]:
    for record in records:
        if record.external_id in done.created:
            yield entries.alert(record, Action.CREATED, "new_alert", "Raised.")
        elif record.external_id in done.resolved:
            yield entries.alert(record, Action.UPDATED, "resolved_there", "Resolved.")
        elif record.external_id in done.updated:
            yield entries.alert(record, Action.UPDATED, "alert_changed", "Changed.")
