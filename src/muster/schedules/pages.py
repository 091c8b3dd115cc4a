"""Pages of schedules: how often something runs by itself, chosen in the panel or on a page of its own."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath
from litestar.response import Template

from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.db import Database
from muster.encryption import SecretBox
from muster.errors import InvalidInput, NotFound
from muster.integrations.schemas import IntegrationView
from muster.integrations.service import IntegrationService
from muster.schedules.schemas import ScheduleControl
from muster.schedules.service import ScheduleService
from muster.web.forms import Form
from muster.web.frame import Frame, Toast, fragment, go, is_part
from muster.web.wording import minutes as period

_PATH = "/settings/integrations/rmm/{integration_id:uuid}/schedules/{kind:str}"
# Of the field `every`, beside numbers of minutes.
OFF, OTHER = "off", "other"


@get(_PATH, guards=[needs(Permission.SETTINGS_UPDATE)])
async def schedule_page(
    *,
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
    integration_id: FromPath[UUID],
    kind: FromPath[str],
) -> Template:
    """A schedule with any number of minutes."""
    view, control = await _control(database, secrets, actor, integration_id, kind)
    return _page(frame, view, control, Form({"minutes": str(control.schedule.minutes)}))


@post(_PATH, guards=[needs(Permission.SETTINGS_UPDATE)], status_code=200)
async def change_schedule(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
    integration_id: FromPath[UUID],
    kind: FromPath[str],
) -> Response[Any]:
    """Choose how often something runs; `every` is a number of minutes, off, or other (then ask for it)."""
    form = await Form.read(request)
    if form.text("every") == OTHER and "minutes" not in form.values:
        if not is_part(request):
            return go(request, request.url.path)
        _, control = await _control(database, secrets, actor, integration_id, kind)
        form.values = {"minutes": str(control.schedule.minutes)}
        return fragment("schedules/_part.html", control=control, form=form)
    try:
        async with database.write(actor.scope) as session:
            schedules = ScheduleService(session, actor.scope, secrets)
            minutes, enabled = _chosen(form)
            changed = await schedules.set(integration_id, kind, minutes=minutes, enabled=enabled)
    except InvalidInput as refused:
        form.refuse(refused, "minutes")
        return await _refused(
            request, frame, form, await _control(database, secrets, actor, integration_id, kind)
        )
    _, control = await _control(database, secrets, actor, integration_id, kind)
    said = f"{control.title}: {period(changed.minutes).lower() if changed.enabled else 'off'}."
    if is_part(request):
        return fragment("schedules/_part.html", toast=Toast(said), control=control, form=None)
    return go(request, f"/settings/integrations/rmm/{integration_id}", Toast(said))


ROUTES: list[BaseRouteHandler] = [schedule_page, change_schedule]


async def _refused(
    request: Request[Actor, Any, Any],
    frame: Frame,
    form: Form,
    found: tuple[IntegrationView, ScheduleControl],
) -> Template:
    view, control = found
    if is_part(request):
        return fragment("schedules/_part.html", status_code=422, control=control, form=form)
    return _page(frame, view, control, form, status_code=422)


def _page(
    frame: Frame, view: IntegrationView, control: ScheduleControl, form: Form, *, status_code: int = 200
) -> Template:
    home = f"/settings/integrations/rmm/{view.integration_id}"
    return frame.page(
        "schedules/schedule.html",
        title=control.title,
        place="settings",
        trail=[
            ("Settings", "/settings"),
            ("Integrations", None),
            ("RMM", "/settings/integrations/rmm"),
            (view.name, home),
        ],
        status_code=status_code,
        control=control,
        form=form,
        home=home,
    )


def _chosen(form: Form) -> tuple[int | None, bool]:
    """Minutes and whether it is on; InvalidInput for what is no number."""
    if form.text("every") == OFF:
        return None, False
    text = form.text("minutes") or form.text("every")
    if not text.isdecimal() or len(text) > 6:
        raise InvalidInput("That is no number of minutes.", remedy="Type a whole number, such as 20.")
    return int(text), True


async def _control(
    database: Database, secrets: SecretBox, actor: Actor, integration_id: UUID, kind: str
) -> tuple[IntegrationView, ScheduleControl]:
    """The integration and its schedule; NotFound where there is none."""
    async with database.read(actor.scope) as session:
        view = await IntegrationService(session, actor.scope, secrets).get(integration_id)
        controls = await ScheduleService(session, actor.scope, secrets).controls(integration_id)
    if (control := controls.get(kind)) is None:
        raise NotFound("There is no such schedule.", remedy="Connect the integration first.")
    return view, control
