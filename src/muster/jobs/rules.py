"""Which of the waiting jobs a worker takes. Pure."""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job that waits for a worker."""

    tenant_id: UUID
    job_id: UUID
    lane: str | None
    requested_at: datetime


@dataclass(frozen=True, slots=True)
class Running:
    """A job that some worker has."""

    tenant_id: UUID
    lane: str | None


def choose(
    waiting: Sequence[Waiting], running: Sequence[Running], *, free: int, per_lane: int
) -> list[Waiting]:
    """At most `free` jobs to take now: always of the tenant that has the fewest running, its oldest first,
    and never more than `per_lane` running of one lane. A job whose lane is full lets others pass.
    """
    tenants = Counter(job.tenant_id for job in running)
    lanes = Counter(job.lane for job in running if job.lane is not None)
    queues: dict[UUID, deque[Waiting]] = {}
    for job in sorted(waiting, key=lambda job: (job.requested_at, job.job_id)):
        queues.setdefault(job.tenant_id, deque()).append(job)
    heap = [(tenants[tenant], queue[0].requested_at, tenant) for tenant, queue in queues.items()]
    heapq.heapify(heap)
    chosen: list[Waiting] = []
    while heap and len(chosen) < free:
        count, _, tenant = heapq.heappop(heap)
        queue = queues[tenant]
        while queue and queue[0].lane is not None and lanes[queue[0].lane] >= per_lane:
            queue.popleft()
        if not queue:
            continue
        job = queue.popleft()
        chosen.append(job)
        if job.lane is not None:
            lanes[job.lane] += 1
        if queue:
            heapq.heappush(heap, (count + 1, queue[0].requested_at, tenant))
    return chosen
