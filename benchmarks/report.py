"""The page: docs/performance.md."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import psutil

from benchmarks import software_report
from benchmarks.tables import table
from benchmarks.values import (
    Fleet,
    Measured,
    MeasuredWaits,
    MeasuredWebhooks,
    MemoryResult,
    PagesResult,
    Results,
    Spent,
    percentile,
)
from muster import clock

# The pace that is promised beside the download, of 10,000 light agents: seconds and statements at most.
_PROMISED_AGENTS = 10_000
_PROMISED = {"cold": (4.0, None), "warm": (1.5, 50), "incremental": (1.5, 50)}
_PROMISED_RATIO = 2.5
_PROMISED_MB = 250
_PROMISED_WAIT_MS = 250
_PROMISED_PAGE_MS = 150
_PROMISED_WEBHOOK_MS, _PROMISED_WEBHOOK_BESIDE_MS = 250, 1000

_INTRODUCTION = """\
# Performance

Written by `make bench`; do not edit. Absolute figures drift with machine and load: what counts is how they
stand to their floor, which is measured in the same run.
"""

_PACE = """\
- **cold**: a full sync into a database without assets. **warm**: the same again, nothing has changed on the
  server. **incremental**: the light refresh, nothing has changed.
- **sync**: the whole run as `muster sync devices` makes it, entries, counters and events included.
- **waited**: the part of it in which a request was under way: sending, the server's work, receiving.
- **beside**: sync less waited; what Muster itself costs.
- **floor**: the same rows decoded from the same bytes (typed, without translation), and the same rows
  written bare: `executemany` in one transaction on SQLite, `COPY` on PostgreSQL, into the same tables with
  the same indexes and foreign keys. Cold writes every row of the run; warm and incremental write status, last
  seen and time of reading of every asset.
- **download**: the same requests by the same client and nothing else, as the floor of waited.
- **beside / floor** leaves the download out on both sides: what translating, comparing, hashing and recording
  every device costs next to decoding it and storing it. **sync / all** counts the download on both sides: the
  whole run next to the least that any sync must do, which is what the promised ratio means.
- Seconds by the clock (*wall*) and of the syncing process's processors (*CPU*; not the server's, not
  PostgreSQL's). Statements are round trips to the database, without BEGIN and COMMIT. *Longest* is the
  longest writing transaction: on SQLite a small write waits that long at most. Peak memory is the process's
  resident high-water mark, of which an idle Muster takes {idle:.0f} MB.
- Each case runs in a fresh process; the simulated server, which is frozen, in another; so does PostgreSQL,
  without fsync, so that no disk is measured.
"""

_WRITES = """\
A sync is asked for as a job, and the worker carries it out, with everything that `muster serve` runs beside
it. All the while small writes come at a steady pace, 40 a second: a row and the event that tells of it, in a
transaction of their own, as a request makes them; from the process that syncs, on the same event loop, or
from another one on the same file. Milliseconds from the moment a write is due until it is committed, so that
a loop which is too busy to begin it counts too. *Alone* is the same stream just before, without a sync.
"""


_PAGES = """\
Pages as a logged-in browser asks for them, one after the other, through the whole application in one process:
session, permissions, queries, template, compression. Milliseconds until the last byte of the answer, and of
this process's processors (SQLite's work counts there, PostgreSQL's does not). The floor is the same list of a
tenant without assets: what every page costs, whatever is on it.
"""

_SOFTWARE_PAGES = """\
Asked and measured like the pages of assets. Sixty in a hundred installs are of 80 titles that most machines
have, the others of 2,000; lists have changed on ten days. The floor is the search of a tenant without any.
"""


_WEBHOOKS = """\
A server's webhooks at 32 connections, each opened for one call as Tactical does, to `muster serve` in a
process of its own; the simulated server, which is asked about the alerts, and the sender are others.
Milliseconds from the moment before the connection is opened until the last byte of the answer: by then the
webhook is committed. *Beside a full sync*: while the served process brings the whole fleet in, for as long as
that takes. *Processed a second*: until every webhook had become an alert, or one that was known.
"""


@dataclass(frozen=True, slots=True)
class Conditions:
    """Where and when."""

    lines: tuple[str, ...]

    @classmethod
    def here(cls, seconds: float) -> Conditions:
        """This machine, now. `seconds` is what the whole took."""
        memory = psutil.virtual_memory().total / 1024**3
        packages = ", ".join(f"{name} {version(name)}" for name in ("sqlalchemy", "msgspec", "httpx2"))
        drivers = f"SQLite {sqlite3.sqlite_version}, " + ", ".join(
            f"{name} {version(name)}" for name in ("aiosqlite", "asyncpg")
        )
        load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
        return cls(
            (
                f"{clock.now():%Y-%m-%d %H:%M} UTC, {seconds / 60:.0f} min",
                f"{_processor()}, {psutil.cpu_count()} processors, {memory:.0f} GB, {platform.system()}",
                f"load averages at the end: {load}",
                f"Python {platform.python_version()}, {packages}, {drivers}",
            )
        )


def page(results: Results, conditions: Conditions) -> str:
    """The page as Markdown."""
    parts = [_INTRODUCTION]
    if results.pace:
        parts.append(_PACE.format(idle=min(result.sync.start_mb for result in results.pace)))
    parts += ["## Conditions\n", "\n".join(f"- {line}" for line in conditions.lines) + "\n"]
    parts += ["## Promised pace\n", _promised(results)]
    for database in dict.fromkeys(result.database for result in results.pace):
        rows = [result for result in results.pace if result.database == database]
        parts += [f"## {database}\n", _seconds(rows), _weights(rows)]
    if results.memory:
        parts += ["## Memory of a large full sync\n", _memory(results.memory)]
    if results.writes:
        parts += ["## Small writes beside a sync\n", _WRITES, _waits(results.writes)]
    if results.webhooks:
        parts += ["## Webhooks\n", _WEBHOOKS, _webhooks(results.webhooks)]
    for measured in results.pages:
        pages = measured.pages
        title = f"## Pages of {pages.assets:,} assets of {pages.clients} clients, {measured.database}\n"
        parts += [title, _PAGES, _pages(pages)]
    if results.software:
        parts += ["## Software\n", software_report.TEXT, software_report.lines(results.software)]
    for measured in results.software_pages:
        title = f"## Pages of {_inventory(measured.pages)}, {measured.database}\n"
        parts += [title, _SOFTWARE_PAGES, _pages(measured.pages)]
    return "\n".join(parts)


def _seconds(rows: Sequence[Measured]) -> str:
    head = [
        "agents, case",
        "",
        "sync",
        "waited",
        "beside",
        "floor",
        "beside / floor",
        "download",
        "sync / all",
    ]
    lines = []
    for row in rows:
        for name in ("wall", "cpu"):
            sync, waited, beside, floor, download = (
                _of(spent, name)
                for spent in (row.sync.total, row.sync.waited, row.beside, row.bare, row.floor.download)
            )
            lines.append(
                [
                    f"{row.fleet.title}, {row.case}" if name == "wall" else "",
                    name if name == "wall" else "CPU",
                    *(f"{value:.2f}" for value in (sync, waited, beside, floor)),
                    f"{beside / floor:.1f}",
                    f"{download:.2f}",
                    f"{sync / (download + floor):.1f}",
                ]
            )
    return "Seconds:\n\n" + table(head, lines)


def _weights(rows: Sequence[Measured]) -> str:
    head = ["agents, case", "statements", "transactions", "longest ms", "requests", "MB received", "peak MB"]
    lines = [
        [
            f"{row.fleet.title}, {row.case}",
            f"{row.sync.statements}",
            f"{row.sync.transactions}",
            f"{row.sync.longest * 1000:.0f}",
            f"{row.sync.counters['requests']}",
            f"{row.sync.counters['bytes_received'] / 1e6:.1f}",
            f"{row.sync.peak_mb:.0f}",
        ]
        for row in rows
    ]
    return "Everything else:\n\n" + table(head, lines)


def _memory(results: Sequence[MemoryResult]) -> str:
    lines = [
        [
            f"{result.fleet.title}",
            result.database,
            f"{result.sync.peak_mb:.0f}",
            f"{result.sync.counters['created']:,}",
            f"{result.sync.counters['bytes_received'] / 1e6:.0f}",
            f"{result.sync.total.wall:.0f}",
            f"{result.sync.total.cpu:.1f}",
        ]
        for result in results
    ]
    head = ["agents", "database", "peak MB", "created", "MB received", "wall s", "CPU s"]
    return f"A cold full sync, promised to stay under {_PROMISED_MB} MB:\n\n" + table(head, lines)


def _waits(results: Sequence[MeasuredWaits]) -> str:
    lines = []
    for result in results:
        waits = result.waits
        milliseconds = [
            *(percentile(waits.beside, percent) for percent in (50, 95, 99)),
            waits.beside[-1],
            *(percentile(waits.alone, percent) for percent in (50, 99)),
        ]
        lines.append(
            [
                f"{result.fleet.title}, {result.case}, {result.database}",
                result.writer,
                f"{waits.syncs}",
                f"{waits.seconds:.1f}",
                f"{len(waits.beside)}",
                *(f"{value * 1000:.0f}" for value in milliseconds),
            ]
        )
    head = ["agents, case", "written from", "syncs", "s", "writes"]
    return table([*head, "p50", "p95", "p99", "max", "alone p50", "alone p99"], lines)


def _webhooks(results: Sequence[MeasuredWebhooks]) -> str:
    lines = []
    for result in results:
        found, where = result.webhooks, f"{result.fleet.title}, {result.database}"
        for name, waits, seconds, processed in (
            ("alone", found.alone, found.seconds, f"{len(found.alone) / found.settled:.0f}"),
            ("beside a full sync", found.beside, found.sync_seconds, ""),
        ):
            milliseconds = [*(percentile(waits, percent) for percent in (50, 95, 99)), waits[-1]]
            lines.append(
                [
                    f"{where}, {name}",
                    f"{len(waits):,}",
                    f"{len(waits) / seconds:.0f}",
                    *(f"{value * 1000:.0f}" for value in milliseconds),
                    processed,
                ]
            )
    head = ["agents, case", "webhooks", "answered a second", "p50", "p95", "p99", "max", "processed a second"]
    return table(head, lines)


def _inventory(pages: PagesResult) -> str:
    return f"{pages.installs:,} installs of software on {pages.assets:,} machines of {pages.clients} clients"


def _pages(pages: PagesResult) -> str:
    lines = [
        [case.name, *(f"{value * 1000:.0f}" for value in (case.p50, case.p95, case.cpu))]
        for case in (pages.floor, *pages.cases)
    ]
    lines[0][0] = f"floor: {pages.floor.name}"
    return table(["page", "p50 ms", "p95 ms", "CPU p50 ms"], lines)


def _promised(results: Results) -> str:
    lines = []
    for row in results.pace:
        if not _is_promised(row.fleet):
            continue
        seconds, statements = _PROMISED[row.case]
        where = f"{row.fleet.agents:,} agents, {row.case}, {row.database}"
        lines.append([f"{where}: seconds beside", f"{seconds}", f"{row.beside.wall:.2f}"])
        if statements is not None:
            lines.append([f"{where}: statements", f"under {statements}", f"{row.sync.statements}"])
        everything = row.bare + row.floor.download
        lines.append(
            [f"{where}: sync / all", f"{_PROMISED_RATIO}", f"{row.sync.total.wall / everything.wall:.1f}"]
        )
    lines += [
        [
            f"{result.fleet.title} agents, {result.database}: peak MB",
            f"{_PROMISED_MB}",
            f"{result.sync.peak_mb:.0f}",
        ]
        for result in results.memory
    ]
    lines += [
        [
            f"{_title(result)}: small writes from {result.writer}, p99 ms",
            f"under {_PROMISED_WAIT_MS}",
            f"{percentile(result.waits.beside, 99) * 1000:.0f}",
        ]
        for result in results.writes
        if _is_promised(result.fleet)
    ]
    for each in results.webhooks:
        if _is_promised(each.fleet):
            for name, waits, most in (
                ("webhooks", each.webhooks.alone, _PROMISED_WEBHOOK_MS),
                ("webhooks beside a full sync", each.webhooks.beside, _PROMISED_WEBHOOK_BESIDE_MS),
            ):
                where = f"{each.fleet.agents:,} agents, {each.database}: {name}, p99 ms"
                lines.append([where, f"under {most:,}", f"{percentile(waits, 99) * 1000:.0f}"])
    lines += software_report.promised(results.software)
    for measured in (*results.pages, *results.software_pages):
        pages = measured.pages
        slowest = max(pages.cases, key=lambda case: case.p95)
        many = f"{pages.installs:,} installs" if pages.installs else f"{pages.assets:,} assets"
        where = f"{many}, {measured.database}: slowest page ({slowest.name}), p95 ms"
        lines.append([where, f"under {_PROMISED_PAGE_MS}", f"{slowest.p95 * 1000:.0f}"])
    if not lines:
        return "Not measured in this run.\n"
    return table(["what", "promised", "measured"], lines)


def _title(result: MeasuredWaits) -> str:
    return f"{result.fleet.agents:,} agents, {result.case}, {result.database}"


def _is_promised(fleet: Fleet) -> bool:
    return fleet.agents == _PROMISED_AGENTS and fleet.weight == "light"


def _of(spent: Spent, name: str) -> float:
    return spent.wall if name == "wall" else spent.cpu


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
