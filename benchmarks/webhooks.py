"""What a server waits that calls a webhook: many connections at once to a served Muster, while a sync writes
and while none does.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

import httpx2
import msgspec

from benchmarks.servers import ROOT
from benchmarks.setting import load_settings
from benchmarks.values import Order, WebhooksResult, Write
from muster import clock
from muster.bootstrap import Application, open_application
from muster.inbound_webhooks.requests import PROCESS_RECEIPTS
from muster.inbound_webhooks.service import WebhookService
from muster.inbound_webhooks.types import EndpointId
from muster.integrations.service import IntegrationService
from muster.jobs.service import JobService
from muster.jobs.types import OPEN
from muster.sync import following
from muster.sync.jobs import request_devices
from muster.sync.schemas import RunView
from muster.sync.types import SyncMode
from muster.tenancy import TenantScope

CONNECTIONS = 32
_LOOK_SECONDS = 0.2
# Tactical's own patience (CONTRACT section 5).
_PATIENCE_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class Hook:
    """Where and how a webhook is called."""

    host: str
    port: int
    path: str
    header: str
    secret: str

    def request(self, body: bytes) -> bytes:
        """All of a request as it goes over the wire, on a connection of its own as Tactical's client does."""
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
            f"User-Agent: python-requests/2.34.0\r\nAccept: */*\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\n{self.header}: {self.secret}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


class Senders:
    """So many senders at once; each sends its next webhook once its last one was answered."""

    def __init__(self, hook: Hook, bodies: Sequence[bytes]) -> None:
        self._hook = hook
        self._bodies = itertools.cycle(bodies)
        self.done: list[Write] = []

    async def send(self, count: int) -> None:
        """Send so many."""
        left = iter(range(count))
        await self._all(left)

    async def send_while(self, going: asyncio.Event) -> None:
        """Send until the event is set."""

        def endless() -> Iterator[int]:
            while not going.is_set():
                yield 0

        await self._all(endless())

    async def _all(self, left: Iterator[int]) -> None:
        async def sender() -> None:
            for _ in left:
                await self._one(next(self._bodies))

        async with asyncio.TaskGroup() as senders:
            for _ in range(CONNECTIONS):
                senders.create_task(sender())

    async def _one(self, body: bytes) -> None:
        due, begun = clock.now(), time.perf_counter()
        async with asyncio.timeout(_PATIENCE_SECONDS):
            reader, writer = await asyncio.open_connection(self._hook.host, self._hook.port)
            try:
                writer.write(self._hook.request(body))
                answer = await reader.read()
            finally:
                writer.close()
        status = answer.split(b" ", 2)[1:2]
        if status != [b"200"]:
            raise RuntimeError(f"a webhook was answered with {answer[:200]!r}")
        self.done.append(Write(due, time.perf_counter() - begun))


async def measure(order: Order) -> WebhooksResult:
    """Webhooks beside a full sync that brings the fleet in, then so many without one."""
    settings = load_settings(order)
    async with open_application(settings) as application, _served(order) as url:
        hook, bodies = await _hook(order, application, url), await _bodies(order)
        beside = Senders(hook, bodies)
        run = await _beside_a_sync(order, application, beside)
        await _settled(order, application)
        alone = Senders(hook, bodies)
        begun = time.perf_counter()
        await alone.send(order.writes)
        sent = time.perf_counter() - begun
        await _settled(order, application)
        ended = run.finished_at or run.started_at
        return WebhooksResult(
            alone=sorted(each.seconds for each in alone.done),
            seconds=sent,
            settled=time.perf_counter() - begun,
            beside=sorted(each.seconds for each in beside.done if run.started_at <= each.due <= ended),
            sync_seconds=(ended - run.started_at).total_seconds(),
        )


@asynccontextmanager
async def _served(order: Order) -> AsyncIterator[str]:
    """`muster serve` in a process of its own; its address."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")}
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "muster", "--json", "serve", "--port", "0"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={
            **kept,
            "MUSTER_DATA_DIR": order.folder,
            "MUSTER_DATABASE_URL": order.database_url,
            "MUSTER_LOG_LEVEL": "warning",
        },
    )
    if child.stdout is None:
        raise RuntimeError("a process without the pipe that was asked for")
    try:
        said = b""
        while not said.endswith(b"}\n"):
            line = await child.stdout.readline()
            if not line:
                raise RuntimeError("muster serve did not start")
            said += line
        yield json.loads(said)["url"]
    finally:
        if child.returncode is None:
            child.terminate()
        await child.wait()


async def _hook(order: Order, application: Application, url: str) -> Hook:
    scope, integration_id = _scope(order), UUID(order.integration_id)
    async with application.database.write(scope) as session:
        service = WebhookService(session, scope, application.secrets)
        secret = await service.secret(integration_id)
        endpoint = await service.endpoint(integration_id)
    parts = urlsplit(url)
    path = EndpointId(scope.tenant_id, integration_id).path("tacticalrmm")
    return Hook(parts.hostname or "127.0.0.1", parts.port or 80, path, endpoint.header, secret)


async def _bodies(order: Order) -> list[bytes]:
    """What the server would send of each of its open alerts, in the body that Muster offers."""
    async with httpx2.AsyncClient(base_url=order.server_url, timeout=_PATIENCE_SECONDS * 10) as client:
        headers = {"X-API-KEY": order.api_key}
        answer = await client.request("PATCH", "/alerts/", headers=headers, json={"resolvedFilter": False})
    return [
        msgspec.json.encode(
            {
                "agent_id": row["agent_id"],
                "alert_id": str(row["id"]),
                "event": "trigger",
                "severity": row["severity"],
                "alert_type": row["alert_type"],
                "alert_time": row["alert_time"],
            }
        )
        for row in answer.json()
        if "agent_id" in row
    ]


async def _beside_a_sync(order: Order, application: Application, senders: Senders) -> RunView:
    """A full sync as a person asks for it, carried out by the served process while it is called."""
    database, scope = application.database, _scope(order)
    async with database.write(scope) as session:
        integrations = IntegrationService(session, scope, application.secrets)
        integration = await integrations.get(UUID(order.integration_id))
        ticket = await request_devices(JobService(session, scope), integration, SyncMode.FULL)
    ended = asyncio.Event()
    sending = asyncio.create_task(senders.send_while(ended))
    try:
        run = await following.follow(database, scope, ticket.job_id, lambda _processed, _total: None)
    finally:
        ended.set()
        await sending
    if run.status != "succeeded":
        raise RuntimeError(f"the sync did not succeed: {run}")
    return run


async def _settled(order: Order, application: Application) -> None:
    """Wait until every receipt is processed."""
    scope = _scope(order)
    while True:
        async with application.database.read(scope) as session:
            if not await JobService(session, scope).list(OPEN, kinds=[PROCESS_RECEIPTS], limit=1):
                return
        await asyncio.sleep(_LOOK_SECONDS)


def _scope(order: Order) -> TenantScope:
    return TenantScope(UUID(order.tenant_id))
