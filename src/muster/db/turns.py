"""Long work piece by piece: web and worker share one event loop, and whoever keeps it for a tenth of a second
keeps every request waiting at each of its statements.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from muster.db.session import give_way

T = TypeVar("T")

# A few milliseconds of anything that a sync does with a device.
_PIECE = 200


async def pieces(items: Sequence[T], turn: Callable[[], Awaitable[None]]) -> AsyncIterator[Sequence[T]]:
    """The items in their order, some at a time; before each but the first others get their `turn`."""
    for start in range(0, len(items), _PIECE):
        if start:
            await turn()
        yield items[start : start + _PIECE]


async def rows(session: AsyncSession, statement: Select[*tuple[Any, ...]]) -> AsyncIterator[Sequence[Any]]:
    """The rows of a statement. To make Python's types of thousands of them takes its time, in turns with
    others.
    """
    result = await session.execute(statement)
    while found := result.fetchmany(_PIECE):
        for row in found:
            yield row
        await give_way(session)
