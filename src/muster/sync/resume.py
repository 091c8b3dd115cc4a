"""What a run that is taken up again knows of its earlier attempts. Pure.

An organization is done once its last list was read to a proved end and written: it is not read again. Only
a whole organization counts, since the server's role filter is the light list of the same reading.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from muster.sync.types import Action

DONE = "done"
_UPDATED = frozenset({Action.UPDATED, Action.MOVED})
# What a run is about, one by one.
_COUNTED = frozenset({"device", "alert", "software"})
_PROBLEMS = frozenset({Action.FAILED, Action.SKIPPED, Action.HELD})


@dataclass(frozen=True, slots=True)
class Resumed:
    """What was done: organizations by id, and devices or alerts by the server's id. `stale` are numbers of
    entries about what is tried again.
    """

    started_at: datetime
    done: frozenset[str]
    created: frozenset[str]
    updated: frozenset[str]
    failed: int
    stale: tuple[int, ...] = field(default=())


def resumed(started_at: datetime, cursor: Mapping[str, Any], entries: Iterable[Mapping[str, Any]]) -> Resumed:
    """Read it from a run's own record."""
    done = frozenset(cursor.get(DONE, ()))
    created, updated, stale = set(), set(), []
    failed = 0
    for entry in entries:
        counts, action = entry["item_type"] in _COUNTED, entry["action"]
        if action in _PROBLEMS and entry["organization_id"] not in done:
            stale.append(entry["entry_number"])
        elif counts and action == Action.CREATED:
            created.add(entry["external_id"])
        elif counts and action in _UPDATED:
            updated.add(entry["external_id"])
        elif counts and action == Action.FAILED:
            failed += 1
    return Resumed(started_at, done, frozenset(created), frozenset(updated), failed, tuple(stale))
