"""How alerts read: states, titles, and what the server was told. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from muster.alerts.schemas import AlertView
from muster.alerts.types import AlertStatus, Verb, WriteBack, WriteBackState
from muster.providers.alerting import AlertSeverity, AlertType
from muster.web import wording


@dataclass(frozen=True, slots=True)
class Word:
    """A state as a page shows it: word, icon, and tone as `ui.pill` takes it; `short` where a row has it."""

    text: str
    icon: str
    tone: str = "plain"
    short: str = ""


STATUSES: Mapping[str, Word] = {
    AlertStatus.ACTIVE: Word("Active", "alert-circle", "danger"),
    AlertStatus.ACKNOWLEDGED: Word("Acknowledged", "user-check", "accent"),
    AlertStatus.SNOOZED: Word("Snoozed", "clock-pause", "unknown"),
    AlertStatus.RESOLVED: Word("Resolved", "circle-check", "online"),
    AlertStatus.PRUNED: Word("Gone", "trash", "offline"),
}
# Servers count snoozes in days.
SNOOZES: Mapping[int, str] = {1: "1 day", 3: "3 days", 7: "7 days", 30: "30 days"}
_LASTS = "That does not mend the cause: if it lasts, a new alert comes, tied to this one."
RESOLVING = f"Their servers are told, and close them, too. {_LASTS.replace('this one', 'the old one')}"
SEVERITIES: Mapping[str, str] = {each.value: each.value.capitalize() for each in AlertSeverity}
_TITLES: Mapping[str, str] = {
    AlertType.AVAILABILITY: "Device does not answer",
    AlertType.CHECK: "A check failed",
    AlertType.TASK: "A task failed",
    AlertType.CUSTOM: "An alert without a message",
}
TYPES: Mapping[str, str] = {
    AlertType.AVAILABILITY.value: "Availability",
    AlertType.CHECK.value: "Check",
    AlertType.TASK.value: "Task",
    AlertType.CUSTOM.value: "Made by hand",
    AlertType.UNKNOWN.value: "Not told yet",
}
_SHORT_ID = 12
_TIMES = ("", "once", "twice", "three times", "four times", "five times")
_STATES: Mapping[str, tuple[str, str, str]] = {
    WriteBackState.WAITING: ("clock", "warning", "Server not told yet"),
    WriteBackState.DONE: ("circle-check", "online", ""),
    WriteBackState.REFUSED: ("alert-triangle", "danger", "Server refused"),
    WriteBackState.FAILED: ("alert-triangle", "danger", "Server not told"),
}
_HAS: Mapping[str, str] = {
    Verb.RESOLVE: "has it as resolved",
    Verb.SNOOZE: "has it as snoozed",
    Verb.UNSNOOZE: "has it as no longer snoozed",
}
_TO: Mapping[str, str] = {
    Verb.RESOLVE: "resolve it",
    Verb.SNOOZE: "snooze it",
    Verb.UNSNOOZE: "end its snooze",
}


def title(alert: AlertView) -> str:
    """What an alert is about, in a line."""
    if alert.message:
        return alert.message
    return _TITLES.get(alert.alert_type, "An alert that was not read yet")


def device(alert: AlertView) -> str:
    """What the alert's device is called, as far as anybody has said."""
    name = alert.asset_name or alert.device_name
    if name is not None:
        return name
    if alert.device_id is None:
        return "No device"
    short = alert.device_id if len(alert.device_id) <= _SHORT_ID else f"{alert.device_id[:_SHORT_ID]}…"
    return f"Agent {short}, linked after the next device sync"


def no_client(alert: AlertView) -> str:
    """Why an alert has no client."""
    if alert.device_id is None:
        return "The alert is about no device."
    if alert.asset_id is None:
        return "Its device is not known yet: it is linked after the next device sync."
    return "Its organization stands for no client."


def server(alert: AlertView) -> str:
    """What the alert's server is called."""
    return alert.provider_name or "the server"


def kind(alert: AlertView) -> str:
    """What raised it, with how bad the server calls that."""
    what = TYPES[alert.alert_type]
    if alert.original_severity is None:
        return what
    return f'{what}, {server(alert)} severity "{alert.original_severity}"'


def times(count: int) -> str:
    """How often: once, twice, 12 times."""
    return _TIMES[count] if 0 < count < len(_TIMES) else f"{wording.number(count)} times"


def resolving(alert: AlertView) -> str:
    """What resolving it does, before somebody does it."""
    return f"{server(alert)} is told, and closes it, too. {_LASTS}"


def told_server(alert: AlertView) -> Word | None:
    """How what a person did stands with the server; None where nothing was to be told."""
    return None if alert.write_back is None else write_back(alert.write_back, server(alert))


def write_back(told: WriteBack, name: str) -> Word:
    """How what a person did stands with a server of this name."""
    icon, tone, short = _STATES[told.state]
    match told.state:
        case WriteBackState.WAITING:
            text = f"{name} is still to be told to {_TO[told.verb]}."
        case WriteBackState.DONE:
            text = f"{name} {_HAS[told.verb]}."
        case WriteBackState.REFUSED:
            text = f"{name} refused to {_TO[told.verb]}."
        case WriteBackState.FAILED:
            text = f"{name} could not be told to {_TO[told.verb]}."
    is_said = told.message is None or told.state is WriteBackState.DONE
    return Word(text if is_said else f"{text} {told.message}", icon, tone, short)
