"""`muster worker` in processes of their own, on the database of a test; and a world they can work for."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from muster.db import Database
from muster.encryption import FixedKeys, Key, SecretBox, new_key
from muster.jobs.service import JobService, WorkerService
from muster.jobs.types import OPEN, JobTicket, JobView, WorkerView
from muster.schedules.kinds import KINDS
from muster.schedules.service import ScheduleService
from muster.sync.jobs import request_devices
from muster.sync.types import SyncMode
from tests.support.world import World

_ROOT = Path(__file__).parents[2]

_WORKER = "import sys; from muster.cli import main; sys.exit(main(['worker', '--json']))"
# Another version of Muster, with more workflows: DBOS's own idea of a version would differ, too.
NEWER = f"""
import muster
muster.__version__ = "99.0.0"
from dbos import DBOS

@DBOS.workflow()
async def something_new() -> None:
    pass

{_WORKER}
"""


class Works(World):
    """A world whose key worker processes can be given."""

    key: Key
    folder: Path

    @classmethod
    async def open(cls, database: Database, folder: Path, name: str = "Acme IT") -> "Works":
        """A new tenant; `folder` is the data folder of all its workers."""
        made, key = await World.make(database, name), new_key()
        world = cls(database, made.scope, SecretBox(FixedKeys((key,))))
        world.key, world.folder = key, folder
        return world

    async def request(self, integration_id: UUID, mode: SyncMode = SyncMode.FULL) -> JobTicket:
        """Ask for a sync of devices."""
        view = await self.integration(integration_id)
        async with self.database.write(self.scope) as session:
            return await request_devices(JobService(session, self.scope), view, mode, trigger="test")

    async def unschedule(self, integration_id: UUID) -> None:
        """Have nothing done but what the test asks for."""
        async with self.database.write(self.scope) as session:
            for kind in KINDS:
                await ScheduleService(session, self.scope, self.box).set(integration_id, kind, enabled=False)

    async def jobs(self) -> list[JobView]:
        """All jobs, newest first."""
        async with self.database.read(self.scope) as session:
            return list(await JobService(session, self.scope).list(limit=10_000))

    async def workers(self) -> list[WorkerView]:
        """The workers on the roll."""
        async with self.database.read(system=True) as session:
            return list(await WorkerService(session).list())

    async def all_ended(self) -> list[JobView]:
        """All jobs, once none is open."""
        while True:
            jobs = await self.jobs()
            if not [job for job in jobs if job.state in OPEN]:
                return jobs
            await asyncio.sleep(0.1)

    def settings_of_workers(self) -> dict[str, str]:
        """What lets another process work for this world."""
        return {
            "MUSTER_DATABASE_URL": self.database.url.render_as_string(hide_password=False),
            "MUSTER_DATA_DIR": str(self.folder),
            "MUSTER_SECRET_KEY": self.key.material.hex(),
            "MUSTER_LOG_LEVEL": "info",
        }

    @asynccontextmanager
    async def worker(self, code: str = _WORKER, **settings: str) -> AsyncIterator["WorkerProcess"]:
        """A worker that is ready; it is killed at the end if it still runs."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")}
        environ |= {"PYTHONPATH": str(_ROOT / "src"), **self.settings_of_workers(), **settings}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, cwd=_ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        worker = WorkerProcess(process)
        try:
            await worker.ready()
            yield worker
        finally:
            if process.returncode is None:
                await worker.kill()


class WorkerProcess:
    """One `muster worker`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._log = bytearray()
        self._reading = asyncio.create_task(self._read())

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return self._log.decode(errors="replace")

    async def ready(self) -> None:
        """Wait until it looks for jobs."""
        assert self._process.stdout is not None
        if not await self._process.stdout.readline():
            await self._reading
            raise AssertionError(self.log)

    async def kill(self) -> None:
        """kill -9, at whatever it is."""
        self._process.send_signal(signal.SIGKILL)
        await self._process.wait()
        await self._reading

    def pause(self) -> None:
        """SIGSTOP: it is there, and does nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """SIGCONT: it goes on where it was."""
        self._process.send_signal(signal.SIGCONT)

    async def stop(self) -> int:
        """SIGTERM; its exit code once it has ended."""
        self._process.send_signal(signal.SIGTERM)
        code = await self._process.wait()
        await self._reading
        return code

    async def _read(self) -> None:
        assert self._process.stderr is not None
        while chunk := await self._process.stderr.read(65_536):
            self._log += chunk
