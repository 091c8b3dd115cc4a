"""`muster demo`: a simulated fleet becomes clients, mapped organizations and assets, before your eyes."""

from __future__ import annotations

import asyncio
import secrets
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from muster import bootstrap, clock
from muster.accounts.permissions import Role
from muster.accounts.service import UserService
from muster.alerts.service import AlertService
from muster.assets.service import AssetService
from muster.bootstrap import inbound
from muster.clients.service import ClientService
from muster.errors import InvalidInput, MusterError
from muster.integrations.connections import Connector
from muster.integrations.schemas import IntegrationView
from muster.integrations.service import IntegrationService
from muster.mappings.service import MappingService
from muster.output import Output, plain
from muster.providers.contract import AgentStatus
from muster.serve import HOST, PORT, listen
from muster.settings import Settings
from muster.simulator import FleetSpec, SimulatorServer
from muster.software.schemas import SoftwareCounts
from muster.software.service import SoftwareCatalog
from muster.sync.schemas import Preview, RunView
from muster.sync.service import SyncService
from muster.tenancy import TenantScope
from muster.tenants.service import TenantService
from muster.terminal import Application, Bare

TENANT, INTEGRATION, ADMINISTRATOR = "Demo MSP", "Demo", "admin@demo.example"
# Seconds after which an alert comes or goes on the simulated server.
ALERT_EVERY = 20.0
STATUSES = tuple(status.value for status in AgentStatus)


@dataclass(frozen=True, slots=True)
class Fleet:
    """What came of it."""

    scope: TenantScope
    integration: IntegrationView
    runs: tuple[RunView, ...]
    by_status: dict[str, int]
    by_client: dict[str, dict[str, int]]
    open_alerts: int
    software: SoftwareCounts


async def demo(
    bare: Bare,
    *,
    agents: Annotated[int, typer.Option(min=1, max=100_000, help="How many agents the fleet has.")] = 250,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal fleets.")] = 1,
    once: Annotated[
        bool, typer.Option("--once", help="End when it is done; else it serves the pages until Ctrl-C.")
    ] = False,
    port: Annotated[
        int, typer.Option(help="Port of the pages; 0 takes a free one.", min=0, max=65_535)
    ] = PORT,
    data_dir: Annotated[
        Path | None, typer.Option(help="Keep the demo's data in this folder; else it goes when it ends.")
    ] = None,
) -> None:
    """Show Muster at work on a simulated Tactical RMM server. Touches no other data of yours."""
    if not once:
        _end_on_sigterm()
    with _folder(data_dir) as folder:
        settings = _settings(bare.settings, folder)
        async with SimulatorServer(
            FleetSpec(agents=agents, seed=seed), alert_every=ALERT_EVERY, outages_every=ALERT_EVERY
        ) as server:
            bare.output.say(
                f"Simulated Tactical RMM {server.state.version} at {server.url}: {agents} agents."
            )
            password = secrets.token_urlsafe(15)
            async with bootstrap.open_application(settings) as application:
                work = _Demo(application, bare.output)
                fleet = await work.run(server, password)

                async def tell(url: str | None = None) -> None:
                    if url is not None:
                        await work.have_alerts_sent(fleet, url)
                    kept = folder if data_dir or not once else None
                    if not bare.output.json(_as_json(server, fleet, kept, url)):
                        _show(bare.output, fleet)
                        _say_what_next(
                            bare.output, server, folder, password, kept=data_dir is not None, url=url
                        )
                    sys.stdout.flush()

                if once:
                    await tell()
                else:
                    await listen(application, host=HOST, port=port, worker=True, listening=tell)


@contextmanager
def _folder(wanted: Path | None) -> Iterator[Path]:
    if wanted is None:
        with tempfile.TemporaryDirectory(prefix="muster-demo-") as temporary:
            yield Path(temporary)
        return
    folder = wanted.expanduser().absolute()
    if (folder / "muster.db").exists():
        raise InvalidInput(
            f"{folder} has a database of Muster's already.", remedy="Choose an empty folder for the demo."
        )
    yield folder


def _settings(settings: Settings, folder: Path) -> Settings:
    """The person's own settings, but for everything that would lead to their own data or keep them out."""
    return replace(
        settings,
        data_dir=folder,
        database_url=f"sqlite:///{folder / 'muster.db'}",
        secret_key=None,
        secret_key_file=None,
        tenant=None,
        egress_allow=(),
        egress_ca_file=None,
    )


class _Demo:
    def __init__(self, application: Application, output: Output) -> None:
        self._database = application.database
        self._secrets = application.secrets
        self._output = output
        self._connector = Connector(application.database, application.secrets, application.egress)
        self._sync = SyncService(
            application.database, application.secrets, self._connector, application.settings
        )
        self._setup = inbound.webhook_setup(
            application.database, application.secrets, self._connector, application.settings
        )

    async def run(self, server: SimulatorServer, password: str) -> Fleet:
        """Every step of a set-up, in the order in which a person does it."""
        scope = await self._make_tenant(password)
        integration = await self._connect(scope, server)
        with self._output.progress("Organizations") as update:
            organizations = _succeeded(
                await self._sync.organizations(
                    scope,
                    integration.integration_id,
                    trigger="demo",
                    progress=lambda ledger: update(ledger.counters.processed, ledger.total),
                )
            )
        mapped = await self._map(scope, integration)
        self._output.say(f"Organizations: {mapped} fetched and mapped to new clients.")
        with self._output.progress("Devices") as update:
            devices = _succeeded(
                await self._sync.devices(
                    scope,
                    integration.integration_id,
                    trigger="demo",
                    progress=lambda ledger: update(ledger.counters.processed, ledger.total),
                )
            )
        self._output.say(
            f"Devices: {devices.created} assets made in {(devices.duration_ms or 0) / 1000:.1f} s with "
            f"{devices.requests} requests and {devices.bytes_received / 1e6:.1f} MB."
        )
        alerts = _succeeded(await self._sync.alerts(scope, integration.integration_id, trigger="demo"))
        self._output.say(f"Alerts: {alerts.created} are open on the server.")
        with self._output.progress("Software") as update:
            software = _succeeded(
                await self._sync.software(
                    scope,
                    integration.integration_id,
                    trigger="demo",
                    progress=lambda ledger: update(ledger.counters.processed, ledger.total),
                )
            )
        fleet = await self._result(scope, integration, (organizations, devices, alerts, software))
        self._output.say(
            f"Software: {fleet.software.installs} installs of {fleet.software.titles} programs on "
            f"{fleet.software.reporting} devices."
        )
        return fleet

    async def have_alerts_sent(self, fleet: Fleet, url: str) -> None:
        """Set up on the server that it calls Muster at this address when an alert comes or goes."""
        await self._setup.set_up(fleet.scope, fleet.integration.integration_id, address=url)
        self._output.say("Webhook: set up on the server.")

    async def _make_tenant(self, password: str) -> TenantScope:
        async with self._database.write() as session:
            tenant = await TenantService(session).create(TENANT)
            scope = TenantScope(tenant.tenant_id, "demo")
            await UserService(session, scope).create(ADMINISTRATOR, password=password, role=Role.ADMIN)
        return scope

    async def _connect(self, scope: TenantScope, server: SimulatorServer) -> IntegrationView:
        async with self._database.write() as session:
            service = IntegrationService(session, scope, self._secrets)
            added = await service.add(
                "tacticalrmm", INTEGRATION, {"instance_url": server.url, "api_key": server.api_key}
            )
        result = await self._connector.check(scope, added.integration_id)
        for finding in result.findings:
            if finding.level == "error":
                raise MusterError(finding.message, remedy=finding.remedy, code=finding.code)
        async with self._database.read() as session:
            view = await IntegrationService(session, scope, self._secrets).get(added.integration_id)
        self._output.say(f"Integration {view.name}: {view.provider_name}, checked and connected.")
        return view

    async def _map(self, scope: TenantScope, integration: IntegrationView) -> int:
        async with self._database.write() as session:
            mappings, clients = MappingService(session, scope), ClientService(session, scope)
            organizations = await mappings.list(integration.integration_id)
            for organization in organizations:
                client = await clients.get_or_create(organization.external_organization_name)
                await mappings.assign(
                    integration.integration_id, organization.external_organization_id, client.client_id
                )
        return len(organizations)

    async def _result(
        self, scope: TenantScope, integration: IntegrationView, runs: tuple[RunView, ...]
    ) -> Fleet:
        async with self._database.read() as session:
            integrations = IntegrationService(session, scope, self._secrets)
            freshness = await integrations.freshness(clock.now())
            assets = AssetService(session, scope)
            by_status = await assets.count_by_status(freshness)
            by_client = await assets.count_by_client(freshness)
            names = await ClientService(session, scope).names(by_client)
            view = await integrations.get(integration.integration_id)
            open_alerts = await AlertService(session, scope).count_open()
            software = await SoftwareCatalog(session, scope).counts()
        named = {names[client_id]: counts for client_id, counts in by_client.items()}
        return Fleet(
            scope,
            view,
            runs,
            dict(by_status),
            {name: dict(named[name]) for name in sorted(named)},
            open_alerts,
            software,
        )


def _succeeded(run: RunView | Preview) -> RunView:
    if isinstance(run, RunView) and run.status == "succeeded":
        return run
    error = run.error if isinstance(run.error, dict) else {}
    raise MusterError(
        f"The sync of {run.sync_type} ended as {run.status}: {error.get('message', 'no reason was given')}",
        remedy=error.get("remedy"),
        code="demo_sync",
    )


def _as_json(server: SimulatorServer, fleet: Fleet, folder: Path | None, url: str | None) -> dict[str, Any]:
    return {
        "url": url,
        "simulator": {
            "url": server.url,
            "version": server.state.version,
            "agents": len(server.fleet),
            "clients": len(server.fleet.clients),
            "beta": server.beta,
        },
        "data_dir": None if folder is None else str(folder),
        "integration": fleet.integration,
        "assets": {
            "total": sum(fleet.by_status.values()),
            "by_status": fleet.by_status,
            "by_client": fleet.by_client,
        },
        "alerts": {"open": fleet.open_alerts},
        "software": fleet.software,
        "runs": fleet.runs,
    }


def _show(output: Output, fleet: Fleet) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold", show_footer=True, footer_style="bold")
    table.add_column("Client", footer="All")
    for status in STATUSES:
        table.add_column(status, justify="right", footer=str(fleet.by_status[status]))
    table.add_column("assets", justify="right", footer=str(sum(fleet.by_status.values())))
    for name, counts in fleet.by_client.items():
        numbers = [str(counts[status]) for status in STATUSES]
        table.add_row(Text(plain(name)), *numbers, str(sum(counts.values())))
    output.say("")
    output.show(table)
    output.say("")


def _say_what_next(
    output: Output, server: SimulatorServer, folder: Path, password: str, *, kept: bool, url: str | None
) -> None:
    muster = _program()
    if url is None and not kept:
        output.say("Nothing of this was kept. To look around in it, run one of:")
        output.say(f"  {muster} demo                                    shows its pages until Ctrl-C")
        output.say(f"  {muster} demo --once --data-dir muster-demo      ends, and keeps the data")
        output.say(f"Your own server: {muster} serve, then follow what it says.")
        return
    if url is not None:
        output.say(f"Open {url} and log in as {ADMINISTRATOR} with the password {password}")
        output.say(
            f"About every {ALERT_EVERY:g} s an alert comes or goes on the simulated server, and its webhook "
            f"tells Muster: watch {url}/alerts"
        )
        output.say(f"The simulator runs on at {server.url} until Ctrl-C. In another terminal:")
    else:
        output.say("The data is kept. Try:")
    output.say(f"  export MUSTER_DATA_DIR={shlex.quote(str(folder))}")
    output.say(f"  {muster} asset list --status overdue")
    output.say(f"  {muster} integration show {INTEGRATION}")
    output.say(f"  {muster} mapping list {INTEGRATION}")
    output.say(f"  {muster} alert list")
    output.say(f"  {muster} run list")
    if url is not None:
        output.say(f"  {muster} sync devices {INTEGRATION} --incremental --plan")
        output.say(f"  {muster} sync devices {INTEGRATION}")
    else:
        output.say(f"Administrator: {ADMINISTRATOR}, password {password}")


def _program() -> str:
    """How this program is started from here: it may be in a virtual environment that is not on the path."""
    started = Path(sys.argv[0])
    if started.name != "muster":
        return f"{shlex.quote(sys.executable)} -m muster"
    found = shutil.which("muster")
    on_path = found is not None and Path(found).resolve() == started.resolve()
    return "muster" if on_path else shlex.quote(str(started))


def _end_on_sigterm() -> None:
    """Let SIGTERM do what asyncio has SIGINT do: cancel this task, so that everything is put away."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
