"""What a person does to an alert: what follows, and from where it may be done. Pure.

Each gives None when it is so already. Acknowledging stays in Muster: the server knows no such thing. The
others are told to it: a snooze in whole days, as servers count them.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

import msgspec

from muster.alerts.plan import Plan, changed
from muster.alerts.types import (
    AlertState,
    AlertStatus,
    ChangeKind,
    Identity,
    Line,
    Verb,
    WriteBack,
    WriteBackState,
)
from muster.errors import Conflict, InvalidInput
from muster.events.types import EventType

MOST_DAYS = 3650
NOTE_LIMIT = 4000
# Two clicks on the same button mean one snooze.
_SAME = timedelta(minutes=5)
_DAY = timedelta(days=1)
_WAITING = WriteBackState.WAITING


def acknowledge(state: AlertState, at: datetime, by: str) -> Plan | None:
    """Somebody has seen it. Conflict for one that is snoozed or over."""
    if state.status is AlertStatus.ACKNOWLEDGED:
        return None
    if state.status is not AlertStatus.ACTIVE:
        raise _refused(state, "acknowledged")
    values = {"status": AlertStatus.ACKNOWLEDGED, "acknowledged_at": at, "acknowledged_by": by}
    return changed(state, at, "person", Line(kind=ChangeKind.ACKNOWLEDGED), **values)


def unacknowledge(state: AlertState, at: datetime) -> Plan | None:
    """Take that back. Conflict for one that is snoozed or over."""
    if state.status is AlertStatus.ACTIVE:
        return None
    if state.status is not AlertStatus.ACKNOWLEDGED:
        raise _refused(state, "taken back")
    values = {"status": AlertStatus.ACTIVE, "acknowledged_at": None, "acknowledged_by": None}
    return changed(state, at, "person", Line(kind=ChangeKind.UNACKNOWLEDGED), **values)


def days_of(at: datetime, *, days: int | None, until: datetime | None) -> int:
    """How many whole days a snooze lasts, rounded up. InvalidInput for both or neither, or out of bounds."""
    if (days is None) == (until is None):
        raise InvalidInput("A snooze takes a number of days, or a moment.", remedy="Give one of the two.")
    if until is not None:
        days = math.ceil((until - at) / _DAY)
    if days is None or not 1 <= days <= MOST_DAYS:
        raise InvalidInput(
            "An alert cannot be snoozed for that long, or that short.",
            remedy=f"Choose 1 to {MOST_DAYS} days.",
            field="days" if until is None else "until",
        )
    return days


def snooze(state: AlertState, at: datetime, by: str, days: int) -> Plan | None:
    """Leave it alone for some days from now; one that is snoozed is so for that long then. Conflict for one
    that is over.
    """
    if not state.is_open:
        raise _refused(state, "snoozed")
    until = at + days * _DAY
    if state.snoozed_until is not None and abs(until - state.snoozed_until) < _SAME:
        return None
    line = Line(kind=ChangeKind.SNOOZED, detail={"days": days, "until": until.isoformat()})
    values = {"status": AlertStatus.SNOOZED, "snoozed_until": until}
    told = WriteBack(verb=Verb.SNOOZE, state=_WAITING, since=at, at=at, days=days, by=by)
    return _told(state, told, line, **values)


def unsnooze(state: AlertState, at: datetime, by: str) -> Plan | None:
    """End its snooze. Conflict for one that is over."""
    if not state.is_open:
        raise _refused(state, "unsnoozed")
    if state.status is not AlertStatus.SNOOZED:
        return None
    status = AlertStatus.ACTIVE if state.acknowledged_at is None else AlertStatus.ACKNOWLEDGED
    values = {"status": status, "snoozed_until": None}
    told = WriteBack(verb=Verb.UNSNOOZE, state=_WAITING, since=at, at=at, by=by)
    return _told(state, told, Line(kind=ChangeKind.UNSNOOZED), **values)


def resolve(state: AlertState, at: datetime, by: str) -> Plan | None:
    """It is over. Conflict for one that is gone from the server."""
    if state.status is AlertStatus.RESOLVED:
        return None
    if not state.is_open:
        raise _refused(state, "resolved")
    values = {
        "status": AlertStatus.RESOLVED,
        "resolved_at": at,
        "resolved_by": by,
        "snoozed_until": None,
    }
    told = WriteBack(verb=Verb.RESOLVE, state=_WAITING, since=at, at=at, by=by)
    return _told(state, told, Line(kind=ChangeKind.RESOLVED), **values)


def note(state: AlertState, at: datetime, text: str) -> Plan:
    """Write something down beside it. InvalidInput when it is empty or too long."""
    text = text.strip()
    if not text:
        raise InvalidInput("The note is empty.", remedy="Write something.", field="text")
    if len(text) > NOTE_LIMIT:
        raise InvalidInput(
            f"The note is too long ({len(text)} letters).", remedy=f"At most {NOTE_LIMIT}.", field="text"
        )
    made = changed(state, at, "person", Line(kind=ChangeKind.NOTE, detail={"text": text}))
    made.event = EventType.ALERT_UPDATED
    return made


def _told(state: AlertState, told: WriteBack, line: Line, **values: Any) -> Plan:
    """The plan of a deed that the server is to be told of, once it has named the alert."""
    named = state.identity is Identity.NAMED
    if not named:
        told = msgspec.structs.replace(told, message="It waits until the server has named this alert.")
    made = changed(state, told.at, "person", line, **values, write_back=told)
    made.tell_server = named
    return made


def undone(state: AlertState, at: datetime) -> dict[str, Any]:
    """The columns of an alert that the server would not have so, where it does not say how it has it: all is
    as before.
    """
    verb = state.write_back and state.write_back.verb
    if verb is Verb.UNSNOOZE or state.status not in (AlertStatus.RESOLVED, AlertStatus.SNOOZED):
        return {}
    status = AlertStatus.ACTIVE if state.acknowledged_at is None else AlertStatus.ACKNOWLEDGED
    return {
        "status": status,
        "resolved_at": None,
        "resolved_by": None,
        "snoozed_until": None,
        "last_seen_at": at,
    }


def _refused(state: AlertState, what: str) -> Conflict:
    return Conflict(
        f"This alert is {state.status.value} and cannot be {what}.",
        remedy="Reload the page: it may have changed meanwhile.",
        code="alert_state",
    )
