"""Where a sync is in what it reads: for who watches it. In memory only; the record of a run is its ledger."""

from __future__ import annotations

import time
from collections import deque

from muster.providers.contract import DeviceChunk, OrganizationRead

# A server's answers come in gusts; over so many seconds they make a rate that a person can read.
_WINDOW_SECONDS = 20.0


class Position:
    """`read` devices of one pass over a list (`pass_name`: the kind of answer), of `total` where that is
    not the run's own; `organization` is the name of the one being read, `organizations` how many this pass
    has read to their end. `skipped` devices were read by an earlier attempt.
    """

    def __init__(self) -> None:
        self.pass_name: str | None = None
        self.organization: str | None = None
        self.organizations = 0
        self.total: int | None = None
        self.skipped = 0
        self.reads: dict[str, int] = {}
        self.ended: set[str] = set()
        self._count = 0
        self._marks: deque[tuple[float, int]] = deque()

    @property
    def read(self) -> int:
        """Devices read in this pass, by this attempt or an earlier one."""
        return self._count + self.skipped

    @property
    def of_organizations(self) -> bool:
        """Whether the pass goes from organization to organization, rather than over a list of devices."""
        return self.pass_name is not None and self.total is None

    def begin(self, pass_name: str, total: int | None = None) -> None:
        """Begin a pass over a list; nothing when it is under way already."""
        if self.pass_name == pass_name:
            return
        self.pass_name, self.total, self.organization = pass_name, total, None
        self._count = self.organizations = 0
        if self._marks:
            # What an earlier attempt had read stands through the first pass alone.
            self.reads, self.ended = {}, set()
        if total is not None:
            self.skipped = 0
        self._marks.clear()
        self.add(0)

    def take(self, item: DeviceChunk | OrganizationRead, organization: str) -> None:
        """Note what has just been read, and of which organization."""
        self.begin(item.source)
        self.organization = organization
        if isinstance(item, OrganizationRead):
            self.organizations += 1
            self.ended.add(item.organization_id)
        else:
            count = len(item.records) + len(item.rejected)
            self.reads[item.organization_id] = self.reads.get(item.organization_id, 0) + count
            self.add(count)

    def add(self, count: int) -> None:
        """Note that so many devices more have been read."""
        self._count += count
        now = time.monotonic()
        self._marks.append((now, self._count))
        while len(self._marks) > 2 and now - self._marks[0][0] > _WINDOW_SECONDS:
            self._marks.popleft()

    def rate(self) -> float | None:
        """Devices a second, lately; None before there is anything to tell it from."""
        since, before = self._marks[0] if self._marks else (0.0, 0)
        seconds = time.monotonic() - since
        if seconds < 1 or self._count <= before:
            return None
        return (self._count - before) / seconds
