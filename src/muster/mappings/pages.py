"""Pages where organizations are mapped: the panel's section, and a page of each organization for browsers
without scripts.
"""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, QueryParameter
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.clients.service import ClientService, ContactService
from muster.clients.types import ClientNeighbours
from muster.db import Database
from muster.errors import Conflict, InvalidInput
from muster.mappings.answers import Asked, change, contact_editor_of, listed, page, whole_list
from muster.mappings.listing import OrganizationListing
from muster.mappings.parts import PANEL, Position, integration_of, row_context
from muster.mappings.schemas import MappingView
from muster.mappings.service import MappingService
from muster.web.forms import Form
from muster.web.frame import Frame, Toast, fragment, go, is_part
from muster.web.problems import status_of

_LIST = PANEL + "/{integration_id:uuid}/organizations"
_ONE = _LIST + "/{organization:str}"
_MAY_SEE = [needs(Permission.SETTINGS_READ)]
_MAY_CHANGE = [needs(Permission.SETTINGS_UPDATE)]

Wanted = Annotated[str, QueryParameter(max_length=200)]
Back = Annotated[str, QueryParameter(max_length=1000)]


@get(_LIST, guards=_MAY_SEE)
async def organization_list(
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    integration_id: FromPath[UUID],
) -> Response[Any]:
    """The list anew, for htmx; for a browser the panel that it is on."""
    position = Position.of(integration_id, request.query_params)
    if not is_part(request):
        async with database.read(actor.scope) as session:
            await integration_of(session, actor.scope, integration_id)
        return Redirect(position.there, status_code=303)
    return await listed(actor, database, position)


@post(f"{_LIST}/proposals", guards=_MAY_CHANGE, status_code=200)
async def accept_proposals(
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
    integration_id: FromPath[UUID],
) -> Response[Any]:
    """Map everything that is proposed among what was searched for."""
    form = await Form.read(request)
    position = Position.back(integration_id, form.text("back"))
    try:
        async with database.write(actor.scope) as session:
            await integration_of(session, actor.scope, integration_id)
            listing = OrganizationListing(session, actor.scope)
            count = await listing.accept(integration_id, form.text("agreement"), search=position.search)
    except Conflict as refused:
        if is_part(request):
            toast = Toast(refused.message, "problem")
            return await listed(actor, database, position, toast=toast, status_code=status_of(refused))
        return await whole_list(actor, database, frame, position, refused)
    toast = Toast(f"{count} {'organization' if count == 1 else 'organizations'} mapped.")
    if is_part(request):
        return await listed(actor, database, position, toast=toast)
    return go(request, position.there, toast)


@get(_ONE, guards=_MAY_SEE)
async def organization_page(
    *,
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
    client_neighbours: NamedDependency[ClientNeighbours],
    integration_id: FromPath[UUID],
    organization: FromPath[str],
    q: Wanted = "",
    back: Back = "",
) -> Template:
    """Everything that a person decides about one organization, without a script."""
    position = Position.back(integration_id, back)
    return await page(
        actor,
        database,
        frame,
        neighbours=client_neighbours,
        position=position,
        organization=organization,
        form=Form({"q": q}),
    )


@get(f"{_ONE}/picker", guards=_MAY_CHANGE)
async def client_picker(
    *,
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    client_neighbours: NamedDependency[ClientNeighbours],
    integration_id: FromPath[UUID],
    organization: FromPath[str],
    back: Back = "",
) -> Template:
    """The picker of a row's client, opened."""
    position = Position.back(integration_id, back)
    async with database.read(actor.scope) as session:
        context = await row_context(session, actor, position, organization)
        choice = await ClientService(session, actor.scope).pick("", client_neighbours.figures)
    return fragment("mappings/_picker.html", choice=choice, **context)


@post(f"{_ONE}/client", guards=_MAY_CHANGE, status_code=200)
async def choose_client(
    *,
    request: Request[Actor, Any, Any],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
    client_neighbours: NamedDependency[ClientNeighbours],
    integration_id: FromPath[UUID],
    organization: FromPath[str],
) -> Response[Any]:
    """Map an organization to a client, to a new one of the name in `create`, or (empty) to none."""
    form = await Form.read(request)
    asked = Asked(
        request, database, frame, client_neighbours, form, _back(integration_id, form), organization
    )
    if form.text("create"):
        await needs(Permission.ASSET_UPDATE)(request, request.route_handler)

    async def work(session: AsyncSession, mappings: MappingService) -> Toast:
        clients = ClientService(session, asked.actor.scope)
        client_id = form.identity("client")
        if form.text("create"):
            client_id = (await clients.create(form.text("create"))).client_id
        before = await mappings.assign(integration_id, organization, client_id, revision=asked.revision)
        contact_id = form.identity("contact")
        if client_id is not None and contact_id is not None:
            await mappings.set_default_contact(integration_id, organization, contact_id)
        after = await mappings.get(integration_id, organization)
        done = "mapped" if client_id is not None else "no longer mapped"
        return Toast(
            f"{before.external_organization_name} {done}.",
            undo=f"{asked.position.organization(organization)}/client",
            undo_fields=_undo(before, after, asked.position),
        )

    return await change(asked, work)


@post(f"{_ONE}/auto-sync", guards=_MAY_CHANGE, status_code=200)
async def switch_auto_sync(
    *,
    request: Request[Actor, Any, Any],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
    client_neighbours: NamedDependency[ClientNeighbours],
    integration_id: FromPath[UUID],
    organization: FromPath[str],
) -> Response[Any]:
    """Whether syncs bring the organization's devices in."""
    form = await Form.read(request)
    asked = Asked(
        request, database, frame, client_neighbours, form, _back(integration_id, form), organization
    )

    async def work(_: AsyncSession, mappings: MappingService) -> Toast:
        wanted = form.flag("auto_sync")
        view = await mappings.set_auto_sync(integration_id, organization, wanted, revision=asked.revision)
        return Toast(f"Auto-sync of {view.external_organization_name} is {'on' if wanted else 'off'}.")

    return await change(asked, work)


@get(f"{_ONE}/contact", guards=_MAY_CHANGE)
async def contact_editor(
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    integration_id: FromPath[UUID],
    organization: FromPath[str],
    back: Back = "",
) -> Template:
    """The people at the row's client, to choose one or to add one."""
    return await contact_editor_of(actor, database, Position.back(integration_id, back), organization, Form())


@post(f"{_ONE}/contact", guards=_MAY_CHANGE, status_code=200)
async def choose_contact(
    *,
    request: Request[Actor, Any, Any],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
    client_neighbours: NamedDependency[ClientNeighbours],
    integration_id: FromPath[UUID],
    organization: FromPath[str],
) -> Response[Any]:
    """Choose the default contact: one of the client's people, a new one, or (empty) nobody."""
    form = await Form.read(request)
    asked = Asked(
        request, database, frame, client_neighbours, form, _back(integration_id, form), organization
    )
    is_new = "name" in form.values
    if is_new:
        await needs(Permission.ASSET_UPDATE)(request, request.route_handler)

    async def work(session: AsyncSession, mappings: MappingService) -> Toast:
        view = await mappings.get(integration_id, organization)
        contact_id = form.identity("contact")
        if is_new:
            contact_id = await _new_contact(session, asked, view)
        await mappings.set_default_contact(integration_id, organization, contact_id, revision=asked.revision)
        if contact_id is None:
            return Toast(f"{view.external_organization_name} has no default contact.")
        name = (await ContactService(session, asked.actor.scope).get(contact_id)).name
        return Toast(f"{name} is the default contact of {view.external_organization_name}.")

    return await change(asked, work)


ROUTES: list[BaseRouteHandler] = [
    organization_list,
    accept_proposals,
    organization_page,
    client_picker,
    choose_client,
    switch_auto_sync,
    contact_editor,
    choose_contact,
]


def _back(integration_id: UUID, form: Form) -> Position:
    return Position.back(integration_id, form.text("back"))


def _undo(before: MappingView, after: MappingView, position: Position) -> dict[str, str]:
    """What a form has to say to bring a mapping back, unless somebody changed it again."""
    return {
        "client": str(before.client_id or ""),
        "contact": str(before.default_contact_id or ""),
        "revision": after.revision,
        "back": position.text,
    }


async def _new_contact(session: AsyncSession, asked: Asked, view: MappingView) -> UUID:
    if view.client_id is None:
        raise InvalidInput(
            f"{view.external_organization_name} is not mapped, so it has no contacts.",
            remedy="Choose its client first.",
        )
    contacts = ContactService(session, asked.actor.scope)
    name, email = asked.form.text("name"), asked.form.text("email")
    return (await contacts.create(view.client_id, name=name, email=email)).contact_id
