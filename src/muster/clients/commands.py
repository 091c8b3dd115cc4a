"""`muster client`."""

from __future__ import annotations

from typing import Annotated

import typer

from muster.clients.schemas import contact_view, view
from muster.clients.service import ClientService, ContactService
from muster.terminal import LimitOption, Terminal, command, group

commands = group("client", "The customer companies of a tenant.")
contact_commands = group("contact", "The people at a client.")
commands.add_typer(contact_commands)

ClientArgument = Annotated[str, typer.Argument(metavar="CLIENT", help="The client, by name or id.")]


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


@contact_commands.command(
    "add", epilog="Example: muster client contact add Contoso 'Ilja Novak' --email ilja@contoso.example"
)
@command
async def add_contact(
    terminal: Terminal,
    client: ClientArgument,
    name: Annotated[str, typer.Argument(help="What the person is called.")],
    email: Annotated[str | None, typer.Option(help="Their e-mail address.")] = None,
    phone: Annotated[str | None, typer.Option(help="Their phone number.")] = None,
) -> None:
    """Add a person to a client."""
    scope = await terminal.scope()
    async with terminal.database.write() as session:
        found = await ClientService(session, scope).get(client)
        contact = await ContactService(session, scope).create(
            found.client_id, name=name, email=email, phone=phone
        )
    terminal.output.thing(contact_view(contact))


@contact_commands.command("list", epilog="Example: muster client contact list Contoso --json")
@command
async def list_contacts(terminal: Terminal, client: ClientArgument) -> None:
    """List the people at a client."""
    scope = await terminal.scope()
    async with terminal.database.read() as session:
        found = await ClientService(session, scope).get(client)
        contacts = await ContactService(session, scope).list(found.client_id)
    terminal.output.items(
        [contact_view(contact) for contact in contacts],
        {"name": "Name", "email": "E-mail", "phone": "Phone", "contact_id": "Id"},
        empty="This client has no contact yet.",
    )
