"""`python -m benchmarks`: measure device syncs beside their floor, small writes and webhooks beside device
syncs, readings of software, and pages of many assets and installs; write docs/performance.md.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from benchmarks import report
from benchmarks.servers import ROOT, Databases, Simulator, SqliteFiles, postgres, simulator
from benchmarks.values import (
    DownloadResult,
    Fleet,
    Measured,
    MeasuredPages,
    MeasuredSoftware,
    MeasuredWaits,
    MeasuredWebhooks,
    MemoryResult,
    Order,
    PagesResult,
    Prepared,
    Results,
    SoftwareFloor,
    StoreResult,
    SyncResult,
    WaitsResult,
    WebhooksResult,
)

T = TypeVar("T")

FLEETS = (Fleet(agents=1_000), Fleet(agents=10_000), Fleet(agents=1_000, weight="real"))
QUICK_FLEETS = (Fleet(agents=200),)
MEMORY_FLEETS = (
    Fleet(agents=5_000, weight="real", source="auto"),
    Fleet(agents=5_000, weight="real", source="beta"),
)
CASES = (("cold", "full"), ("warm", "full"), ("incremental", "incremental"))
WRITES_FLEETS = (Fleet(agents=10_000),)
WRITES_CASES = (("cold", "full"), ("incremental", "incremental"))
WRITES, QUICK_WRITES = 400, 10
PAGES_FLEET = Fleet(agents=200)
PAGES_ASSETS, QUICK_PAGES_ASSETS = 100_000, 1_000
PAGES_INSTALLS, QUICK_PAGES_INSTALLS = 100_000, 2_000
PAGES_ASKED, QUICK_PAGES_ASKED = 40, 2
WEBHOOKS, QUICK_WEBHOOKS = 10_000, 100
SOFTWARE_FLEETS = (Fleet(agents=5_000, weight="real"),)
SUBJECTS = ("pace", "memory", "writes", "pages", "software", "software_pages", "webhooks")


def run_step(order: Order, result: type[T]) -> T:
    """The step in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.step"],
        cwd=ROOT,
        input=msgspec.json.encode(order),
        stdout=subprocess.PIPE,
        check=True,
    )
    return msgspec.json.decode(done.stdout, type=result)


class Bench:
    """Runs the cases of one fleet on one database after the other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def measure(self, fleet: Fleet, databases: Sequence[Databases]) -> Iterator[Measured]:
        """Every case on every database, each beside the floor of the same requests and rows."""
        with simulator(fleet) as server:
            for kind in databases:
                say(f"{fleet.title} agents, {kind.name}")
                with self._prepared(fleet, kind, server) as order:
                    yield from self._cases(fleet, kind, order)

    def memory(self, fleet: Fleet, kind: Databases) -> MemoryResult:
        """One cold full sync, for its peak memory."""
        say(f"{fleet.title} agents, {kind.name}, memory")
        with (
            simulator(fleet) as server,
            self._prepared(fleet, kind, server) as order,
        ):
            return MemoryResult(fleet, kind.name, run_step(order, SyncResult))

    def small_writes(self, fleet: Fleet, kind: Databases, least: int) -> Iterator[MeasuredWaits]:
        """At least so many small writes beside every case, from the process that syncs and from another."""
        for apart in (False, True):
            where = "another" if apart else "the same"
            say(f"{fleet.title} agents, {kind.name}, small writes from {where} process")
            with (
                simulator(fleet) as server,
                self._prepared(fleet, kind, server) as order,
            ):
                for name, mode in WRITES_CASES:
                    asked = msgspec.structs.replace(
                        order, step="small_writes", mode=mode, apart=apart, writes=least
                    )
                    yield MeasuredWaits(fleet, kind.name, name, apart, run_step(asked, WaitsResult))

    def pages(self, kind: Databases, *, assets: int, asked: int) -> MeasuredPages:
        """Pages of many assets; the simulated server is there for the connection's check alone."""
        say(f"{assets:,} assets, {kind.name}, pages")
        with (
            simulator(PAGES_FLEET) as server,
            self._prepared(PAGES_FLEET, kind, server) as order,
        ):
            wanted = msgspec.structs.replace(order, step="pages", assets=assets, asked=asked)
            return MeasuredPages(kind.name, run_step(wanted, PagesResult))

    def software(self, fleet: Fleet, kind: Databases) -> MeasuredSoftware:
        """Software read for the first time, again, and a day later; the floor of the first."""
        say(f"{fleet.title} agents, {kind.name}, software")
        with (
            simulator(fleet) as server,
            self._prepared(fleet, kind, server) as order,
        ):
            run_step(order, SyncResult)
            empty = kind.copy(order.database_url, "bare")
            reading = msgspec.structs.replace(order, step="software")
            first, again = run_step(reading, SyncResult), run_step(reading, SyncResult)
            wanted = msgspec.structs.replace(
                order,
                step="software_floor",
                requests=first.sent,
                database_url=kind.unrestricted(empty),
                written_url=kind.unrestricted(order.database_url),
            )
            floor = run_step(wanted, SoftwareFloor)
            kind.drop(empty)
            server.pass_a_day()
            return MeasuredSoftware(fleet, kind.name, floor, first, again, run_step(reading, SyncResult))

    def software_pages(self, kind: Databases, *, installs: int, asked: int) -> MeasuredPages:
        """Pages of software, likewise."""
        say(f"{installs:,} installs of software, {kind.name}, pages")
        with (
            simulator(PAGES_FLEET) as server,
            self._prepared(PAGES_FLEET, kind, server) as order,
        ):
            wanted = msgspec.structs.replace(order, step="software_pages", installs=installs, asked=asked)
            return MeasuredPages(kind.name, run_step(wanted, PagesResult))

    def webhooks(self, fleet: Fleet, kind: Databases, count: int) -> MeasuredWebhooks:
        """So many webhooks, and as many as come while a full sync writes."""
        say(f"{fleet.title} agents, {kind.name}, webhooks")
        with (
            simulator(fleet) as server,
            self._prepared(fleet, kind, server) as order,
        ):
            wanted = msgspec.structs.replace(order, step="webhooks", writes=count)
            return MeasuredWebhooks(fleet, kind.name, run_step(wanted, WebhooksResult))

    def _cases(self, fleet: Fleet, kind: Databases, order: Order) -> Iterator[Measured]:
        empty = kind.copy(order.database_url, "bare")
        stored: StoreResult | None = None
        downloads: dict[str, DownloadResult] = {}
        for name, mode in CASES:
            order = msgspec.structs.replace(order, step="sync", mode=mode)
            synced = run_step(order, SyncResult)
            if mode not in downloads:
                asked = msgspec.structs.replace(order, step="download", requests=synced.sent)
                downloads[mode] = run_step(asked, DownloadResult)
            if stored is None:
                wanted = msgspec.structs.replace(
                    order,
                    step="store",
                    database_url=kind.unrestricted(empty),
                    written_url=kind.unrestricted(order.database_url),
                )
                stored = run_step(wanted, StoreResult)
            written = stored.insert if name == "cold" else stored.touch
            yield Measured(fleet, kind.name, name, synced, downloads[mode], written)
        kind.drop(empty)

    @contextmanager
    def _prepared(self, fleet: Fleet, kind: Databases, server: Simulator) -> Iterator[Order]:
        url = kind.create("measured")
        order = Order(
            step="prepare",
            database_url=url,
            folder=str(self._folder / "data"),
            server_url=server.url,
            api_key=server.api_key,
            source=fleet.source,
        )
        prepared = run_step(order, Prepared)
        yield msgspec.structs.replace(
            order, step="sync", tenant_id=prepared.tenant_id, integration_id=prepared.integration_id
        )
        kind.drop(url)


def say(text: str) -> None:
    """Progress, apart from results."""
    print(text, file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="200 agents only: shows that the command works")
    parser.add_argument(
        "--database", choices=("sqlite", "postgres", "both"), default="both", help="which to measure on"
    )
    parser.add_argument(
        "--only",
        choices=SUBJECTS,
        action="append",
        help="one subject, or several of them: the pace of syncs, their memory (not with --quick), the small "
        "writes beside them (on SQLite), pages of many assets, readings of software, its pages, webhooks; "
        "default: all",
    )
    parser.add_argument(
        "--output", type=Path, default=ROOT / "docs" / "performance.md", help="the page to write"
    )
    return parser.parse_args()


def measured(
    bench: Bench, databases: Sequence[Databases], subjects: Collection[str], *, quick: bool
) -> Results:
    """The subjects asked for, one after the other."""
    results = Results()
    if "pace" in subjects:
        for fleet in QUICK_FLEETS if quick else FLEETS:
            results.pace.extend(bench.measure(fleet, databases))
    if "memory" in subjects and not quick:
        results.memory.extend(bench.memory(fleet, kind) for fleet in MEMORY_FLEETS for kind in databases)
    if "writes" in subjects:
        # One writer at a time is SQLite's alone.
        files = [kind for kind in databases if isinstance(kind, SqliteFiles)]
        for fleet in QUICK_FLEETS if quick else WRITES_FLEETS:
            for kind in files:
                results.writes.extend(bench.small_writes(fleet, kind, QUICK_WRITES if quick else WRITES))
    if "pages" in subjects:
        assets, asked = (QUICK_PAGES_ASSETS, QUICK_PAGES_ASKED) if quick else (PAGES_ASSETS, PAGES_ASKED)
        results.pages.extend(bench.pages(kind, assets=assets, asked=asked) for kind in databases)
    if "software" in subjects:
        for fleet in QUICK_FLEETS if quick else SOFTWARE_FLEETS:
            results.software.extend(bench.software(fleet, kind) for kind in databases)
    if "software_pages" in subjects:
        installs, asked = (
            (QUICK_PAGES_INSTALLS, QUICK_PAGES_ASKED) if quick else (PAGES_INSTALLS, PAGES_ASKED)
        )
        results.software_pages.extend(
            bench.software_pages(kind, installs=installs, asked=asked) for kind in databases
        )
    if "webhooks" in subjects:
        count = QUICK_WEBHOOKS if quick else WEBHOOKS
        for fleet in QUICK_FLEETS if quick else WRITES_FLEETS:
            results.webhooks.extend(bench.webhooks(fleet, kind, count) for kind in databases)
    return results


def main() -> None:
    """Measure and write the page."""
    wanted = arguments()
    begun = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="muster-bench-"))
    try:
        with ExitStack() as open_servers:
            databases: list[Databases] = []
            if wanted.database != "postgres":
                databases.append(SqliteFiles(folder))
            if wanted.database != "sqlite":
                server = open_servers.enter_context(postgres(folder))
                if server is None:
                    sys.exit("PostgreSQL's programs were not found: install them, or use --database sqlite.")
                databases.append(server)
            results = measured(Bench(folder), databases, wanted.only or SUBJECTS, quick=wanted.quick)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    page = report.page(results, report.Conditions.here(time.monotonic() - begun))
    wanted.output.parent.mkdir(parents=True, exist_ok=True)
    wanted.output.write_text(page)
    say(f"{wanted.output} written in {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
