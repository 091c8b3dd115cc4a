"""What is sent of notices: one message for each alert, or one for many when there are many. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from muster.alerts.notices.types import DueNotice

# More than these at once to one channel go in one message.
MOST_SINGLE = 3
# Messages to one channel within a minute; what comes faster waits, and goes together.
MOST_A_MINUTE = 5
MINUTE = timedelta(minutes=1)
_LINES = 20
_MESSAGE_LENGTH = 1_000
_LINE_LENGTH = 160
# Tries of one notice: after half a minute, then longer and longer, for a day.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)
GIVEN_UP_AFTER = timedelta(days=1)
_SEVERITY_ORDER = ("critical", "major", "moderate", "minor", "none")


@dataclass(frozen=True, slots=True)
class Letter:
    """One message to one channel, and the notices that it is for."""

    channel_id: UUID
    notices: tuple[DueNotice, ...]
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Mail:
    """What goes now, and which notices wait until when, because their channel had enough for this minute."""

    letters: tuple[Letter, ...]
    held: Mapping[UUID, datetime]


def sort_out(
    due: Sequence[DueNotice],
    sent: Mapping[UUID, Sequence[datetime]],
    now: datetime,
    link: Callable[[UUID], str | None],
) -> Mail:
    """The messages to send. `sent` are the moments of the last minute's messages by channel, oldest first;
    `link` gives an alert's address, where one is known.
    """
    letters: list[Letter] = []
    held: dict[UUID, datetime] = {}
    by_channel: dict[UUID, list[DueNotice]] = {}
    for notice in due:
        by_channel.setdefault(notice.channel_id, []).append(notice)
    for channel_id, notices in by_channel.items():
        moments = sent.get(channel_id, ())
        room = MOST_A_MINUTE - len(moments)
        if room <= 0:
            free = moments[-MOST_A_MINUTE] + MINUTE
            held.update({notice.notice_id: max(free, now) for notice in notices})
        elif len(notices) > min(MOST_SINGLE, room):
            letters.append(_digest(channel_id, notices, link))
        else:
            letters += [_single(channel_id, notice, link) for notice in notices]
    return Mail(tuple(letters), held)


def pause(attempts: int) -> timedelta:
    """How long to wait after so many failed tries."""
    grown: int = 2 ** min(attempts - 1, 20)
    return min(FIRST_PAUSE * grown, LONGEST_PAUSE)


def next_attempt(notice: DueNotice, attempts: int, now: datetime) -> datetime | None:
    """When to try a failed notice again; None when that would be more than a day after it was asked for."""
    moment = now + pause(attempts)
    return moment if moment <= notice.created_at + GIVEN_UP_AFTER else None


def _single(channel_id: UUID, notice: DueNotice, link: Callable[[UUID], str | None]) -> Letter:
    lines = [
        _short(notice.message or "No message.", _MESSAGE_LENGTH),
        "",
        f"Severity: {notice.severity}",
        f"Device: {notice.device_name or 'not known'}",
    ]
    if notice.organization_name:
        lines.append(f"Organization: {notice.organization_name}")
    if notice.opened_at is not None:
        lines.append(f"Raised: {notice.opened_at:%Y-%m-%d %H:%M} UTC")
    if notice.occurrences > 1:
        lines.append(f"Occurrences: {notice.occurrences}")
    if notice.status in ("resolved", "pruned"):
        lines.append("It has been resolved since.")
    if notice.rule_name:
        lines.append(f"Rule: {notice.rule_name}")
    if (address := link(notice.alert_id)) is not None:
        lines += ["", address]
    return Letter(channel_id, (notice,), _headline(notice), "\n".join(lines + _again([notice])))


def _digest(channel_id: UUID, notices: Sequence[DueNotice], link: Callable[[UUID], str | None]) -> Letter:
    ordered = sorted(notices, key=lambda notice: (_rank(notice.severity), notice.created_at))
    counts = [
        f"{count} {severity}"
        for severity in _SEVERITY_ORDER
        if (count := sum(notice.severity == severity for notice in notices))
    ]
    lines = [_headline(notice) for notice in ordered[:_LINES]]
    if len(ordered) > _LINES:
        lines.append(f"and {len(ordered) - _LINES} more")
    if (address := link(ordered[0].alert_id)) is not None:
        lines += ["", f"The first: {address}"]
    return Letter(
        channel_id,
        tuple(notices),
        f"{len(notices)} alerts: {', '.join(counts)}",
        "\n".join(lines + _again(notices)),
    )


def _headline(notice: DueNotice) -> str:
    where = f" on {notice.device_name}" if notice.device_name else ""
    what = _short(notice.message or "Alert", _LINE_LENGTH)
    ended = " (resolved since)" if notice.status in ("resolved", "pruned") else ""
    return f"[{notice.severity}] {what}{where}{ended}"


def _again(notices: Sequence[DueNotice]) -> list[str]:
    if not any(notice.is_again for notice in notices):
        return []
    return ["", "Muster was stopped while it sent this the first time: you may have it already."]


def _rank(severity: str) -> int:
    return _SEVERITY_ORDER.index(severity) if severity in _SEVERITY_ORDER else len(_SEVERITY_ORDER)


def _short(text: str, length: int) -> str:
    flat = " ".join(text.split()) if length == _LINE_LENGTH else text.strip()
    return flat if len(flat) <= length else f"{flat[: length - 3]}..."
