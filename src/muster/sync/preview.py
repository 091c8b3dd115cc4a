"""What a sync would do: the work is done, or undone, and nothing of it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from muster.db import Database
from muster.db.types import new_id
from muster.providers.contract import Traffic
from muster.sync.ledger import Apply, Progress, Work, entry_row
from muster.sync.position import Position
from muster.sync.resume import Resumed
from muster.sync.schemas import EntryView
from muster.sync.types import Counters, Entry
from muster.tenancy import TenantScope


class _Undone(Exception):
    """Ends a transaction so that nothing of it stays."""


class PreviewLedger:
    """Collects what would be done: `apply` is never called, and what is carried out is undone."""

    def __init__(self, database: Database, scope: TenantScope, progress: Progress | None = None) -> None:
        self._database = database
        self._scope = scope
        self.run_id = new_id()
        self.counters = Counters()
        self.traffic = Traffic()
        self.phase = "starting"
        self.total: int | None = None
        self.cursor: dict[str, Any] = {}
        self.position = Position()
        self.resumed: Resumed | None = None
        self.entries: list[EntryView] = []
        self._progress = progress

    async def commit(
        self, counters: Counters, entries: Sequence[Entry] = (), apply: Apply | None = None
    ) -> None:
        """Keep counters and entries in memory."""
        self.counters = replace(counters)
        first = len(self.entries) + 1
        self.entries.extend(
            EntryView(entry_number=first + index, **entry_row(entry)) for index, entry in enumerate(entries)
        )
        if self._progress:
            self._progress(self)

    async def carry_out(self, work: Work) -> None:
        """Do it, note what it comes to, and undo it."""
        counters, entries = self.counters, list[Entry]()
        with suppress(_Undone):
            async with self._database.write(self._scope) as session:
                counters, found = await work(session)
                entries.extend(found)
                await session.flush()
                raise _Undone
        await self.commit(counters, entries)

    def pause(self) -> None:
        """Nothing ends a preview but its time."""
