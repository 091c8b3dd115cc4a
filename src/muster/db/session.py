"""Database: where sessions come from. Reads and writes are told apart, because SQLite has one writer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from muster.db import row_security
from muster.db.engine import parse_url, postgres_engine, sqlite_engine
from muster.tenancy import TenantScope

LastWork = Callable[[AsyncSession], Awaitable[None]]
_LAST = "muster.last_work"
_TURN = "muster.turn"
# Who gives way waits no longer, whatever the others do: they may be waiting for him, or for another process.
_PATIENCE_SECONDS = 0.25


class Database:
    """An open database. `close` it at the end."""

    def __init__(self, url: str, *, pool_size: int = 10, statement_timeout: float = 60) -> None:
        """`pool_size` connections and `statement_timeout` (seconds, 0: none) are PostgreSQL's alone."""
        self.url = parse_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.writer: AsyncEngine
        self.reader: AsyncEngine
        if self.is_sqlite:
            self.writer = sqlite_engine(self.url, writer=True)
            self.reader = sqlite_engine(self.url, writer=False)
        else:
            self.writer = self.reader = postgres_engine(
                self.url, pool_size=pool_size, statement_timeout=statement_timeout
            )
        options: dict[str, Any] = {
            "expire_on_commit": False,
            "autoflush": False,
            "sync_session_class": row_security.TenantSession,
        }
        self._write = async_sessionmaker(self.writer, **options)
        self._read = async_sessionmaker(self.reader, **options)
        self._writes: set[asyncio.Future[None]] = set()

    @asynccontextmanager
    async def read(
        self, scope: TenantScope | None = None, *, system: bool = False
    ) -> AsyncIterator[AsyncSession]:
        """A session that only reads: of the scope's tenant, else of the first that is named in it.

        `system` lets it look across tenants, which on PostgreSQL nothing else can.
        """
        async with self._read() as session:
            _bind(session, scope, system)
            session.info[_TURN] = self.give_way
            yield session

    @asynccontextmanager
    async def write(
        self, scope: TenantScope | None = None, *, system: bool = False
    ) -> AsyncIterator[AsyncSession]:
        """A transaction: committed at the end, rolled back whole on any error. Otherwise as `read`."""
        async with self._counted(), self._write() as session, session.begin():
            _bind(session, scope, system)
            last: dict[str, LastWork] = {}
            session.info[_LAST] = last
            yield session
            if last:
                await session.flush()
            while last:
                await last.pop(next(iter(last)))(session)

    @asynccontextmanager
    async def _counted(self) -> AsyncIterator[None]:
        ended = asyncio.get_running_loop().create_future()
        self._writes.add(ended)
        try:
            yield
        finally:
            self._writes.remove(ended)
            ended.set_result(None)

    async def give_way(self) -> None:
        """For long work between two of its pieces, outside of its own transactions: let others on the event
        loop go on. On SQLite let this process's writes that were begun before it end first: each of their
        ten or so statements would otherwise wait for another piece of the work, and all the while they
        keep everybody else from writing.
        """
        if self.is_sqlite and self._writes:
            await asyncio.wait(tuple(self._writes), timeout=_PATIENCE_SECONDS)
        else:
            await asyncio.sleep(0)

    async def close(self) -> None:
        """Close all connections."""
        await self.writer.dispose()
        if self.reader is not self.writer:
            await self.reader.dispose()


async def snapshot(session: AsyncSession) -> None:
    """Begin the session's transaction so that all its questions see one moment of the database.

    SQLite gives that to every transaction; PostgreSQL has to be asked.
    """
    if session.get_bind().dialect.name == "postgresql":
        await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


async def give_way(session: AsyncSession) -> None:
    """Database.give_way for those who have a session of it; one that writes lets the loop go on only."""
    await session.info.get(_TURN, _next_turn)()


async def _next_turn() -> None:
    await asyncio.sleep(0)


def at_commit(session: AsyncSession, name: str, work: LastWork) -> None:
    """Have `work` done in the session's transaction just before its commit; once for each name.

    For locks that everybody takes: taken last and held briefly, they cannot close a circle of waiting.
    RuntimeError outside of `Database.write`.
    """
    last: dict[str, LastWork] | None = session.info.get(_LAST)
    if last is None:
        raise RuntimeError("only a transaction of Database.write has work before its commit")
    last.setdefault(name, work)


def _bind(session: AsyncSession, scope: TenantScope | None, system: bool) -> None:
    if system:
        row_security.bind_system(session)
    elif scope is not None:
        row_security.bind(session, scope.tenant_id)
