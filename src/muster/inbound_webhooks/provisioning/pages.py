"""Pages of a webhook's set-up: what would change, done after a person agreed; test, removal, coverage."""

from __future__ import annotations

from collections.abc import Mapping
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
from muster.errors import Conflict, InvalidInput, MusterError
from muster.inbound_webhooks.parts import RMM
from muster.inbound_webhooks.provisioning.parts import webhook_path
from muster.inbound_webhooks.provisioning.service import WebhookSetup
from muster.integrations.schemas import IntegrationView
from muster.integrations.service import IntegrationService
from muster.web.forms import Form
from muster.web.frame import Frame, Toast, go
from muster.web.security import base_url
from muster.web.wording import plural

_ONE = f"{RMM}/{{integration_id:uuid}}/webhook"
_READ, _UPDATE = [needs(Permission.SETTINGS_READ)], [needs(Permission.SETTINGS_UPDATE)]

# What keeps a device's alerts away, as a heading.
REASONS: Mapping[str, str] = {
    "other_template": "Another alert template acts for them",
    "silent": "Muster's alert template calls nobody",
    "excluded": "Left out by Muster's alert template",
    "maintenance": "In maintenance mode",
    "no_template": "No alert template acts for them",
    "not_handed_out": "The server has not given them the template yet",
    "not_set_up": "The webhook is not set up",
}


@get(f"{_ONE}/setup", guards=_UPDATE)
async def setup_question(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    webhook_setup: NamedDependency[WebhookSetup],
    frame: NamedDependency[Frame],
    integration_id: FromPath[UUID],
) -> Template:
    """What setting up or repairing would change on the server."""
    view = await _view(database, secrets, actor, integration_id)
    reached_by = base_url(request, None)
    return await _question(actor, view, webhook_setup, frame, reached_by=reached_by)


@post(f"{_ONE}/setup", guards=_UPDATE, status_code=200)
async def set_up(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    webhook_setup: NamedDependency[WebhookSetup],
    frame: NamedDependency[Frame],
    integration_id: FromPath[UUID],
) -> Response[Any]:
    """Do it; what was refused is asked again, with the reason."""
    view = await _view(database, secrets, actor, integration_id)
    agreed = (await Form.read(request)).flag("replace")
    reached_by = base_url(request, None)
    try:
        await webhook_setup.set_up(actor.scope, integration_id, reached_by=reached_by, replace=agreed)
    except Conflict as refused:
        return await _question(actor, view, webhook_setup, frame, reached_by=reached_by, refused=refused)
    told = f"The webhook is set up on {view.name}. Send a test to see it arrive."
    return go(request, webhook_path(integration_id), Toast(told))


@post(f"{_ONE}/setup/check", guards=_UPDATE, status_code=303)
async def check(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    webhook_setup: NamedDependency[WebhookSetup],
    integration_id: FromPath[UUID],
) -> Response[Any]:
    """Compare the server with what was made there, now."""
    state = await webhook_setup.check(actor.scope, integration_id)
    toast = Toast("All on the server is as Muster made it.")
    if state.drift.problem is not None:
        toast = Toast(f"Not checked. {state.drift.problem.message}", kind="problem")
    elif state.drift.steps:
        toast = Toast(f"{plural(len(state.drift.steps), 'thing')} to repair on the server.", kind="problem")
    return go(request, webhook_path(integration_id), toast)


@post(f"{_ONE}/setup/test", guards=_UPDATE, status_code=303)
async def test(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    webhook_setup: NamedDependency[WebhookSetup],
    integration_id: FromPath[UUID],
) -> Response[Any]:
    """Have the server send its own test, and show it where it arrived."""
    reached_by = base_url(request, None)
    try:
        result = await webhook_setup.test(actor.scope, integration_id, reached_by=reached_by)
    except (Conflict, InvalidInput) as refused:
        toast = Toast(f"Not tested. {refused.message}", kind="problem")
        return go(request, webhook_path(integration_id), toast)
    if result.receipt_id is not None:
        return go(request, f"{RMM}/receipts/{result.receipt_id}", Toast("The server's test arrived."))
    told = f"The test did not arrive. The server says: {result.answer[:300] or 'nothing'}"
    return go(request, webhook_path(integration_id), Toast(told, kind="problem"))


@get(f"{_ONE}/setup/remove", guards=_UPDATE)
async def removal_question(
    *,
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    webhook_setup: NamedDependency[WebhookSetup],
    frame: NamedDependency[Frame],
    integration_id: FromPath[UUID],
) -> Template:
    """What removing would change on the server."""
    view = await _view(database, secrets, actor, integration_id)
    return await _removal_question(actor, view, webhook_setup, frame)


@post(f"{_ONE}/setup/remove", guards=_UPDATE, status_code=200)
async def remove(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    webhook_setup: NamedDependency[WebhookSetup],
    frame: NamedDependency[Frame],
    integration_id: FromPath[UUID],
) -> Response[Any]:
    """Remove it; what was refused is asked again, with the reason."""
    view = await _view(database, secrets, actor, integration_id)
    try:
        await webhook_setup.remove(actor.scope, integration_id)
    except Conflict as refused:
        return await _removal_question(actor, view, webhook_setup, frame, refused)
    return go(request, webhook_path(integration_id), Toast(f"Nothing of Muster's is left on {view.name}."))


@get(f"{_ONE}/coverage", guards=_READ)
async def coverage(
    *,
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    webhook_setup: NamedDependency[WebhookSetup],
    frame: NamedDependency[Frame],
    integration_id: FromPath[UUID],
) -> Template:
    """Which devices' alerts cannot reach Muster, and why."""
    view = await _view(database, secrets, actor, integration_id)
    found, refused = None, None
    try:
        found = await webhook_setup.coverage(actor.scope, integration_id)
    except Conflict as problem:
        refused = problem
    return frame.page(
        "inbound_webhooks/coverage.html",
        title="Coverage",
        place="settings",
        trail=_trail(view),
        status_code=200 if refused is None else 409,
        view=view,
        found=found,
        refused=refused,
        reasons=REASONS,
        here=webhook_path(integration_id),
    )


ROUTES: list[BaseRouteHandler] = [
    setup_question,
    set_up,
    check,
    test,
    removal_question,
    remove,
    coverage,
]


async def _view(
    database: Database, secrets: SecretBox, actor: Actor, integration_id: UUID
) -> IntegrationView:
    async with database.read(actor.scope) as session:
        return await IntegrationService(session, actor.scope, secrets).get(integration_id)


async def _question(
    actor: Actor,
    view: IntegrationView,
    setup: WebhookSetup,
    frame: Frame,
    *,
    reached_by: str,
    refused: MusterError | None = None,
) -> Template:
    """The plan to agree to; without one, why there is none."""
    plan = None
    try:
        plan = await setup.plan(actor.scope, view.integration_id, reached_by=reached_by)
    except Conflict as unreadable:
        refused = refused or unreadable
    state = await setup.state(actor.scope, view.integration_id)
    return frame.page(
        "inbound_webhooks/setup.html",
        title="Repair the webhook" if state.is_set_up else "Set the webhook up",
        place="settings",
        trail=_trail(view),
        status_code=200 if refused is None else 422,
        view=view,
        plan=plan,
        state=state,
        refused=refused,
        here=webhook_path(view.integration_id),
    )


async def _removal_question(
    actor: Actor,
    view: IntegrationView,
    setup: WebhookSetup,
    frame: Frame,
    refused: MusterError | None = None,
) -> Template:
    plan = None
    try:
        plan = await setup.plan_removal(actor.scope, view.integration_id)
    except Conflict as unreadable:
        refused = refused or unreadable
    return frame.page(
        "inbound_webhooks/setup_remove.html",
        title="Remove the webhook",
        place="settings",
        trail=_trail(view),
        status_code=200 if refused is None else 422,
        view=view,
        plan=plan,
        refused=refused,
        here=webhook_path(view.integration_id),
    )


def _trail(view: IntegrationView) -> list[tuple[str, str | None]]:
    panel = f"{RMM}/{view.integration_id}"
    home: list[tuple[str, str | None]] = [("Settings", "/settings"), ("Integrations", RMM), ("RMM", RMM)]
    return [*home, (view.name, panel), ("Webhook", f"{panel}/webhook")]
