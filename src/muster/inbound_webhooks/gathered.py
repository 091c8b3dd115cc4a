"""A question that many ask at the same time is put once for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")


class Gathered(Generic[Key, Answer]):
    """Puts a question once for all who ask it before it is put. Who asks while it is being answered waits for
    the next time: whatever was changed before he asked is in his answer.
    """

    def __init__(self, put: Callable[[Key], Awaitable[Answer]]) -> None:
        self._put = put
        self._to_come: dict[Key, asyncio.Task[Answer]] = {}
        self._under_way: dict[Key, asyncio.Task[Answer]] = {}

    async def ask(self, key: Key) -> Answer:
        """The answer, or the error that putting the question ended in."""
        task = self._to_come.get(key)
        if task is None:
            task = asyncio.create_task(self._answered(key, self._under_way.get(key)))
            self._to_come[key] = task
        # Who goes away does not take the others' answer with him.
        return await asyncio.shield(task)

    async def _answered(self, key: Key, before: asyncio.Task[Answer] | None) -> Answer:
        if before is not None:
            await asyncio.wait([before])
        task = self._under_way[key] = self._to_come.pop(key)
        try:
            return await self._put(key)
        finally:
            if self._under_way.get(key) is task:
                del self._under_way[key]
