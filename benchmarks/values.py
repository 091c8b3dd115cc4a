"""What is measured, and what came out. Passed between processes as JSON."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any, Literal

import msgspec

Step = Literal[
    "prepare",
    "sync",
    "download",
    "store",
    "small_writes",
    "stream",
    "pages",
    "software",
    "software_floor",
    "software_pages",
    "webhooks",
]


class Fleet(msgspec.Struct, frozen=True, kw_only=True):
    """A simulated fleet; `weight` real is about 98 KB an agent in the beta list, light 2 KB."""

    agents: int
    weight: Literal["light", "real"] = "light"
    source: Literal["auto", "beta"] = "auto"

    @property
    def title(self) -> str:
        """In a table's cell."""
        return f"{self.agents:,} {self.weight}" + (", source beta" if self.source == "beta" else "")


class Request(msgspec.Struct, frozen=True):
    """One request as a sync made it; `key` says whether it carried the credentials."""

    path: str
    params: dict[str, Any]
    key: bool


class Order(msgspec.Struct, kw_only=True):
    """What a fresh process is to do. Tenant and integration are known once a database is prepared; `apart`
    has small writes come from another process than the one that syncs, `writes` is how many there must be
    (small writes, or webhooks).
    Of pages, `assets` or `installs` is how many there are, `asked` how often each page is asked for.
    """

    step: Step
    database_url: str
    folder: str
    server_url: str
    api_key: str
    source: str = "auto"
    mode: str = "full"
    tenant_id: str = ""
    integration_id: str = ""
    requests: list[Request] = []
    written_url: str | None = None
    apart: bool = False
    writes: int = 400
    assets: int = 100_000
    installs: int = 100_000
    asked: int = 40


class Prepared(msgspec.Struct):
    """A database with a checked integration, all organizations mapped, and no asset."""

    tenant_id: str
    integration_id: str


class Spent(msgspec.Struct):
    """Seconds by the clock and seconds of this process's processor time, all its threads together."""

    wall: float = 0.0
    cpu: float = 0.0

    def __sub__(self, other: Spent) -> Spent:
        return Spent(self.wall - other.wall, self.cpu - other.cpu)

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.wall + other.wall, self.cpu + other.cpu)


class SyncResult(msgspec.Struct, kw_only=True):
    """One sync. `waited` is what passed while at least one request was under way.

    `statements` are round trips to the database without BEGIN, COMMIT and ROLLBACK; `longest` is the longest
    transaction in seconds: what another writer waits on SQLite.
    """

    total: Spent
    waited: Spent
    statements: int
    transactions: int
    longest: float
    peak_mb: float
    start_mb: float
    counters: dict[str, int]
    sent: list[Request]

    @property
    def beside(self) -> Spent:
        """What it took beside waiting for answers."""
        return self.total - self.waited


class DownloadResult(msgspec.Struct):
    """The same requests by the same client and nothing else, then the decoding of their bodies."""

    download: Spent
    decode: Spent
    received: int


class StoreResult(msgspec.Struct):
    """The rows of a cold sync bare into tables of the same shape, then signs of life onto all assets."""

    insert: Spent
    touch: Spent
    rows: int


class Measured(msgspec.Struct):
    """A sync and its floor: the same answers downloaded and decoded, the same rows written bare."""

    fleet: Fleet
    database: str
    case: str
    sync: SyncResult
    floor: DownloadResult
    written: Spent

    @property
    def beside(self) -> Spent:
        """What the sync took beside waiting for answers."""
        return self.sync.beside

    @property
    def bare(self) -> Spent:
        """What nobody can do without, beside the download."""
        return self.floor.decode + self.written


class MemoryResult(msgspec.Struct):
    """A cold full sync of a large fleet."""

    fleet: Fleet
    database: str
    sync: SyncResult


class Write(msgspec.Struct, frozen=True):
    """A small write: when it was due, and the seconds from then until it was committed."""

    due: datetime
    seconds: float


class WaitsResult(msgspec.Struct, kw_only=True):
    """Seconds that small writes took, shortest first, alone and beside `syncs` syncs of `seconds` in all."""

    alone: list[float]
    beside: list[float]
    syncs: int
    seconds: float


class MeasuredWaits(msgspec.Struct):
    """Small writes beside the syncs of one case; `apart`: from another process than the one that syncs."""

    fleet: Fleet
    database: str
    case: str
    apart: bool
    waits: WaitsResult

    @property
    def writer(self) -> str:
        """In a table's cell."""
        return "another process" if self.apart else "the same process"


class PageCase(msgspec.Struct, frozen=True):
    """A page asked for again and again: seconds until its last byte, and `cpu`, the median of this process's
    processor time.
    """

    name: str
    path: str
    p50: float
    p95: float
    cpu: float


class PagesResult(msgspec.Struct, kw_only=True):
    """Pages beside their floor: the same list of a tenant that has nothing. `installs` is of software."""

    assets: int
    clients: int
    installs: int = 0
    floor: PageCase
    cases: list[PageCase]


class MeasuredPages(msgspec.Struct):
    """Pages on one kind of database."""

    database: str
    pages: PagesResult


class SoftwareFloor(msgspec.Struct, kw_only=True):
    """What nobody can do without who reads software for the first time. `rows` were written in all."""

    download: Spent
    decode: Spent
    written: Spent
    received: int
    rows: int
    installs: int


class MeasuredSoftware(msgspec.Struct):
    """Software of one fleet read for the first time, again, and a day of the server's later."""

    fleet: Fleet
    database: str
    floor: SoftwareFloor
    first: SyncResult
    again: SyncResult
    later: SyncResult

    @property
    def pace(self) -> float:
        """Installs a second beside the download, the first time."""
        return self.floor.installs / self.first.beside.wall

    @property
    def floor_pace(self) -> float:
        """Likewise of the floor."""
        return self.floor.installs / (self.floor.decode + self.floor.written).wall


class WebhooksResult(msgspec.Struct, kw_only=True):
    """Seconds that webhooks waited for their answer, shortest first: `beside` a full sync of `sync_seconds`,
    and `alone`. Those were sent in `seconds`, and processed `settled` seconds after the first was sent.
    """

    alone: list[float]
    seconds: float
    settled: float
    beside: list[float]
    sync_seconds: float


class MeasuredWebhooks(msgspec.Struct):
    """Webhooks of one fleet's server on one kind of database."""

    fleet: Fleet
    database: str
    webhooks: WebhooksResult


class Results(msgspec.Struct):
    """All that one run of the benchmarks measured."""

    pace: list[Measured] = []
    memory: list[MemoryResult] = []
    writes: list[MeasuredWaits] = []
    pages: list[MeasuredPages] = []
    software: list[MeasuredSoftware] = []
    software_pages: list[MeasuredPages] = []
    webhooks: list[MeasuredWebhooks] = []


def percentile(values: list[float], percent: float) -> float:
    """The least value that `percent` of them do not exceed (nearest rank); `values` are sorted."""
    return values[max(math.ceil(len(values) * percent / 100) - 1, 0)]
