"""Numbers about schedules, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.schedules.repository import TickRepository


async def gauges(session: AsyncSession) -> Iterable[Metric]:
    """How many schedules there are and how they stand, and how late the latest one is."""
    repository, now = TickRepository(session), clock.now()
    numbers = await repository.numbers()
    overdue, oldest = await repository.backlog(now)
    states = GaugeMetricFamily("muster_schedules", "Schedules that are on, by state.", labels=["state"])
    for state, count in numbers.items():
        states.add_metric([state], count)
    late = max((now - oldest).total_seconds(), 0.0) if oldest is not None else 0.0
    return (
        states,
        GaugeMetricFamily("muster_schedules_overdue", "Schedules due and not asked for yet.", value=overdue),
        GaugeMetricFamily(
            "muster_schedule_lag_seconds", "How long the schedule that waits longest is overdue.", value=late
        ),
    )
