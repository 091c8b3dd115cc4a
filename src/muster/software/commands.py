"""`muster software`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import msgspec
import typer
from sqlalchemy.ext.asyncio import AsyncSession

from muster.clients.service import ClientService
from muster.errors import InvalidInput, NotFound
from muster.naming import as_id
from muster.software.listing import InstallRow, SoftwareListing
from muster.software.naming import name_key
from muster.software.schemas import (
    InstallFilter,
    InstallOrder,
    TitleFilter,
    TitleOrder,
    TitleSort,
    TitleView,
)
from muster.software.service import SoftwareCatalog
from muster.software.versions import bound_of
from muster.tenancy import TenantScope
from muster.terminal import LimitOption, Terminal, command, group

commands = group("software", "Software: what is installed where.")

_TITLES = {
    "name": "Title",
    "publisher": "Publisher",
    "machines": "Machines",
    "versions": "Versions",
    "newest_version": "Newest",
    "first_seen_at": "First seen",
    "software_id": "Id",
}
_INSTALLS = {
    "asset_name": "Machine",
    "client_name": "Client",
    "name": "Title",
    "version": "Version",
    "installed_on": "Installed",
    "first_seen_at": "First seen",
    "asset_id": "Asset id",
}
_MOST_FIRST = TitleOrder(TitleSort.MACHINES, descending=True)
# As many as a person would choose from.
_CANDIDATES = 10


@commands.command("search", epilog="Example: muster software search openssl --version '<3.0.15' --machines")
@command
async def search(
    terminal: Terminal,
    text: Annotated[
        str | None,
        typer.Argument(metavar="[TEXT]", help="Only titles with these words in their name or publisher."),
    ] = None,
    *,
    version: Annotated[
        str | None,
        typer.Option(help="Only what is installed in such a version: '<3.0.15', '>=2', or 3.0.15 for one."),
    ] = None,
    publisher: Annotated[str | None, typer.Option(help="Only titles of this publisher.")] = None,
    client: Annotated[str | None, typer.Option(help="Only on assets of this client, by name or id.")] = None,
    machines: Annotated[
        bool, typer.Option("--machines", help="List the machines instead, by name, and what each has.")
    ] = False,
    limit: LimitOption = 1000,
) -> None:
    """Search the titles that are installed anywhere, the most widespread first."""
    scope = await terminal.scope()
    bound = None if version is None else bound_of(version)
    async with terminal.database.read() as session:
        client_id = (await ClientService(session, scope).get(client)).client_id if client else None
        wanted = TitleFilter(search=text, publisher=publisher, bound=bound, client_id=client_id)
        rows: Sequence[InstallRow | TitleView]
        if machines:
            rows, total = await SoftwareListing(session, scope).installs(
                InstallFilter(**msgspec.structs.asdict(wanted)), InstallOrder(), limit=limit
            )
        else:
            rows, total = await SoftwareCatalog(session, scope).titles(wanted, _MOST_FIRST, limit=limit)
    columns = _INSTALLS if machines else _TITLES
    terminal.output.items(rows, columns, empty="Nothing that is installed matches.", extra={"total": total})
    if total > len(rows):
        terminal.output.note(f"{len(rows)} of {total}; --limit shows more.")


@commands.command("show", epilog="Example: muster software show 'OpenSSL' --json")
@command
async def show(
    terminal: Terminal,
    title: Annotated[str, typer.Argument(metavar="TITLE", help="The title's id, or its name.")],
) -> None:
    """Show a title: its versions over the machines, newest first, and how many machines each client has."""
    scope = await terminal.scope()
    async with terminal.database.read() as session:
        software_id = as_id(title) or await _named(session, scope, title)
        sheet = await SoftwareListing(session, scope).title(software_id)
    terminal.output.thing(sheet)


async def _named(session: AsyncSession, scope: TenantScope, name: str) -> UUID:
    """The title of this name, or else the only one with these words in it."""
    rows, total = await SoftwareCatalog(session, scope).titles(
        TitleFilter(search=name), _MOST_FIRST, limit=_CANDIDATES
    )
    alike = [row for row in rows if name_key(row.name, "") == name_key(name, "")]
    found = alike if len(alike) == 1 else rows
    if not found:
        raise NotFound(f"There is no title {name[:60]!r}.", remedy="See: muster software search")
    if len(found) > 1:
        several = "; ".join(f"{row.name} of {row.publisher or 'nobody'}: {row.software_id}" for row in found)
        raise InvalidInput(
            f"{total} titles have {name[:60]!r} in their name or publisher.",
            remedy=f"Give the id of one. The most widespread: {several}",
            code="title_ambiguous",
        )
    return found[0].software_id
