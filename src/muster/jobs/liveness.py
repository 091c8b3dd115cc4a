"""Which process this is, and whether another one still lives."""

from __future__ import annotations

import os
import platform
from datetime import datetime, timedelta
from pathlib import Path

import psutil

HEARTBEAT_SECONDS = 5.0
# On another host only silence tells; six missed heartbeats are taken for death.
SILENCE = timedelta(seconds=30)
# A process of this host that is there but was silent for this long hangs, or was stopped. Should it wake up,
# it finds that what it had is fenced: a job by its attempt, a run by its lease.
HUNG = timedelta(minutes=5)


def host() -> str:
    """The host and, where there are any, the process namespace: pids mean nothing outside of it."""
    namespace = Path("/proc/self/ns/pid")
    inode = namespace.stat().st_ino if namespace.exists() else 0
    return f"{platform.node()}:{int(psutil.boot_time())}:{inode}"


def owner() -> str:
    """The current process, told apart from a later one with the same pid by its start time."""
    process = psutil.Process(os.getpid())
    return f"{host()}/{process.pid}/{process.create_time():.2f}"


def is_dead(name: str | None, heartbeat_at: datetime, now: datetime) -> bool:
    """Whether the process of that name is gone, or was silent for longer than HUNG; on another host: whether
    it was silent for longer than SILENCE. Nobody's (None) is dead; who asks is not.
    """
    if name is None:
        return True
    place, _, process = name.rpartition("/")[0].rpartition("/")
    started = name.rpartition("/")[2]
    silent = now - heartbeat_at
    if place != host():
        return silent > SILENCE
    try:
        found = psutil.Process(int(process))
        # A killed process that nobody has waited for yet keeps its pid, but does nothing any more.
        gone = f"{found.create_time():.2f}" != started or found.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    return gone or (silent > HUNG and found.pid != os.getpid())
