"""A webhook's set-up as JSON: the same verbs as the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Request, delete, get, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, JSONBody

from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.inbound_webhooks.provisioning.schemas import (
    CoverageView,
    RemovalPlan,
    SetupPlan,
    SetUpRequest,
    SetupState,
    SetupTest,
)
from muster.inbound_webhooks.provisioning.service import WebhookSetup
from muster.web.security import base_url

_READ, _UPDATE = [needs(Permission.SETTINGS_READ)], [needs(Permission.SETTINGS_UPDATE)]
_TAGS = ["Webhooks"]
_ONE = "/integrations/{integration_id:uuid}/webhook"


@get(f"{_ONE}/setup", guards=_READ, operation_id="getWebhookSetup", tags=_TAGS)
async def setup_get(
    actor: NamedDependency[Actor],
    webhook_setup: NamedDependency[WebhookSetup],
    integration_id: FromPath[UUID],
) -> SetupState:
    """Whether Muster has set the webhook up on the server, and what the last look at it found."""
    return await webhook_setup.state(actor.scope, integration_id)


@get(f"{_ONE}/setup/plan", guards=_UPDATE, operation_id="planWebhookSetup", tags=_TAGS)
async def setup_plan(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    webhook_setup: NamedDependency[WebhookSetup],
    integration_id: FromPath[UUID],
) -> SetupPlan:
    """What setting up or repairing would do on the server now; nothing is changed."""
    return await webhook_setup.plan(actor.scope, integration_id, reached_by=base_url(request, None))


@post(f"{_ONE}/setup", guards=_UPDATE, operation_id="setWebhookUp", tags=_TAGS, status_code=200)
async def setup_make(
    *,
    request: Request[Actor, Any, Any],
    data: JSONBody[SetUpRequest],
    actor: NamedDependency[Actor],
    webhook_setup: NamedDependency[WebhookSetup],
    integration_id: FromPath[UUID],
) -> SetupState:
    """Set the webhook up on the server, or repair what differs there. 409 `would_replace` when that takes the
    place of something and `replace` is false, 409 `permission_missing` when the key may not do it all; then
    nothing was changed.
    """
    return await webhook_setup.set_up(
        actor.scope,
        integration_id,
        reached_by=base_url(request, None),
        replace=data.replace,
    )


@post(f"{_ONE}/setup/check", guards=_UPDATE, operation_id="checkWebhookSetup", tags=_TAGS, status_code=200)
async def setup_check(
    actor: NamedDependency[Actor],
    webhook_setup: NamedDependency[WebhookSetup],
    integration_id: FromPath[UUID],
) -> SetupState:
    """Compare the server with what was made there, now; by itself that is done once a day."""
    return await webhook_setup.check(actor.scope, integration_id)


@post(f"{_ONE}/setup/test", guards=_UPDATE, operation_id="testWebhook", tags=_TAGS, status_code=200)
async def setup_test(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    webhook_setup: NamedDependency[WebhookSetup],
    integration_id: FromPath[UUID],
) -> SetupTest:
    """Have the server send its own test, and tell whether it arrived."""
    return await webhook_setup.test(actor.scope, integration_id, reached_by=base_url(request, None))


@get(f"{_ONE}/setup/removal", guards=_UPDATE, operation_id="planWebhookRemoval", tags=_TAGS)
async def removal_plan(
    actor: NamedDependency[Actor],
    webhook_setup: NamedDependency[WebhookSetup],
    integration_id: FromPath[UUID],
) -> RemovalPlan:
    """What removing would do on the server now; nothing is changed."""
    return await webhook_setup.plan_removal(actor.scope, integration_id)


@delete(f"{_ONE}/setup", guards=_UPDATE, operation_id="removeWebhookSetup", tags=_TAGS, status_code=200)
async def setup_remove(
    actor: NamedDependency[Actor],
    webhook_setup: NamedDependency[WebhookSetup],
    integration_id: FromPath[UUID],
) -> SetupState:
    """Take away from the server what was made there, and put back what was there before."""
    return await webhook_setup.remove(actor.scope, integration_id)


@get(f"{_ONE}/coverage", guards=_READ, operation_id="getWebhookCoverage", tags=_TAGS)
async def coverage_get(
    actor: NamedDependency[Actor],
    webhook_setup: NamedDependency[WebhookSetup],
    integration_id: FromPath[UUID],
) -> CoverageView:
    """Which devices' alerts cannot reach Muster, and why; read from the server now, the first 100 of each
    reason by name.
    """
    return await webhook_setup.coverage(actor.scope, integration_id)


ROUTES: list[BaseRouteHandler] = [
    setup_get,
    setup_plan,
    setup_make,
    setup_check,
    setup_test,
    removal_plan,
    setup_remove,
    coverage_get,
]
