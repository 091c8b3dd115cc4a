"""Simulated time: it moves with the machine's clock, or stands still until somebody moves it.

The simulator may not import Muster's own clock (it must be able to disagree with it), hence this one.
Everything inside the simulator counts in whole microseconds since 1970 UTC, as the server's database does.
"""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

MICROSECONDS = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_microseconds(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime; a naive one raises ValueError."""
    if moment.tzinfo is None:
        raise ValueError(
            f"the moment {moment.isoformat()} has no time zone: write for example {moment}+00:00"
        )
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_microseconds(microseconds: int) -> datetime:
    """The aware UTC datetime of a count of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=microseconds)


def iso(microseconds: int) -> str:
    """The moment as the server writes it in JSON: `2026-11-23T14:31:53.146535Z`."""
    return from_microseconds(microseconds).isoformat().replace("+00:00", "Z")


class SimulatedClock:
    """The simulator's only source of time. `at` is its first moment (now when absent)."""

    def __init__(self, at: datetime | None = None, *, frozen: bool = False) -> None:
        self.start = to_microseconds(at if at is not None else datetime.now(UTC))
        if frozen:
            # Whole seconds: the Date header then says exactly the moment the statuses are computed with.
            self.start -= self.start % MICROSECONDS
        self.frozen = frozen
        self._offset = 0
        self._anchor = time.monotonic_ns()

    def now_us(self) -> int:
        """The simulated now, in microseconds since 1970."""
        passed = 0 if self.frozen else (time.monotonic_ns() - self._anchor) // 1000
        return self.start + self._offset + passed

    def now(self) -> datetime:
        """The simulated now as an aware UTC datetime."""
        return from_microseconds(self.now_us())

    def advance(self, by: timedelta) -> None:
        """Jump forwards (a negative step raises ValueError: the server's time never runs back)."""
        if by < timedelta(0):
            raise ValueError("simulated time only moves forwards")
        self._offset += by // timedelta(microseconds=1)

    def freeze(self) -> None:
        """Stop the time at the next whole simulated second."""
        seconds = -(-self.now_us() // MICROSECONDS)
        self.frozen = True
        self._offset = seconds * MICROSECONDS - self.start

    def http_date(self) -> str:
        """The simulated now as a Date header."""
        return format_datetime(self.now().replace(microsecond=0), usegmt=True)
