"""Pages of syncs: starting and watching them in an integration's panel, and the plan before the first write.

The ledger's own pages are in `run_pages`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, QueryParameter
from litestar.response import Template

from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.db import Database
from muster.encryption import SecretBox
from muster.errors import InvalidInput
from muster.integrations.schemas import IntegrationView
from muster.integrations.service import IntegrationService
from muster.providers.contract import ProviderErrorInfo
from muster.sync import kinds, live, words
from muster.sync.history import Names, RunHistory
from muster.sync.parts import ROW_CONTEXT, Panel, panel_part, read_panel
from muster.sync.requests import Asked, SyncRequests
from muster.sync.schemas import EntryView, Preview
from muster.sync.service import SyncService
from muster.sync.types import SyncMode
from muster.web.forms import Form
from muster.web.frame import Frame, Toast, fragment, go, is_part

_PANEL = "/settings/integrations/rmm/{integration_id:uuid}"
# htmx stops polling at this answer.
STOP_POLLING = 286
# Lines of a group in a preview; the rest is a number.
_LINES = 25
_DIGITS = 6

IntegrationId = FromPath[UUID]


@get(_PANEL + "/sync", guards=[needs(Permission.SETTINGS_READ)])
async def sync_section(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
    integration_id: IntegrationId,
) -> Template:
    """The section Sync of the panel; as a page of its own for who is not htmx."""
    panel = await read_panel(database, secrets, actor, integration_id)
    if is_part(request):
        return _section(panel)
    return frame.page(
        "sync/panel.html",
        title="Sync",
        place="settings",
        trail=trail(panel.view),
        panel=panel,
        **ROW_CONTEXT,
    )


@get(_PANEL + "/sync/spoken", guards=[needs(Permission.SETTINGS_READ)])
async def sync_spoken(
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    integration_id: IntegrationId,
) -> Template:
    """What a screen reader says of the sync under way, and once of its end."""
    panel = await read_panel(database, secrets, actor, integration_id)
    ended = [row.last for row in panel.rows if row.last is not None and row.fresh]
    text = live.spoken(panel.lives, max(ended, key=lambda run: run.started_at, default=None))
    return fragment("sync/_spoken.html", status_code=200 if panel.lives else STOP_POLLING, text=text)


@get(_PANEL + "/sync/{kind:str}", guards=[needs(Permission.SETTINGS_READ)])
async def sync_row(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    integration_id: IntegrationId,
    kind: FromPath[str],
) -> Response[Any]:
    """One row of the section, asked for again and again while its sync goes on."""
    wanted = kinds.get(kind)
    if not is_part(request):
        return go(request, f"/settings/integrations/rmm/{integration_id}/sync")
    panel = await read_panel(database, secrets, actor, integration_id)
    row = next(row for row in panel.rows if row.kind is wanted)
    if row.live is None:
        # What else stands on the page can ask anew: it may have changed.
        answer = _section(panel)
        answer.headers.update({"hx-retarget": "#sync", "hx-reswap": "outerHTML", "hx-trigger": "sync-ended"})
        return answer
    return fragment("sync/_row.html", panel=panel, row=row, **ROW_CONTEXT)


@post(_PANEL + "/sync", guards=[needs(Permission.RMM_SYNC)], status_code=200)
async def sync_everything(
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    integration_id: IntegrationId,
) -> Response[Any]:
    """Ask for organizations, devices, and all else that is synced."""
    async with database.write(actor.scope) as session:
        asked = await SyncRequests(session, actor.scope, secrets).start_everything(integration_id)
    return await _back(request, database, secrets, integration_id, told(asked))


@post(_PANEL + "/sync/{kind:str}", guards=[needs(Permission.RMM_SYNC)], status_code=200)
async def start_sync(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    integration_id: IntegrationId,
    kind: FromPath[str],
) -> Response[Any]:
    """Ask for one sync; one that is under way is joined, and the answer says so."""
    wanted = kinds.get(kind)
    days = _days(await Form.read(request)) if wanted.takes_days else None
    async with database.write(actor.scope) as session:
        asked = await SyncRequests(session, actor.scope, secrets).start(integration_id, wanted, days=days)
    return await _back(request, database, secrets, integration_id, told([asked]))


@post(_PANEL + "/sync/cancel", guards=[needs(Permission.RMM_SYNC)], status_code=200)
async def cancel_sync(
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    integration_id: IntegrationId,
) -> Response[Any]:
    """End the integration's syncs of a kind (field `kind`), or all of them."""
    name = (await Form.read(request)).text("kind")
    async with database.write(actor.scope) as session:
        requests = SyncRequests(session, actor.scope, secrets)
        count = await requests.cancel(integration_id, kinds.get(name) if name else None)
    said = (
        "It ends at the next safe point; what it has written is whole." if count else "Nothing runs any more."
    )
    return await _back(request, database, secrets, integration_id, Toast(said))


@get(_PANEL + "/preview", guards=[needs(Permission.RMM_SYNC)])
async def preview_page(
    *,
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
    integration_id: IntegrationId,
    mode: Annotated[str | None, QueryParameter(max_length=20)] = None,
) -> Template:
    """The plan of a sync, which is made while one waits."""
    view = await _integration(database, secrets, actor, integration_id)
    return _preview_page(frame, view, _mode(mode, view), None)


@get(_PANEL + "/preview/plan", guards=[needs(Permission.RMM_SYNC)])
async def preview_plan(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    sync: NamedDependency[SyncService],
    frame: NamedDependency[Frame],
    integration_id: IntegrationId,
    mode: Annotated[str | None, QueryParameter(max_length=20)] = None,
) -> Template:
    """The plan itself: the server is read, nothing is written."""
    view = await _integration(database, secrets, actor, integration_id)
    wanted = _mode(mode, view)
    plan = await _plan(sync, database, actor, view, wanted)
    if not is_part(request):
        return _preview_page(frame, view, wanted, plan)
    return fragment("sync/_plan.html", plan=plan, kind=_kind(wanted), panel_path=_path(view), words=words)


ROUTES: list[BaseRouteHandler] = [
    sync_section,
    sync_spoken,
    sync_row,
    sync_everything,
    start_sync,
    cancel_sync,
    preview_page,
    preview_plan,
]


@dataclass(frozen=True, slots=True)
class Group:
    """Entries of one action in a preview: the first of them, and how many more there are."""

    word: words.Word
    lines: Sequence[words.Line]
    more: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A preview as a page shows it. `error` stands where the server could not be read to the end."""

    preview: Preview | None
    groups: Sequence[Group]
    error: ProviderErrorInfo | None


def told(asked: Sequence[Asked]) -> Toast:
    """What to say of syncs that were asked for."""
    if all(each.joined for each in asked):
        return Toast("That sync is under way already; this is its progress.")
    *others, last = (each.kind.title.lower() for each in asked)
    return Toast(f"Asked for: {' and '.join([', '.join(others), last] if others else [last])}.")


def _days(form: Form) -> int:
    """How far back a backfill is to go."""
    typed = form.text("days")
    if not typed.isascii() or not typed.isdigit() or len(typed) > _DIGITS:
        raise InvalidInput("That is no number of days.", remedy="Choose how far back to go.")
    return int(typed)


def trail(view: IntegrationView) -> list[tuple[str, str | None]]:
    """The breadcrumb of what belongs to an integration."""
    return [
        ("Settings", "/settings"),
        ("Integrations", None),
        ("RMM", "/settings/integrations/rmm"),
        (view.name, _path(view)),
    ]


def _path(view: IntegrationView) -> str:
    return f"/settings/integrations/rmm/{view.integration_id}"


def _section(panel: Panel, toast: Toast | None = None) -> Template:
    part = panel_part(panel)
    return fragment(part.template, toast=toast, **part.context)


async def _back(
    request: Request[Actor, Any, Any],
    database: Database,
    secrets: SecretBox,
    integration_id: UUID,
    toast: Toast,
) -> Response[Any]:
    if is_part(request):
        return _section(await read_panel(database, secrets, request.user, integration_id), toast)
    return go(request, f"/settings/integrations/rmm/{integration_id}", toast)


async def _integration(
    database: Database, secrets: SecretBox, actor: Actor, integration_id: UUID
) -> IntegrationView:
    async with database.read(actor.scope) as session:
        return await IntegrationService(session, actor.scope, secrets).get(integration_id)


def _mode(text: str | None, view: IntegrationView) -> SyncMode:
    """The mode asked for, or what Sync devices would do: in full the first time."""
    if text in (SyncMode.FULL, SyncMode.INCREMENTAL):
        return SyncMode(text)
    if text is not None:
        raise InvalidInput(f"There is no such preview: {text!r}.", remedy="Choose full or incremental.")
    return SyncMode.FULL if view.last_full_sync_at is None else SyncMode.INCREMENTAL


def _kind(mode: SyncMode) -> kinds.SyncKind:
    return kinds.of(kinds.DEVICES.sync_type, mode)


def _preview_page(frame: Frame, view: IntegrationView, mode: SyncMode, plan: Plan | None) -> Template:
    return frame.page(
        "sync/preview.html",
        title="Preview changes",
        place="settings",
        trail=trail(view),
        view=view,
        kind=_kind(mode),
        mode=mode.value,
        plan=plan,
        panel_path=_path(view),
        words=words,
    )


async def _plan(
    sync: SyncService, database: Database, actor: Actor, view: IntegrationView, mode: SyncMode
) -> Plan:
    try:
        preview = await sync.devices(actor.scope, view.integration_id, mode, preview=True)
    except TimeoutError:
        late = ProviderErrorInfo(
            code="timeout",
            message="The server took too long to answer everything.",
            remedy="Preview without hardware, or sync in the background.",
            retryable=True,
        )
        return Plan(None, (), late)
    if not isinstance(preview, Preview):
        raise TypeError("a preview opens no run")
    shown = _grouped(preview.entries)
    async with database.read(actor.scope) as session:
        wanted = [entry for entries, _ in shown.values() for entry in entries]
        names = await RunHistory(session, actor.scope).names(view.integration_id, wanted)
    return Plan(preview, [_group(action, *found, names) for action, found in shown.items()], preview.error)


def _grouped(entries: Sequence[EntryView]) -> Mapping[str, tuple[Sequence[EntryView], int]]:
    """The first entries of each action, problems first, and how many more each has."""
    groups: dict[str, list[EntryView]] = {action: [] for action in words.ACTIONS}
    for entry in entries:
        groups.setdefault(entry.action, []).append(entry)
    return {
        action: (found[:_LINES], max(len(found) - _LINES, 0)) for action, found in groups.items() if found
    }


def _group(action: str, entries: Sequence[EntryView], more: int, names: Names) -> Group:
    lines = [words.line(entry, names) for entry in entries]
    return Group(words.ACTIONS[action], lines, more)
