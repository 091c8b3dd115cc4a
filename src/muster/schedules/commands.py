"""`muster schedule`."""

from __future__ import annotations

from typing import Annotated

import typer

from muster.errors import InvalidInput
from muster.integrations.service import IntegrationService
from muster.schedules.kinds import KINDS
from muster.schedules.service import ScheduleService
from muster.terminal import Terminal, command, group

commands = group("schedule", "What is synced by itself, and how often.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The integration, by name or id.")]


@commands.command("list", epilog="Example: muster schedule list Main")
@command
async def list_(terminal: Terminal, name: NameArgument) -> None:
    """List an integration's schedules."""
    scope = await terminal.scope()
    async with terminal.database.write(scope) as session:
        view = await IntegrationService(session, scope, terminal.secrets).get(name)
        service = ScheduleService(session, scope, terminal.secrets)
        if view.is_active:
            await service.ensure(view.integration_id)
        schedules = await service.list(view.integration_id)
    terminal.output.items(
        schedules,
        {
            "kind": "What",
            "enabled": "On",
            "minutes": "Minutes",
            "next_run_at": "Next",
            "last_requested_at": "Last",
            "failures": "Failures",
            "paused_code": "Paused by",
        },
        empty=f"None before its connection works. First: muster integration check {view.name!r}",
    )
    paused = next((s.paused_error for s in schedules if s.paused_error is not None), None)
    if paused is not None and not terminal.output.as_json:
        terminal.output.note(f"It needs attention: {paused['message']} {paused['remedy'] or ''}".rstrip())


@commands.command(
    "set",
    epilog="Examples: muster schedule set Main devices_refresh --minutes 30\n\n"
    "muster schedule set Main devices_full --off",
)
@command
async def set_(
    terminal: Terminal,
    *,
    name: NameArgument,
    kind: Annotated[str, typer.Argument(metavar="KIND", help=f"One of {', '.join(KINDS)}.")],
    minutes: Annotated[
        int | None, typer.Option(help="Minutes from one run to the next.", min=1, max=100_000)
    ] = None,
    on: Annotated[bool | None, typer.Option("--on/--off", help="Whether it runs by itself.")] = None,
) -> None:
    """Change how often, or whether, something is synced by itself."""
    if minutes is None and on is None:
        raise InvalidInput("Nothing to change was given.", remedy="Give --minutes N, --on or --off.")
    scope = await terminal.scope()
    async with terminal.database.write(scope) as session:
        service = ScheduleService(session, scope, terminal.secrets)
        schedule = await service.set(name, kind, minutes=minutes, enabled=on)
    terminal.output.thing(schedule)
