"""`muster alert`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

import msgspec
import typer

from muster.alerts.schemas import AlertFilter, AlertOrder, AlertSort, AlertView
from muster.alerts.service import AlertService
from muster.alerts.types import OPEN, AlertStatus
from muster.clients.service import ClientService
from muster.errors import NotFound
from muster.integrations.service import IntegrationService
from muster.naming import as_id
from muster.providers.alerting import AlertSeverity, AlertType
from muster.terminal import LimitOption, Terminal, command, group

commands = group("alert", "Alerts: what the RMM raised about devices.")

_COLUMNS = {
    "severity": "Severity",
    "status": "Status",
    "device_name": "Device",
    "client_name": "Client",
    "message": "Message",
    "opened_at": "Raised",
    "last_seen_at": "Last heard of",
    "occurrences": "Times",
    "alert_id": "Id",
}

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The alert's id.")]


@commands.command("list", epilog="Example: muster alert list --status active --severity critical --json")
@command
async def list_(
    terminal: Terminal,
    *,
    status: Annotated[
        list[AlertStatus] | None, typer.Option(help="Only alerts of this status; may be given again.")
    ] = None,
    severity: Annotated[
        list[AlertSeverity] | None, typer.Option(help="Only alerts of this severity; may be given again.")
    ] = None,
    type_: Annotated[
        list[AlertType] | None, typer.Option("--type", help="Only alerts of this type; may be given again.")
    ] = None,
    client: Annotated[str | None, typer.Option(help="Only alerts of this client, by name or id.")] = None,
    integration: Annotated[
        str | None, typer.Option(help="Only alerts of this integration, by name or id.")
    ] = None,
    asset: Annotated[str | None, typer.Option(help="Only alerts of this asset, by id.")] = None,
    search: Annotated[
        str | None, typer.Option(help="Only where the message or the device's name contains this.")
    ] = None,
    suppressed: Annotated[
        bool | None,
        typer.Option("--suppressed/--not-suppressed", help="Only what a rule kept quiet, or not."),
    ] = None,
    sort: Annotated[
        AlertSort, typer.Option(help="What the latest or worst is first by.")
    ] = AlertSort.LAST_SEEN,
    limit: LimitOption = 1000,
) -> None:
    """List alerts, the latest first; without --status those that are open."""
    scope = await terminal.scope()
    async with terminal.database.read() as session:
        wanted = AlertFilter(
            statuses=tuple(status or OPEN),
            severities=tuple(severity or ()),
            types=tuple(type_ or ()),
            client_id=(await ClientService(session, scope).get(client)).client_id if client else None,
            integration_id=(
                (await IntegrationService(session, scope, terminal.secrets).get(integration)).integration_id
                if integration
                else None
            ),
            asset_id=_id(asset, "asset", "muster asset list") if asset else None,
            suppressed=suppressed,
            search=search,
        )
        rows, total = await AlertService(session, scope).list(wanted, AlertOrder(sort), limit=limit)
    terminal.output.items(rows, _COLUMNS, empty="No alert matches.", extra={"total": total})
    if total > len(rows):
        terminal.output.note(f"{len(rows)} of {total}; --limit shows more.")


@commands.command("show", epilog="Example: muster alert show 0199f0a3-... --json")
@command
async def show(terminal: Terminal, alert_id: IdArgument) -> None:
    """Show everything known of an alert, with its timeline."""
    scope = await terminal.scope()
    async with terminal.database.read() as session:
        detail = await AlertService(session, scope).get(_id(alert_id))
    terminal.output.thing(detail)


@commands.command("ack", epilog="Example: muster alert ack 0199f0a3-...")
@command
async def ack(terminal: Terminal, alert_id: IdArgument) -> None:
    """Say that somebody has seen an alert. Muster alone knows of it: servers have no such thing."""
    await _decide(terminal, alert_id, lambda service, found: service.acknowledge(found))


@commands.command("unack", epilog="Example: muster alert unack 0199f0a3-...")
@command
async def unack(terminal: Terminal, alert_id: IdArgument) -> None:
    """Take acknowledging back."""
    await _decide(terminal, alert_id, lambda service, found: service.unacknowledge(found))


@commands.command("snooze", epilog="Example: muster alert snooze 0199f0a3-... --days 3")
@command
async def snooze(
    terminal: Terminal,
    alert_id: IdArgument,
    days: Annotated[int, typer.Option(help="For how many days, from now.")] = 1,
) -> None:
    """Leave an alert alone for some days, here at once and on the server by a job."""
    await _decide(terminal, alert_id, lambda service, found: service.snooze(found, days=days))


@commands.command("unsnooze", epilog="Example: muster alert unsnooze 0199f0a3-...")
@command
async def unsnooze(terminal: Terminal, alert_id: IdArgument) -> None:
    """End an alert's snooze, here at once and on the server by a job."""
    await _decide(terminal, alert_id, lambda service, found: service.unsnooze(found))


@commands.command("resolve", epilog="Example: muster alert resolve 0199f0a3-...")
@command
async def resolve(terminal: Terminal, alert_id: IdArgument) -> None:
    """Say that an alert is over, here at once and on the server by a job."""
    await _decide(terminal, alert_id, lambda service, found: service.resolve(found))


@commands.command("note", epilog="Example: muster alert note 0199f0a3-... 'The line is being repaired.'")
@command
async def note(
    terminal: Terminal,
    alert_id: IdArgument,
    text: Annotated[str, typer.Argument(help="What to write down, at most 4,000 letters.")],
) -> None:
    """Write something down in an alert's timeline."""
    await _decide(terminal, alert_id, lambda service, found: service.note(found, text))


async def _decide(
    terminal: Terminal, alert_id: str, verb: Callable[[AlertService, UUID], Awaitable[AlertView]]
) -> None:
    scope = await terminal.scope()
    found = _id(alert_id)
    async with terminal.database.write() as session:
        view = await verb(AlertService(session, scope), found)
    shown: dict[str, Any] = {
        "alert_id": view.alert_id,
        "device_name": view.device_name,
        "message": view.message,
        "status": view.status,
        "snoozed_until": view.snoozed_until,
        "write_back": None if view.write_back is None else msgspec.to_builtins(view.write_back),
    }
    terminal.output.thing(shown)


def _id(text: str, what: str = "alert", see: str = "muster alert list") -> UUID:
    found = as_id(text)
    if found is None:
        raise NotFound(f"There is no {what} {text[:60]!r}.", remedy=f"See: {see}")
    return found
