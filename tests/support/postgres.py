"""A PostgreSQL server for the tests: one for the whole session, an own database for each test.

The server is made from the installed programs on a free loopback port, or is the one that
MUSTER_TEST_POSTGRES_URL names (a superuser's address). Workers of pytest-xdist share it: the first that
needs it starts it under a file lock, and ``postgres_supervisor.py`` stops it when the session is over.
"""

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, unquote, urlsplit

import asyncpg
import psutil
import pytest

from tests.support.locks import locked
from tests.support.session import in_ci, is_worker, session_folder

T = TypeVar("T")

URL_VARIABLE = "MUSTER_TEST_POSTGRES_URL"
NO_POSTGRES = "PostgreSQL's programs were not found"
REMEDY = f"install them (Debian: apt install postgresql) or set {URL_VARIABLE}"

_SUPERVISOR = Path(__file__).with_name("postgres_supervisor.py")
_START_SECONDS = 90


@dataclass(frozen=True)
class PostgresServer:
    """A running server and a superuser's way in.

    Muster gets a role of its own, which owns its databases and is no superuser: only so is it held to
    row-level security. ``prefix`` begins the name of every database made here, so that sessions on one
    server do not meet.
    ``folder`` is shared by the workers of this session.
    """

    host: str
    port: int
    user: str
    password: str
    prefix: str
    folder: Path

    def create_database(self, name: str | None = None, template: str | None = None) -> str:
        """Make a database and return its ``postgresql+asyncpg://`` URL.

        Without a name it gets a unique one. ``template`` is a name that ``template()`` returned.
        """
        database = self._full_name(name or uuid.uuid4().hex)
        source = "template1" if template is None else template
        self._make_role()
        self._execute(f'CREATE DATABASE "{database}" TEMPLATE "{source}" OWNER "{self.role}"')
        return self.url(database)

    def drop_database(self, name_or_url: str) -> None:
        """Drop a database, closing whatever is connected to it; one that is gone already is fine."""
        name = name_or_url.rsplit("/", 1)[-1]
        database = name if name.startswith(self.prefix) else self._full_name(name)
        self._execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    def template(self, name: str, build: Callable[[str], object]) -> str:
        """The name of a database to copy, built once in the session whichever worker comes first.

        ``build`` gets the URL of an empty database and must close its connections.
        """
        database = self._full_name(name)
        done = self.folder / f"template-{database}.done"
        with locked(self.folder / f"template-{database}.lock"):
            if not done.exists():
                # An earlier attempt may have failed half way.
                self._execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
                build(self.create_database(name))
                # A copy is refused while anybody is connected to its source.
                self._execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS false')
                done.touch()
        return database

    @property
    def role(self) -> str:
        """The role that Muster works with."""
        return f"{self.prefix}app"

    def url(self, database: str, *, superuser: bool = False) -> str:
        """The SQLAlchemy URL of a database of this server, for Muster's role or a superuser."""
        user = self.user if superuser else self.role
        login = f"{quote(user, safe='')}:{quote(self.password, safe='')}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"postgresql+asyncpg://{login}@{host}:{self.port}/{database}"

    def drop_everything(self) -> None:
        """Drop every database that this session made (for a server that outlives the session)."""
        rows = run_apart(self._fetch("SELECT datname FROM pg_database WHERE starts_with(datname, $1)"))
        for database in rows:
            self._execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
        self._execute(f'DROP ROLE IF EXISTS "{self.role}"')
        (self.folder / f"role-{self.role}.done").unlink(missing_ok=True)

    def _make_role(self) -> None:
        done = self.folder / f"role-{self.role}.done"
        with locked(self.folder / f"role-{self.role}.lock"):
            if not done.exists():
                password = self.password.replace("'", "''")
                self._execute(f"CREATE ROLE \"{self.role}\" LOGIN PASSWORD '{password}'")
                done.touch()

    def _full_name(self, name: str) -> str:
        database = f"{self.prefix}{name}".lower()
        # 63 bytes is PostgreSQL's limit; it would cut a longer name without a word.
        if not re.fullmatch(r"[a-z0-9_]{1,63}", database):
            raise ValueError(f"a database name is letters, digits and underscores, at most 63: {database!r}")
        return database

    def _execute(self, statement: str) -> None:
        run_apart(self._execute_with_patience(statement))

    async def _execute_with_patience(self, statement: str) -> None:
        for attempt in range(20):
            connection = await self._connect()
            try:
                await connection.execute(statement)
            except asyncpg.ObjectInUseError:
                # Another worker is copying the same template at this moment.
                if attempt == 19:
                    raise
                await asyncio.sleep(0.1)
            else:
                return
            finally:
                await connection.close()

    async def _fetch(self, query: str) -> list[str]:
        connection = await self._connect()
        try:
            return [row[0] for row in await connection.fetch(query, self.prefix)]
        finally:
            await connection.close()

    async def _connect(self) -> Any:
        return await asyncpg.connect(
            host=self.host, port=self.port, user=self.user, password=self.password, database="postgres"
        )


def run_apart(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in a thread of its own, so that callers may have a running loop."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def find_programs() -> Path | None:
    """The folder of PostgreSQL's server programs (initdb, postgres), the newest version first."""
    candidates = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True
    )
    if tool := shutil.which("pg_config"):
        answer = subprocess.run([tool, "--bindir"], capture_output=True, text=True, check=False)
        candidates.append(Path(answer.stdout.strip()))
    if tool := shutil.which("initdb"):
        candidates.append(Path(tool).resolve().parent)
    for folder in candidates:
        if os.access(folder / "initdb", os.X_OK) and os.access(folder / "postgres", os.X_OK):
            return folder
    return None


def external_server(url: str, folder: Path) -> PostgresServer:
    """The server that the developer named."""
    parts = urlsplit(url)
    if not parts.scheme.startswith("postgresql") or not parts.hostname:
        pytest.fail(f"{URL_VARIABLE} must look like postgresql://superuser:password@host:5432/postgres")
    return PostgresServer(
        host=parts.hostname,
        port=parts.port or 5432,
        user=unquote(parts.username or "postgres"),
        password=unquote(parts.password or ""),
        prefix=f"muster_test_{folder.name.rsplit('-', 1)[-1].lower()}_",
        folder=folder,
    )


def start_or_join(programs: Path, folder: Path) -> PostgresServer:
    """The session's own server: started by the first who asks, joined by the others."""
    state = folder / "postgres.json"
    with locked(folder / "postgres.lock"):
        if not state.exists():
            _start(programs, folder, state)
        answer = json.loads(state.read_text())
    if "error" in answer:
        raise RuntimeError(f"PostgreSQL did not start: {answer['error']}")
    return PostgresServer(
        host="127.0.0.1",
        port=answer["port"],
        user="muster",
        password=answer["password"],
        prefix="muster_test_",
        folder=folder,
    )


def _start(programs: Path, folder: Path, state: Path) -> None:
    log = folder / "supervisor.log"
    # Spawned rather than Popen'ed: the supervisor outlives this worker, which is no leak.
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, str(_SUPERVISOR), str(programs), str(folder)],
        dict(os.environ),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    deadline = time.monotonic() + _START_SECONDS
    while not state.exists():
        gone, _ = os.waitpid(pid, os.WNOHANG)
        if gone or time.monotonic() > deadline:
            if not gone:
                os.kill(pid, signal.SIGTERM)
            raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()[-4000:]}")
        time.sleep(0.05)


def stop(folder: Path) -> None:
    """End the session's server, or clean up on the developer's; called once, by the controller."""
    used_external = folder / "external"
    if used_external.exists():
        external_server(os.environ[URL_VARIABLE], folder).drop_everything()
    state = folder / "postgres.json"
    if not state.exists():
        return
    with contextlib.suppress(psutil.NoSuchProcess):
        supervisor = psutil.Process(json.loads(state.read_text())["supervisor"])
        supervisor.terminate()
        supervisor.wait(timeout=30)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server when the last worker is done, also after an interruption."""
    if not is_worker(config):
        stop(session_folder())


@pytest.fixture(scope="session")
def postgres_server() -> PostgresServer:
    """A PostgreSQL server on which tests make their own databases."""
    folder = session_folder()
    if url := os.environ.get(URL_VARIABLE):
        (folder / "external").touch()
        return external_server(url, folder)
    programs = find_programs()
    if programs is None:
        if in_ci():
            pytest.fail(f"{NO_POSTGRES}: {REMEDY}", pytrace=False)
        pytest.skip(f"{NO_POSTGRES}: {REMEDY}")
    return start_or_join(programs, folder)
