"""What states of receipts and what is understood of a body are called on screens. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from muster.inbound_webhooks.types import ReceiptState


@dataclass(frozen=True, slots=True)
class Word:
    """A state as a person reads it: its text, tone and icon, and what it means."""

    text: str
    tone: str
    icon: str
    meaning: str


STATES: Mapping[ReceiptState, Word] = {
    ReceiptState.WAITING: Word("Waiting", "plain", "clock", "It will be processed within seconds."),
    ReceiptState.PROCESSED: Word("Processed", "online", "circle-check", "Its alert is up to date."),
    ReceiptState.UNKNOWN_DEVICE: Word(
        "Unknown device",
        "warning",
        "user-question",
        "Its alert is there, and is linked to the device as soon as that is synced.",
    ),
    ReceiptState.NOT_UNDERSTOOD: Word(
        "Not understood",
        "danger",
        "alert-circle",
        "It is kept as it came. Once its sender's template is mended, or Muster knows better, replay it.",
    ),
    ReceiptState.FAILED: Word(
        "Failed", "danger", "circle-x", "Processing ended in an error each time. Replay it to try again."
    ),
    ReceiptState.KEPT: Word(
        "Kept",
        "offline",
        "circle-minus",
        "It came while the integration was disconnected. Replay it once that is connected again.",
    ),
    ReceiptState.TEST: Word("Test", "plain", "stethoscope", "The server's own test, about no alert."),
}

# Periods to look back over, in hours, by what stands in the address.
SINCE: Mapping[str, tuple[str, int]] = {
    "1h": ("in the last hour", 1),
    "24h": ("in the last 24 h", 24),
    "7d": ("in the last 7 days", 7 * 24),
    "30d": ("in the last 30 days", 30 * 24),
}

# Hours that the secret so far may hold beside a new one.
OVERLAPS: Sequence[tuple[str, str]] = (
    ("24", "24 h"),
    ("168", "7 days"),
    ("1", "1 h"),
    ("0", "Not at all"),
)

_EVENTS = {"trigger": "Raised", "resolve": "Resolved"}
_UNDERSTOOD = (
    ("event", "Event"),
    ("device_id", "Device id"),
    ("device_name", "Device"),
    ("external_alert_id", "Alert id"),
    ("alert_type", "Type"),
    ("severity", "Severity"),
    ("original_severity", "Severity as it came"),
    ("opened_at", "Raised at"),
    ("organization_id", "Organization id"),
    ("site_id", "Site id"),
    ("message", "Message"),
)
_ABSENT = (None, "", "unknown")


def event(word: str | None) -> str | None:
    """What happened, as a list shows it."""
    return None if word is None else _EVENTS.get(word, word)


def understood(message: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    """Label and value of everything that a body says."""
    return [
        (
            label,
            _EVENTS.get(str(message[name]), str(message[name])) if name == "event" else str(message[name]),
        )
        for name, label in _UNDERSTOOD
        if message.get(name) not in _ABSENT
    ]
