"""What a device sync has counted so far: devices, not rows, since one device can come in several answers."""

from __future__ import annotations

from collections.abc import Collection

from muster.sync.types import Counters, DevicePlan


class Tally:
    """Sets of device ids; `counters` reduces them to numbers."""

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

    def counters(self, plan: DevicePlan | None = None) -> Counters:
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

    def add(self, plan: DevicePlan) -> None:
        """Take over what was committed."""
        self.seen |= plan.seen
        self._created |= plan.created
        self._updated |= plan.updated
        self.failed += plan.rejected
