"""What Tactical's words about alerts mean in ours, in a list, one alert or a webhook. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from muster.providers.alerting import AlertSeverity, AlertType

# The server's three, and what other templates write.
_SEVERITIES = {
    "error": AlertSeverity.CRITICAL,
    "warning": AlertSeverity.MODERATE,
    "info": AlertSeverity.MINOR,
    "high": AlertSeverity.MAJOR,
    "medium": AlertSeverity.MODERATE,
    "low": AlertSeverity.MINOR,
    **{severity.value: severity for severity in AlertSeverity},
}
_TYPES = {kind.value: kind for kind in AlertType if kind is not AlertType.UNKNOWN}
_PK = re.compile(r"[1-9][0-9]{0,18}")
_BIGINT = 2**63 - 1
# The server's own str(): a space, microseconds unless they are 0, +00:00 (CONTRACT 5); and ISO 8601.
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}[0-9:.,+Z-]{0,24}")
_FIRST_YEAR, _LAST_YEAR = 1970, 2200


def severity(text: str) -> AlertSeverity | None:
    """The severity that a word stands for; None for any other text."""
    return _SEVERITIES.get(text.lower())


def alert_type(text: str) -> AlertType:
    """What raised it; `unknown` for any other text."""
    return _TYPES.get(text.lower(), AlertType.UNKNOWN)


def pk(text: str) -> str | None:
    """A number by which the server knows something, in its one spelling; None for what cannot be one."""
    return text if _PK.fullmatch(text) and int(text) <= _BIGINT else None


def moment(text: str) -> datetime | None:
    """A moment in the server's form or ISO 8601, in UTC; without a zone it is the server's, which is UTC."""
    if not _MOMENT.fullmatch(text):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
