"""Numbers about receipts, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.inbound_webhooks.repository import AllReceiptsRepository


async def gauges(session: AsyncSession) -> Iterable[Metric]:
    """How many receipts wait, and for how long the oldest has."""
    waiting, now = await AllReceiptsRepository(session).waiting(), clock.now()
    oldest = max([(now - row["since"]).total_seconds() for row in waiting], default=0.0)
    count = sum([row["count"] for row in waiting])
    return (
        GaugeMetricFamily("muster_receipts_waiting", "Webhook receipts not processed yet.", value=count),
        GaugeMetricFamily(
            "muster_receipts_lag_seconds",
            "How long the receipt that waits longest has waited.",
            value=max(oldest, 0.0),
        ),
    )
