"""Database: where sessions come from. Reads and writes are told apart, because SQLite has one writer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from muster.db import row_security
from muster.db.engine import parse_url, postgres_engine, sqlite_engine
from muster.tenancy import TenantScope

LastWork = Callable[[AsyncSession], Awaitable[None]]
_LAST = "muster.last_work"


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

    @asynccontextmanager
    async def read(
        self, scope: TenantScope | None = None, *, system: bool = False
    ) -> AsyncIterator[AsyncSession]:
        """A session that only reads: of the scope's tenant, else of the first that is named in it.

        `system` lets it look across tenants, which on PostgreSQL nothing else can.
        """
        async with self._read() as session:
            _bind(session, scope, system)
            yield session

    @asynccontextmanager
    async def write(
        self, scope: TenantScope | None = None, *, system: bool = False
    ) -> AsyncIterator[AsyncSession]:
        """A transaction: committed at the end, rolled back whole on any error. Otherwise as `read`."""
        async with self._write() as session, session.begin():
            _bind(session, scope, system)
            last: dict[str, LastWork] = {}
            session.info[_LAST] = last
            yield session
            if last:
                await session.flush()
            while last:
                await last.pop(next(iter(last)))(session)

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
