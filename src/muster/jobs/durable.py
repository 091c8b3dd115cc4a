"""DBOS behind the port: it remembers which jobs were begun and brings those of a dead worker back.

It holds ids only; what a job is about stays in Muster's own row. Why it is set up like this:
docs/decisions/0010-dbos-behind-a-port.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID
from sqlalchemy.engine import URL

from muster.errors import Conflict

# Never the version of the code: DBOS gives jobs only to workers of the version that began them.
APPLICATION_VERSION = "muster"
SCHEMA = "muster_jobs"
_THREADS = 8
_CONNECTIONS = 4
_ENDED = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
_DELETED_AT_ONCE = 500

CarryOut = Callable[[UUID], Awaitable[None]]


class _Bound:
    """What the one workflow of this process calls; DBOS is one for a process."""

    carry_out: CarryOut | None = None


@DBOS.workflow(name="muster.job")
async def _job(job_id: str) -> None:
    """One job. It has no steps that DBOS would record: the job's own row says how far it is, and a handler
    goes on from there.
    """
    if _Bound.carry_out is None:
        # The process is closing: cancelled, DBOS keeps the job as begun for whoever takes over.
        raise asyncio.CancelledError
    await _Bound.carry_out(UUID(job_id))


class Durable:
    """DBOS, launched in the event loop that is running, so that jobs run there and nowhere else."""

    def __init__(self, url: URL, folder: Path, executor_id: str) -> None:
        """On PostgreSQL it keeps a schema of its own in Muster's database; on SQLite a file `jobs.db` of its
        own in `folder`: in one file with Muster's data both wait for each other.
        """
        self._url = url
        self._folder = folder
        self._executor_id = executor_id

    def launch(self, carry_out: CarryOut) -> None:
        """Open and begin; blocks while the tables are made on the first start. Conflict when this process
        has one open already.
        """
        if _Bound.carry_out is not None:
            raise Conflict("This process carries out jobs already.")
        _log_as_muster_does()
        DBOS(config=self._config())
        DBOS.launch()
        _Bound.carry_out = carry_out

    async def close(self) -> None:
        """Let go. Jobs that are not finished stay begun, for whoever takes over."""
        _Bound.carry_out = None
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "jobs-close") as closer:
            await loop.run_in_executor(closer, DBOS.destroy)
        # DBOS had made its own threads those of the loop, and has just ended them.
        loop.set_default_executor(ThreadPoolExecutor(_THREADS, "muster"))

    async def ensure(self, job_id: UUID) -> None:
        """Have this job run: begun if it never was, else taken back from the process that had it; begun anew
        where DBOS thinks that it has ended.
        """
        workflow_id = str(job_id)
        found = await DBOS.get_workflow_status_async(workflow_id)
        if found is not None and found.status in _ENDED:
            await DBOS.delete_workflow_async(workflow_id)
            found = None
        if found is not None:
            await DBOS.resume_workflow_async(workflow_id)
            return
        with SetWorkflowID(workflow_id):
            await DBOS.start_workflow_async(_job, workflow_id)

    async def forget_before(self, moment: datetime) -> int:
        """Delete what is kept of jobs that ended before a moment; gives their number."""
        old = await DBOS.list_workflows_async(
            status=list(_ENDED),
            completed_before=moment.isoformat(),
            limit=_DELETED_AT_ONCE,
            load_input=False,
            load_output=False,
        )
        if old:
            await DBOS.delete_workflows_async([workflow.workflow_id for workflow in old])
        return len(old)

    def _config(self) -> DBOSConfig:
        config: DBOSConfig = {
            "name": "muster",
            "executor_id": self._executor_id,
            "application_version": APPLICATION_VERSION,
            "serializer": DBOSPortableJSONSerializer(),
            "dbos_system_schema": SCHEMA,
            "max_executor_threads": _THREADS,
            "sys_db_pool_size": _CONNECTIONS,
            "use_listen_notify": False,
            "log_level": "WARNING",
            "enable_otlp": False,
        }
        if self._url.get_backend_name() == "sqlite":
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._folder / "jobs.db"
            config["system_database_url"] = f"sqlite:///{path}"
            config["system_database_engine"] = _sqlite_engine(path)
        else:
            config["system_database_url"] = _for_psycopg(self._url)
        return config


def _for_psycopg(url: URL) -> str:
    """The same database by the driver DBOS uses, which has another word for TLS."""
    query = {("sslmode" if name == "ssl" else name): value for name, value in url.query.items()}
    plain = url.set(drivername="postgresql+psycopg", query=query)
    return plain.render_as_string(hide_password=False)


def _sqlite_engine(path: Path) -> sa.Engine:
    """DBOS's own engine has no write-ahead log; every look would wait for every write."""
    engine = sa.create_engine(f"sqlite:///{path}", pool_size=_CONNECTIONS, max_overflow=0, pool_timeout=60)

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        # A transaction that began by reading and then writes would fail when another one wrote meanwhile.
        connection.isolation_level = "IMMEDIATE"
        cursor = connection.cursor()
        for pragma in (
            "busy_timeout = 30000",
            "journal_mode = WAL",
            "synchronous = NORMAL",
            "foreign_keys = ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


def _log_as_muster_does() -> None:
    """DBOS adds a handler of its own to a logger that has none."""
    logger = logging.getLogger("dbos")
    if not any(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
        logger.addHandler(logging.NullHandler())
    logger.propagate = True
