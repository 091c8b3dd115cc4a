"""Telling the server what a person did to an alert, and seeing that it took it.

A server may send its webhook in the middle of handling an alert, and save the alert as it had it before once
we have answered (Tactical does). What is written in between is lost: so an alert whose webhook is under way
is left alone until the server has noted that webhook's answer, for some seconds at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.alerts import verbs
from muster.alerts.intake import AlertIntake
from muster.alerts.plan import changed, has_landed
from muster.alerts.repository import AlertRepository
from muster.alerts.types import AlertState, ChangeKind, Identity, Line, Verb, WriteBack, WriteBackState
from muster.alerts.writing import AlertWriter
from muster.db import Database
from muster.errors import Conflict
from muster.integrations.connections import Connector
from muster.integrations.directory import views
from muster.integrations.schemas import IntegrationView
from muster.jobs.types import JobPostponed
from muster.providers.alerting import AlertConnection, AlertRecord
from muster.providers.contract import ProviderError, ProviderNotFound, ProviderPermissionError
from muster.tenancy import TenantScope

# Longer than any server waits for our answer before it saves (Tactical: 8 seconds).
UNDER_WAY = timedelta(seconds=30)
_LOOK_AGAIN = timedelta(seconds=3)
# How long a server that does not answer is tried, and how far apart at least and at most.
GIVE_UP_AFTER = timedelta(days=1)
_SOONEST, _LATEST = timedelta(seconds=15), timedelta(minutes=30)
# How long the server may answer "done" and not have it.
_MOST_OVERWRITES = timedelta(minutes=5)
# A snooze that ends this much earlier or later is the same.
_SAME_END = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Deed:
    """What a person did, of which alert, and whose server is told."""

    state: AlertState
    told: WriteBack
    integration: IntegrationView


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How telling it came out. `record` is the alert as the server has it, asked for at `asked_at`; `gone`:
    the server has none of that id.
    """

    state: WriteBackState
    message: str
    record: AlertRecord | None = None
    asked_at: datetime | None = None
    gone: bool = False


class Teller:
    """Tells servers of the deeds of one tenant's people."""

    def __init__(self, database: Database, connector: Connector, scope: TenantScope) -> None:
        self._database = database
        self._connector = connector
        self._scope = scope

    async def tell(self, alert_id: UUID, since: datetime) -> WriteBackState | None:
        """Tell the server of what was done to an alert at a moment; how that came out, None when something
        else was done since. JobPostponed: it is too early, or the server does not answer.
        """
        deed = await self._deed(alert_id, since)
        if deed is None:
            return None
        try:
            outcome = await self._outcome(deed)
        except Conflict as refused:
            # The integration was disconnected meanwhile.
            outcome = _Outcome(WriteBackState.FAILED, refused.message)
        except ProviderError as problem:
            outcome = await self._put_off(deed, problem)
        await self._conclude(deed, outcome)
        return outcome.state

    async def _deed(self, alert_id: UUID, since: datetime) -> _Deed | None:
        async with self._database.read(self._scope) as session:
            found = await AlertRepository(session, self._scope).by_ids([alert_id])
            if not found or not _is_meant(found[0], since) or found[0].identity is not Identity.NAMED:
                return None
            (state,) = found
            known = await views(session, self._scope, [state.integration_id])
        if state.write_back is None:
            return None
        return _Deed(state, state.write_back, known[state.integration_id])

    async def _outcome(self, deed: _Deed) -> _Outcome:
        async with self._connector.open(self._scope, deed.state.integration_id) as connection:
            if not isinstance(connection, AlertConnection):
                name = deed.integration.provider_name
                return _Outcome(WriteBackState.FAILED, f"{name} cannot be told of it.")
            return await self._told(deed, connection)

    async def _told(self, deed: _Deed, connection: AlertConnection) -> _Outcome:
        asked_at, record = clock.now(), None
        try:
            record = await connection.alert(deed.state.external_alert_id)
            if _is_so(deed.told, record):
                return _Outcome(WriteBackState.DONE, "The server has it so.", record, asked_at)
            self._let_webhook_end(deed, record, asked_at)
            await _write(connection, deed)
            asked_at = clock.now()
            record = await connection.alert(deed.state.external_alert_id)
        except ProviderNotFound:
            message = "The server has no such alert any more."
            return _Outcome(WriteBackState.FAILED, message, asked_at=asked_at, gone=True)
        except ProviderPermissionError as refused:
            message = " ".join(part for part in (refused.message, refused.remedy) if part)
            return _Outcome(WriteBackState.REFUSED, message, record, asked_at)
        if _is_so(deed.told, record):
            return _Outcome(WriteBackState.DONE, "The server has taken it.", record, asked_at)
        if asked_at - deed.told.since < _MOST_OVERWRITES:
            raise JobPostponed(asked_at + _LOOK_AGAIN)
        message = "The server said that it had taken it, and does not have it."
        return _Outcome(WriteBackState.FAILED, message, record, asked_at)

    def _let_webhook_end(self, deed: _Deed, record: AlertRecord, at: datetime) -> None:
        """JobPostponed while the server may still save the alert as it had it before."""
        began = deed.state.webhook_at
        if began is not None and not has_landed(record) and at < began + UNDER_WAY:
            raise JobPostponed(min(at + _LOOK_AGAIN, began + UNDER_WAY))

    async def _put_off(self, deed: _Deed, problem: ProviderError) -> _Outcome:
        """JobPostponed, with the reason beside the alert, until it has been tried for long enough."""
        at = clock.now()
        age = at - deed.told.since
        if not problem.retryable or age >= GIVE_UP_AFTER:
            return _Outcome(WriteBackState.FAILED, problem.message)
        wait = max(_SOONEST, min(_LATEST, age / 2))
        if problem.retry_after is not None:
            wait = max(wait, timedelta(seconds=problem.retry_after))
        waiting = msgspec.structs.replace(deed.told, at=at, message=f"{problem.message} It is tried again.")
        async with self._database.write(self._scope) as session:
            state = await self._held(session, deed)
            if state is not None and state.write_back != waiting:
                writer = AlertWriter(session, self._scope, deed.integration)
                await writer.write([changed(state, at, "sync", write_back=waiting)], at=at)
        raise JobPostponed(at + wait)

    async def _conclude(self, deed: _Deed, outcome: _Outcome) -> None:
        """Write how it came out, and how the server has the alert by now."""
        at = clock.now()
        async with self._database.write(self._scope) as session:
            state = await self._held(session, deed)
            if state is not None:
                told = msgspec.structs.replace(deed.told, state=outcome.state, at=at, message=outcome.message)
                detail = {"verb": told.verb.value, "state": told.state.value, "message": told.message}
                values = {}
                if outcome.state is WriteBackState.REFUSED and outcome.record is None:
                    values = verbs.undone(state, at)
                line = Line(kind=ChangeKind.WRITE_BACK, detail=detail)
                made = changed(state, at, "sync", line, **values, write_back=told)
                await AlertWriter(session, self._scope, deed.integration).write([made], at=at)
            intake = AlertIntake(session, self._scope, deed.integration)
            if outcome.record is not None:
                await intake.apply([outcome.record], at=outcome.asked_at or at, origin="sync")
            if outcome.gone:
                await intake.absent([deed.state.external_alert_id], at=outcome.asked_at or at)

    async def _held(self, session: AsyncSession, deed: _Deed) -> AlertState | None:
        """The alert as it is now, for this transaction alone; None when something else was done since."""
        repository = AlertRepository(session, self._scope)
        await repository.hold(deed.state.integration_id)
        found = await repository.by_ids([deed.state.alert_id])
        return found[0] if found and _is_meant(found[0], deed.told.since) else None


def _is_meant(state: AlertState, since: datetime) -> bool:
    return state.waits_for is not None and state.write_back is not None and state.write_back.since == since


def _is_so(told: WriteBack, record: AlertRecord) -> bool:
    """Whether the server has an alert as a person wanted it; one that it has resolved needs no more."""
    if record.resolved:
        return True
    match told.verb:
        case Verb.RESOLVE:
            return False
        case Verb.SNOOZE:
            end = told.since + timedelta(days=told.days or 1)
            until = record.snoozed_until
            return record.snoozed and (until is None or until >= end - _SAME_END)
        case Verb.UNSNOOZE:
            return not record.snoozed


async def _write(connection: AlertConnection, deed: _Deed) -> None:
    external_id = deed.state.external_alert_id
    match deed.told.verb:
        case Verb.RESOLVE:
            await connection.resolve_alert(external_id)
        case Verb.SNOOZE:
            await connection.snooze_alert(external_id, deed.told.days or 1)
        case Verb.UNSNOOZE:
            await connection.unsnooze_alert(external_id)
