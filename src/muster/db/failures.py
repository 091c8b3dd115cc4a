"""What a database that cannot be used raises, by whichever of its layers notices."""

from __future__ import annotations

import asyncpg
from sqlalchemy.exc import SQLAlchemyError

# A server that refuses the connection itself is told by its driver and by the operating system, unwrapped.
DATABASE_ERRORS: tuple[type[Exception], ...] = (
    SQLAlchemyError,
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
)
