"""Syncs and runs for programs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from muster import clock
from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.db import Database
from muster.encryption import SecretBox
from muster.errors import InvalidInput, NotFound
from muster.sync import kinds
from muster.sync.history import RunHistory
from muster.sync.requests import SyncRequests
from muster.sync.schemas import (
    CancelView,
    EntryFilter,
    EntryList,
    RunFilter,
    RunList,
    RunView,
    SyncOrder,
    SyncTicket,
    SyncTickets,
)
from muster.sync.types import Action, RunStatus, SyncMode, SyncType

Limit = Annotated[int, QueryParameter(ge=1, le=250)]
Offset = Annotated[int, QueryParameter(ge=0, le=100_000_000)]


@post(
    "/integrations/{integration_id:uuid}/sync",
    operation_id="startSync",
    guards=[needs(Permission.RMM_SYNC)],
    status_code=202,
)
async def start_sync(
    data: JSONBody[SyncOrder],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    integration_id: FromPath[UUID],
) -> SyncTickets:
    """Ask for a sync; a worker carries it out. One of the same kind that is under way is joined."""
    async with database.write(actor.scope) as session:
        requests = SyncRequests(session, actor.scope, secrets)
        if data.kind == "everything":
            asked = list(await requests.start_everything(integration_id))
        else:
            kind = kinds.get(data.kind)
            days = data.days or (kinds.USUAL_DAYS if kind.takes_days else None)
            asked = [await requests.start(integration_id, kind, days=days)]
    items = [SyncTicket(run_id=each.job_id, kind=each.kind.key, joined=each.joined) for each in asked]
    return SyncTickets(items=items, total=len(items))


@get("/runs", operation_id="listRuns", guards=[needs(Permission.ASSET_READ)])
async def list_runs(
    *,
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    integration_id: Annotated[UUID | None, QueryParameter()] = None,
    sync_type: Annotated[SyncType | None, QueryParameter()] = None,
    mode: Annotated[SyncMode | None, QueryParameter()] = None,
    status: Annotated[RunStatus | None, QueryParameter()] = None,
    trigger: Annotated[str | None, QueryParameter(max_length=100)] = None,
    since: Annotated[datetime | None, QueryParameter()] = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> RunList:
    """Runs that match, newest first; `since` means begun then or later."""
    wanted = RunFilter(
        integration_id=integration_id,
        sync_type=sync_type and sync_type.value,
        mode=mode and mode.value,
        status=status and status.value,
        trigger=trigger,
        since=since and _aware(since),
    )
    async with database.read(actor.scope) as session:
        history = RunHistory(session, actor.scope)
        return RunList(
            items=list(await history.page(wanted, limit=limit, offset=offset)),
            total=await history.count(wanted),
        )


@get("/runs/{run_id:uuid}", operation_id="getRun", guards=[needs(Permission.ASSET_READ)])
async def get_run(
    actor: NamedDependency[Actor], database: NamedDependency[Database], run_id: FromPath[UUID]
) -> RunView:
    """One run. A sync that was asked for has none before a worker begins it."""
    async with database.read(actor.scope) as session:
        return await _found(RunHistory(session, actor.scope), run_id)


@get("/runs/{run_id:uuid}/entries", operation_id="listRunEntries", guards=[needs(Permission.ASSET_READ)])
async def list_entries(
    *,
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    run_id: FromPath[UUID],
    action: Annotated[Action | None, QueryParameter()] = None,
    q: Annotated[str | None, QueryParameter(max_length=200)] = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> EntryList:
    """What a run did, or could not do, to single items, and why; problems first."""
    wanted = EntryFilter(actions=(action.value,) if action else (), text=q or None)
    async with database.read(actor.scope) as session:
        history = RunHistory(session, actor.scope)
        await _found(history, run_id)
        counts = await history.count_entries(run_id, wanted.text)
        items = await history.entries(run_id, wanted, limit=limit, offset=offset)
    total = sum(count for (_, found), count in counts.items() if action is None or found == action)
    return EntryList(items=list(items), total=total)


@post(
    "/runs/{run_id:uuid}/cancel",
    operation_id="cancelRun",
    guards=[needs(Permission.RMM_SYNC)],
    status_code=202,
)
async def cancel_run(
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    run_id: FromPath[UUID],
) -> CancelView:
    """End a run, or a sync that waits. What is under way ends at its next safe point."""
    async with database.write(actor.scope) as session:
        job = await SyncRequests(session, actor.scope, secrets).cancel_run(run_id)
    return CancelView(run_id=job.job_id, state=job.state)


ROUTES: list[BaseRouteHandler] = [start_sync, list_runs, get_run, list_entries, cancel_run]


def _aware(moment: datetime) -> datetime:
    """A moment with its zone; one without is refused rather than guessed."""
    if moment.tzinfo is None:
        raise InvalidInput(
            "since: the moment has no time zone.", remedy="Write it like 2026-11-26T02:50:00Z."
        )
    return clock.as_utc(moment)


async def _found(history: RunHistory, run_id: UUID) -> RunView:
    run = await history.find(run_id)
    if run is None:
        raise NotFound("There is no such run.", remedy="List the runs.")
    return run
