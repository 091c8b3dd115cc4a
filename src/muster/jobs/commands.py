"""`muster job`: background work, and `muster job workers`: who does it."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from muster.errors import InvalidInput, NotFound
from muster.jobs.service import JobService, WorkerService
from muster.jobs.types import JobState
from muster.naming import as_id
from muster.terminal import LimitOption, Terminal, command, group

commands = group("job", "Background work: what waits, runs and has ended.")

JobArgument = Annotated[str, typer.Argument(metavar="ID", help="The job's id.")]

_COLUMNS = {
    "requested_at": "Requested",
    "kind": "Kind",
    "state": "State",
    "requested_by": "By",
    "not_before": "Not before",
    "started_at": "Started",
    "finished_at": "Finished",
    "attempts": "Attempts",
    "progress": "Progress",
    "job_id": "Id",
}
_WORKER_COLUMNS = {
    "executor_id": "Worker",
    "version": "Version",
    "started_at": "Started",
    "heartbeat_at": "Last sign of life",
    "dead": "Dead",
}


@commands.command("list", epilog="Example: muster job list --state started --state requested")
@command
async def list_(
    terminal: Terminal,
    *,
    state: Annotated[
        list[str] | None,
        typer.Option(help="Only jobs in this state: requested, started, succeeded, failed, cancelled."),
    ] = None,
    kind: Annotated[list[str] | None, typer.Option(help="Only jobs of this kind.")] = None,
    limit: LimitOption = 100,
) -> None:
    """List jobs, newest first."""
    scope = await terminal.scope()
    states = [_state(text) for text in state or ()]
    async with terminal.database.read(scope) as session:
        jobs = await JobService(session, scope).list(states, kinds=kind or (), limit=limit)
    terminal.output.items(jobs, _COLUMNS, empty="There is no such job.")


@commands.command("show", epilog="Example: muster job show 0199f0a3-... --json")
@command
async def show(terminal: Terminal, job_id: JobArgument) -> None:
    """Show a job: how far it is, what came of it, or why it failed."""
    scope = await terminal.scope()
    async with terminal.database.read(scope) as session:
        terminal.output.thing(await JobService(session, scope).get(_id(job_id)))


@commands.command("cancel", epilog="Example: muster job cancel 0199f0a3-...")
@command
async def cancel(terminal: Terminal, job_id: JobArgument) -> None:
    """End a job: at once while it waits, soon while it runs. What it has written stays."""
    scope = await terminal.scope()
    async with terminal.database.write(scope) as session:
        job = await JobService(session, scope).cancel(_id(job_id))
    if terminal.output.json(job):
        return
    if job.state == JobState.STARTED:
        terminal.output.say("It ends at its next pause.")
    elif job.state == JobState.CANCELLED:
        terminal.output.say("It is cancelled.")
    else:
        terminal.output.say(f"It had ended already: {job.state}.")


@commands.command("workers", epilog="Example: muster job workers")
@command
async def workers_(terminal: Terminal) -> None:
    """List the processes that carry out jobs, of all tenants."""
    async with terminal.database.read(system=True) as session:
        found = await WorkerService(session).list()
    terminal.output.items(found, _WORKER_COLUMNS, empty="No worker runs. Start one: muster worker")


def _id(text: str) -> UUID:
    found = as_id(text)
    if found is None:
        raise NotFound(f"There is no job {text[:60]!r}.", remedy="See: muster job list")
    return found


def _state(text: str) -> JobState:
    try:
        return JobState(text.strip().lower())
    except ValueError:
        raise InvalidInput(
            f"There is no state {text[:60]!r}.", remedy=f"There are: {', '.join(JobState)}."
        ) from None
