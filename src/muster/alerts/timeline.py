"""An alert's history in words, newest first. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from muster.alerts import words
from muster.alerts.filters import PATH
from muster.alerts.rules import RuleAction
from muster.alerts.schemas import AlertDetail, TimelineEntry
from muster.alerts.types import ChangeKind, Verb, WriteBackState

_ORDINALS = ("", "first", "second", "third", "fourth", "fifth")
_CAUSES: Mapping[str, str] = {
    "webhook": "Told by its webhook",
    "sync": "Found when alerts were synced",
}
_DEEDS: Mapping[str, str] = {
    Verb.RESOLVE: "resolve it",
    Verb.SNOOZE: "snooze it",
    Verb.UNSNOOZE: "end its snooze",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A line of a timeline: what happened, when, from what to what, and by whom or what. `link` is where it
    leads.
    """

    at: datetime
    label: str
    icon: str
    tone: str = "plain"
    old: str | None = None
    new: str | None = None
    cause: str | None = None
    link: str | None = None
    link_text: str | None = None


def told(alert: AlertDetail) -> Sequence[Told]:
    """The alert's lines, newest first."""
    return [_told(entry, words.server(alert)) for entry in reversed(alert.timeline)]


_Line = Callable[[TimelineEntry, str], Told]


def _told(entry: TimelineEntry, server: str) -> Told:
    line = _LINES[ChangeKind(entry.kind)](entry, server)
    if line.cause is None:
        line = replace(line, cause=entry.actor or _CAUSES.get(entry.detail.get("cause", "")))
    return line


def _plain(
    label: str, icon: str, tone: str = "plain", cause: str | None = None
) -> Callable[[TimelineEntry, str], Told]:
    """A line that says the same of every alert but for the server's name, which stands for {server}."""

    def line(entry: TimelineEntry, server: str) -> Told:
        said = None if cause is None else cause.format(server=server)
        return Told(at=entry.at, label=label.format(server=server), icon=icon, tone=tone, cause=said)

    return line


def _raised(entry: TimelineEntry, _server: str) -> Told:
    severity = words.SEVERITIES.get(entry.detail.get("severity", ""), "")
    label = f"Raised as {severity.lower()}" if severity else "Raised"
    return Told(at=entry.at, label=label, icon="bell", tone="danger")


def _repeated(entry: TimelineEntry, _server: str) -> Told:
    count = int(entry.detail.get("occurrences", 0))
    often = f"{_ORDINALS[count]} time" if 0 < count < len(_ORDINALS) else f"{count} times by now"
    return Told(at=entry.at, label=f"Raised again, {often}", icon="bell-ringing", tone="danger")


def _reopened(entry: TimelineEntry, server: str) -> Told:
    refused = f"{server} did not take what was done here" if entry.detail.get("refused") else None
    return Told(at=entry.at, label="Open again", icon="bell-ringing", tone="danger", cause=refused)


def _resolved(entry: TimelineEntry, server: str) -> Told:
    label = f"Resolved by {entry.actor or server}"
    said = "" if entry.actor else None
    return Told(at=entry.at, label=label, icon="circle-check", tone="online", cause=said)


def _named(entry: TimelineEntry, server: str) -> Told:
    number = entry.detail.get("external_id")
    return Told(at=entry.at, label=f"{server} calls it alert {number}", icon="link", cause="")


def _changed(label: str, icon: str, known: Mapping[str, str]) -> _Line:
    """A line with what it was and what it became."""

    def line(entry: TimelineEntry, _server: str) -> Told:
        old, new = entry.detail.get("from"), entry.detail.get("to")
        return Told(
            at=entry.at,
            label=label,
            icon=icon,
            old=known.get(old, old) if old else old,
            new=known.get(new, new) if new else new,
        )

    return line


def _linked(entry: TimelineEntry, _server: str) -> Told:
    asset_id = entry.detail.get("asset_id")
    link = f"/assets/{asset_id}" if asset_id and asset_id != "None" else None
    label = "Linked to its device" if link else "No device stands for it any more"
    return Told(at=entry.at, label=label, icon="devices", cause="", link=link, link_text="Open the device")


def _absorbed(entry: TimelineEntry, server: str) -> Told:
    return Told(
        at=entry.at,
        label="Was about an alert that was known already",
        icon="arrow-right",
        cause=f"Its webhook named only the device; {server} says which alert it meant.",
        link=f"{PATH}/{entry.detail['alert_id']}",
        link_text="Open that alert",
    )


def _snoozed(entry: TimelineEntry, server: str) -> Told:
    until = _moment(entry.detail.get("until"))
    label = f"Snoozed by {entry.actor or server}"
    said = "" if until is None else f"Until {until:%d %b %Y, %H:%M} UTC"
    return Told(at=entry.at, label=label, icon="clock-pause", tone="unknown", cause=said)


def _note(entry: TimelineEntry, _server: str) -> Told:
    label = f"Note by {entry.actor}" if entry.actor else "Note"
    return Told(at=entry.at, label=label, icon="message", tone="note", cause=entry.detail.get("text"))


def _rule(entry: TimelineEntry, _server: str) -> Told:
    label, icon = _RULED[RuleAction(entry.detail["action"])]
    return Told(at=entry.at, label=label, icon=icon, cause=f"By the rule {entry.detail['name']}")


def _written_back(entry: TimelineEntry, server: str) -> Told:
    label, icon, tone = _WRITTEN[WriteBackState(entry.detail["state"])]
    deed = _DEEDS[Verb(entry.detail["verb"])]
    return Told(
        at=entry.at,
        label=label.format(server=server, deed=deed),
        icon=icon,
        tone=tone,
        cause=entry.detail.get("message") or "",
    )


def _notified(entry: TimelineEntry, _server: str) -> Told:
    label, icon, tone = _SENT[entry.detail["outcome"]]
    return Told(
        at=entry.at,
        label=label.format(channel=entry.detail["channel"]),
        icon=icon,
        tone=tone,
        cause=entry.detail.get("error") or "",
    )


def _moment(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None


_RULED: Mapping[RuleAction, tuple[str, str]] = {
    RuleAction.NOTIFY: ("Somebody is notified", "send"),
    RuleAction.WEBHOOK: ("Sent on by webhook", "send"),
    RuleAction.SUPPRESS: ("Kept quiet: nobody is told", "bell-off"),
}
_SENT: Mapping[str, tuple[str, str, str]] = {
    "delivered": ("{channel} was told", "bell-ringing", "online"),
    "waits": ("{channel} could not be told yet; it is tried again for a day", "clock", "warning"),
    "failed": ("{channel} could not be told", "alert-triangle", "danger"),
}
_WRITTEN: Mapping[WriteBackState, tuple[str, str, str]] = {
    WriteBackState.WAITING: ("{server} is told again to {deed}", "clock", "warning"),
    WriteBackState.DONE: ("{server} was told to {deed}", "send", "online"),
    WriteBackState.REFUSED: ("{server} refused to {deed}", "alert-triangle", "danger"),
    WriteBackState.FAILED: ("{server} could not be told to {deed}", "alert-triangle", "danger"),
}
_LINES: Mapping[ChangeKind, _Line] = {
    ChangeKind.RAISED: _raised,
    ChangeKind.REPEATED: _repeated,
    ChangeKind.REOPENED: _reopened,
    ChangeKind.RESOLVED: _resolved,
    ChangeKind.PRUNED: _plain("Gone from {server}", "trash", cause="It was deleted there."),
    ChangeKind.ABSORBED: _absorbed,
    ChangeKind.UNSEEN: _plain(
        "Not shown to Muster any more",
        "eye",
        "warning",
        "{server} does not let these credentials see it. It stays as it was.",
    ),
    ChangeKind.NAMED: _named,
    ChangeKind.CONFIRMED: _plain("Read from {server}", "check", cause=""),
    ChangeKind.SEVERITY: _changed("Severity", "pencil", words.SEVERITIES),
    ChangeKind.MESSAGE: _changed("Message", "pencil", {}),
    ChangeKind.LINKED: _linked,
    ChangeKind.NOTIFIED: _notified,
    ChangeKind.ACKNOWLEDGED: _plain("Acknowledged", "user-check", "accent"),
    ChangeKind.UNACKNOWLEDGED: _plain("Given back", "user-off"),
    ChangeKind.SNOOZED: _snoozed,
    ChangeKind.UNSNOOZED: _plain("Snooze ended", "rotate-clockwise"),
    ChangeKind.SNOOZE_ENDED: _plain("Snooze over", "rotate-clockwise"),
    ChangeKind.NOTE: _note,
    ChangeKind.RULE: _rule,
    ChangeKind.WRITE_BACK: _written_back,
}
