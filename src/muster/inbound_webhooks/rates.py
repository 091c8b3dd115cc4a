"""How many webhooks one endpoint may send."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from muster.inbound_webhooks.types import EndpointId

# What is refused is lost, for Tactical never sends again: this is here to keep a sender that runs in circles
# from filling the disk, never to slow a storm. Tactical's fastest is 57 calls in 1.1 s, one after another
# (CONTRACT section 5); a fleet of 20,000 that goes down whole takes it six minutes and stays below this.
A_SECOND = 200.0
AT_ONCE = 30_000.0


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class SendingRates:
    """A bucket for each endpoint, that fills by `a_second` calls and holds `at_once`. In memory, for the
    process; ask only for endpoints that have shown their secret, or others could use their calls up.
    """

    def __init__(
        self,
        a_second: float = A_SECOND,
        at_once: float = AT_ONCE,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._a_second = a_second
        self._at_once = at_once
        self._now = now
        self._buckets: dict[EndpointId, _Bucket] = {}

    def take(self, endpoint: EndpointId) -> int:
        """Take one call. 0 when it may go on, else the seconds after which it may be tried again."""
        now = self._now()
        bucket = self._buckets.setdefault(endpoint, _Bucket(self._at_once, now))
        bucket.left = min(bucket.left + (now - bucket.at) * self._a_second, self._at_once)
        bucket.at = now
        if bucket.left >= 1:
            bucket.left -= 1
            return 0
        return max(1, math.ceil((1 - bucket.left) / self._a_second))
