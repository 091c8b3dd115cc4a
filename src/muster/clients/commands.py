"""`muster client`."""

from __future__ import annotations

from typing import Annotated

import typer

from muster.clients.schemas import view
from muster.clients.service import ClientService
from muster.terminal import LimitOption, Terminal, command, group

commands = group("client", "The customer companies of a tenant.")


@commands.command("create", epilog="Example: muster client create 'Contoso Ltd'")
@command
async def create(
    terminal: Terminal, name: Annotated[str, typer.Argument(help="Its name, at most 200 characters.")]
) -> None:
    """Make a client."""
    scope = await terminal.scope()
    async with terminal.database.write() as session:
        client = await ClientService(session, scope).create(name)
    terminal.output.thing(view(client))


@commands.command("list", epilog="Example: muster client list --search contoso --json")
@command
async def list_(
    terminal: Terminal,
    search: Annotated[str | None, typer.Option(help="Only names that contain this, in any case.")] = None,
    limit: LimitOption = 1000,
) -> None:
    """List the clients."""
    scope = await terminal.scope()
    async with terminal.database.read() as session:
        clients = await ClientService(session, scope).list(limit=limit, search=search)
    terminal.output.items(
        [view(client) for client in clients],
        {"name": "Name", "client_id": "Id", "created_at": "Created"},
        empty="No client is called so." if search else "There is no client yet.",
    )
