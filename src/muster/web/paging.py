"""Lists that are long: which page, how many rows, and links that keep the filters in the address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from litestar.params import QueryParameter

PAGE_SIZES: Sequence[int] = (25, 50, 100, 250)
# Nobody turns so many pages by hand; a database would count rows for it.
_PAGE_LIMIT = 100_000
_ROW_LIMIT = 10_000_000

# How much of a list a program asks for.
Limit = Annotated[int, QueryParameter(ge=1, le=PAGE_SIZES[-1], description="Most items to answer.")]
Offset = Annotated[int, QueryParameter(ge=0, le=_ROW_LIMIT, description="Items to pass over.")]

Query = Mapping[str, str | Sequence[str]]


def address(path: str, query: Query, /, **changes: str | int | Sequence[str] | None) -> str:
    """A link to the same list with some of the query changed; None and "" take a value away.

    Turning to another filter or order goes back to the first page.
    """
    merged: dict[str, str | int | Sequence[str]] = dict(query)
    if "page" not in changes:
        merged.pop("page", None)
    for name, value in changes.items():
        if value is None or value in ("", []):
            merged.pop(name, None)
        else:
            merged[name] = value
    return f"{path}?{urlencode(merged, doseq=True)}" if merged else path


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is shown. `number` counts from 1; `total` is the length of the whole list."""

    number: int
    size: int
    total: int = 0

    @classmethod
    def wanted(cls, number: int | None, size: int | None) -> Page:
        """The page asked for, brought into bounds: an odd size becomes the default of 25."""
        chosen = size if size is not None and size in PAGE_SIZES else PAGE_SIZES[0]
        return cls(min(max(number or 1, 1), _PAGE_LIMIT), chosen)

    def of(self, total: int) -> Page:
        """The page of a list of this length; past the end it is the last one."""
        return Page(min(self.number, max(1, -(-total // self.size))), self.size, total)

    @property
    def offset(self) -> int:
        """Rows before this page."""
        return (self.number - 1) * self.size

    @property
    def count(self) -> int:
        """Number of pages; an empty list has one."""
        return max(1, -(-self.total // self.size))

    @property
    def first(self) -> int:
        """Number of the first row shown; 0 for an empty list."""
        return min(self.offset + 1, self.total)

    @property
    def last(self) -> int:
        """Number of the last row shown."""
        return min(self.offset + self.size, self.total)
