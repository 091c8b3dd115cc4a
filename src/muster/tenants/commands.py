"""`muster tenant`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from muster.errors import InvalidInput
from muster.tenancy import TenantScope
from muster.tenants.holdings import TenantHoldings
from muster.tenants.schemas import view
from muster.tenants.service import TenantService
from muster.terminal import LimitOption, Terminal, command, group

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The tenant, by name or id.")]

commands = group("tenant", "The MSPs that use this installation.")


@commands.command("create", epilog="Example: muster tenant create 'Acme IT'")
@command
async def create(
    terminal: Terminal, name: Annotated[str, typer.Argument(help="Its name, at most 200 characters.")]
) -> None:
    """Make a tenant."""
    async with terminal.database.write() as session:
        tenant = await TenantService(session).create(name)
    terminal.output.thing(view(tenant))


@commands.command("export", epilog="Example: muster tenant export 'Acme IT' --to acme.jsonl")
@command
async def export(
    terminal: Terminal,
    name: NameArgument,
    *,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="The file, JSON lines.")],
    force: Annotated[bool, typer.Option("--force", help="Also when the file is there already.")] = False,
) -> None:
    """Write everything a tenant has to a file, but secrets."""
    scope = await _scope(terminal, name)
    counts = await TenantHoldings(terminal.database, scope).export(to.absolute(), force=force)
    if not terminal.output.json({"rows": sum(counts.values()), "tables": counts}):
        terminal.output.say(f"{to} holds {sum(counts.values())} rows of {len(counts)} tables.")


@commands.command("delete", epilog="Example: muster tenant delete 'Acme IT' --yes")
@command
async def delete(
    terminal: Terminal,
    name: NameArgument,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Really: there is no way back but a backup.")] = False,
) -> None:
    """Delete a tenant with everything it has."""
    scope = await _scope(terminal, name)
    holdings = TenantHoldings(terminal.database, scope)
    if not yes:
        counts = await holdings.counts()
        raise InvalidInput(
            f"This would delete {name!r} and {sum(counts.values())} rows of it.",
            remedy="Export it first (muster tenant export), then add --yes.",
        )
    counts = await holdings.delete()
    if not terminal.output.json({"rows": sum(counts.values()), "tables": counts}):
        terminal.output.say(f"{name!r} is gone, and {sum(counts.values())} rows with it.")


async def _scope(terminal: Terminal, name: str) -> TenantScope:
    async with terminal.database.read() as session:
        return await TenantService(session).resolve(name)


@commands.command("list", epilog="Example: muster tenant list --json")
@command
async def list_(terminal: Terminal, limit: LimitOption = 1000) -> None:
    """List the tenants."""
    async with terminal.database.read() as session:
        tenants = await TenantService(session).list(limit=limit)
    terminal.output.items(
        [view(tenant) for tenant in tenants],
        {"name": "Name", "tenant_id": "Id", "created_at": "Created"},
        empty="There is no tenant yet. Make one: muster tenant create NAME",
    )
