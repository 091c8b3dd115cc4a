"""Numbers about syncs, for Prometheus."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import accumulate
from uuid import UUID

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.sync.repository import RunsRepository

_BUCKETS = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
# A run's end is stamped a little before it is committed.
_OVERLAP = timedelta(minutes=5)


class SyncGauges:
    """Counts runs that ended, of all workers, since this object was made: each scrape reads the new ones."""

    def __init__(self) -> None:
        self._since: datetime = clock.now()
        self._counted: dict[UUID, datetime] = {}
        self._ended: Counter[tuple[str, str, str]] = Counter()
        self._seconds: dict[tuple[str, str], list[int]] = {}
        self._sum: Counter[tuple[str, str]] = Counter()

    async def __call__(self, session: AsyncSession) -> Iterable[Metric]:
        """Runs ended by type, mode and status, how long they took, and how many run."""
        repository = RunsRepository(session)
        await self._count(repository)
        ended = CounterMetricFamily(
            "muster_sync_runs", "Syncs that ended.", labels=["sync_type", "mode", "status"]
        )
        for labels, count in sorted(self._ended.items()):
            ended.add_metric(list(labels), count)
        duration = HistogramMetricFamily(
            "muster_sync_duration_seconds", "How long syncs took.", labels=["sync_type", "mode"]
        )
        for key, counts in sorted(self._seconds.items()):
            bounds = [*(str(bound) for bound in _BUCKETS), "+Inf"]
            buckets = list(zip(bounds, (float(n) for n in accumulate(counts)), strict=True))
            duration.add_metric(list(key), buckets=buckets, sum_value=self._sum[key] / 1000)
        running = GaugeMetricFamily(
            "muster_syncs_running", "Syncs under way.", value=await repository.count_running()
        )
        return ended, duration, running

    async def _count(self, repository: RunsRepository) -> None:
        now = clock.now()
        for run in await repository.ended_since(self._since):
            if run["run_id"] in self._counted:
                continue
            self._counted[run["run_id"]] = run["finished_at"]
            key, milliseconds = (run["sync_type"], run["mode"]), run["duration_ms"] or 0
            self._ended[*key, run["status"]] += 1
            counts = self._seconds.setdefault(key, [0] * (len(_BUCKETS) + 1))
            counts[bisect_left(_BUCKETS, milliseconds / 1000)] += 1
            self._sum[key] += milliseconds
        self._since = max(self._since, now - _OVERLAP)
        self._counted = {run_id: at for run_id, at in self._counted.items() if at >= self._since}
