"""`muster event`."""

from __future__ import annotations

from typing import Annotated

import typer

from muster.events.service import EventService
from muster.terminal import LimitOption, Terminal, command, group

commands = group("event", "What happened, as others are told of it.")


@commands.command("list", epilog="Example: muster event list --type RMM_SYNC_FAILED --json")
@command
async def list_(
    terminal: Terminal,
    event_type: Annotated[
        list[str] | None, typer.Option("--type", help="Only events of this type; may be given repeatedly.")
    ] = None,
    limit: LimitOption = 100,
) -> None:
    """List events, newest first; with --json as CloudEvents 1.0."""
    scope = await terminal.scope()
    async with terminal.database.read(scope) as session:
        events = await EventService(session, scope).list(event_type or (), limit=limit)
    terminal.output.items(
        events,
        {"sequence": "No.", "time": "When", "type": "Type", "subject": "About", "data": "Data"},
        empty="There is no event yet.",
    )
