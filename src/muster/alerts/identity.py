"""Which alert is meant: ids that Muster gives until the server has named an alert, and which of the server's
alerts one of those turns out to be. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from muster.alerts.types import AlertState, Identity
from muster.clock import as_utc
from muster.naming import folded
from muster.providers.alerting import AlertRecord, AlertType

# Of a message, as much as tells it from others.
_KEY_LENGTH = 1000
# How far the server's clock and ours may be apart, and a webhook be on its way.
_SKEW = timedelta(minutes=2)
# Of a record, what Muster keeps; what the server notes about its own webhook's answer is no news.
_NOISE = frozenset({"external_id", "raw", "resolve_delivered_at"})


def derived_id(device_id: str, opened_at: datetime) -> str:
    """The id of an alert of which only device and moment are known: the same for its trigger and its end."""
    moment = as_utc(opened_at).isoformat(timespec="microseconds")
    return f"derived:{_digest(device_id, moment)}"


def device_alert_id(alert_id: UUID) -> str:
    """The id of the one open alert of a device that says nothing more; after its end there may be another."""
    return f"device:{alert_id}"


def message_key(message: str | None) -> str:
    """A message as it is looked for and compared."""
    return folded(message[:_KEY_LENGTH])[:_KEY_LENGTH] if message else ""


def dedup_key(device_id: str | None, alert_type: str, cause: str | None, message: str | None) -> str:
    """What tells one problem of one device from another; empty where that is not known, since two checks of
    one device must never be taken for one. An availability alert has no cause but the device itself.
    """
    if alert_type == AlertType.CUSTOM:
        return _digest(device_id or "", alert_type, message_key(message))
    if alert_type == AlertType.AVAILABILITY:
        cause = ""
    if device_id is None or cause is None or alert_type == AlertType.UNKNOWN:
        return ""
    return _digest(device_id, alert_type, cause)


def content_hash(record: AlertRecord) -> str:
    """Stands for all of a record that matters."""
    told = {name: getattr(record, name) for name in AlertRecord.__struct_fields__ if name not in _NOISE}
    return hashlib.sha256(msgspec.json.encode(told)).hexdigest()


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """When one of the server's alerts was open, as far as that is known."""

    external_id: str
    opened_at: datetime | None
    resolved_at: datetime | None = None


def real_one(provisional: AlertState, spans: Iterable[Span]) -> str | None:
    """Which of a device's alerts on the server a webhook was about that named only the device: one that was
    open when it was heard; of several the one that was raised last before that. None when it was none of
    them.
    """
    heard = provisional.first_seen_at
    if provisional.identity is not Identity.DEVICE or heard is None:
        return None
    fitting = [
        (span.opened_at, span.external_id)
        for span in spans
        if span.opened_at is not None
        and span.opened_at <= heard + _SKEW
        and (span.resolved_at is None or span.resolved_at >= heard - _SKEW)
    ]
    return max(fitting)[1] if fitting else None


def _digest(*parts: str) -> str:
    # No part can be taken for the end of another.
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
