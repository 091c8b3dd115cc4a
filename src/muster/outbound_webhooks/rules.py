"""When a delivery is tried again, when it is given up, and when a subscription is switched off. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import SplitResult, urlsplit

from muster.errors import InvalidInput

# Five seconds, then longer and longer: about twelve tries within a day.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(hours=4)
_GROWTH = 3
GIVEN_UP_AFTER = timedelta(days=1)
# So long without a success, and so many tries: nobody is there any more.
DISABLED_AFTER, LEAST_FAILURES = timedelta(days=5), 10
# Both secrets sign so long after a change.
OVERLAP = timedelta(days=1)
URL_LIMIT = 2_000


def pause(attempts: int, asked: float | None, jitter: Callable[[], float]) -> timedelta:
    """How long to wait after so many failed tries: growing, with up to half of it taken away by `jitter`
    (0 to 1), and never less than the other side asked for (seconds).
    """
    grown: int = _GROWTH ** min(attempts - 1, 20)
    whole = min(FIRST_PAUSE * grown, LONGEST_PAUSE)
    ours = whole * (1 - jitter() / 2)
    return max(ours, timedelta(seconds=min(asked or 0.0, LONGEST_PAUSE.total_seconds())))


def next_attempt(
    created_at: datetime, now: datetime, attempts: int, asked: float | None, jitter: Callable[[], float]
) -> datetime | None:
    """When to try again; None when that would be more than a day after the event."""
    moment = now + pause(attempts, asked, jitter)
    return moment if moment <= created_at + GIVEN_UP_AFTER else None


def is_to_be_disabled(failing_since: datetime | None, failures: int, now: datetime) -> bool:
    """Whether a subscription has failed for so long that it is switched off. `failures` are failed tries
    since its last success.
    """
    return failing_since is not None and failures >= LEAST_FAILURES and now - failing_since >= DISABLED_AFTER


def clean_url(text: str, *, plain_allowed: bool) -> str:
    """A subscription's address as it is kept. InvalidInput when it cannot be one; `plain_allowed`: the
    operator has named networks of his own, in which http may be spoken.
    """
    url = text.strip()
    parts = _split(url)
    if parts is None or len(url) > URL_LIMIT:
        raise InvalidInput(
            "This is not an address that webhooks can be sent to.",
            remedy="It looks like https://hooks.example.com/muster.",
            field="url",
        )
    if parts.username or parts.password:
        raise InvalidInput(
            "The address has a user or password in it.",
            remedy="Leave it out; the other side knows Muster by the signature.",
            field="url",
        )
    if parts.scheme == "http" and not plain_allowed:
        raise InvalidInput(
            "Webhooks are sent by https only.",
            remedy="Use https, or let the operator name your network in MUSTER_OUTBOUND_ALLOW.",
            field="url",
        )
    return url.partition("#")[0]


def _split(url: str) -> SplitResult | None:
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if usable else None
