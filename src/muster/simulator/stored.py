"""Things that people make on the server by its API: numbered, stamped, found by pk."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from muster.simulator.clock import iso


@dataclass(slots=True)
class Stored:
    """One of them; `values` are its columns by the server's names, times microseconds since 1970."""

    pk: int
    values: dict[str, Any]
    created_by: str
    created_us: int
    modified_by: str
    modified_us: int

    def __getitem__(self, column: str) -> Any:
        return self.values[column]

    def stamps(self) -> dict[str, Any]:
        """The four columns that say who made and changed it, and when."""
        return {
            "created_by": self.created_by,
            "created_time": iso(self.created_us),
            "modified_by": self.modified_by,
            "modified_time": iso(self.modified_us),
        }


class Shelf:
    """All of one kind, in the order in which the server lists them: it has no ORDER BY, and PostgreSQL gives
    a row that was changed last.
    """

    def __init__(self, defaults: Mapping[str, Any]) -> None:
        self._defaults = defaults
        self._items: dict[int, Stored] = {}
        self._last = 0

    def __iter__(self) -> Iterator[Stored]:
        return iter(list(self._items.values()))

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, pk: object) -> bool:
        return pk in self._items

    def get(self, pk: int | None) -> Stored | None:
        """The thing of a pk, or None."""
        return None if pk is None else self._items.get(pk)

    def named(self, name: str) -> list[Stored]:
        """Everything of a name: names are not unique."""
        return [item for item in self if item["name"] == name]

    def add(self, values: Mapping[str, Any], *, who: str, now: int) -> Stored:
        """Make one; what is not given is the column's default. A pk is never given twice."""
        self._last += 1
        made = Stored(self._last, copy.deepcopy({**self._defaults, **values}), who, now, who, now)
        self._items[made.pk] = made
        return made

    def change(self, pk: int, values: Mapping[str, Any], *, who: str, now: int) -> None:
        """Change some columns of one."""
        item = self._items.pop(pk)
        item.values.update(values)
        item.modified_by, item.modified_us = who, now
        self._items[pk] = item

    def remove(self, pk: int) -> None:
        """Delete one; other things' references to it are the caller's to clear."""
        del self._items[pk]

    def clear_references(self, pk: int, *columns: str) -> None:
        """Set the columns that hold this pk to null, as the database does on a delete."""
        for item in self._items.values():
            for column in columns:
                if item.values[column] == pk:
                    item.values[column] = None
