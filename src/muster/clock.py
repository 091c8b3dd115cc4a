"""The one place that reads the time: always aware UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def now() -> datetime:
    """The current moment, aware, in UTC."""
    return datetime.now(UTC)


def as_utc(moment: datetime) -> datetime:
    """The same moment in UTC; a naive one is refused with ValueError."""
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone is not accepted")
    return moment.astimezone(UTC)


def from_http_date(text: str | None) -> datetime | None:
    """The moment an HTTP Date header names (RFC 9110, 5.6.7); None where it is absent or malformed."""
    if not text:
        return None
    try:
        parsed = parsedate_to_datetime(text)
    except ValueError:
        return None
    return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
