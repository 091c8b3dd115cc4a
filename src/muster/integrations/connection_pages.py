"""Pages that make and change a connection, and test it. Saving only stores; a test is asked for besides."""

from __future__ import annotations

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
from muster.errors import Conflict, InvalidInput
from muster.integrations import forms
from muster.integrations.connections import Connector
from muster.integrations.pages import RMM, TRAIL, panel_path
from muster.integrations.schemas import IntegrationView
from muster.integrations.service import IntegrationService
from muster.naming import name_key
from muster.providers import registry
from muster.providers.contract import CheckResult, ProviderManifest
from muster.web.forms import Form
from muster.web.frame import Frame, Toast, go, is_part

_UPDATE = [needs(Permission.SETTINGS_UPDATE)]
# What the form's buttons say in the field "action".
_TEST, _FIX = "test", "fix"
_MODE = Annotated[str | None, QueryParameter(name=forms.AUTH_MODE, max_length=40)]


@get(f"{RMM}/new/{{provider:str}}", guards=_UPDATE)
async def new_connection(
    *,
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
    provider: FromPath[str],
    mode: _MODE = None,
) -> Template:
    """An empty form for a server of this provider."""
    manifest = registry.get(provider).manifest
    async with database.read(actor.scope) as session:
        name = await _free_name(IntegrationService(session, actor.scope, secrets), manifest.display_name)
    values = {forms.NAME: name, **({forms.AUTH_MODE: mode} if mode else {})}
    return _form_page(frame, manifest, Form(values))


@post(f"{RMM}/new/{{provider:str}}", guards=_UPDATE, status_code=200)
async def add_connection(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    connector: NamedDependency[Connector],
    frame: NamedDependency[Frame],
    provider: FromPath[str],
) -> Response[Any]:
    """Store a new connection, and test it when asked to."""
    manifest = registry.get(provider).manifest
    form = await Form.read(request)
    try:
        async with database.write(actor.scope) as session:
            view = await IntegrationService(session, actor.scope, secrets).add(
                provider, form.text(forms.NAME), forms.given(manifest, form)
            )
    except (InvalidInput, Conflict) as refused:
        forms.refuse(form, manifest, refused)
        return _form_page(frame, manifest, form, status_code=422)
    return await _stored(request, connector, view, form)


@get(f"{RMM}/{{integration_id:uuid}}/connection", guards=_UPDATE)
async def connection(
    *,
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
    integration_id: FromPath[UUID],
    mode: _MODE = None,
) -> Template:
    """The stored connection to change, beside what its last test found."""
    view = await _view(database, secrets, actor, integration_id)
    form = forms.stored_form(view)
    if mode:
        form = forms.mended(form, {forms.AUTH_MODE: mode})
    return _form_page(frame, registry.get(view.provider).manifest, form, view)


@post(f"{RMM}/{{integration_id:uuid}}/connection", guards=_UPDATE, status_code=200)
async def save_connection(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    connector: NamedDependency[Connector],
    frame: NamedDependency[Frame],
    integration_id: FromPath[UUID],
) -> Response[Any]:
    """Store what was changed, and test it when asked to; with `fix` what the last test proposed as well."""
    before = await _view(database, secrets, actor, integration_id)
    manifest = registry.get(before.provider).manifest
    form = await Form.read(request)
    fixing = forms.fixing(before.last_check)
    if form.text("action") == _FIX and fixing is not None:
        form = forms.mended(form, fixing.fix)
    try:
        async with database.write(actor.scope) as session:
            view = await IntegrationService(session, actor.scope, secrets).update(
                integration_id, forms.given(manifest, form), name=form.text(forms.NAME)
            )
    except (InvalidInput, Conflict) as refused:
        forms.refuse(form, manifest, refused)
        return _form_page(frame, manifest, form, before, status_code=422)
    return await _stored(request, connector, view, form)


@post(f"{RMM}/{{integration_id:uuid}}/check", guards=_UPDATE, status_code=200)
async def check_connection(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    connector: NamedDependency[Connector],
    integration_id: FromPath[UUID],
) -> Response[Any]:
    """Test the connection as it is stored."""
    view = await _view(database, secrets, actor, integration_id)
    return await _tested(request, connector, view, await Form.read(request))


ROUTES: list[BaseRouteHandler] = [
    new_connection,
    add_connection,
    connection,
    save_connection,
    check_connection,
]


async def _view(
    database: Database, secrets: SecretBox, actor: Actor, integration_id: UUID
) -> IntegrationView:
    async with database.read(actor.scope) as session:
        return await IntegrationService(session, actor.scope, secrets).get(integration_id)


async def _free_name(service: IntegrationService, wanted: str) -> str:
    """The provider's name, or with the first number that makes it a new one."""
    taken = {name_key(view.name) for view in await service.list(limit=1000)}
    names = (wanted, *(f"{wanted} {number}" for number in range(2, len(taken) + 3)))
    return next(name for name in names if name_key(name) not in taken)


async def _stored(
    request: Request[Actor, Any, Any], connector: Connector, view: IntegrationView, form: Form
) -> Response[Any]:
    if form.text("action") in (_TEST, _FIX):
        return await _tested(request, connector, view, form)
    told = "Saved." if view.is_active else "Saved. Test the connection before the first sync."
    return _leave(request, panel_path(view.integration_id), Toast(told))


async def _tested(
    request: Request[Actor, Any, Any], connector: Connector, view: IntegrationView, form: Form
) -> Response[Any]:
    """To the panel when the test passed, else to the form with what was found."""
    edit = f"{panel_path(view.integration_id)}/connection"
    code = form.text(forms.CODE) or None
    try:
        result = await connector.check(request.user.scope, view.integration_id, code, by_person=True)
    except Conflict as refused:
        return _leave(request, edit, Toast(f"Not tested. {refused.message}", kind="problem"))
    if result.ok:
        return _leave(request, panel_path(view.integration_id), Toast(_passed(view, result)))
    return _leave(request, edit)


def _passed(view: IntegrationView, result: CheckResult) -> str:
    verb = "The connection works" if view.is_active else f"{view.name} is connected"
    warnings = sum(finding.level == "warning" for finding in result.findings)
    return f"{verb}." if not warnings else f"{verb}, with {warnings} warning{'s' if warnings > 1 else ''}."


def _leave(request: Request[Any, Any, Any], path: str, toast: Toast | None = None) -> Response[Any]:
    """To another page; htmx is told to load it whole, since it would follow a redirect by itself."""
    answer = go(request, path, toast)
    if not is_part(request):
        return answer
    return Response(None, status_code=200, headers={"hx-redirect": path}, cookies=answer.cookies)


def _form_page(
    frame: Frame,
    manifest: ProviderManifest,
    form: Form,
    view: IntegrationView | None = None,
    *,
    status_code: int = 200,
) -> Template:
    check = view.last_check if view else None
    fixing = forms.fixing(check)
    if fixing is not None:
        forms.propose(form, fixing)
    verb = "Edit" if view and view.connected_at else "Connect"
    trail = [*TRAIL, (view.name, panel_path(view.integration_id))] if view else TRAIL
    return frame.page(
        "integrations/connection.html",
        title="Connection" if view else f"Connect {manifest.display_name}",
        heading=f"{verb} {view.name if view else manifest.display_name}",
        place="settings",
        trail=trail,
        status_code=status_code,
        manifest=manifest,
        view=view,
        form=form,
        shown=forms.shown(manifest, form, view),
        check=check,
        fixing=fixing,
        fix_words=forms.fix_words(manifest, fixing) if fixing else None,
        wants_code=forms.wants_code(check),
        action=f"{panel_path(view.integration_id)}/connection" if view else f"{RMM}/new/{manifest.key}",
    )
