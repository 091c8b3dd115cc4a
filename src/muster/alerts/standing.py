"""How an alert stands once the server has said how it has it, or a webhook that it is over. Pure.

What a person did stands until the server has been told of it and says otherwise.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from muster.alerts.types import AlertState, AlertStatus, Identity, Verb, WriteBack, WriteBackState
from muster.providers.alerting import AlertRecord

_FORGOTTEN_AFTER = timedelta(days=2)


def standing(
    base: AlertState, record: AlertRecord, at: datetime, *, is_new: bool
) -> tuple[dict[str, Any], bool]:
    """The columns of an alert's status, and whether the server is to be told again what a person did."""
    if record.resolved:
        return ended(base, record.resolved_at, at), False
    snoozed = record.snoozed and (record.snoozed_until is None or record.snoozed_until > at)
    values: dict[str, Any] = {"resolved_at": None, "resolved_by": None}
    if _is_forgotten(base, at):
        values["write_back"] = _failed(base.write_back, at, "The server was never told.")
        base = msgspec.structs.replace(base, write_back=values["write_back"])
    if base.waits_for is not None:
        return {}, False
    if _is_overwritten(base, record, snoozed=snoozed):
        told = base.write_back and msgspec.structs.replace(
            base.write_back,
            state=WriteBackState.WAITING,
            since=at,
            at=at,
            message="The server overwrote it when its webhook ended. It is told again.",
        )
        return {"write_back": told}, True
    if not base.is_open and not is_new:
        values |= _reopened(base)
    acknowledged_at = values.get("acknowledged_at", base.acknowledged_at)
    if snoozed:
        values |= {"status": AlertStatus.SNOOZED, "snoozed_until": record.snoozed_until}
    else:
        status = AlertStatus.ACTIVE if acknowledged_at is None else AlertStatus.ACKNOWLEDGED
        values |= {"status": status, "snoozed_until": None}
    return values, False


def ended(base: AlertState, resolved_at: datetime | None, at: datetime) -> dict[str, Any]:
    """The columns of an alert that the server has as resolved, since then or (None) since now."""
    by_us = base.status is AlertStatus.RESOLVED
    return {
        "status": AlertStatus.RESOLVED,
        "resolved_at": resolved_at or (base.resolved_at if by_us else None) or at,
        "resolved_by": base.resolved_by if by_us else None,
        "snoozed_until": None,
        "write_back": _settled(base.write_back, at),
    }


def _settled(told: WriteBack | None, at: datetime) -> WriteBack | None:
    """What becomes of what the server was still to be told, now that it has the alert as resolved."""
    if told is None or not told.is_waiting:
        return told
    if told.verb is Verb.RESOLVE:
        return msgspec.structs.replace(
            told, state=WriteBackState.DONE, at=at, message="The server has it as resolved."
        )
    return _failed(told, at, "It was resolved before the server could be told.")


def _failed(told: WriteBack | None, at: datetime, message: str) -> WriteBack | None:
    return told and msgspec.structs.replace(told, state=WriteBackState.FAILED, at=at, message=message)


def _is_forgotten(base: AlertState, at: datetime) -> bool:
    """Whether the job that was to tell the server came to nothing without a word: it gives up, and says so,
    long before.
    """
    told = base.write_back
    return (
        told is not None
        and told.is_waiting
        and base.identity is Identity.NAMED
        and at - told.since > _FORGOTTEN_AFTER
    )


def _is_overwritten(base: AlertState, record: AlertRecord, *, snoozed: bool) -> bool:
    """Whether the server has lost what it had been told: it saves an alert as it was before its webhook once
    that webhook has been answered.
    """
    told = base.write_back
    if told is None or told.state is not WriteBackState.DONE:
        return False
    if base.delivered_at is not None or record.delivered_at is None:
        return False
    match told.verb:
        case Verb.RESOLVE:
            return base.status is AlertStatus.RESOLVED
        case Verb.SNOOZE:
            return base.status is AlertStatus.SNOOZED and not snoozed
        case Verb.UNSNOOZE:
            return base.status in (AlertStatus.ACTIVE, AlertStatus.ACKNOWLEDGED) and snoozed


def _reopened(base: AlertState) -> dict[str, Any]:
    """An alert that was over is not. When that is because the server would not have what a person did, it
    never was over; otherwise it is raised anew.
    """
    if was_refused(base):
        return {}
    return {
        "acknowledged_at": None,
        "acknowledged_by": None,
        "write_back": None,
        "occurrences": base.occurrences + 1,
    }


def was_refused(base: AlertState) -> bool:
    """Whether the server would not have, or could not be told, what a person did."""
    return base.write_back is not None and base.write_back.state in (
        WriteBackState.REFUSED,
        WriteBackState.FAILED,
    )
