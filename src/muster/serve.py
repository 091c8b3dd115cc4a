"""`muster serve`: web and worker in one process and one event loop, until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Annotated, Any

import typer
import uvicorn

from muster import bootstrap
from muster.accounts.setup import SetupService
from muster.app import create_app
from muster.bootstrap import Application
from muster.errors import InvalidInput
from muster.terminal import Bare
from muster.web.security import SecurityHeaders

HOST, PORT = "127.0.0.1", 8080
# For requests under way when the end is asked for.
_GOODBYE_SECONDS = 10
# What is done with the address once requests are answered.
Listening = Callable[[str], Awaitable[None]]


class _Server(uvicorn.Server):
    """Says where it listens once it does, and leaves signals to whoever runs it: uvicorn would raise them
    again at its end, in place of exit code 0.
    """

    def __init__(self, config: uvicorn.Config, listening: Listening) -> None:
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
            await self._listening(f"http://{f'[{host}]' if ':' in host else host}:{port}")


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

        async def listening(url: str) -> None:
            if not bare.output.json({"url": url, "worker": worker, "setup_token": token}):
                bare.output.say(f"Muster listens on {url}. Ctrl-C ends it.")
                if token is not None:
                    bare.output.say(f"Nobody can log in yet. Open {url}/setup with this token: {token}")
            sys.stdout.flush()

        await listen(application, host=host, port=port, worker=worker, listening=listening)


async def listen(
    application: Application, *, host: str, port: int, worker: bool, listening: Listening
) -> None:
    """Answer until SIGINT or SIGTERM; `listening` is told the address once it does (port 0: a free one).

    InvalidInput when the address cannot be listened on.
    """
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
