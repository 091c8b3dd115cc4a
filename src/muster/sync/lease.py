"""Who holds a run's lease, and when it may be taken from him: as muster.jobs.liveness has it for workers."""

from __future__ import annotations

from muster.jobs.liveness import HEARTBEAT_SECONDS, SILENCE, is_dead, owner

__all__ = ["HEARTBEAT_SECONDS", "SILENCE", "is_dead", "owner"]
