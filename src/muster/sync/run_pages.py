"""Pages of the ledger: all runs, and one of them, live while it goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream, Template

from muster import clock
from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.db import Database
from muster.encryption import SecretBox
from muster.errors import NotFound
from muster.integrations.schemas import IntegrationView
from muster.integrations.service import IntegrationService
from muster.mappings.service import MappingService
from muster.naming import as_id
from muster.sync import export, following, kinds, live, words
from muster.sync.following import Crew
from muster.sync.history import RunHistory
from muster.sync.kinds import SyncKind
from muster.sync.leaves import entries_wanted, leaf
from muster.sync.live import Live
from muster.sync.pages import STOP_POLLING, told
from muster.sync.reading import readings
from muster.sync.requests import SyncRequests, kind_of
from muster.sync.schemas import RunFilter, RunView
from muster.sync.types import RunStatus, SyncMode
from muster.web import spreadsheet
from muster.web.frame import Frame, Toast, fragment, go, is_part
from muster.web.paging import Page, address

# Periods to look back over, by what stands in the address.
SINCE: Mapping[str, tuple[str, timedelta]] = {
    "24h": ("in the last 24 h", timedelta(hours=24)),
    "7d": ("in the last 7 days", timedelta(days=7)),
    "30d": ("in the last 30 days", timedelta(days=30)),
}
_INTEGRATIONS_OFFERED = 100

Text = Annotated[str | None, QueryParameter(max_length=200)]
Number = Annotated[int | None, QueryParameter(ge=1, le=1_000_000)]


@get("/runs", guards=[needs(Permission.ASSET_READ)])
async def run_list(
    *,
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
    integration: Text = None,
    kind: Text = None,
    status: Text = None,
    trigger: Text = None,
    since: Text = None,
    page: Number = None,
    rows: Number = None,
) -> Template:
    """The ledger: every run, newest first."""
    typed = {"integration": integration, "kind": kind, "status": status, "trigger": trigger, "since": since}
    query = _known(typed)
    wanted = _filter(query)
    async with database.read(actor.scope) as session:
        history = RunHistory(session, actor.scope)
        shown = Page.wanted(page, rows).of(await history.count(wanted))
        runs = await history.page(wanted, limit=shown.size, offset=shown.offset)
        every = await IntegrationService(session, actor.scope, secrets).list(_INTEGRATIONS_OFFERED)
        named = {**await history.integrations(runs), **{view.integration_id: view for view in every}}
    address_query = {**query, **({"rows": str(shown.size)} if rows else {})}
    return frame.page(
        "sync/runs.html",
        title="Sync runs",
        place="runs",
        runs=runs,
        named=named,
        several=len(every) > 1,
        page=shown,
        query=address_query,
        link=address,
        filters=_filters(query, every),
        words=words,
        kind_of=kinds.of,
        may_see_settings=actor.may(Permission.SETTINGS_READ),
    )


@get("/runs/{run_id:uuid}", guards=[needs(Permission.ASSET_READ)])
async def run_page(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
    run_id: FromPath[UUID],
    action: Text = None,
    q: Text = None,
    page: Number = None,
    rows: Number = None,
) -> Template:
    """One run: its progress while it goes on, then what it did. Before it begins its job's id leads here."""
    found = await _find(database, secrets, actor, run_id)
    context = await _shown(database, actor, found)
    if found.run is not None and found.live is None:
        query = {name: value for name, value in (("action", action), ("q", q)) if value}
        context["leaf"] = await leaf(database, actor.scope, found.run, query, Page.wanted(page, rows))
        context["link"] = address
    if is_part(request):
        return fragment("sync/_run.html", **context)
    title = found.kind.title
    return frame.page("sync/run.html", title=title, place="runs", trail=[("Sync runs", "/runs")], **context)


@get("/runs/{run_id:uuid}/entries.csv", guards=[needs(Permission.ASSET_READ)])
async def run_entries(
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    run_id: FromPath[UUID],
    action: Text = None,
    q: Text = None,
) -> Stream:
    """What a run did, or those of its entries that match, as comma-separated values."""
    async with database.read(actor.scope) as session:
        run = await RunHistory(session, actor.scope).find(run_id)
    if run is None:
        raise NotFound("There is no such run.", remedy="It may be too old: look in Sync runs.")
    wanted = entries_wanted(run, action, q)
    name = f"sync-{run.sync_type}-{run.started_at:%Y-%m-%d-%H%M}.csv"
    return spreadsheet.download(export.lines(database, actor.scope, run, wanted), name)


@get("/runs/{run_id:uuid}/spoken", guards=[needs(Permission.ASSET_READ)])
async def run_spoken(
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    run_id: FromPath[UUID],
) -> Template:
    """What a screen reader says of a run."""
    found = await _find(database, secrets, actor, run_id)
    text = live.spoken(found.live, found.run)
    return fragment("sync/_spoken.html", status_code=200 if found.live else STOP_POLLING, text=text)


@get("/runs/{run_id:uuid}/row", guards=[needs(Permission.ASSET_READ)])
async def run_row(
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    run_id: FromPath[UUID],
) -> Template:
    """A run's row in the ledger, while it goes on."""
    found = await _find(database, secrets, actor, run_id)
    if found.run is None:
        raise NotFound("This run has not begun.", remedy="Reload the page.")
    return fragment(
        "sync/_run_row.html",
        run=found.run,
        named={found.view.integration_id: found.view},
        words=words,
        kind_of=kinds.of,
    )


@post("/runs/{run_id:uuid}/cancel", guards=[needs(Permission.RMM_SYNC)], status_code=200)
async def cancel_run(
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    run_id: FromPath[UUID],
) -> Response[Any]:
    """End a run between two of its chunks."""
    async with database.write(actor.scope) as session:
        await SyncRequests(session, actor.scope, secrets).cancel_run(run_id)
    toast = Toast("It ends at the next safe point; what it has written is whole.")
    if is_part(request):
        found = await _find(database, secrets, actor, run_id)
        if found.live is not None:
            return fragment("sync/_run.html", toast=toast, **await _shown(database, actor, found))
    return go(request, f"/runs/{run_id}", toast)


@post("/runs/{run_id:uuid}/again", guards=[needs(Permission.RMM_SYNC)], status_code=200)
async def run_again(
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    run_id: FromPath[UUID],
) -> Response[Any]:
    """Ask for the same sync once more, and go to its page."""
    async with database.write(actor.scope) as session:
        asked = await SyncRequests(session, actor.scope, secrets).again(run_id)
    return go(request, f"/runs/{asked.job_id}", told([asked]))


ROUTES: list[BaseRouteHandler] = [
    run_list,
    run_page,
    run_entries,
    run_spoken,
    run_row,
    cancel_run,
    run_again,
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A run, or the job that it will be; `live` while it waits or goes on, with what its job said last
    (`progress`).
    """

    run_id: UUID
    run: RunView | None
    live: Live | None
    kind: SyncKind
    view: IntegrationView
    crew: Crew
    asked_by: str | None = None
    progress: Mapping[str, Any] = field(default_factory=dict)

    @property
    def can_be_cancelled(self) -> bool:
        """Whether there is something left to cancel."""
        return self.live is not None and not self.live.cancelling

    @property
    def can_be_repeated(self) -> bool:
        """Whether it can be asked for again from here."""
        return self.live is None and self.kind.mode is not SyncMode.SINGLE


async def _find(database: Database, secrets: SecretBox, actor: Actor, run_id: UUID) -> Found:
    """The run or its job; NotFound."""
    crew = await following.crew(database)
    async with database.read(actor.scope) as session:
        history = RunHistory(session, actor.scope)
        run = await history.find(run_id)
        job = await SyncRequests(session, actor.scope, secrets).job(run_id)
        if run is not None:
            integration_id, kind = run.integration_id, kinds.of(run.sync_type, run.mode)
        elif job is not None:
            integration_id, kind = UUID(job.payload["integration_id"]), kind_of(job)
        else:
            raise NotFound("There is no such run.", remedy="It may be too old: look in Sync runs.")
        view = await IntegrationService(session, actor.scope, secrets).get(integration_id)
        going: Live | None = None
        if run is not None:
            going = live.of_run(run, job) if live.is_running(run) else None
        elif job is not None:
            going = live.of_job(job, crew, await history.running(integration_id))
    return Found(
        run_id=run_id,
        run=run,
        live=going,
        kind=kind,
        view=view,
        crew=crew,
        asked_by=None if job is None else job.requested_by,
        progress=job.progress or {} if job is not None and going is not None else {},
    )


async def _shown(database: Database, actor: Actor, found: Found) -> dict[str, Any]:
    """What a run's page always shows; while it reads, how far it is with each organization."""
    context: dict[str, Any] = {"found": found, "words": words, "actor": actor, "readings": (), "more": 0}
    if (reads := found.progress.get("reads")) is not None:
        async with database.read(actor.scope) as session:
            mappings = await MappingService(session, actor.scope).list(found.view.integration_id)
        context["readings"], context["more"] = readings(mappings, reads, set(found.progress["ended"]))
    return context


def _known(typed: Mapping[str, str | None]) -> dict[str, str]:
    """What of an address is a filter: an old link with a word that is gone shows all, not an error."""
    allowed: Mapping[str, Any] = {
        "kind": kinds.KINDS,
        "status": set(RunStatus),
        "since": SINCE,
    }
    query = {name: value for name, value in typed.items() if value}
    if "integration" in query and as_id(query["integration"]) is None:
        del query["integration"]
    return {name: value for name, value in query.items() if name not in allowed or value in allowed[name]}


def _filter(query: Mapping[str, str]) -> RunFilter:
    kind = kinds.KINDS.get(query.get("kind", ""))
    period = SINCE.get(query.get("since", ""))
    return RunFilter(
        integration_id=as_id(query.get("integration", "")),
        sync_type=kind.sync_type.value if kind else None,
        mode=kind.mode.value if kind else None,
        status=query.get("status"),
        trigger=query.get("trigger"),
        since=clock.now() - period[1] if period else None,
    )


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter of the ledger: its name in the address, its label, its choices, and the one in force."""

    name: str
    label: str
    choices: Sequence[tuple[str, str]]
    chosen: str | None


def _filters(query: Mapping[str, str], integrations: Sequence[IntegrationView]) -> Sequence[Filter]:
    offered = (
        ("integration", "Integration", [(str(view.integration_id), view.name) for view in integrations]),
        ("kind", "Sync", [(kind.key, kind.label) for kind in kinds.KINDS.values()]),
        ("status", "Status", [(str(key), word.text) for key, word in words.STATUSES.items()]),
        ("trigger", "Asked for", list(words.TRIGGERS.items())),
        ("since", "Begun", [(key, text) for key, (text, _) in SINCE.items()]),
    )
    made = []
    for name, label, choices in offered:
        value = query.get(name)
        chosen = dict(choices).get(value, value) if value else None
        made.append(Filter(name, label, choices, chosen))
    return made
