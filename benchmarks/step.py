"""One step in a process of its own: `python -m benchmarks.step` takes an Order as JSON, prints its result.

A fresh process for each, because peak memory never goes down and caches are warm in an old one.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psutil
import structlog
from sqlalchemy import event

from benchmarks import floor, pages, small_writes, software, software_pages, webhooks
from benchmarks.setting import load_settings
from benchmarks.values import Order, Prepared, Request, Spent, Step, SyncResult
from muster.bootstrap import Application, egress_policy, open_application
from muster.clients.service import ClientService
from muster.db import Database
from muster.egress import Answer, Egress, ServerClient, Spool
from muster.egress.door import Meter
from muster.integrations.connections import Connector
from muster.integrations.service import IntegrationService
from muster.mappings.service import MappingService
from muster.sync.kinds import CHANGED
from muster.sync.schemas import RunView
from muster.sync.service import SyncService
from muster.sync.types import SyncMode
from muster.tenancy import TenantScope
from muster.tenants.service import TenantService


class WatchedClient:
    """A door's client that notes what it sends, and what passes while it waits for answers."""

    def __init__(self, client: ServerClient, watch: Watch) -> None:
        self._client = client
        self._watch = watch

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        **rest: Any,
    ) -> Answer:
        """As the client's own."""
        self._watch.sent.append(Request(path, dict(params or {}), bool(headers)))
        self._watch.begin()
        try:
            return await self._client.request(method, path, params=params, headers=headers, **rest)
        finally:
            self._watch.end()

    def spool(self) -> AbstractAsyncContextManager[Spool]:
        """As the client's own."""
        return self._client.spool()


class Watch:
    """Counts the time in which at least one request is under way."""

    def __init__(self) -> None:
        self.sent: list[Request] = []
        self.waited = Spent()
        self._under_way = 0
        self._begun = Spent()

    def begin(self) -> None:
        """A request starts."""
        if self._under_way == 0:
            self._begun = now()
        self._under_way += 1

    def end(self) -> None:
        """A request ends."""
        self._under_way -= 1
        if self._under_way == 0:
            self.waited += now() - self._begun


class WatchedEgress(Egress):
    """A door whose clients are watched."""

    watch: Watch

    @asynccontextmanager
    async def server(self, origin: str, *, meter: Meter | None = None) -> AsyncIterator[ServerClient]:
        """As the door's own."""
        async with super().server(origin, meter=meter) as client:
            watched: Any = WatchedClient(client, self.watch)
            yield watched


class Statements:
    """Counts what SQLAlchemy sends to a database, and times transactions that write."""

    def __init__(self, database: Database) -> None:
        self.sent = 0
        self.transactions = 0
        self.longest = 0.0
        self._begun: float | None = None
        for engine in {database.writer.sync_engine, database.reader.sync_engine}:
            event.listen(engine, "before_cursor_execute", self._statement)
        event.listen(database.writer.sync_engine, "begin", self._begin)
        event.listen(database.writer.sync_engine, "commit", self._commit)

    def _statement(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        # On SQLite BEGIN is a statement of its own, elsewhere the driver's.
        self.sent += not statement.startswith("BEGIN")

    def _begin(self, _connection: object) -> None:
        self._begun = time.perf_counter()

    def _commit(self, _connection: object) -> None:
        self.transactions += 1
        if self._begun is not None:
            self.longest = max(self.longest, time.perf_counter() - self._begun)


def now() -> Spent:
    """Both clocks."""
    return Spent(time.perf_counter(), time.process_time())


def peak_mb() -> float:
    """The most memory this process ever had resident, in MB (the kernel's high-water mark)."""
    with Path("/proc/self/status").open() as status:
        line = next(line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


async def prepare(order: Order) -> Prepared:
    """Everything a sync of devices takes."""
    async with open_application(load_settings(order)) as application:
        async with application.database.write() as session:
            tenant = await TenantService(session).create("Benchmark")
            scope = TenantScope(tenant.tenant_id)
            fields = {"instance_url": order.server_url, "api_key": order.api_key, "source": order.source}
            added = await IntegrationService(session, scope, application.secrets).add(
                "tacticalrmm", "Tactical", fields
            )
        connector = Connector(application.database, application.secrets, application.egress)
        check = await connector.check(scope, added.integration_id)
        if not check.ok:
            raise RuntimeError(f"the check failed: {check.findings}")
        sync = SyncService(application.database, application.secrets, connector, application.settings)
        await sync.organizations(scope, added.integration_id)
        async with application.database.write() as session:
            mappings = MappingService(session, scope)
            for found in await mappings.list(added.integration_id):
                client = await ClientService(session, scope).create(found.external_organization_name)
                await session.flush()
                await mappings.assign(added.integration_id, found.external_organization_id, client.client_id)
    return Prepared(str(tenant.tenant_id), str(added.integration_id))


async def sync(order: Order) -> SyncResult:
    """One sync of devices, or of software, measured."""
    async with open_application(load_settings(order)) as application:
        return await measured_sync(application, order)


async def measured_sync(application: Application, order: Order) -> SyncResult:
    """The sync itself; opening the application does not count."""
    egress = WatchedEgress(egress_policy(application.settings))
    egress.watch = Watch()
    connector = Connector(application.database, application.secrets, egress)
    service = SyncService(application.database, application.secrets, connector, application.settings)
    statements = Statements(application.database)
    start_mb = psutil.Process().memory_info().rss / 1024**2
    begun = now()
    scope, integration_id = TenantScope(UUID(order.tenant_id)), UUID(order.integration_id)
    if order.step == "software":
        run = await service.software(scope, integration_id)
    else:
        run = await service.devices(scope, integration_id, SyncMode(order.mode))
    total = now() - begun
    if not isinstance(run, RunView) or run.status != "succeeded":
        raise RuntimeError(f"the sync did not succeed: {run}")
    names = ("processed", "created", "updated", "unchanged", "failed", "requests", "bytes_received")
    changed: dict[str, int] = run.cursor.get(CHANGED, {})
    return SyncResult(
        total=total,
        waited=egress.watch.waited,
        statements=statements.sent,
        transactions=statements.transactions,
        longest=statements.longest,
        peak_mb=peak_mb(),
        start_mb=start_mb,
        counters={name: getattr(run, name) for name in names} | changed,
        sent=egress.watch.sent,
    )


def main() -> None:
    """Do what the order says."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    # One line: what follows it, or its end, may mean something to the step.
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    steps: dict[Step, Callable[[Order], Coroutine[Any, Any, Any]]] = {
        "prepare": prepare,
        "sync": sync,
        "software": sync,
        "software_floor": software.measure,
        "download": floor.download,
        "store": floor.store,
        "small_writes": small_writes.measure,
        "stream": small_writes.stream,
        "pages": pages.measure,
        "software_pages": software_pages.measure,
        "webhooks": webhooks.measure,
    }
    result = asyncio.run(steps[order.step](order))
    sys.stdout.buffer.write(msgspec.json.encode(result))


if __name__ == "__main__":
    main()
