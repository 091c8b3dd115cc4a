"""What a change of an alert is to others: the event that tells of it, and the lines of its timeline. Pure."""

from __future__ import annotations

from typing import Literal

from muster.alerts.standing import was_refused
from muster.alerts.types import AlertState, AlertStatus, ChangeKind, Line
from muster.events.types import EventType

Cause = Literal["webhook", "sync", "person"]
# What others hear of while an alert is open.
_TOLD = (
    "external_alert_id",
    "alert_type",
    "severity",
    "status",
    "message",
    "hidden",
    "confirmed",
    "occurrences",
    "snoozed_until",
    "asset_id",
    "client_id",
    "device_name",
)


def event_of(before: AlertState | None, after: AlertState, cause: Cause) -> EventType | None:
    """What others hear of it; None for what concerns nobody."""
    if before is None:
        if after.is_open:
            return EventType.ALERT_TRIGGERED
        # What a sync meets as over already is history, and news to nobody.
        return EventType.ALERT_RESOLVED if cause == "webhook" else None
    if after.is_open != before.is_open:
        return EventType.ALERT_TRIGGERED if after.is_open else EventType.ALERT_RESOLVED
    differs = any(getattr(before, name) != getattr(after, name) for name in _TOLD)
    return EventType.ALERT_UPDATED if after.is_open and differs else None


def lines_of(before: AlertState | None, after: AlertState, cause: Cause) -> list[Line]:
    """The lines of what the server or its webhook changed."""
    if before is None:
        detail = {"cause": cause, "severity": after.severity, "confirmed": after.confirmed}
        raised = Line(kind=ChangeKind.RAISED, detail=detail)
        return [raised] if after.is_open else [raised, _resolved(after, cause)]
    lines = []
    if before.external_alert_id != after.external_alert_id:
        lines.append(
            Line(kind=ChangeKind.NAMED, detail={"cause": cause, "external_id": after.external_alert_id})
        )
    if after.confirmed and not before.confirmed:
        lines.append(Line(kind=ChangeKind.CONFIRMED, detail={"severity": after.severity}))
    elif before.severity != after.severity:
        detail = {"from": before.severity, "to": after.severity, "cause": cause}
        lines.append(Line(kind=ChangeKind.SEVERITY, detail=detail))
    if before.confirmed and before.message != after.message:
        detail = {"from": before.message, "to": after.message}
        lines.append(Line(kind=ChangeKind.MESSAGE, detail=detail))
    if before.asset_id != after.asset_id:
        lines.append(Line(kind=ChangeKind.LINKED, detail={"asset_id": str(after.asset_id)}))
    return [*lines, *_status_lines(before, after, cause)]


def _status_lines(before: AlertState, after: AlertState, cause: Cause) -> list[Line]:
    if before.is_open and not after.is_open:
        return [_resolved(after, cause)]
    if after.is_open and not before.is_open:
        detail = {"cause": cause, "refused": was_refused(before)}
        return [Line(kind=ChangeKind.REOPENED, detail=detail)]
    if before.status is not AlertStatus.SNOOZED and after.status is AlertStatus.SNOOZED:
        until = after.snoozed_until and after.snoozed_until.isoformat()
        return [Line(kind=ChangeKind.SNOOZED, detail={"cause": cause, "until": until})]
    if before.status is AlertStatus.SNOOZED and after.status is not AlertStatus.SNOOZED:
        return [Line(kind=ChangeKind.SNOOZE_ENDED, detail={"cause": cause})]
    if before.occurrences != after.occurrences:
        return [Line(kind=ChangeKind.REPEATED, detail={"cause": cause, "occurrences": after.occurrences})]
    return []


def _resolved(after: AlertState, cause: Cause) -> Line:
    moment = after.resolved_at and after.resolved_at.isoformat()
    return Line(kind=ChangeKind.RESOLVED, detail={"cause": cause, "resolved_at": moment})
