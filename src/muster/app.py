"""The web application, and `muster serve`: web and worker in one process and one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any

import structlog
import typer
import uvicorn
from litestar import Litestar
from litestar.config.compression import CompressionConfig
from litestar.config.csrf import CSRFConfig
from litestar.datastructures import CacheControlHeader
from litestar.di import Provide
from litestar.middleware import DefineMiddleware
from litestar.static_files import create_static_files_router
from sqlalchemy.exc import SQLAlchemyError

from muster import bootstrap
from muster.accounts.auth import SessionAuthentication, provide_actor
from muster.accounts.setup import SetupService
from muster.background import Background, background
from muster.bootstrap import Application, web
from muster.db import migrate
from muster.errors import InvalidInput, MusterError
from muster.integrations.connections import Connector
from muster.sync.service import SyncService
from muster.terminal import Bare
from muster.web.frame import provide_frame
from muster.web.health import health_routes
from muster.web.metrics import MetricsPage
from muster.web.problems import CSRF_COOKIE, EXCEPTION_HANDLERS
from muster.web.security import PUBLIC, SecurityHeaders
from muster.web.templating import STATIC, STATIC_PATH, template_config

log = structlog.get_logger(__name__)

HOST, PORT = "127.0.0.1", 8080
# For requests under way when the end is asked for.
_GOODBYE_SECONDS = 10
_MOST_BODY_BYTES = 10_000_000
# Their address changes with their content.
_FOR_EVER = CacheControlHeader(max_age=31_536_000, public=True, immutable=True)


def create_app(application: Application, *, worker: bool = True) -> Litestar:
    """The ASGI application. With `worker` it also does background work for as long as it lives."""
    running: list[Background] = []

    @asynccontextmanager
    async def working(_: Litestar) -> AsyncIterator[None]:
        if not worker:
            yield
            return
        async with background(application) as work:
            running.append(work)
            try:
                yield
            finally:
                running.clear()

    def alive() -> Mapping[str, str | None]:
        if not worker:
            return {"web": None}
        return {"web": None, **(running[0].verdicts() if running else {"worker": "It does not run."})}

    async def ready() -> Mapping[str, str | None]:
        return {"database": await _database(application)}

    metrics = MetricsPage(application.database, bootstrap.metric_sources())
    return Litestar(
        route_handlers=[
            *health_routes(alive, ready, metrics.render),
            create_static_files_router(
                STATIC_PATH, [STATIC], opt=PUBLIC, cache_control=_FOR_EVER, include_in_schema=False
            ),
            *web.routes(),
        ],
        dependencies=_dependencies(application),
        lifespan=[working],
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
        openapi_config=web.openapi(),
        # Muster logs by structlog, which bootstrap sets up.
        logging_config=None,
        request_max_body_size=_MOST_BODY_BYTES,
    )


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


class _Server(uvicorn.Server):
    """Says where it listens once it does, and leaves signals to whoever runs it: uvicorn would raise them
    again at its end, in place of exit code 0.
    """

    def __init__(self, config: uvicorn.Config, listening: Callable[[str], None]) -> None:
        super().__init__(config)
        self._listening = listening

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield

    async def startup(self, sockets: Any = None) -> None:
        """Start as always, then say so."""
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._listening(f"http://{f'[{host}]' if ':' in host else host}:{port}")


async def serve(
    bare: Bare,
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = HOST,
    port: Annotated[
        int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65_535)
    ] = PORT,
    worker: Annotated[
        bool, typer.Option("--worker/--no-worker", help="Also do background work in this process.")
    ] = True,
) -> None:
    """Run the web application and, in the same process, a worker. Ends well on Ctrl-C and SIGTERM."""
    async with bootstrap.open_application(bare.settings) as application:
        token = await _setup_token(application)

        def listening(url: str) -> None:
            if not bare.output.json({"url": url, "worker": worker, "setup_token": token}):
                bare.output.say(f"Muster listens on {url}. Ctrl-C ends it.")
                if token is not None:
                    bare.output.say(f"Nobody can log in yet. Open {url}/setup with this token: {token}")
            sys.stdout.flush()

        config = uvicorn.Config(
            SecurityHeaders(create_app(application, worker=worker)),
            host=host,
            port=port,
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GOODBYE_SECONDS,
        )
        await _run(_Server(config, listening), f"{host}:{port}")


async def _setup_token(application: Application) -> str | None:
    """The token of the first run, made anew; None once somebody can log in."""
    async with application.database.write(system=True) as session:
        setup = SetupService(session)
        return await setup.new_token() if await setup.is_needed() else None


async def _run(server: _Server, where: str) -> None:
    loop = asyncio.get_running_loop()

    def end() -> None:
        # A second signal does not wait for requests under way.
        server.force_exit = server.should_exit
        server.should_exit = True

    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, end)
    try:
        await server.serve()
    except SystemExit:
        # So uvicorn says that it cannot begin: the port is taken, or the application did not start.
        raise InvalidInput(
            f"Muster cannot listen on {where}.",
            remedy="Another program may have that port: choose one with --port. The log says more.",
            code="cannot_listen",
        ) from None
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
