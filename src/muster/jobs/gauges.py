"""Numbers about jobs and workers, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.jobs.board import workers
from muster.jobs.repository import RelayRepository


async def gauges(session: AsyncSession) -> Iterable[Metric]:
    """The queue's depth by state, and the workers that live."""
    relay = RelayRepository(session)
    depth = GaugeMetricFamily("muster_jobs", "Open jobs, by state.", labels=["state"])
    for state, count in (await relay.depth(clock.now())).items():
        depth.add_metric([state], count)
    living = sum(not worker.dead for worker in await workers(relay))
    return depth, GaugeMetricFamily("muster_workers", "Workers that live.", value=living)
