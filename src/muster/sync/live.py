"""How far a sync is, as a page shows it: the run's own record, and what its job said since."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from muster import clock
from muster.jobs.types import OPEN, JobView
from muster.sync import kinds, words
from muster.sync.following import Crew
from muster.sync.kinds import SyncKind
from muster.sync.requests import kind_of
from muster.sync.schemas import RunView
from muster.sync.types import RunStatus
from muster.web import wording

# A worker gives signs of life far more often than this.
_QUIET = timedelta(seconds=60)
# A start takes a moment; who waits longer is told why.
_PROMPT = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A sync that waits (`run_id` then is its job's) or goes on. `read` of `total`; `share` is None while
    the total is not known. `quiet` says since when there was no sign of life, when that is too long.
    """

    kind: SyncKind
    run_id: UUID
    started_at: datetime | None
    doing: str
    organization: str | None = None
    read: int = 0
    total: int | None = None
    rate: float | None = None
    failed: int = 0
    cancelling: bool = False
    quiet: datetime | None = None

    @property
    def waits(self) -> bool:
        """Whether it has not begun yet."""
        return self.started_at is None

    @property
    def share(self) -> float | None:
        """How much of it is done, 0 to 1."""
        return min(self.read / self.total, 1.0) if self.total else None

    @property
    def figures(self) -> str:
        """168 of 250."""
        if not self.total:
            return f"{wording.number(self.read)} read" if self.read else ""
        return f"{wording.number(min(self.read, self.total))} of {wording.number(self.total)}"

    @property
    def pace(self) -> str:
        """12 per second, 7 s left."""
        if not self.rate:
            return ""
        said = f"{self.rate:.0f} per second" if self.rate >= 1 else f"{self.rate * 60:.0f} per minute"
        if self.total and self.total > self.read:
            said += f", {wording.span((self.total - self.read) / self.rate + 1)} left"
        return said


def of_run(run: RunView, job: JobView | None) -> Live:
    """A run that is under way; `job` is the one that carries it out, None where it is none."""
    said = (job.progress if job is not None else None) or {}
    now = clock.now()
    reading = said.get("read") is not None
    return Live(
        kind=kinds.of(run.sync_type, run.mode),
        run_id=run.run_id,
        started_at=run.started_at,
        doing=words.doing(said.get("phase") or run.phase),
        organization=said.get("organization") or run.cursor.get("organization"),
        read=said["read"] if reading else max(run.processed, said.get("processed") or 0),
        total=(said.get("read_total") if reading else None) or said.get("total") or run.progress_total,
        rate=said.get("rate"),
        failed=run.failed,
        cancelling=job is not None and job.cancel_requested_at is not None,
        quiet=run.heartbeat_at if now - run.heartbeat_at > _QUIET else None,
    )


def of_job(job: JobView, crew: Crew, running: RunView | None) -> Live | None:
    """A sync that was asked for and has not begun; None when its time has passed."""
    if job.state not in OPEN:
        return None
    waited = clock.now() - job.requested_at
    if not crew.lives:
        doing = "Waiting for a worker"
    elif running is not None and running.run_id != job.job_id:
        doing = f"Waiting for the {kinds.of(running.sync_type, running.mode).title.lower()} to end"
    elif waited > _PROMPT:
        doing = "Waiting for a free worker"
    else:
        doing = "Starting"
    return Live(
        kind=kind_of(job),
        run_id=job.job_id,
        started_at=None,
        doing=doing,
        cancelling=job.cancel_requested_at is not None,
    )


def spoken(live: Live | None, ended: RunView | None) -> str:
    """What a screen reader says of it."""
    if live is not None:
        where = f", {live.organization}" if live.organization else ""
        figures = f" {live.figures}." if live.figures else ""
        return f"{live.kind.title}. {live.doing}{where}.{figures}"
    if ended is None:
        return ""
    status = words.STATUSES.get(ended.status, words.Word(ended.status, ""))
    title = kinds.of(ended.sync_type, ended.mode).title
    return f"{title}. {status.text}: {words.result(ended)}."


def is_running(run: RunView | None) -> bool:
    """Whether a run is under way."""
    return run is not None and run.status == RunStatus.RUNNING
