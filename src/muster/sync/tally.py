"""What a sync has counted so far: devices or alerts, not rows, since one can come in several answers."""

from __future__ import annotations

from collections.abc import Collection, Set
from typing import Protocol

from muster.sync.types import Counters, DevicePlan


class Counted(Protocol):
    """What becomes of one batch: ids by the server, and how many rows of it could not be understood."""

    @property
    def seen(self) -> Set[str]:
        """What was looked at."""

    @property
    def created(self) -> Set[str]:
        """What is new."""

    @property
    def updated(self) -> Set[str]:
        """What has changed."""

    @property
    def rejected(self) -> int:
        """What could not be understood."""


class Tally:
    """Sets of ids; `counters` reduces them to numbers."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.missing = 0
        self.failed = 0
        self._created: set[str] = set()
        self._updated: set[str] = set()

    def restore(self, seen: Collection[str], created: Collection[str], updated: Collection[str]) -> None:
        """Go on from what an earlier attempt at this run has written."""
        self.seen |= set(seen)
        self._created |= self.seen & set(created)
        self._updated |= self.seen & set(updated)

    def counters(self, plan: Counted | None = None) -> Counters:
        """The numbers, as they will be once `plan` is committed."""
        plan = plan or DevicePlan()
        seen = len(self.seen | plan.seen)
        created = len(self._created | plan.created)
        updated = len((self._updated | plan.updated) - self._created - plan.created)
        failed = self.failed + plan.rejected
        return Counters(
            processed=seen + failed,
            created=created,
            updated=updated,
            unchanged=seen - created - updated,
            missing=self.missing,
            failed=failed,
        )

    def add(self, plan: Counted) -> None:
        """Take over what was committed."""
        self.seen |= plan.seen
        self._created |= plan.created
        self._updated |= plan.updated
        self.failed += plan.rejected
