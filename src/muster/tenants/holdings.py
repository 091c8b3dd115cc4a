"""Everything a tenant has, over all tables: taken along as a file, or deleted for good."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import msgspec
import structlog
from sqlalchemy import Table

from muster import __version__, clock
from muster.db import Database, bulk, migrate
from muster.db.session import snapshot
from muster.db.types import tenant_tables
from muster.errors import Conflict, InvalidInput, NotFound
from muster.tenancy import TenantScope
from muster.tenants.repository import HoldingsRepository, TenantsRepository
from muster.tenants.schemas import view

log = structlog.get_logger(__name__)

FORMAT = 1
# Rows deleted in one transaction: on SQLite others wait for it.
_CHUNK = 500


class TenantHoldings:
    """All rows of one tenant, whatever room they belong to."""

    def __init__(self, database: Database, scope: TenantScope) -> None:
        self._database = database
        self._scope = scope

    async def counts(self) -> dict[str, int]:
        """Rows by table; tables without any are left out."""
        async with self._database.read(self._scope) as session:
            repository = HoldingsRepository(session, self._scope)
            counts = {str(table.name): await repository.count(table) for table in tenant_tables()}
        return {name: count for name, count in counts.items() if count}

    async def export(self, to: Path, *, force: bool = False) -> dict[str, int]:
        """Write all rows to a file of JSON lines (mode 0600, whole or not at all), and count them by table.

        The first line says what it is, the last one how many rows there are, so that a cut file shows; each
        other is {"table", "row"}. Rows stand after those they refer to. Secrets (passwords, credentials,
        even sealed or hashed) are left out. Conflict when the file is there already.
        """
        counts: dict[str, int] = {}
        with _written(to, force) as file:
            async with self._database.read(self._scope) as session:
                await snapshot(session)
                tenant = await TenantsRepository(session).by_id(self._scope.tenant_id)
                if tenant is None:
                    raise _gone()
                head = {
                    "muster_export": FORMAT,
                    "version": __version__,
                    "schema": migrate.head(),
                    "exported_at": clock.now(),
                    "tenant": view(tenant),
                }
                _line(file, head)
                repository = HoldingsRepository(session, self._scope)
                for table in tenant_tables():
                    # SQLAlchemy's names are a kind of str that is no JSON.
                    name = str(table.name)
                    async for row in repository.rows(table, _shown(table)):
                        _line(file, {"table": name, "row": row})
                        counts[name] = counts.get(name, 0) + 1
            _line(file, {"rows": sum(counts.values()), "tables": counts})
        return counts

    async def delete(self) -> dict[str, int]:
        """Delete the tenant with all its rows, and count them by table.

        In small transactions, so that others can work meanwhile: interrupted, it is to be repeated.
        NotFound when it is gone already.
        """
        counts: dict[str, int] = {}
        for table in reversed(tenant_tables()):
            if count := await self._empty(table):
                counts[str(table.name)] = count
        async with self._database.write(self._scope) as session:
            tenants = TenantsRepository(session)
            tenant = await tenants.by_id(self._scope.tenant_id)
            if tenant is None:
                raise _gone()
            # What others have written meanwhile goes with it: every row hangs on the tenant.
            await tenants.remove(tenant)
        log.warning("tenant.deleted", tenant=str(self._scope.tenant_id), rows=sum(counts.values()))
        return counts

    async def _empty(self, table: Table) -> int:
        count = 0
        while True:
            async with self._database.write(self._scope) as session:
                keys = await HoldingsRepository(session, self._scope).some_keys(table, limit=_CHUNK)
                if keys and not keys[0]:
                    # The tenant alone is its key.
                    await bulk.delete_where(session, self._scope, table, where={})
                elif keys:
                    await bulk.delete(session, self._scope, table, keys, key=list(keys[0]))
            count += len(keys)
            if len(keys) < _CHUNK:
                return count


def _gone() -> NotFound:
    return NotFound("This tenant is gone.", remedy="See: muster tenant list")


def _shown(table: Table) -> list[str]:
    return [str(column.name) for column in table.columns if not column.info.get("secret")]


@contextmanager
def _written(to: Path, force: bool) -> Iterator[IO[bytes]]:
    if to.exists() and not force:
        raise Conflict(f"{to} is there already.", remedy="Choose another file, or add --force.")
    temporary = to.with_name(f".{to.name}.{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(to)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as problem:
        raise InvalidInput(f"{to} cannot be written: {problem.strerror or problem}.") from None


def _line(file: IO[bytes], value: Mapping[str, Any]) -> None:
    file.write(msgspec.json.encode(value) + b"\n")
