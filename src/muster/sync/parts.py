"""Parts of other rooms' pages: the section Sync of the panel, and the last runs of the dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from litestar import Request

from muster import clock
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.db import Database
from muster.encryption import SecretBox
from muster.integrations.schemas import IntegrationView
from muster.integrations.service import IntegrationService
from muster.schedules.schemas import ScheduleControl
from muster.schedules.service import ScheduleService
from muster.sync import following, kinds, live, words
from muster.sync.following import Crew
from muster.sync.history import RunHistory
from muster.sync.kinds import SyncKind
from muster.sync.live import Live
from muster.sync.requests import SyncRequests
from muster.sync.schemas import RunFilter, RunView
from muster.web.frame import Part, PartSource

# How long the figures of a run stand in the panel after its end; later one line does.
_FRESH = timedelta(minutes=2)
_LAST_RUNS = 5
# What every row of the panel is made with.
ROW_CONTEXT: Mapping[str, Any] = {
    "words": words,
    "usual_days": kinds.USUAL_DAYS,
    "periods": (
        (7, "Last 7 days"),
        (30, "Last 30 days"),
        (90, "Last 90 days"),
        (365, "Last year"),
        (kinds.MOST_DAYS, "Everything"),
    ),
}
_OF_DEVICES = (kinds.DEVICES.schedule, kinds.DEVICES_FULL.schedule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One kind of sync as the panel shows it. `fresh`: its last run is the integration's last, and has only
    just ended.
    """

    kind: SyncKind
    last: RunView | None
    live: Live | None
    control: ScheduleControl | None
    fresh: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Everything that an integration's section Sync shows."""

    view: IntegrationView
    rows: tuple[Row, ...]
    crew: Crew
    paused: ScheduleControl | None
    next_devices_at: datetime | None
    may_sync: bool
    may_change: bool

    @property
    def path(self) -> str:
        """Where the integration's panel is."""
        return f"/settings/integrations/rmm/{self.view.integration_id}"

    @property
    def lives(self) -> Live | None:
        """What goes on, or else what waits."""
        found = [row.live for row in self.rows if row.live is not None]
        return next((one for one in found if not one.waits), found[0] if found else None)

    @property
    def is_stuck(self) -> bool:
        """Whether something is to be done and no worker answers."""
        return self.lives is not None and not self.crew.lives


async def read_panel(database: Database, secrets: SecretBox, actor: Actor, integration_id: UUID) -> Panel:
    """What the section Sync shows; NotFound for the integration."""
    crew = await following.crew(database)
    async with database.read(actor.scope) as session:
        view = await IntegrationService(session, actor.scope, secrets).get(integration_id)
        controls = await ScheduleService(session, actor.scope, secrets).controls(integration_id)
        history = RunHistory(session, actor.scope)
        running = await history.running(integration_id)
        jobs = await SyncRequests(session, actor.scope, secrets).open(integration_id)
        rows = []
        for kind in kinds.offered(view):
            job = jobs.get(kind.key)
            now: Live | None = None
            if running is not None and kinds.of(running.sync_type, running.mode) is kind:
                now = live.of_run(running, job)
            elif job is not None:
                now = live.of_job(job, crew, running)
            last = await history.latest_ended(integration_id, kind)
            rows.append(Row(kind=kind, last=last, live=now, control=controls.get(kind.schedule or "")))
    ended = [row.last.finished_at for row in rows if row.last and row.last.finished_at]
    newest = max(ended, default=None)
    if newest is not None and clock.now() - newest < _FRESH:
        rows = [
            replace(row, fresh=row.live is None and row.last is not None and row.last.finished_at == newest)
            for row in rows
        ]
    paused = next((each for each in controls.values() if each.schedule.paused_error), None)
    planned = [
        at
        for each in controls.values()
        if each.schedule.kind in _OF_DEVICES
        and each.schedule.enabled
        and not each.schedule.paused_code
        and (at := each.schedule.next_run_at)
    ]
    return Panel(
        view=view,
        rows=tuple(rows),
        crew=crew,
        paused=paused,
        next_devices_at=min(planned, default=None),
        may_sync=actor.may(Permission.RMM_SYNC),
        may_change=actor.may(Permission.SETTINGS_UPDATE),
    )


def panel(database: Database, secrets: SecretBox) -> PartSource:
    """The section Sync of an integration's panel."""

    async def part(request: Request[Any, Any, Any], integration_id: UUID | None) -> Part:
        if integration_id is None:
            raise TypeError("the section Sync is about one integration")
        return panel_part(await read_panel(database, secrets, request.user, integration_id))

    return part


def panel_part(found: Panel) -> Part:
    """The section as HTML is made of it."""
    return Part("sync/_panel.html", {"panel": found, **ROW_CONTEXT})


def last_runs(database: Database) -> PartSource:
    """The dashboard's card with the last runs."""

    async def part(request: Request[Any, Any, Any], _: UUID | None) -> Part:
        actor: Actor = request.user
        async with database.read(actor.scope) as session:
            history = RunHistory(session, actor.scope)
            runs = await history.page(RunFilter(), limit=_LAST_RUNS)
            integrations = await history.integrations(runs)
        several = len({run.integration_id for run in runs}) > 1
        names = {key: view.name for key, view in integrations.items()} if several else {}
        context = {"runs": runs, "names": names, "words": words, "kind_of": kinds.of}
        return Part("sync/_last_runs.html", context)

    return part
