"""Engines for the two deployments: SQLite with one writer, PostgreSQL with a pool."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from muster.db.row_security import TenantConnection, forget_tenant
from muster.errors import NotConfigured

SQLITE_BUSY_MILLISECONDS = 30_000


def parse_url(text: str) -> URL:
    """The database URL with the driver Muster uses; NotConfigured for anything but SQLite and PostgreSQL."""
    try:
        url = make_url(text)
    except ArgumentError:
        raise NotConfigured("The database URL cannot be read.", remedy=URL_REMEDY) from None
    match url.get_backend_name():
        case "sqlite":
            return url.set(drivername="sqlite+aiosqlite")
        case "postgresql" | "postgres":
            return url.set(drivername="postgresql+asyncpg")
        case other:
            raise NotConfigured(f"{other} is not a database Muster can use.", remedy=URL_REMEDY)


URL_REMEDY = "Use sqlite:///path/to/muster.db or postgresql://user:password@host/name."


def _encode(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _options() -> dict[str, Any]:
    return {"json_serializer": _encode, "json_deserializer": msgspec.json.decode}


def sqlite_engine(url: URL, *, writer: bool) -> AsyncEngine:
    """An engine on a SQLite file. The writer has a single connection and takes the write lock at BEGIN:
    a transaction that upgrades from read to write half way would fail at once when another one writes.
    """
    if url.database and url.database != ":memory:":
        Path(url.database).expanduser().parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(
        url,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=1 if writer else 4,
        max_overflow=0,
        pool_timeout=60,
        **_options(),
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_MILLISECONDS}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute("PRAGMA foreign_keys = ON")
        if not writer:
            cursor.execute("PRAGMA query_only = ON")
            # To sort a hundred thousand rows while they are still being read takes a quarter less.
            cursor.execute("PRAGMA threads = 2")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")

    return engine


def postgres_engine(url: URL, *, pool_size: int, statement_timeout: float) -> AsyncEngine:
    """An engine on PostgreSQL; the server's time zone is set so that nothing depends on its host's.

    A statement, a wait for a lock and a pause inside a transaction end after `statement_timeout` seconds
    (0: never): one that hangs would keep its locks and its connection for ever.
    """
    milliseconds = str(round(statement_timeout * 1000))
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_pre_ping=True,
        pool_timeout=60,
        # A connection that a load balancer has silently dropped is not kept for ever.
        pool_recycle=1800,
        connect_args={
            "connection_class": TenantConnection,
            "server_settings": {
                "timezone": "UTC",
                "application_name": "muster",
                "statement_timeout": milliseconds,
                "lock_timeout": milliseconds,
                "idle_in_transaction_session_timeout": milliseconds,
            },
        },
        **_options(),
    )
    event.listen(engine.sync_engine, "begin", forget_tenant)
    return engine
