"""Runs a simulated server inside this process, for tests, demonstrations and the command line."""

import asyncio
import socket
import threading
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from muster.simulator.accounts import User
from muster.simulator.alert_hands import AlertHands
from muster.simulator.app import SimulatorApp
from muster.simulator.clock import SimulatedClock
from muster.simulator.faults import Fault, Faults
from muster.simulator.firing import Firing
from muster.simulator.fleet import Fleet, FleetSpec
from muster.simulator.software_hands import SoftwareHands
from muster.simulator.state import SeenRequest, Settings, State

_START_SECONDS = 30.0


class _BreakableProtocol(HttpToolsProtocol):
    """Hands the connection itself to the application, which cannot break it by ASGI means."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        scope: Any = self.scope
        scope["extensions"] = {"muster.transport": self.transport}


class _AnnouncingServer(uvicorn.Server):
    """Tells another thread when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start as always, then say so."""
        await super().startup(sockets)
        self.ready.set()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol must be named: asyncio turns Nagle's delay (40 ms an answer) off only on sockets that say
    # TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


class SimulatorServer:
    """A simulated Tactical RMM 1.5.1 that really listens. Use it with `with` or `async with`:

        with SimulatorServer(FleetSpec(agents=50)) as server:
            httpx2.get(f"{server.url}/agents/", headers={"X-API-KEY": server.api_key})

    It runs in a thread of its own; several can run in one process, each on its address. `port` 0 takes a free
    one. `tls` is the paths of a certificate chain and its key. Everything in `Settings` may be given by
    keyword.
    """

    def __init__(
        self,
        spec: FleetSpec | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: tuple[Path, Path] | None = None,
        settings: Settings | None = None,
        **changes: Any,
    ) -> None:
        self.state = State.make(spec or FleetSpec(), replace(settings or Settings(), **changes))
        self.alerts = AlertHands(self.state.fleet, self.state.alerts)
        self.software = SoftwareHands(self.state.fleet, self.state.software)
        self.host = host
        self.port = port
        self._tls = tls
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    # ---- what tests read and change

    @property
    def url(self) -> str:
        """The base URL, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    @property
    def api_key(self) -> str:
        """The superuser's API key."""
        return self.users["admin"].api_key

    @property
    def users(self) -> dict[str, User]:
        """All users by name, with passwords, TOTP secrets and API keys; their fields may be changed."""
        return self.state.accounts.users

    @property
    def fleet(self) -> Fleet:
        """The fleet, with the methods that change it."""
        return self.state.fleet

    @property
    def clock(self) -> SimulatedClock:
        """The simulated time: `advance`, `freeze`."""
        return self.state.clock

    @property
    def faults(self) -> Faults:
        """The faults in force: `add("error500@/agents/,times=2")`, `clear()`."""
        return self.state.faults

    @property
    def webhooks(self) -> Firing:
        """What sends the webhooks: `sent`, `counts`, `lose`, `wait`, `connections` and so on."""
        return self.state.alerts.firing

    @property
    def requests(self) -> list[SeenRequest]:
        """The requests answered so far, oldest first (the last 50,000)."""
        return list(self.state.requests)

    @property
    def beta(self) -> bool:
        """Whether the beta API is on; may be set while the server runs."""
        return self.state.beta_enabled

    @beta.setter
    def beta(self, enabled: bool) -> None:
        self.state.beta_enabled = enabled

    def add_fault(self, fault: Fault | str) -> Fault:
        """Short for `faults.add`."""
        return self.state.faults.add(fault)

    def log_out_everybody(self) -> None:
        """Make every login token handed out so far invalid."""
        self.state.accounts.revoke_all()

    # ---- running

    def start(self) -> None:
        """Listen and answer; returns when ready. OSError when the address is taken or not ours."""
        listener = _listen(self.host, self.port)
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            SimulatorApp(self.state),
            http=_BreakableProtocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=1,
            # As long as the reverse proxy in front of a real server keeps idle connections.
            timeout_keep_alive=75,
            ssl_certfile=str(self._tls[0]) if self._tls else None,
            ssl_keyfile=str(self._tls[1]) if self._tls else None,
        )
        self._server = server = _AnnouncingServer(config)
        self._thread = threading.Thread(
            target=lambda: asyncio.run(server.serve(sockets=[listener])), name="muster-simulator", daemon=True
        )
        self._thread.start()
        if not server.ready.wait(_START_SECONDS):
            self.stop()
            listener.close()
            raise RuntimeError(f"the simulator did not start on {self.url}")
        self.state.alerts.start()

    def stop(self) -> None:
        """Stop listening and wait until the last answer is given (at most a second)."""
        server, thread = self._server, self._thread
        self._server = self._thread = None
        self.state.alerts.stop()
        if server is not None and thread is not None:
            server.should_exit = True
            thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)
