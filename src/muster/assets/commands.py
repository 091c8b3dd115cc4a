"""`muster asset`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from muster.assets.listing import AssetListing
from muster.assets.missing import commands as missing_commands
from muster.assets.schemas import AssetFilter
from muster.assets.service import AssetService
from muster.clients.service import ClientService
from muster.errors import NotFound
from muster.naming import as_id
from muster.providers.contract import AgentStatus, AssetType
from muster.terminal import LimitOption, Terminal, command, group

commands = group("asset", "Assets: the machines of the clients.")
missing_commands.add_to(commands)

_COLUMNS = {
    "name": "Name",
    "agent_status": "Status",
    "asset_type": "Type",
    "client_name": "Client",
    "site_name": "Site",
    "os_version": "System",
    "serial_number": "Serial",
    "lan_ip": "LAN IP",
    "last_seen_at": "Last seen",
    "asset_id": "Id",
}

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The asset's id.")]


@commands.command("list", epilog="Example: muster asset list --status overdue --client Contoso --json")
@command
async def list_(
    terminal: Terminal,
    *,
    status: Annotated[AgentStatus | None, typer.Option(help="Only assets of this status.")] = None,
    client: Annotated[str | None, typer.Option(help="Only assets of this client, by name or id.")] = None,
    type_: Annotated[AssetType | None, typer.Option("--type", help="Only assets of this type.")] = None,
    search: Annotated[
        str | None, typer.Option(help="Only where name, serial number, an address or a user contains this.")
    ] = None,
    limit: LimitOption = 1000,
) -> None:
    """List assets by name."""
    scope = await terminal.scope()
    async with terminal.database.read() as session:
        client_id = (await ClientService(session, scope).get(client)).client_id if client else None
        wanted = AssetFilter(
            statuses=(status,) if status else (), client_id=client_id, asset_type=type_, search=search
        )
        rows, total = await AssetListing(session, scope, terminal.secrets).rows(wanted, limit=limit)
    terminal.output.items(
        rows,
        _COLUMNS,
        empty="No asset matches."
        if wanted != AssetFilter()
        else "There is no asset yet. `muster sync` brings them.",
        extra={"total": total},
    )
    if total > len(rows):
        terminal.output.note(f"{len(rows)} of {total}; --limit shows more.")


@commands.command("show", epilog="Example: muster asset show 0199f0a3-... --json")
@command
async def show(terminal: Terminal, asset_id: IdArgument) -> None:
    """Show everything known of an asset, with its latest changes."""
    scope = await terminal.scope()
    async with terminal.database.read() as session:
        wanted = as_id(asset_id)
        if wanted is None:
            raise NotFound(f"There is no asset {asset_id[:60]!r}.", remedy="See: muster asset list")
        detail = await AssetListing(session, scope, terminal.secrets).detail(wanted)
    terminal.output.thing(detail)


@commands.command("set-type", epilog="Example: muster asset set-type 0199f0a3-... server")
@command
async def set_type(
    terminal: Terminal,
    asset_id: IdArgument,
    asset_type: Annotated[
        Literal["workstation", "server", "auto"],
        typer.Argument(help="The type, which no sync changes then; auto gives the choice back to the sync."),
    ],
) -> None:
    """Choose an asset's type by hand."""
    scope = await terminal.scope()
    wanted = as_id(asset_id)
    if wanted is None:
        raise NotFound(f"There is no asset {asset_id[:60]!r}.", remedy="See: muster asset list")
    async with terminal.database.write() as session:
        chosen = None if asset_type == "auto" else AssetType(asset_type)
        await AssetService(session, scope).set_type(wanted, chosen)
    async with terminal.database.read() as session:
        detail = await AssetListing(session, scope, terminal.secrets).detail(wanted)
    terminal.output.thing(detail)
