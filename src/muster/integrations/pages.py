"""Pages of integrations: the providers and what is connected to them, the panel of one, disconnecting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect, Template

from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.db import Database
from muster.encryption import SecretBox
from muster.integrations.connections import Connector
from muster.integrations.panel import facts, held_secrets, next_run, notices, stored_values
from muster.integrations.schemas import IntegrationView
from muster.integrations.service import CountSource, IntegrationService
from muster.providers import registry
from muster.web.frame import Frame, Toast, go
from muster.web.wording import plural

RMM = "/settings/integrations/rmm"
_ABOVE: Sequence[tuple[str, str | None]] = (("Settings", "/settings"), ("Integrations", RMM))
TRAIL: Sequence[tuple[str, str | None]] = (*_ABOVE, ("RMM", RMM))
# Nobody has so many servers; one page shows them all.
_MOST_SHOWN = 1000
_READ, _UPDATE = [needs(Permission.SETTINGS_READ)], [needs(Permission.SETTINGS_UPDATE)]


def panel_path(integration_id: UUID) -> str:
    """Where an integration's panel is."""
    return f"{RMM}/{integration_id}"


@get("/settings/integrations", guards=_READ)
async def integrations() -> Redirect:
    """To the one kind of integration there is."""
    return Redirect(RMM, status_code=303)


@get(RMM, guards=_READ)
async def providers(
    *,
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
) -> Template:
    """A card for each provider, with the integrations it has."""
    async with database.read(actor.scope) as session:
        views = await IntegrationService(session, actor.scope, secrets).list(limit=_MOST_SHOWN)
    manifests = [provider.manifest for provider in registry.all()]
    known = {manifest.key for manifest in manifests}
    return frame.page(
        "integrations/providers.html",
        title="RMM",
        place="settings",
        trail=_ABOVE,
        cards=[(each, [view for view in views if view.provider == each.key]) for each in manifests],
        orphans=[view for view in views if view.provider not in known],
    )


@get(f"{RMM}/{{integration_id:uuid}}", guards=_READ)
async def panel(
    *,
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
    integration_counts: NamedDependency[Sequence[CountSource]],
    integration_id: FromPath[UUID],
) -> Template:
    """Everything about one integration; other rooms add their sections."""
    async with database.read(actor.scope) as session:
        service = IntegrationService(session, actor.scope, secrets)
        view = await service.get(integration_id)
        counts = await service.counts(integration_id, integration_counts)
    return frame.page(
        "integrations/panel.html",
        title=view.name,
        place="settings",
        trail=TRAIL,
        view=view,
        facts=facts(view),
        stored=stored_values(view),
        notices=notices(view, counts),
        counts=counts,
        next_run=next_run(counts),
        sections=await frame.filled("panel", integration_id),
        asking=_disconnecting(view, counts),
    )


@get(f"{RMM}/{{integration_id:uuid}}/disconnect", guards=_UPDATE)
async def disconnect_page(
    *,
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
    integration_counts: NamedDependency[Sequence[CountSource]],
    integration_id: FromPath[UUID],
) -> Template:
    """The question before disconnecting, for browsers without scripts."""
    async with database.read(actor.scope) as session:
        service = IntegrationService(session, actor.scope, secrets)
        view = await service.get(integration_id)
        counts = await service.counts(integration_id, integration_counts)
    return frame.page(
        "integrations/disconnect.html",
        title="Disconnect",
        place="settings",
        trail=[*TRAIL, (view.name, panel_path(integration_id))],
        view=view,
        asking=_disconnecting(view, counts),
    )


@post(f"{RMM}/{{integration_id:uuid}}/disconnect", guards=_UPDATE, status_code=303)
async def disconnect(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    connector: NamedDependency[Connector],
    integration_id: FromPath[UUID],
) -> Redirect:
    """Delete the credentials and end the session; all else stays."""
    result = await connector.disconnect(actor.scope, integration_id)
    toast = Toast(f"{result.integration.name} is disconnected. Its credentials are deleted.")
    if result.logout_problem is not None:
        toast = Toast(
            f"{toast.text} Its session on the server may still be open: {result.logout_problem}",
            kind="problem",
        )
    return go(request, panel_path(integration_id), toast)


ROUTES: list[BaseRouteHandler] = [integrations, providers, panel, disconnect_page, disconnect]


class _Question(NamedTuple):
    """What is asked before something goes, with what goes and what stays."""

    title: str
    text: str


def _disconnecting(view: IntegrationView, counts: Mapping[str, Any]) -> _Question:
    secrets = held_secrets(view)
    goes = f"Deletes the saved {secrets} and stops its syncs. " if secrets else "Stops its syncs. "
    assets = plural(counts.get("devices", {}).get("total", 0), "asset")
    stays = f"The address, mappings, {assets} and alerts stay. Statuses become unknown."
    return _Question(f"Disconnect {view.name}?", goes + stays)
