"""`muster sync` and `muster run`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypedDict

import msgspec
import typer

from muster.errors import InvalidInput, NotFound
from muster.integrations.connections import Connector
from muster.integrations.schemas import IntegrationView
from muster.integrations.service import IntegrationService
from muster.jobs.service import JobService
from muster.jobs.types import JobTicket
from muster.naming import as_id
from muster.sync import following, kinds
from muster.sync.jobs import request_alerts, request_devices, request_organizations, request_software
from muster.sync.kinds import SyncKind
from muster.sync.ledger import Ledger, Progress
from muster.sync.schemas import Preview, RunView
from muster.sync.service import RunService, SyncService
from muster.sync.types import RunStatus, SyncMode, SyncType
from muster.tenancy import TenantScope
from muster.terminal import FAILED, LimitOption, Terminal, command, group

sync_commands = group("sync", "Fetch what an RMM server lists.")
run_commands = group("run", "What syncs did.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The integration, by name or id.")]
BackgroundOption = Annotated[
    bool, typer.Option("--background", help="Only ask a worker for it; do not wait for the end.")
]
PlanOption = Annotated[bool, typer.Option("--plan", help="Show what would change; write nothing.")]

_ENTRY_COLUMNS = {
    "action": "Action",
    "reason": "Reason",
    "item_type": "Item",
    "name": "Name",
    "external_id": "Server's id",
    "message": "Message",
    "changes": "Changes",
}
_RUN_COLUMNS = {
    "started_at": "Started",
    "sync_type": "Sync",
    "mode": "Mode",
    "status": "Status",
    "processed": "Processed",
    "created": "Created",
    "updated": "Updated",
    "unchanged": "Unchanged",
    "missing": "Missing",
    "failed": "Failed",
    "run_id": "Id",
}


class Asked(TypedDict):
    """What a sync of devices is asked for with, here and in a worker."""

    mode: SyncMode
    device_id: str | None
    accept_missing: bool
    trigger: str


@sync_commands.command("organizations", epilog="Example: muster sync organizations Tactical --plan")
@command
async def organizations(
    terminal: Terminal, name: NameArgument, plan: PlanOption = False, background: BackgroundOption = False
) -> None:
    """Fetch the organizations, to be mapped to clients. A worker does it if one runs, else this command."""
    scope = await terminal.scope()
    view = await _integration(terminal, scope, name)

    async def request(jobs: JobService, integration: IntegrationView) -> JobTicket:
        return await request_organizations(jobs, integration, trigger="command")

    async def here(progress: Progress) -> RunView | Preview:
        return await _service(terminal).organizations(
            scope, view.integration_id, trigger="command", preview=plan, progress=progress
        )

    await _sync(
        terminal,
        scope,
        view,
        kind=kinds.ORGANIZATIONS,
        request=request,
        here=here,
        plan=plan,
        background=background,
    )


@sync_commands.command("alerts", epilog="Example: muster sync alerts Tactical --days 90")
@command
async def alerts(
    terminal: Terminal,
    name: NameArgument,
    *,
    days: Annotated[
        int | None,
        typer.Option("--days", metavar="N", help="Also alerts raised in the last N days, resolved or not."),
    ] = None,
    plan: PlanOption = False,
    background: BackgroundOption = False,
) -> None:
    """Make alerts agree with the server's: new ones, and what became of those that are open here. A worker
    does it if one runs, else this command.
    """
    kind = kinds.ALERTS if days is None else kinds.ALERTS_BACKFILL
    kinds.check_days(kind, days)
    scope = await terminal.scope()
    view = await _integration(terminal, scope, name)
    kinds.check_offered(kind, view)

    async def request(jobs: JobService, integration: IntegrationView) -> JobTicket:
        return await request_alerts(jobs, integration, days=days, trigger="command")

    async def here(progress: Progress) -> RunView | Preview:
        return await _service(terminal).alerts(
            scope, view.integration_id, days=days, trigger="command", preview=plan, progress=progress
        )

    await _sync(
        terminal, scope, view, kind=kind, request=request, here=here, plan=plan, background=background
    )


@sync_commands.command("software", epilog="Example: muster sync software Tactical")
@command
async def software(
    terminal: Terminal, name: NameArgument, plan: PlanOption = False, background: BackgroundOption = False
) -> None:
    """Read what is installed on the devices that are assets. A worker does it if one runs, else this
    command.
    """
    kind = kinds.SOFTWARE
    scope = await terminal.scope()
    view = await _integration(terminal, scope, name)
    kinds.check_offered(kind, view)

    async def request(jobs: JobService, integration: IntegrationView) -> JobTicket:
        return await request_software(jobs, integration, trigger="command")

    async def here(progress: Progress) -> RunView | Preview:
        return await _service(terminal).software(
            scope, view.integration_id, trigger="command", preview=plan, progress=progress
        )

    await _sync(
        terminal, scope, view, kind=kind, request=request, here=here, plan=plan, background=background
    )


@sync_commands.command("devices", epilog="Example: muster sync devices Tactical --incremental")
@command
async def devices(
    terminal: Terminal,
    name: NameArgument,
    *,
    incremental: Annotated[
        bool, typer.Option("--incremental", help="Only the light list, and hardware of new devices.")
    ] = False,
    agent: Annotated[
        str | None, typer.Option("--agent", metavar="AGENT_ID", help="Only this device, by the server's id.")
    ] = None,
    plan: PlanOption = False,
    accept_missing: Annotated[
        bool,
        typer.Option("--accept-missing", help="Mark devices missing even if suspiciously many are gone."),
    ] = False,
    background: BackgroundOption = False,
) -> None:
    """Fetch the devices of mapped organizations into assets. A worker does it if one runs, else this
    command.
    """
    if incremental and agent is not None:
        raise InvalidInput("--incremental and --agent exclude each other.")
    mode = SyncMode.INCREMENTAL if incremental else SyncMode.SINGLE if agent is not None else SyncMode.FULL
    scope = await terminal.scope()
    view = await _integration(terminal, scope, name)

    asked = Asked(mode=mode, device_id=agent, accept_missing=accept_missing, trigger="command")

    async def request(jobs: JobService, integration: IntegrationView) -> JobTicket:
        return await request_devices(jobs, integration, **asked)

    async def here(progress: Progress) -> RunView | Preview:
        service = _service(terminal)
        return await service.devices(scope, view.integration_id, **asked, preview=plan, progress=progress)

    await _sync(
        terminal,
        scope,
        view,
        kind=kinds.of(SyncType.DEVICES, mode),
        request=request,
        here=here,
        plan=plan,
        background=background,
    )


async def _sync(
    terminal: Terminal,
    scope: TenantScope,
    integration: IntegrationView,
    *,
    kind: SyncKind,
    request: following.Request,
    here: Callable[[Progress], Awaitable[RunView | Preview]],
    plan: bool,
    background: bool,
) -> None:
    """Do it in a worker where one lives, and in this process where none does or nothing is to be written."""
    if plan and background:
        raise InvalidInput("--plan and --background exclude each other.")
    database = terminal.database
    lives = not plan and await following.has_worker(database)
    if not plan:
        await following.record(database, scope, integration, kind)
    if background:
        ticket = await following.ask(database, scope, integration, request)
        if not terminal.output.json({"job_id": ticket.job_id, "joined": ticket.joined}):
            word = "Joined a job that was asked for already" if ticket.joined else "Asked for"
            terminal.output.say(f"{word}: muster job show {ticket.job_id}")
        if not lives:
            terminal.output.note("No worker runs. Start one with: muster worker")
        return
    with terminal.output.progress(kind.things.capitalize()) as update:
        if lives:
            ticket = await following.ask(database, scope, integration, request)
            result: RunView | Preview = await following.follow(database, scope, ticket.job_id, update)
        else:
            result = await here(_bar(update))
    _show_result(terminal, result)


@run_commands.command("list", epilog="Example: muster run list --integration Tactical --limit 10")
@command
async def list_(
    terminal: Terminal,
    integration: Annotated[str | None, typer.Option(help="Only runs of this integration.")] = None,
    limit: LimitOption = 100,
) -> None:
    """List runs, newest first."""
    scope = await terminal.scope()
    integration_id = (
        (await _integration(terminal, scope, integration)).integration_id if integration else None
    )
    async with terminal.database.read() as session:
        runs = await RunService(session, scope).list(integration_id, limit=limit)
    terminal.output.items(runs, _RUN_COLUMNS, empty="There is no run yet.")


@run_commands.command("show", epilog="Example: muster run show 0199f0a3-... --json")
@command
async def show(
    terminal: Terminal,
    run_id: Annotated[str, typer.Argument(metavar="ID", help="The run's id.")],
    limit: LimitOption = 1000,
) -> None:
    """Show a run with its entries, problems first."""
    scope = await terminal.scope()
    wanted = as_id(run_id)
    if wanted is None:
        raise NotFound(f"There is no run {run_id[:60]!r}.", remedy="See: muster run list")
    async with terminal.database.read() as session:
        runs = RunService(session, scope)
        run = await runs.get(wanted)
        entries = await runs.entries(wanted, limit=limit)
    if not terminal.output.json({**msgspec.structs.asdict(run), "entries": entries}):
        terminal.output.thing(run)
        terminal.output.items(entries, _ENTRY_COLUMNS, empty="It has no entries: nothing changed.")


async def _integration(terminal: Terminal, scope: TenantScope, reference: str) -> IntegrationView:
    async with terminal.database.read() as session:
        return await IntegrationService(session, scope, terminal.secrets).get(reference)


def _service(terminal: Terminal) -> SyncService:
    connector = Connector(terminal.database, terminal.secrets, terminal.egress)
    return SyncService(terminal.database, terminal.secrets, connector, terminal.settings)


def _bar(update: Any) -> Any:
    def moved(ledger: Ledger) -> None:
        update(ledger.counters.processed, ledger.total)

    return moved


def _show_result(terminal: Terminal, result: RunView | Preview) -> None:
    if not terminal.output.json(result):
        if isinstance(result, Preview):
            terminal.output.items(result.entries, _ENTRY_COLUMNS, empty="Nothing would change.")
            terminal.output.say("Nothing was written.")
        terminal.output.say(
            f"{result.status}: {result.processed} processed, {result.created} created, "
            f"{result.updated} updated, {result.unchanged} unchanged, {result.missing} missing, "
            f"{result.deleted} deleted, {result.failed} failed "
            f"({result.requests} requests, {result.bytes_received / 1e6:.2f} MB, "
            f"{(result.duration_ms or 0) / 1000:.1f} s)"
        )
    error = result.error
    if error is not None:
        found = error if isinstance(error, dict) else msgspec.structs.asdict(error)
        if not terminal.output.as_json:
            terminal.output.error(found["code"], found["message"], found["remedy"])
    if isinstance(result, RunView) and (result.failed or result.error):
        terminal.output.note(f"Details: muster run show {result.run_id}")
    if result.status not in (RunStatus.SUCCEEDED, RunStatus.RUNNING):
        raise typer.Exit(FAILED)
