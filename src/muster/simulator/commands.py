"""`muster simulator serve`: the simulated server on the command line."""

import ipaddress
import json
import os
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from muster.simulator.accounts import User
from muster.simulator.faults import EXPLAINED
from muster.simulator.fleet import FleetSpec
from muster.simulator.server import SimulatorServer
from muster.simulator.state import OUTAGES_EVERY, Settings

simulator_app = typer.Typer(
    name="simulator",
    help="A simulated Tactical RMM 1.5.1 server to try Muster and other clients on.",
    no_args_is_help=True,
    add_completion=False,
)

_EPILOG = """
Examples:

  muster simulator serve --agents 250

  muster simulator serve --agents 5000 --seed 7 --frozen --port 8765

  muster simulator serve --no-beta --fault "slow=2@/agents/" --fault "error500@/clients/,times=2"

  muster simulator serve --agents 250 --alerts 2000 --alert-every 20

Faults (KIND[=VALUE][@/PATHPREFIX][,times=N][,after=N]):

""" + "\n\n".join(f"  {kind}: {text}" for kind, text in EXPLAINED.items())


def _fail(message: str, code: int) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        _fail(f"--at wants a moment such as 2026-11-23T14:30:00+00:00, not {text!r}", 2)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _check_host(host: str, expose: bool) -> None:
    """Refuse addresses others can reach, unless asked for: the simulator's passwords are known."""
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback and not expose:
        _fail(
            f"{host} is no loopback address: others could reach the simulator. Add --expose if you mean it",
            2,
        )


def _fitting_key(key: str | None) -> str | None:
    if key is not None and not (
        1 <= len(key) <= 200 and key.isascii() and key.isprintable() and " " not in key
    ):
        _fail("--api-key wants 1 to 200 printable ASCII characters without spaces", 2)
    return key


def _as_json(server: SimulatorServer) -> dict[str, Any]:
    def of(user: User) -> dict[str, Any]:
        return {
            "username": user.username,
            "note": user.note,
            "password": user.password,
            "totp_secret": user.totp_secret,
            "api_key": user.api_key,
        }

    return {
        "url": server.url,
        "api_key": server.api_key,
        "agents": len(server.fleet),
        "clients": len(server.fleet.clients),
        "sites": len(server.fleet.sites),
        "now": server.clock.now().isoformat(),
        "frozen": server.clock.frozen,
        "beta": server.beta,
        "users": [of(user) for user in server.users.values()],
    }


def _announce(server: SimulatorServer, as_json: bool) -> None:
    """Say where the server is and who may log in; a reader of a pipe must get it at once."""
    if as_json:
        typer.echo(json.dumps(_as_json(server)))
        sys.stdout.flush()
        return
    facts = _as_json(server)
    state = "stands still at" if facts["frozen"] else "moves on from"
    beta = "on" if facts["beta"] else "off"
    typer.echo(f"Simulated Tactical RMM 1.5.1 at {facts['url']}")
    typer.echo(f"{facts['agents']} agents, {facts['clients']} clients; beta API {beta}")
    typer.echo(f"time {state} {facts['now']}\n")
    # Plain columns, never cut to the terminal's width: keys are there to be copied.
    typer.echo(f"{'user':<11}{'password':<21}{'TOTP secret':<34}{'API key':<34}what for")
    for user in facts["users"]:
        secret, key = user["totp_secret"] or "-", user["api_key"]
        typer.echo(f"{user['username']:<11}{user['password']:<21}{secret:<34}{key:<34}{user['note']}")
    typer.echo("\nCtrl-C stops it.")
    sys.stdout.flush()


def _write_key(path: Path, key: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{key}\n")
    except OSError as error:
        _fail(f"cannot write the API key to {path}: {error.strerror}", 1)


def _wait_for_the_end() -> None:
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    # Waking now and then lets a signal handler run on every platform.
    while not over.wait(0.5):
        pass


@simulator_app.callback()
def _root() -> None:
    """A simulated Tactical RMM 1.5.1 server to try Muster and other clients on."""


Agents = Annotated[int, typer.Option(help="How many agents the fleet has.", min=0)]
Seed = Annotated[int, typer.Option(help="Equal seeds give equal fleets, users and keys.", min=0)]
Port = Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Expose = Annotated[bool, typer.Option("--expose", help="Allow an address others can reach.")]
Clients = Annotated[int | None, typer.Option(help="How many clients (default: one per 50 agents).")]
WeightText = Annotated[str, typer.Option(help="light: 3 KB an agent; real: about 100 KB on the beta list.")]
Beta = Annotated[bool, typer.Option("--beta/--no-beta", help="Whether the beta API is on.")]
Frozen = Annotated[bool, typer.Option("--frozen", help="Let the simulated time stand still.")]
At = Annotated[str | None, typer.Option(help="First simulated moment, ISO 8601 (default: now).")]
Alerts = Annotated[
    int | None, typer.Option(help="How many alerts there are at first (default: one per 4 agents).", min=0)
]
AlertEvery = Annotated[
    float | None, typer.Option(help="Let an alert come or go by itself every so many seconds.")
]
FaultTexts = Annotated[list[str] | None, typer.Option(help="A fault to inject, repeatable; see below.")]
HostNames = Annotated[list[str] | None, typer.Option(help="Further Host header to accept, repeatable.")]
Key = Annotated[str | None, typer.Option(help="The admin's API key (default: from the seed).")]
KeyFile = Annotated[Path | None, typer.Option(help="Write the admin's API key to this file (0600).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print address, keys and users as one JSON line.")]


def _start(server: SimulatorServer) -> None:
    try:
        server.start()
    except OSError as error:
        where = f"{server.host}:{server.port}"
        _fail(f"cannot listen on {where}: {error.strerror or error}; choose another --port or --host", 1)


@simulator_app.command(epilog=_EPILOG)
def serve(  # noqa: PLR0917 - one parameter per option
    agents: Agents = 20,
    seed: Seed = 1,
    port: Port = 8765,
    host: Host = "127.0.0.1",
    expose: Expose = False,
    clients: Clients = None,
    weight: WeightText = "light",
    beta: Beta = True,
    frozen: Frozen = False,
    at: At = None,
    alerts: Alerts = None,
    alert_every: AlertEvery = None,
    fault: FaultTexts = None,
    host_name: HostNames = None,
    api_key: Key = None,
    api_key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Serve an invented fleet until Ctrl-C or SIGTERM."""
    _check_host(host, expose)
    settings = Settings(
        beta=beta,
        frozen=frozen,
        at=_moment(at),
        api_key=_fitting_key(api_key),
        host_names=(host, *(host_name or ())),
        faults=tuple(fault or ()),
        alert_every=alert_every,
        outages_every=min(OUTAGES_EVERY, alert_every or OUTAGES_EVERY),
    )
    try:
        spec = FleetSpec(agents, seed, clients, weight, alerts)  # type: ignore[arg-type]
        server = SimulatorServer(spec, host=host, port=port, settings=settings)
    except ValueError as error:
        _fail(str(error), 2)
    _start(server)
    try:
        if api_key_file is not None:
            _write_key(api_key_file, server.api_key)
        _announce(server, as_json)
        _wait_for_the_end()
    finally:
        server.stop()
