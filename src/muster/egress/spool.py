"""A body on disk: what is too large to be held is written as it arrives, and read in pieces."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

from muster.egress.errors import NotKept

T = TypeVar("T")

BLOCK = 1024 * 1024


class Spool:
    """One body in a file without a name, so that nothing stays behind whatever happens. `size` in bytes.

    Not to be used by two tasks at once. NotKept when the disk will not have it.
    """

    def __init__(self, folder: Path | None) -> None:
        """`folder` is made where it is not there; None is the system's folder for temporary files."""
        try:
            if folder is not None:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Without a buffer of its own: what a full disk did not take must not be tried again on closing.
            self._file = tempfile.TemporaryFile(buffering=0, dir=folder)  # noqa: SIM115 - see aclose
        except OSError as problem:
            raise _not_kept(problem) from problem
        self._waiting = bytearray()
        self._under_way: asyncio.Future[Any] | None = None
        self.size = 0

    async def write(self, part: bytes) -> None:
        """Append to it; the disk is written a block at a time."""
        self._waiting += part
        self.size += len(part)
        if len(self._waiting) >= BLOCK:
            await self._flush()

    async def clear(self) -> None:
        """Empty it, for a body that begins anew."""
        self._waiting.clear()
        self.size = 0
        await self._aside(self._emptied)

    async def blocks(self) -> AsyncIterator[bytes]:
        """The whole body from its beginning, a block of 1 MiB at a time."""
        offset = 0
        while block := await self.read(offset, BLOCK):
            offset += len(block)
            yield block

    async def read(self, offset: int, length: int) -> bytes:
        """That many bytes from there on, fewer where the body ends."""
        await self._flush()
        return await self._aside(lambda: self._part(offset, length))

    async def aclose(self) -> None:
        """Give the disk back."""
        if self._under_way is not None and not self._under_way.done():
            # Closed under a thread that writes, the number of the file could be another's by then.
            await asyncio.wait([self._under_way])
        await self._aside(self._file.close)

    async def _flush(self) -> None:
        if self._waiting:
            block, self._waiting = self._waiting, bytearray()
            await self._aside(lambda: self._append(block))

    async def _aside(self, work: Callable[[], T]) -> T:
        """Done in a thread, to its end even if nobody waits for it any more: a disk may be slow."""
        future = asyncio.get_running_loop().run_in_executor(None, work)
        self._under_way = future
        try:
            return await asyncio.shield(future)
        except OSError as problem:
            raise _not_kept(problem) from problem

    def _append(self, block: bytearray) -> None:
        left = memoryview(block)
        while left:
            left = left[self._file.write(left) :]

    def _emptied(self) -> None:
        self._file.seek(0)
        self._file.truncate()

    def _part(self, offset: int, length: int) -> bytes:
        return os.pread(self._file.fileno(), length, offset)


def _not_kept(problem: OSError) -> NotKept:
    return NotKept(
        f"The answer could not be kept on disk: {problem.strerror or problem}.",
        remedy="Make room in the folder in which Muster keeps its data.",
    )
