"""Lists of software as files for spreadsheets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from muster.db import Database
from muster.software import words
from muster.software.filters import ChangeQuery, MachineQuery, TitleQuery
from muster.software.listing import ChangeRow, InstallRow, SoftwareListing, TitleClient
from muster.software.schemas import InstallView, TitleView
from muster.software.service import SoftwareCatalog
from muster.tenancy import TenantScope
from muster.web import spreadsheet

T = TypeVar("T")
Columns = Mapping[str, Callable[[T], Any]]
# Gives a part of a list: (session, limit, offset) -> rows.
Part = Callable[[AsyncSession, int, int], Awaitable[Sequence[T]]]

# Rows that are read, and kept in memory, at a time.
_PIECE = 5_000

_TITLES: Columns[TitleView] = {
    "Title": lambda row: row.name,
    "Publisher": lambda row: row.publisher,
    "Machines": lambda row: row.machines,
    "Versions": lambda row: row.versions,
    "Newest version": lambda row: row.newest_version,
    "First seen (UTC)": lambda row: row.first_seen_at,
    "Title id": lambda row: row.software_id,
}
_INSTALLED: Columns[InstallView] = {
    "Title": lambda row: row.name,
    "Publisher": lambda row: row.publisher,
    "Version": lambda row: row.version,
    "Installed on": lambda row: row.installed_on,
    "Size (bytes)": lambda row: row.size_bytes,
    "Source": lambda row: row.source,
    "First seen (UTC)": lambda row: row.first_seen_at,
    "Title id": lambda row: row.software_id,
}
_MACHINES: Columns[InstallRow] = {
    "Machine": lambda row: row.asset_name,
    "Client": lambda row: row.client_name,
    **_INSTALLED,
    "Asset id": lambda row: row.asset_id,
}
_CLIENTS: Columns[TitleClient] = {
    "Client": lambda row: row.client_name,
    "Machines": lambda row: row.machines,
    "Client id": lambda row: row.client_id,
}
_CHANGES: Columns[ChangeRow] = {
    "When (UTC)": lambda row: row.changed_at,
    "What": lambda row: words.KINDS[row.kind],
    "Title": lambda row: row.name,
    "Version before": lambda row: row.from_version,
    "Version": lambda row: row.version,
    "Machine": lambda row: row.asset_name,
    "Client": lambda row: row.client_name,
    "Title id": lambda row: row.software_id,
    "Asset id": lambda row: row.asset_id,
}


def titles(database: Database, scope: TenantScope, query: TitleQuery) -> AsyncIterator[bytes]:
    """The titles that a search finds."""

    async def part(session: AsyncSession, limit: int, offset: int) -> Sequence[TitleView]:
        catalog = SoftwareCatalog(session, scope)
        return (await catalog.titles(query.wanted, query.order, limit=limit, offset=offset))[0]

    return _lines(database, scope, _TITLES, part)


def machines(database: Database, scope: TenantScope, query: MachineQuery) -> AsyncIterator[bytes]:
    """The installs of one title."""

    async def part(session: AsyncSession, limit: int, offset: int) -> Sequence[InstallRow]:
        listing = SoftwareListing(session, scope)
        return (await listing.installs(query.wanted, query.order, limit=limit, offset=offset))[0]

    return _lines(database, scope, _MACHINES, part)


def changes(database: Database, scope: TenantScope, query: ChangeQuery) -> AsyncIterator[bytes]:
    """The changes that a list shows."""

    async def part(session: AsyncSession, limit: int, offset: int) -> Sequence[ChangeRow]:
        return (await SoftwareListing(session, scope).changes(query.wanted, limit=limit, offset=offset))[0]

    return _lines(database, scope, _CHANGES, part)


async def clients(rows: Sequence[TitleClient]) -> AsyncIterator[bytes]:
    """How many machines of which client have a title."""
    yield _page(_CLIENTS, rows, is_first=True)


async def installed(installs: Sequence[InstallView]) -> AsyncIterator[bytes]:
    """What a machine has installed."""
    yield _page(_INSTALLED, installs, is_first=True)


async def _lines(
    database: Database, scope: TenantScope, columns: Columns[T], part: Part[T]
) -> AsyncIterator[bytes]:
    """A file piece by piece. No transaction lasts longer than a piece, however slowly it is fetched."""
    offset = 0
    while True:
        async with database.read(scope) as session:
            rows = await part(session, _PIECE, offset)
        yield _page(columns, rows, is_first=not offset)
        offset += _PIECE
        if len(rows) < _PIECE:
            return


def _page(columns: Columns[T], rows: Sequence[T], *, is_first: bool) -> bytes:
    head = spreadsheet.head(columns) if is_first else b""
    return head + spreadsheet.rows([[of(row) for of in columns.values()] for row in rows])
