"""The section Webhook as a page of its own, and what is done with the secret there."""

from __future__ import annotations

from datetime import timedelta
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
from muster.inbound_webhooks import words
from muster.inbound_webhooks.parts import RMM, Section, read_section, section_part
from muster.inbound_webhooks.schemas import SecretView
from muster.inbound_webhooks.service import WebhookService
from muster.web.forms import Form
from muster.web.frame import Frame, Toast, fragment, go, is_part
from muster.web.security import base_url

_ONE = f"{RMM}/{{integration_id:uuid}}/webhook"
_READ, _UPDATE = [needs(Permission.SETTINGS_READ)], [needs(Permission.SETTINGS_UPDATE)]
_OVERLAPS = dict(words.OVERLAPS)


@get(_ONE, guards=_READ)
async def webhook_page(
    *,
    request: Request[Actor, Any, Any],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    public_url: NamedDependency[str | None],
    frame: NamedDependency[Frame],
    integration_id: FromPath[UUID],
) -> Template:
    """The section, opened."""
    inside = [each.html for each in await frame.filled("webhook", integration_id)]
    section = await read_section(
        request, database, secrets, public_url, integration_id, opened=True, inside=inside
    )
    return _shown(request, frame, _there(section))


@get(f"{_ONE}/facts", guards=_READ)
async def webhook_facts(
    *,
    request: Request[Actor, Any, Any],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    public_url: NamedDependency[str | None],
    integration_id: FromPath[UUID],
) -> Template:
    """How it goes, in the line that stands while the section is closed."""
    section = _there(await read_section(request, database, secrets, public_url, integration_id))
    return fragment("inbound_webhooks/_facts.html", section=section)


@post(f"{_ONE}/reveal", guards=_UPDATE, status_code=200)
async def reveal(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    public_url: NamedDependency[str | None],
    frame: NamedDependency[Frame],
    integration_id: FromPath[UUID],
) -> Template:
    """Show the secret, made now if there is none yet."""
    async with database.write(actor.scope) as session:
        service = WebhookService(session, actor.scope, secrets)
        revealed: SecretView = await service.reveal(integration_id, base_url(request, public_url))
    inside = [each.html for each in await frame.filled("webhook", integration_id)]
    section = await read_section(
        request, database, secrets, public_url, integration_id, revealed=revealed, opened=True, inside=inside
    )
    return _shown(request, frame, _there(section))


@get(f"{_ONE}/rotate", guards=_UPDATE)
async def rotate_question(
    *,
    request: Request[Actor, Any, Any],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    public_url: NamedDependency[str | None],
    frame: NamedDependency[Frame],
    integration_id: FromPath[UUID],
) -> Template:
    """The question before a rotation, for browsers without scripts."""
    section = _there(await read_section(request, database, secrets, public_url, integration_id))
    return frame.page(
        "inbound_webhooks/rotate.html",
        title="Rotate the secret",
        place="settings",
        trail=[*_trail(section), ("Webhook", f"{section.path}/webhook")],
        section=section,
        words=words,
    )


@post(f"{_ONE}/rotate", guards=_UPDATE, status_code=303)
async def rotate(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    integration_id: FromPath[UUID],
) -> Response[Any]:
    """Make a new secret."""
    hours = (await Form.read(request)).text("overlap") or words.OVERLAPS[0][0]
    if hours not in _OVERLAPS:
        raise InvalidInput("The old secret cannot hold for that long.", remedy="Choose from the list.")
    async with database.write(actor.scope) as session:
        service = WebhookService(session, actor.scope, secrets)
        endpoint = await service.rotate(integration_id, timedelta(hours=int(hours)))
    until = f" The old one holds for {_OVERLAPS[hours]} beside it." if endpoint.previous_until else ""
    toast = Toast(f"There is a new secret.{until} Reveal it to set the server up.")
    return go(request, f"{RMM}/{integration_id}/webhook", toast)


ROUTES: list[BaseRouteHandler] = [webhook_page, webhook_facts, reveal, rotate_question, rotate]


def _shown(request: Request[Actor, Any, Any], frame: Frame, section: Section) -> Template:
    part = section_part(section)
    if is_part(request):
        return fragment(part.template, **part.context)
    return frame.page(
        "inbound_webhooks/webhook.html",
        title="Webhook",
        place="settings",
        trail=_trail(section),
        **part.context,
    )


def _trail(section: Section) -> list[tuple[str, str | None]]:
    return [
        ("Settings", "/settings"),
        ("Integrations", RMM),
        ("RMM", RMM),
        (section.view.name, section.path),
    ]


def _there(section: Section | None) -> Section:
    if section is None:
        raise NotFound("The servers of this provider send no webhooks.", remedy="Syncs read their alerts.")
    return section
