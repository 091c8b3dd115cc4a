"""How long a sync's owner may be silent. Who it is and whether it lives: muster.jobs.liveness."""

from __future__ import annotations

from datetime import datetime, timedelta

from muster.jobs import liveness
from muster.jobs.liveness import owner

__all__ = ["HEARTBEAT_SECONDS", "SILENCE", "is_dead", "owner"]

HEARTBEAT_SECONDS = 5.0
# On another host only silence tells; six missed heartbeats are taken for death.
SILENCE = timedelta(seconds=30)


def is_dead(lease_owner: str | None, heartbeat_at: datetime, now: datetime) -> bool:
    """Whether the owner's lease may be taken: its process is gone, or it fell silent on another host."""
    return liveness.is_dead(lease_owner, heartbeat_at, now, SILENCE)
