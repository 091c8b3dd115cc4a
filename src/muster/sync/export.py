"""A run's entries as a file for spreadsheets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from muster.db import Database
from muster.sync import words
from muster.sync.history import RunHistory
from muster.sync.schemas import EntryFilter, RunView
from muster.sync.words import Line
from muster.tenancy import TenantScope
from muster.web import spreadsheet

# Entries that are read, and kept in memory, at a time.
_PIECE = 500

_COLUMNS: Mapping[str, Callable[[Line], Any]] = {
    "Result": lambda line: line.word.text,
    "What": lambda line: line.entry.item_type.capitalize(),
    "Name": lambda line: line.name,
    "Organization": lambda line: line.organization,
    "Why": lambda line: line.why,
    "Changes": lambda line: "; ".join(
        f"{change.label}: {change.old or '-'} -> {change.new or '-'}" for change in line.changes
    ),
    "Reason": lambda line: line.entry.reason,
    "Id on the server": lambda line: line.entry.external_id,
    "Asset id": lambda line: line.entry.asset_id,
}


async def lines(
    database: Database, scope: TenantScope, run: RunView, wanted: EntryFilter
) -> AsyncIterator[bytes]:
    """The file piece by piece, its head first. No transaction lasts longer than a piece, however slowly the
    other side reads.
    """
    yield spreadsheet.head(_COLUMNS)
    offset = 0
    while True:
        async with database.read(scope) as session:
            history = RunHistory(session, scope)
            entries = await history.entries(run.run_id, wanted, limit=_PIECE, offset=offset)
            names = await history.names(run.integration_id, entries)
        found = [words.line(entry, names) for entry in entries]
        yield spreadsheet.rows([[of(line) for of in _COLUMNS.values()] for line in found])
        offset += len(entries)
        if len(entries) < _PIECE:
            return
