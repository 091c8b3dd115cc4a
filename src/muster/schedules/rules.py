"""Pure decisions: when a schedule runs next, and what a failure does to it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from muster.errors import InvalidInput
from muster.schedules.types import ScheduleKind

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# A failure is tried again after this, then twice as long, and so on up to the cap.
FIRST_RETRY = timedelta(minutes=15)
LONGEST_RETRY = timedelta(hours=6)
# A server that asks for more than this has a wrong clock or a wrong idea.
LONGEST_RETRY_AFTER = timedelta(hours=24)
# How often a paused integration's connection is checked, where that can do no harm.
PROBE_EVERY = timedelta(hours=1)

# Somebody has to change something, here or on the server: trying again by itself does not help.
CONFIGURATION_CODES = frozenset(
    {
        "invalid_credentials",
        "key_expired",
        "totp_required",
        "permission_missing",
        "dashboard_host",
        "host_not_allowed",
        "beta_disabled",
        "tls_untrusted",
        "address_not_allowed",
        "redirected",
        "configuration",
        "version_old",
        "disconnected",
        "key_missing",
    }
)
# After these a check would log in again with what was just refused. Servers count such logins
# (CONTRACT 1: 10 a minute, 300 a day), and a directory behind them may lock the account.
_LOGIN_CODES = frozenset({"invalid_credentials", "totp_required"})
# Only a key is known to be checked without a login.
_WITHOUT_LOGIN = frozenset({"api_key"})
# Nothing was learned about the server.
_SAYS_NOTHING = frozenset({"busy", "cancelled", "internal", "interrupted", "lease_lost", "not_found"})
_NOT_PERMITTED = "permission_missing"
_PERSON_ONLY = frozenset({"disconnected", "key_missing"})


class Failure(StrEnum):
    """What an error means for a schedule."""

    TRANSIENT = "transient"
    CONFIGURATION = "configuration"
    APART = "apart"
    NONE = "none"


def classify(code: str, *, apart: bool = False) -> Failure:
    """What an error's code means. An unknown one is taken for transient: it is tried again, ever more
    rarely, which is right for most and harmless for the rest. `apart`: what was tried takes a permission of
    its own, and everything else goes on without it.
    """
    if apart and code == _NOT_PERMITTED:
        return Failure.APART
    if code in CONFIGURATION_CODES:
        return Failure.CONFIGURATION
    return Failure.NONE if code in _SAYS_NOTHING else Failure.TRANSIENT


def phase(integration_id: UUID, kind: str, minutes: int) -> timedelta:
    """The place of a schedule within its interval: the same always, and spread evenly over integrations."""
    digest = hashlib.sha256(integration_id.bytes + kind.encode()).digest()
    return timedelta(seconds=int.from_bytes(digest[:8], "big") % (minutes * 60))


def first_run(integration_id: UUID, kind: str, minutes: int, now: datetime) -> datetime:
    """The first moment after `now` that is the schedule's own: its phase plus whole intervals."""
    interval, at = timedelta(minutes=minutes), phase(integration_id, kind, minutes)
    passed = (now - _EPOCH - at) // interval
    return _EPOCH + at + (passed + 1) * interval


def next_run(integration_id: UUID, kind: str, minutes: int, now: datetime) -> datetime:
    """When to run again after a run that was due about `now`. After a pause of any length it is one run,
    and the next is at least half an interval away.
    """
    return first_run(integration_id, kind, minutes, now + timedelta(minutes=minutes) / 2)


def retry_delay(failures: int, minutes: int, retry_after: float | None = None) -> timedelta:
    """How long to wait after the `failures`-th transient failure in a row of a schedule of `minutes`.

    The interval, at most a quarter of an hour, doubled with each failure up to six hours; never sooner than
    the server's `retry_after` seconds.
    """
    base = min(FIRST_RETRY, timedelta(minutes=minutes))
    # Beyond 2**10 any base is past the cap.
    doubled = 1 << min(max(failures - 1, 0), 10)
    delay = min(base * doubled, LONGEST_RETRY)
    return max(delay, asked_pause(retry_after))


def is_put_off(next_run_at: datetime | None, minutes: int, now: datetime) -> bool:
    """Whether a schedule of `minutes` waits longer than it does by itself."""
    return next_run_at is not None and next_run_at - now > timedelta(minutes=2 * minutes)


def asked_pause(retry_after: float | None) -> timedelta:
    """What a server asked for, within reason."""
    if retry_after is None or retry_after <= 0:
        return timedelta()
    return min(timedelta(seconds=min(retry_after, 1e9)), LONGEST_RETRY_AFTER)


def next_probe(code: str, auth_mode: str | None, now: datetime) -> datetime | None:
    """When to check a paused integration's connection by itself; None when only a person can help, or a
    check would log in again with credentials that were refused.
    """
    if code in _PERSON_ONLY or (code in _LOGIN_CODES and auth_mode not in _WITHOUT_LOGIN):
        return None
    return now + PROBE_EVERY


def check_minutes(kind: ScheduleKind, minutes: int) -> int:
    """The interval a person chose; InvalidInput when this kind does not allow it."""
    if not kind.least <= minutes <= kind.most:
        raise InvalidInput(
            f"{kind.title}: every {kind.least} to {kind.most:,} minutes; {minutes:,} is not possible.",
            remedy="Choose another number, or turn it off.",
        )
    return minutes
