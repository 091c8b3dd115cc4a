"""The page for Prometheus. It is made from the database when it is asked for, so that the one process that
serves it speaks for all workers.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy.ext.asyncio import AsyncSession

from muster.db import Database

# A room's numbers, from a session that may read across tenants. No label may name a tenant's own things.
MetricSource = Callable[[AsyncSession], Awaitable[Iterable[Metric]]]


class MetricsPage:
    """The numbers of all rooms, and of this process."""

    def __init__(self, database: Database, sources: Sequence[MetricSource]) -> None:
        self._database = database
        self._sources = tuple(sources)

    async def render(self) -> bytes:
        """The page in Prometheus' text format."""
        found: list[Metric] = [
            GaugeMetricFamily("muster_threads", "Threads of this process.", value=threading.active_count())
        ]
        async with self._database.read(system=True) as session:
            for source in self._sources:
                found.extend(await source(session))
        registry = CollectorRegistry()
        registry.register(_Found(found))
        ProcessCollector(registry=registry)
        return generate_latest(registry)


class _Found(Collector):
    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        """What was found."""
        return self._metrics
