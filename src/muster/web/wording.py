"""How values read: numbers, sizes, spans and moments. Pure; templates use them as filters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def number(value: float) -> str:
    """A figure with thousands set apart: 12,345."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """A figure with its noun: 1 device, 12 devices."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def size(count: float) -> str:
    """Bytes as a person reads them, in steps of 1000."""
    value = float(count)
    for unit in _UNITS:
        if value < 1000 or unit == _UNITS[-1]:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError("the last unit ends the loop")


def span(seconds: float) -> str:
    """A length of time in its largest unit: 40 s, 4 min, 13 h, 87 days."""
    whole = int(abs(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < 2 * _DAY:
        return f"{whole // _HOUR} h"
    return f"{whole // _DAY} days"


def uptime(seconds: float) -> str:
    """A length of time in its two largest units: 3 days 4 h."""
    whole = int(abs(seconds))
    days, hours, minutes = whole // _DAY, whole % _DAY // _HOUR, whole % _HOUR // _MINUTE
    if days:
        return f"{plural(days, 'day')} {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def relative(moment: datetime, now: datetime) -> str:
    """A moment as seen from now: just now, 4 min ago, in 11 min."""
    seconds = (now - moment).total_seconds()
    if abs(seconds) < 10:
        return "just now"
    return f"{span(seconds)} ago" if seconds > 0 else f"in {span(seconds)}"


def exact(moment: datetime) -> str:
    """A moment to the second, in UTC; the browser shows it in its own zone."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def minutes(count: int) -> str:
    """A period of so many minutes: every 15 min, hourly, every 6 h, daily."""
    period = timedelta(minutes=count)
    if period == timedelta(days=1):
        return "Daily"
    if period == timedelta(hours=1):
        return "Hourly"
    if count % 60 == 0:
        return f"Every {count // 60} h"
    return f"Every {count} min"
