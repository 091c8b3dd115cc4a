"""What a person does to alerts from their pages, one by one or several at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, QueryParameter
from litestar.response import Template
from sqlalchemy.ext.asyncio import AsyncSession

from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.alerts import words, workspace
from muster.alerts.filters import PATH
from muster.alerts.schemas import AlertView
from muster.alerts.service import AlertService
from muster.alerts.types import Deed
from muster.alerts.workspace import Back
from muster.db import Database
from muster.encryption import SecretBox
from muster.errors import InvalidInput
from muster.web.forms import Form
from muster.web.frame import Frame, Part, Toast, fragment, go, is_part
from muster.web.wording import plural

_UPDATE = [needs(Permission.ALERT_UPDATE)]
_TRAIL = [("Alerts", PATH)]

_Verb = Callable[[AlertService, UUID, Form], Awaitable[AlertView]]


async def _acknowledge(alerts: AlertService, alert_id: UUID, _form: Form) -> AlertView:
    return await alerts.acknowledge(alert_id)


async def _unacknowledge(alerts: AlertService, alert_id: UUID, _form: Form) -> AlertView:
    return await alerts.unacknowledge(alert_id)


async def _snooze(alerts: AlertService, alert_id: UUID, form: Form) -> AlertView:
    return await alerts.snooze(alert_id, days=_days(form.text("days")))


async def _unsnooze(alerts: AlertService, alert_id: UUID, _form: Form) -> AlertView:
    return await alerts.unsnooze(alert_id)


async def _resolve(alerts: AlertService, alert_id: UUID, _form: Form) -> AlertView:
    return await alerts.resolve(alert_id)


async def _note(alerts: AlertService, alert_id: UUID, form: Form) -> AlertView:
    return await alerts.note(alert_id, form.text("note"))


# Each verb with what is said of it, and the verb that takes it back.
_VERBS: Mapping[str, tuple[_Verb, str, str | None]] = {
    "acknowledge": (_acknowledge, "Acknowledged.", "unacknowledge"),
    "unacknowledge": (_unacknowledge, "Given back: it is active again.", None),
    "snooze": (_snooze, "Snoozed. {server} will be told.", "unsnooze"),
    "unsnooze": (_unsnooze, "Its snooze has ended. {server} will be told.", None),
    "resolve": (_resolve, "Resolved. {server} will be told.", None),
    "note": (_note, "Note saved.", None),
}


@get(f"{PATH}/{{alert_id:uuid}}/resolve", guards=_UPDATE)
async def resolve_question(
    *,
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
    alert_id: FromPath[UUID],
    back: Annotated[str, QueryParameter(max_length=2000)] = "",
) -> Template:
    """What resolving means, asked on a page of its own."""
    async with database.read(actor.scope) as session:
        alert = await AlertService(session, actor.scope).get(alert_id)
    return frame.page(
        "alerts/resolve.html",
        title="Resolve this alert",
        place="alerts",
        trail=[*_TRAIL, (words.title(alert), f"{PATH}/{alert_id}")],
        text=words.resolving(alert),
        about=f"{words.title(alert)}, {words.device(alert)}",
        action=f"{PATH}/{alert_id}/resolve",
        button="Resolve alert",
        back=Back.read(back, alert_id).path,
        chosen=(),
    )


@post([f"{PATH}/{{alert_id:uuid}}/{verb}" for verb in _VERBS], guards=_UPDATE, status_code=200)
async def act(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    alert_id: FromPath[UUID],
) -> Response[Any]:
    """Do something to an alert: the verb is the address' last word."""
    form = await Form.read(request)
    carry_out, said, undo = _VERBS[request.url.path.rpartition("/")[2]]
    async with database.write(actor.scope) as session:
        alert = await carry_out(AlertService(session, actor.scope), alert_id, form)
    back = Back.read(form.raw("back"), alert_id)
    toast = Toast(
        said.format(server=words.server(alert)),
        undo=undo and f"{PATH}/{alert_id}/{undo}",
        undo_fields={"back": back.path},
    )
    if not is_part(request):
        return go(request, back.path, toast)
    async with database.read(actor.scope) as session:
        part = await _where_it_was(session, actor, secrets, back, alert_id)
    return fragment(part.template, toast=toast, **part.context)


@post(f"{PATH}/chosen", guards=_UPDATE, status_code=200)
async def act_on_chosen(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
) -> Response[Any]:
    """Do the same to every alert whose box is ticked; `ask` leads to the question before resolving."""
    form = await Form.read(request)
    back = Back.read(form.raw("back"))
    chosen = form.identities("alert")
    if not chosen:
        return go(request, back.path, Toast("No alert is chosen.", kind="problem"))
    verb, _, days = form.text("verb").partition("-")
    if verb == "ask":
        return _ask_of_chosen(frame, chosen, back)
    if verb not in tuple(Deed):
        raise InvalidInput("Nothing is done to alerts under that name.", remedy="Choose one of the buttons.")
    async with database.write(actor.scope) as session:
        done, left = await AlertService(session, actor.scope).together(
            chosen, Deed(verb), days=_days(days) if verb == Deed.SNOOZE else None
        )
    return go(request, back.path, _told(Deed(verb), len(done), len(left)))


ROUTES: list[BaseRouteHandler] = [resolve_question, act, act_on_chosen]

_DONE: Mapping[Deed, str] = {
    Deed.ACKNOWLEDGE: "acknowledged",
    Deed.UNACKNOWLEDGE: "given back",
    Deed.SNOOZE: "snoozed",
    Deed.UNSNOOZE: "woken",
    Deed.RESOLVE: "resolved",
}


def _told(deed: Deed, done: int, left: int) -> Toast:
    if not left:
        return Toast(f"{plural(done, 'alert')} {_DONE[deed]}.")
    rest = f"{plural(left, 'alert')} cannot be {_DONE[deed]} as they stand: they may have changed meanwhile."
    return Toast(f"{plural(done, 'alert')} {_DONE[deed]}. {rest}", kind="problem")


def _ask_of_chosen(frame: Frame, chosen: Sequence[UUID], back: Back) -> Template:
    count = plural(len(chosen), "alert")
    return frame.page(
        "alerts/resolve.html",
        title=f"Resolve {count}",
        place="alerts",
        trail=_TRAIL,
        text=words.RESOLVING,
        about=None,
        action=f"{PATH}/chosen",
        button=f"Resolve {count}",
        back=back.path,
        chosen=chosen,
    )


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        raise InvalidInput("A snooze lasts a number of days.", remedy="Choose one of the menu.")
    return int(text)


async def _where_it_was(
    session: AsyncSession, actor: Actor, secrets: SecretBox, back: Back, alert_id: UUID
) -> Part:
    """For htmx: the place where the person was, drawn anew."""
    if back.query is None:
        return Part("alerts/_page.html", await workspace.page(session, actor, alert_id))
    unseen = await AlertService(session, actor.scope).count_unseen()
    context = await workspace.work(session, actor, secrets, back.query, unseen=unseen)
    return Part("alerts/_work_and_figures.html", {**context, "unseen": unseen})
