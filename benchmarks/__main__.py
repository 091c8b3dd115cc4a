"""`python -m benchmarks`: measure device syncs beside their floor and write docs/performance.md."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from benchmarks import report
from benchmarks.servers import ROOT, Databases, SqliteFiles, postgres, simulator
from benchmarks.values import (
    DownloadResult,
    Fleet,
    Measured,
    MemoryResult,
    Order,
    Prepared,
    StoreResult,
    SyncResult,
)

T = TypeVar("T")

FLEETS = (Fleet(agents=1_000), Fleet(agents=10_000), Fleet(agents=1_000, weight="real"))
QUICK_FLEETS = (Fleet(agents=200),)
MEMORY_FLEETS = (
    Fleet(agents=5_000, weight="real", source="auto"),
    Fleet(agents=5_000, weight="real", source="beta"),
)
CASES = (("cold", "full"), ("warm", "full"), ("incremental", "incremental"))


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

    def measure(self, fleet: Fleet, databases: list[Databases]) -> Iterator[Measured]:
        """Every case on every database, each beside the floor of the same requests and rows."""
        with simulator(fleet) as (server_url, api_key):
            for kind in databases:
                say(f"{fleet.title} agents, {kind.name}")
                with self._prepared(fleet, kind, server_url, api_key) as order:
                    yield from self._cases(fleet, kind, order)

    def memory(self, fleet: Fleet, kind: Databases) -> MemoryResult:
        """One cold full sync, for its peak memory."""
        say(f"{fleet.title} agents, {kind.name}, memory")
        with (
            simulator(fleet) as (server_url, api_key),
            self._prepared(fleet, kind, server_url, api_key) as order,
        ):
            return MemoryResult(fleet, kind.name, run_step(order, SyncResult))

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
    def _prepared(self, fleet: Fleet, kind: Databases, server_url: str, api_key: str) -> Iterator[Order]:
        url = kind.create("measured")
        order = Order(
            step="prepare",
            database_url=url,
            folder=str(self._folder / "data"),
            server_url=server_url,
            api_key=api_key,
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
        "--output", type=Path, default=ROOT / "docs" / "performance.md", help="the page to write"
    )
    return parser.parse_args()


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
            bench = Bench(folder)
            fleets = QUICK_FLEETS if wanted.quick else FLEETS
            measured = [result for fleet in fleets for result in bench.measure(fleet, databases)]
            heavy = () if wanted.quick else MEMORY_FLEETS
            memory = [bench.memory(fleet, kind) for fleet in heavy for kind in databases]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    page = report.page(measured, memory, report.Conditions.here(time.monotonic() - begun))
    wanted.output.parent.mkdir(parents=True, exist_ok=True)
    wanted.output.write_text(page)
    say(f"{wanted.output} written in {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
