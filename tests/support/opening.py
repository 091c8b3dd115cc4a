"""Opens a connection to a server of the tests, without real pauses."""

import functools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from muster.egress import Egress, EgressPolicy
from muster.providers import registry
from muster.providers.contract import (
    Depth,
    DeviceChunk,
    DeviceRecord,
    OrganizationRead,
    OrganizationRecord,
    ProviderConnection,
    RejectedRow,
)


class MemorySession:
    """A session store in memory; `kept` is every token ever saved, None for a forgotten one."""

    def __init__(self, token: str | None = None) -> None:
        self.token = token
        self.kept: list[str | None] = []

    async def load(self) -> str | None:
        return self.token

    async def save(self, token: str | None) -> None:
        self.token = token
        self.kept.append(token)


async def no_pause(seconds: float) -> None:
    """A sleep that does not."""


@functools.cache
def impatient(policy: EgressPolicy | None = None) -> Egress:
    """A door whose pauses between repetitions take no time; kept, since reading the CAs takes some."""
    return Egress(policy, sleep=no_pause)


@asynccontextmanager
async def opened(
    url: str,
    fields: Mapping[str, str] | None = None,
    *,
    provider: str = "tacticalrmm",
    session: MemorySession | None = None,
    egress: Egress | None = None,
    **more: str,
) -> AsyncIterator[ProviderConnection]:
    """A connection with the given form fields; without any, with some API key."""
    kind = registry.get(provider)
    given = {**(fields or {}), **more}
    settings = kind.settings({"instance_url": url, **(given or {"api_key": "KEY"})})
    async with kind.connect(
        settings, egress=egress or impatient(), session=session or MemorySession()
    ) as connection:
        yield connection


class Fleet:
    """Everything that a reading of devices brought."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, DeviceRecord]] = {}
        self.rejected: list[RejectedRow] = []
        self.reads: list[OrganizationRead] = []
        self.chunks: list[DeviceChunk] = []

    def of(self, source: str) -> dict[str, DeviceRecord]:
        return self.records.get(source, {})

    def take(self, item: DeviceChunk | OrganizationRead) -> None:
        if isinstance(item, OrganizationRead):
            self.reads.append(item)
            return
        self.chunks.append(item)
        self.rejected += item.rejected
        for record in item.records:
            assert record.organization_id == item.organization_id
            self.records.setdefault(item.source, {})[record.external_id] = record


async def read(
    connection: ProviderConnection, depth: Depth, organizations: Sequence[OrganizationRecord] | None = None
) -> Fleet:
    """All devices of the given organizations, else of all."""
    if organizations is None:
        organizations = (await connection.organizations()).records
    fleet = Fleet()
    async for item in connection.devices(organizations, depth):
        fleet.take(item)
    return fleet
