"""`/healthz`: this process works; `/readyz`: it can serve; `/metrics`: how things go, for Prometheus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from litestar import MediaType, Response, get
from litestar.handlers import HTTPRouteHandler
from prometheus_client import CONTENT_TYPE_LATEST

from muster.web.security import PUBLIC

# Names what was looked at, and what is wrong with it; None where nothing is.
Verdicts = Mapping[str, str | None]


def health_routes(
    alive: Callable[[], Verdicts],
    ready: Callable[[], Awaitable[Verdicts]],
    metrics: Callable[[], Awaitable[bytes]],
) -> Sequence[HTTPRouteHandler]:
    """The three routes. They need no login: they name no tenant and no server."""

    @get("/healthz", opt=PUBLIC, include_in_schema=False, sync_to_thread=False)
    def healthz() -> Response[dict[str, object]]:
        """200 while everything that has to run in this process runs; it asks nobody else."""
        return _answer(alive())

    @get("/readyz", opt=PUBLIC, include_in_schema=False)
    async def readyz() -> Response[dict[str, object]]:
        """200 when requests and jobs can be served: the database answers and has the right schema."""
        return _answer({**alive(), **await ready()})

    @get("/metrics", opt=PUBLIC, include_in_schema=False, media_type=MediaType.TEXT)
    async def metrics_() -> Response[bytes]:
        """Gauges and counters in Prometheus' text format."""
        return Response(await metrics(), headers={"content-type": CONTENT_TYPE_LATEST})

    return healthz, readyz, metrics_


def _answer(verdicts: Verdicts) -> Response[dict[str, object]]:
    well = not any(verdicts.values())
    checks = {name: problem or "ok" for name, problem in verdicts.items()}
    content: dict[str, object] = {"status": "ok" if well else "failing", "checks": checks}
    # A proxy or a monitor must never see an old answer.
    return Response(content, status_code=200 if well else 503, headers={"cache-control": "no-store"})
