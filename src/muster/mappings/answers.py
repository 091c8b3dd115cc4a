"""What changes of organizations are answered with: a row, a list, or for browsers without scripts a page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar import Request, Response
from litestar.response import Template
from sqlalchemy.ext.asyncio import AsyncSession

from muster.accounts.types import Actor
from muster.clients.schemas import ContactView, contact_view
from muster.clients.service import ClientService, ContactService
from muster.clients.types import ClientNeighbours
from muster.db import Database
from muster.errors import Conflict, InvalidInput, MusterError
from muster.mappings.parts import Position, integration_of, list_context, row_context
from muster.mappings.service import MappingService
from muster.web.forms import Form
from muster.web.frame import Frame, Toast, fragment, go, is_part
from muster.web.problems import status_of

# Which field of the contact's form a refusal is about.
_CONTACT_FIELDS = {"contact_name": "name", "contact_email": "email"}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to change an organization."""

    request: Request[Actor, Any, Any]
    database: Database
    frame: Frame
    neighbours: ClientNeighbours
    form: Form
    position: Position
    organization: str

    @property
    def actor(self) -> Actor:
        """Who asks."""
        return self.request.user

    @property
    def revision(self) -> str | None:
        """What the person saw when they decided."""
        return self.form.text("revision") or None


Work = Callable[[AsyncSession, MappingService], Awaitable[Toast]]


async def change(asked: Asked, work: Work) -> Response[Any]:
    """Do it in one transaction; then the row as it now is, or back to the panel. What another person did
    meanwhile stands, and is shown.
    """
    scope = asked.actor.scope
    try:
        async with asked.database.write(scope) as session:
            await integration_of(session, scope, asked.position.integration_id)
            toast = await work(session, MappingService(session, scope))
    except (Conflict, InvalidInput) as refused:
        return await _refused(asked, refused)
    if is_part(asked.request):
        return await _row(asked, toast)
    return go(asked.request, asked.position.there, toast)


async def _refused(asked: Asked, refused: MusterError) -> Response[Any]:
    is_stale = refused.code == "mapping_changed"
    if not is_part(asked.request):
        asked.form.refuse(refused, _CONTACT_FIELDS.get(refused.code, ""))
        return await page(
            asked.actor,
            asked.database,
            asked.frame,
            neighbours=asked.neighbours,
            position=asked.position,
            organization=asked.organization,
            form=asked.form,
            status_code=409 if is_stale else 422,
        )
    if is_stale:
        return await _row(asked, Toast(refused.message, "problem"), status_code=409)
    if refused.code not in _CONTACT_FIELDS:
        raise refused
    asked.form.refuse(refused, _CONTACT_FIELDS[refused.code])
    answer = await contact_editor_of(
        asked.actor, asked.database, asked.position, asked.organization, asked.form, status_code=422
    )
    answer.set_header("hx-retarget", "#contact-editor")
    return answer


async def _row(asked: Asked, toast: Toast, *, status_code: int = 200) -> Template:
    async with asked.database.read(asked.actor.scope) as session:
        context = await row_context(session, asked.actor, asked.position, asked.organization)
    return fragment("mappings/_row_and_summary.html", status_code=status_code, toast=toast, **context)


async def listed(
    actor: Actor,
    database: Database,
    position: Position,
    *,
    toast: Toast | None = None,
    status_code: int = 200,
) -> Template:
    """The list, for htmx; the address becomes the panel's at this position."""
    async with database.read(actor.scope) as session:
        context = await list_context(session, actor, position)
    answer = fragment("mappings/_list_and_summary.html", status_code=status_code, toast=toast, **context)
    answer.set_header("hx-push-url", position.panel)
    return answer


async def whole_list(
    actor: Actor, database: Database, frame: Frame, position: Position, refused: MusterError
) -> Template:
    """The list on a page of its own, under what was refused."""
    async with database.read(actor.scope) as session:
        context = await list_context(session, actor, position)
    return frame.page(
        "mappings/organizations.html",
        title="Organizations",
        place="settings",
        trail=[("Settings", "/settings"), (context["integration"].name, position.panel)],
        status_code=status_of(refused),
        refused=refused,
        **context,
    )


async def page(
    actor: Actor,
    database: Database,
    frame: Frame,
    *,
    neighbours: ClientNeighbours,
    position: Position,
    organization: str,
    form: Form,
    status_code: int = 200,
) -> Template:
    """The page of one organization."""
    async with database.read(actor.scope) as session:
        context = await row_context(session, actor, position, organization)
        choice = await ClientService(session, actor.scope).pick(form.text("q"), neighbours.figures)
        contacts = await _contacts(session, actor, context["row"].client_id)
    return frame.page(
        "mappings/organization.html",
        title=context["row"].external_organization_name,
        place="settings",
        trail=[("Settings", "/settings"), (context["integration"].name, position.there)],
        status_code=status_code,
        form=form,
        choice=choice,
        contacts=contacts,
        **context,
    )


async def contact_editor_of(
    actor: Actor,
    database: Database,
    position: Position,
    organization: str,
    form: Form,
    *,
    status_code: int = 200,
) -> Template:
    """The people at a row's client, for htmx."""
    async with database.read(actor.scope) as session:
        context = await row_context(session, actor, position, organization)
        contacts = await _contacts(session, actor, context["row"].client_id)
    return fragment(
        "mappings/_contact.html", status_code=status_code, form=form, contacts=contacts, **context
    )


async def _contacts(session: AsyncSession, actor: Actor, client_id: UUID | None) -> Sequence[ContactView]:
    if client_id is None:
        return ()
    return [contact_view(contact) for contact in await ContactService(session, actor.scope).list(client_id)]
