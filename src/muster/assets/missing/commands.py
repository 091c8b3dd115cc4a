"""`muster asset missing`, `retire`, `keep`, `link` and what takes them back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated
from uuid import UUID

import typer

from muster.assets.missing.schemas import Decision, MissingFilter
from muster.assets.missing.service import MissingService
from muster.clients.service import ClientService
from muster.errors import NotFound
from muster.naming import as_id
from muster.terminal import LimitOption, Terminal, command

_COLUMNS = {
    "name": "Name",
    "serial_number": "Serial",
    "client_name": "Client",
    "site_name": "Site",
    "last_seen_at": "Last seen",
    "missing_since": "First missed",
    "missed_answers": "Missed answers",
    "suggested": "Probably now",
    "decided_by": "Decided by",
    "asset_id": "Id",
}

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The asset's id.")]


def add_to(commands: typer.Typer) -> None:
    """Mount the verbs of the review among those of assets."""
    epilog = "Example: muster asset {} 0199f0a3-..."
    commands.command("missing", epilog="Example: muster asset missing --state kept --json")(missing)
    commands.command("retire", epilog=epilog.format("retire"))(retire)
    commands.command("bring-back", epilog=epilog.format("bring-back"))(bring_back)
    commands.command("keep", epilog=epilog.format("keep"))(keep)
    commands.command("review", epilog=epilog.format("review"))(review)
    commands.command("link", epilog=epilog.format("link") + " 0199f0b7-...")(link)
    commands.command("separate", epilog=epilog.format("separate"))(separate)


@command
async def missing(
    terminal: Terminal,
    *,
    state: Annotated[
        Decision, typer.Option(help="Those to decide about (open), or those decided.")
    ] = Decision.OPEN,
    client: Annotated[str | None, typer.Option(help="Only devices of this client, by name or id.")] = None,
    limit: LimitOption = 1000,
) -> None:
    """List devices that their server lists no longer, with the evidence."""
    scope = await terminal.scope()
    async with terminal.database.read() as session:
        client_id = (await ClientService(session, scope).get(client)).client_id if client else None
        wanted = MissingFilter(decision=state, client_id=client_id)
        service = MissingService(session, scope)
        devices = await service.page(wanted, limit=limit)
        total = await service.count(wanted)
    rows = [
        {
            **{name: getattr(device, name) for name in device.__struct_fields__},
            "suggested": device.suggestion.name if device.suggestion else None,
        }
        for device in devices
    ]
    terminal.output.items(rows, _COLUMNS, empty="No device matches.", extra={"total": total})


@command
async def retire(terminal: Terminal, asset_id: IdArgument) -> None:
    """Take a missing device out of lists and counts; it is back when its agent answers again."""
    await _decide(terminal, asset_id, lambda service, found: service.retire(found))


@command
async def bring_back(terminal: Terminal, asset_id: IdArgument) -> None:
    """Take retiring back."""
    await _decide(terminal, asset_id, lambda service, found: service.bring_back(found))


@command
async def keep(terminal: Terminal, asset_id: IdArgument) -> None:
    """Leave a missing device in lists, and out of the review until it answers and is missed again."""
    await _decide(terminal, asset_id, lambda service, found: service.keep(found))


@command
async def review(terminal: Terminal, asset_id: IdArgument) -> None:
    """Take keeping back."""
    await _decide(terminal, asset_id, lambda service, found: service.review(found))


@command
async def link(
    terminal: Terminal,
    asset_id: IdArgument,
    other_id: Annotated[str, typer.Argument(metavar="OTHER", help="The asset whose agent it takes over.")],
) -> None:
    """Say that a missing device is the same machine as a newer asset, whose agent it takes over."""
    other = _id(other_id)
    await _decide(terminal, asset_id, lambda service, found: service.link(found, other))


@command
async def separate(terminal: Terminal, asset_id: IdArgument) -> None:
    """Take a link back; the id is that of the asset that left the lists."""
    await _decide(terminal, asset_id, lambda service, found: service.separate(found))


async def _decide(
    terminal: Terminal, asset_id: str, verb: Callable[[MissingService, UUID], Awaitable[object]]
) -> None:
    scope = await terminal.scope()
    found = _id(asset_id)
    async with terminal.database.write() as session:
        service = MissingService(session, scope)
        name = (await service.get(found)).name
        await verb(service, found)
    terminal.output.thing({"asset_id": found, "name": name})


def _id(text: str) -> UUID:
    found = as_id(text)
    if found is None:
        raise NotFound(f"There is no asset {text[:60]!r}.", remedy="See: muster asset missing")
    return found
