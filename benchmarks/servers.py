"""What the measured process talks to: a simulated Tactical server and databases, each in its own process."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.values import Fleet
from muster.simulator import FleetSpec, SimulatorServer
from tests.support import postgres_supervisor
from tests.support.postgres import URL_VARIABLE, PostgresServer, external_server, find_programs

_START_SECONDS = 120
ROOT = Path(__file__).resolve().parent.parent


class Simulator(NamedTuple):
    """A frozen simulated server: it answers the same to the same question, until `pass_a_day` is called."""

    url: str
    api_key: str
    pass_a_day: Callable[[], None]


@contextmanager
def simulator(fleet: Fleet) -> Iterator[Simulator]:
    """A server in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.servers", str(fleet.agents), fleet.weight],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        said, asked = process.stdout, process.stdin

        def pass_a_day() -> None:
            asked.write("a day\n")
            asked.flush()
            if said.readline() != "passed\n":
                raise RuntimeError("the simulator is gone; its words are above")

        words = said.readline().split()
        if len(words) != 2:
            raise RuntimeError("the simulator did not start; its words are above")
        yield Simulator(words[0], words[1], pass_a_day)
    finally:
        # Its end of input is the simulator's sign to stop, so that it stops also when this process is killed.
        process.communicate(timeout=_START_SECONDS)


async def _serve(agents: int, weight: str) -> None:
    spec = FleetSpec(agents=agents, seed=1, weight="real" if weight == "real" else "light")
    async with SimulatorServer(spec, frozen=True) as server:
        print(server.url, server.api_key, flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            server.clock.advance(timedelta(days=1))
            print("passed", flush=True)


class SqliteFiles:
    """Databases as files of a folder."""

    name = "SQLite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def create(self, name: str) -> str:
        """The URL of a database that does not exist yet."""
        return f"sqlite:///{self._folder / name}.db"

    def copy(self, url: str, name: str) -> str:
        """A copy of a closed database."""
        target = self._folder / f"{name}.db"
        shutil.copyfile(url.removeprefix("sqlite:///"), target)
        return f"sqlite:///{target}"

    def unrestricted(self, url: str) -> str:
        """The same database past row security, which SQLite has not."""
        return url

    def drop(self, url: str) -> None:
        """Remove it, write-ahead log included."""
        for suffix in ("", "-wal", "-shm"):
            Path(url.removeprefix("sqlite:///") + suffix).unlink(missing_ok=True)


class PostgresDatabases:
    """Databases on a PostgreSQL server."""

    name = "PostgreSQL"

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    def create(self, name: str) -> str:
        """The URL of an empty database."""
        self._server.drop_database(self._full(name))
        return self._plain(self._server.create_database(name))

    def copy(self, url: str, name: str) -> str:
        """A copy of a database that nobody is connected to."""
        self._server.drop_database(self._full(name))
        return self._plain(self._server.create_database(name, template=url.rsplit("/", 1)[-1]))

    def unrestricted(self, url: str) -> str:
        """The same database past row security: the floor is what a bare write costs."""
        return self._plain(self._server.url(url.rsplit("/", 1)[-1], superuser=True))

    def drop(self, url: str) -> None:
        """Drop it."""
        self._server.drop_database(url)

    def _full(self, name: str) -> str:
        return f"{self._server.prefix}{name}"

    def _plain(self, url: str) -> str:
        return url.replace("postgresql+asyncpg:", "postgresql:")


Databases = SqliteFiles | PostgresDatabases


@contextmanager
def postgres(folder: Path) -> Iterator[PostgresDatabases | None]:
    """The server that the environment names, else one of its own; None where there are no programs for it."""
    if url := os.environ.get(URL_VARIABLE):
        yield PostgresDatabases(external_server(url, folder))
        return
    programs = find_programs()
    if programs is None:
        yield None
        return
    folder.chmod(0o711)
    myself = psutil.Process()
    controller = {"pid": myself.pid, "started": myself.create_time()}
    (folder / "controller.json").write_text(json.dumps(controller))
    with (folder / "postgres.log").open("wb") as log:
        command = [sys.executable, str(postgres_supervisor.__file__), str(programs), str(folder)]
        supervisor = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield PostgresDatabases(_joined(folder, supervisor))
    finally:
        supervisor.terminate()
        supervisor.wait(timeout=_START_SECONDS)


def _joined(folder: Path, supervisor: subprocess.Popen[bytes]) -> PostgresServer:
    state, deadline = folder / "postgres.json", time.monotonic() + _START_SECONDS
    while not state.exists():
        if supervisor.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL did not start:\n{(folder / 'postgres.log').read_text()[-4000:]}")
        time.sleep(0.05)
    answer = json.loads(state.read_text())
    return PostgresServer(
        host="127.0.0.1",
        port=answer["port"],
        user="muster",
        password=answer["password"],
        prefix="muster_bench_",
        folder=folder,
    )


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), sys.argv[2]))
