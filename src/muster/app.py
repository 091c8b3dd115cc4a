"""The web application: what the rooms offer, behind one login, one way to tell problems and one health."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog
from litestar import Litestar
from litestar.config.compression import CompressionConfig
from litestar.config.csrf import CSRFConfig
from litestar.datastructures import CacheControlHeader
from litestar.di import Provide
from litestar.middleware import DefineMiddleware
from litestar.static_files import create_static_files_router
from sqlalchemy.exc import SQLAlchemyError

from muster import bootstrap
from muster.accounts.auth import OWN, SessionAuthentication, provide_actor
from muster.background import Background, background
from muster.bootstrap import Application, inbound, outbound, web
from muster.db import migrate
from muster.errors import MusterError
from muster.integrations.connections import Connector
from muster.sync.service import SyncService
from muster.web.frame import provide_frame
from muster.web.health import health_routes
from muster.web.metrics import MetricsPage
from muster.web.openapi import openapi_config
from muster.web.problems import CSRF_COOKIE, EXCEPTION_HANDLERS
from muster.web.security import PUBLIC
from muster.web.templating import STATIC, STATIC_PATH, template_config

log = structlog.get_logger(__name__)

_MOST_BODY_BYTES = 10_000_000
# Their address changes with their content.
_FOR_EVER = CacheControlHeader(max_age=31_536_000, public=True, immutable=True)


def create_app(application: Application, *, worker: bool = True) -> Litestar:
    """The ASGI application. With `worker` it also does background work for as long as it lives."""
    work = _Work(application, wanted=worker)

    async def ready() -> Mapping[str, str | None]:
        return {"database": await _database(application)}

    receiver = inbound.receiver(application.database, application.secrets, work.wake)
    metrics = MetricsPage(application.database, [*bootstrap.metric_sources(), receiver.metrics])
    return Litestar(
        route_handlers=[
            *health_routes(work.verdicts, ready, metrics.render),
            create_static_files_router(
                STATIC_PATH, [STATIC], opt=PUBLIC, cache_control=_FOR_EVER, include_in_schema=False
            ),
            *web.routes(),
        ],
        dependencies={**_dependencies(application), "webhook_receiver": _ready(receiver)},
        lifespan=[work.done, receiver.running],
        middleware=[
            DefineMiddleware(SessionAuthentication, database=application.database),
        ],
        exception_handlers=EXCEPTION_HANDLERS,
        template_config=template_config(),
        csrf_config=CSRFConfig(
            secret=application.secrets.derived("csrf"),
            cookie_name=CSRF_COOKIE,
            cookie_httponly=True,
            exclude_from_csrf_key="exclude_from_csrf",
        ),
        compression_config=CompressionConfig(backend="gzip", minimum_size=1000),
        # It names the program and every route of it: for who is logged in.
        openapi_config=openapi_config([OWN]),
        # Muster logs by structlog, which bootstrap sets up.
        logging_config=None,
        request_max_body_size=_MOST_BODY_BYTES,
    )


class _Work:
    """The background work of a process that also answers requests; with `wanted` false there is none."""

    def __init__(self, application: Application, *, wanted: bool) -> None:
        self._application = application
        self._wanted = wanted
        self._running: Background | None = None

    @asynccontextmanager
    async def done(self, _: Litestar) -> AsyncIterator[None]:
        """Work for as long as the web application lives."""
        if not self._wanted:
            yield
            return
        async with background(self._application) as running:
            self._running = running
            try:
                yield
            finally:
                self._running = None

    def wake(self) -> None:
        """Have a worker of this process look for jobs now."""
        if self._running is not None:
            self._running.engine.wake()

    def verdicts(self) -> Mapping[str, str | None]:
        """What has to run in this process, and what keeps it from running."""
        if not self._wanted:
            return {"web": None}
        if self._running is None:
            return {"web": None, "worker": "It does not run."}
        return {"web": None, **self._running.verdicts()}


def _dependencies(application: Application) -> dict[str, Provide]:
    """What a route may ask for by name."""
    connector = Connector(application.database, application.secrets, application.egress)
    open_things = {
        "database": application.database,
        "secrets": application.secrets,
        "settings": application.settings,
        "connector": connector,
        "sync": SyncService(application.database, application.secrets, connector, application.settings),
        "furnishing": web.furnishing(application),
        "integration_counts": bootstrap.integration_counts(),
        "client_neighbours": bootstrap.client_neighbours(application.secrets),
        **inbound.dependencies(application.database, application.secrets, connector, application.settings),
        **outbound.dependencies(application.settings),
    }
    return {
        **{name: _ready(thing) for name, thing in open_things.items()},
        "actor": Provide(provide_actor, sync_to_thread=False),
        "frame": Provide(provide_frame),
    }


def _ready(thing: object) -> Provide:
    def provide() -> object:
        return thing

    return Provide(provide, sync_to_thread=False)


async def _database(application: Application) -> str | None:
    """What keeps the database from being used, without its address: that may be told to anyone who asks."""
    try:
        if await migrate.is_current(application.database):
            return None
    except (MusterError, SQLAlchemyError, OSError) as error:
        log.warning("ready.database", error=type(error).__name__, detail=str(error)[:300])
        return "It does not answer."
    return "It has the schema of another version of Muster; run: muster migrate"
