"""Pages of clients and the people at them."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.clients.listing import ClientListing, ClientSort
from muster.clients.models import Contact
from muster.clients.schemas import contact_view, view
from muster.clients.service import ClientService, ContactService
from muster.clients.types import ClientNeighbours
from muster.db import Database
from muster.errors import Conflict, InvalidInput, NotFound
from muster.tenancy import TenantScope
from muster.web.forms import Form
from muster.web.frame import Frame, Place, Toast, fragment, go
from muster.web.paging import Page, address

_CLIENT = "/clients/{client_id:uuid}"
_CONTACT = _CLIENT + "/contacts/{contact_id:uuid}"
_MAY_SEE = [needs(Permission.ASSET_READ)]
_MAY_CHANGE = [needs(Permission.ASSET_UPDATE)]
# Which field of the form a refusal is about; the others are about all of it.
_CONTACT_FIELDS = {"contact_name": "name", "contact_email": "email", "contact_phone": "phone"}

Wanted = Annotated[str, QueryParameter(max_length=200)]


async def count_clients(session: AsyncSession, scope: TenantScope) -> int:
    """The figure beside the place "Clients"."""
    return await ClientService(session, scope).count()


PLACE = Place(
    key="clients",
    label="Clients",
    icon="building",
    path="/clients",
    permission=Permission.ASSET_READ,
    count=count_clients,
)


@get("/clients", guards=_MAY_SEE)
async def client_list(
    *,
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
    client_neighbours: NamedDependency[ClientNeighbours],
    q: Wanted = "",
    sort: FromQuery[str | None] = None,
    page: FromQuery[int | None] = None,
    rows: FromQuery[int | None] = None,
) -> Template:
    """All clients: found by name, with their assets by status."""
    order = ClientSort(sort) if sort in tuple(ClientSort) else ClientSort.NAME
    wanted = Page.wanted(page, rows)
    async with database.read(actor.scope) as session:
        listing = ClientListing(session, actor.scope, client_neighbours.figures)
        clients, total = await listing.page(search=q, sort=order, limit=wanted.size, offset=wanted.offset)
        known = await ClientService(session, actor.scope).count()
    query = {"q": q.strip(), "sort": "" if order is ClientSort.NAME else order.value}
    query["rows"] = str(wanted.size) if rows is not None else ""
    return frame.page(
        "clients/list.html",
        title="Clients",
        place="clients",
        clients=clients,
        known=known,
        page=wanted.of(total),
        sort=order.value,
        query={name: value for name, value in query.items() if value},
        link=address,
        may_change=actor.may(Permission.ASSET_UPDATE),
        may_connect=actor.may(Permission.SETTINGS_READ),
    )


@get("/clients/pick", guards=_MAY_SEE)
async def pick_client(
    *,
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    client_neighbours: NamedDependency[ClientNeighbours],
    q: Wanted = "",
    create: FromQuery[bool] = False,
) -> Template:
    """The options of a picker for what was typed; with `create` the last one makes a client of it."""
    async with database.read(actor.scope) as session:
        choice = await ClientService(session, actor.scope).pick(q, client_neighbours.figures)
    may_create = create and actor.may(Permission.ASSET_UPDATE)
    return fragment("clients/_options.html", choice=choice, may_create=may_create)


@get("/clients/new", guards=_MAY_CHANGE)
async def new_client(frame: NamedDependency[Frame]) -> Template:
    """The form of a new client."""
    return _name_form(frame, Form())


@post("/clients", guards=_MAY_CHANGE, status_code=200)
async def create_client(
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
) -> Response[Any]:
    """Make a client."""
    form = await Form.read(request)
    try:
        async with database.write(actor.scope) as session:
            client = await ClientService(session, actor.scope).create(form.text("name"))
    except (Conflict, InvalidInput) as refused:
        form.refuse(refused, "name")
        return _name_form(frame, form, status_code=422)
    return go(request, f"/clients/{client.client_id}", Toast(f"{client.name} created."))


@get(_CLIENT, guards=_MAY_SEE)
async def client_page(
    *,
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
    client_neighbours: NamedDependency[ClientNeighbours],
    client_id: FromPath[UUID],
) -> Template:
    """One client: its assets by status, its people, and what other rooms know of it."""
    async with database.read(actor.scope) as session:
        client = await ClientListing(session, actor.scope, client_neighbours.figures).row(client_id)
        contacts = await ContactService(session, actor.scope).list(client_id)
    return frame.page(
        "clients/client.html",
        title=client.name,
        place="clients",
        trail=[("Clients", "/clients")],
        client=client,
        contacts=[contact_view(contact) for contact in contacts],
        sections=await frame.filled("client", client_id),
        may_change=actor.may(Permission.ASSET_UPDATE),
    )


@get(f"{_CLIENT}/rename", guards=_MAY_CHANGE)
async def rename_form(
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
    client_id: FromPath[UUID],
) -> Template:
    """The form of a client's name."""
    async with database.read(actor.scope) as session:
        client = view(await ClientService(session, actor.scope).get(client_id))
    return _name_form(frame, Form({"name": client.name}), client_id=client_id, name=client.name)


@post(f"{_CLIENT}/rename", guards=_MAY_CHANGE, status_code=200)
async def rename_client(
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
    client_id: FromPath[UUID],
) -> Response[Any]:
    """Call a client otherwise."""
    form = await Form.read(request)
    async with database.read(actor.scope) as session:
        name = (await ClientService(session, actor.scope).get(client_id)).name
    try:
        async with database.write(actor.scope) as session:
            client = await ClientService(session, actor.scope).rename(client_id, form.text("name"))
    except (Conflict, InvalidInput) as refused:
        form.refuse(refused, "name")
        return _name_form(frame, form, client_id=client_id, name=name, status_code=422)
    return go(request, f"/clients/{client_id}", Toast(f"{name} is called {client.name} now."))


@get(f"{_CLIENT}/contacts/new", guards=_MAY_CHANGE)
async def new_contact(
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
    client_id: FromPath[UUID],
) -> Template:
    """The form of a new contact."""
    return await _contact_form(actor, database, frame, client_id, Form())


@post(f"{_CLIENT}/contacts", guards=_MAY_CHANGE, status_code=200)
async def create_contact(
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
    client_id: FromPath[UUID],
) -> Response[Any]:
    """Add a person to a client."""
    form = await Form.read(request)
    try:
        async with database.write(actor.scope) as session:
            contacts = ContactService(session, actor.scope)
            contact = await contacts.create(client_id, **_reach(form))
    except InvalidInput as refused:
        form.refuse(refused, _CONTACT_FIELDS.get(refused.code, ""))
        return await _contact_form(actor, database, frame, client_id, form, status_code=422)
    return go(request, f"/clients/{client_id}", Toast(f"{contact.name} added."))


@get(_CONTACT, guards=_MAY_CHANGE)
async def contact_page(
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
    client_id: FromPath[UUID],
    contact_id: FromPath[UUID],
) -> Template:
    """The form of a contact."""
    async with database.read(actor.scope) as session:
        contact = await _contact(session, actor.scope, client_id, contact_id)
    known = {"name": contact.name, "email": contact.email or "", "phone": contact.phone or ""}
    return await _contact_form(actor, database, frame, client_id, Form(known), contact_id=contact_id)


@post(_CONTACT, guards=_MAY_CHANGE, status_code=200)
async def save_contact(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
    client_id: FromPath[UUID],
    contact_id: FromPath[UUID],
) -> Response[Any]:
    """Write what a contact is called and how to reach them."""
    form = await Form.read(request)
    try:
        async with database.write(actor.scope) as session:
            await _contact(session, actor.scope, client_id, contact_id)
            contact = await ContactService(session, actor.scope).update(contact_id, **_reach(form))
    except InvalidInput as refused:
        form.refuse(refused, _CONTACT_FIELDS.get(refused.code, ""))
        return await _contact_form(
            actor, database, frame, client_id, form, contact_id=contact_id, status_code=422
        )
    return go(request, f"/clients/{client_id}", Toast(f"{contact.name} saved."))


@get(f"{_CONTACT}/delete", guards=_MAY_CHANGE)
async def delete_contact_page(
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
    client_id: FromPath[UUID],
    contact_id: FromPath[UUID],
) -> Template:
    """The question before a contact is removed, for browsers without scripts."""
    async with database.read(actor.scope) as session:
        contact = contact_view(await _contact(session, actor.scope, client_id, contact_id))
    return frame.page(
        "clients/contact_delete.html",
        title=f"Remove {contact.name}",
        place="clients",
        trail=[("Clients", "/clients")],
        contact=contact,
    )


@post(f"{_CONTACT}/delete", guards=_MAY_CHANGE, status_code=303)
async def delete_contact(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    client_neighbours: NamedDependency[ClientNeighbours],
    client_id: FromPath[UUID],
    contact_id: FromPath[UUID],
) -> Redirect:
    """Remove a contact; organizations that had it as default have none then."""
    async with database.write(actor.scope) as session:
        contact = await _contact(session, actor.scope, client_id, contact_id)
        await ContactService(session, actor.scope).delete(contact_id, client_neighbours.let_go)
    return go(request, f"/clients/{client_id}", Toast(f"{contact.name} removed."))


ROUTES: list[BaseRouteHandler] = [
    client_list,
    pick_client,
    new_client,
    create_client,
    client_page,
    rename_form,
    rename_client,
    new_contact,
    create_contact,
    contact_page,
    save_contact,
    delete_contact_page,
    delete_contact,
]


def _name_form(
    frame: Frame,
    form: Form,
    *,
    client_id: UUID | None = None,
    name: str | None = None,
    status_code: int = 200,
) -> Template:
    back = [("Clients", "/clients")]
    if client_id is not None:
        back.append((name or "", f"/clients/{client_id}"))
    return frame.page(
        "clients/name.html",
        title="New client" if client_id is None else "Rename",
        place="clients",
        trail=back,
        status_code=status_code,
        form=form,
        name=name,
        action="/clients" if client_id is None else f"/clients/{client_id}/rename",
        back=back[-1][1],
    )


def _reach(form: Form) -> dict[str, str]:
    return {name: form.text(name) for name in _CONTACT_FIELDS.values()}


async def _contact(session: AsyncSession, scope: TenantScope, client_id: UUID, contact_id: UUID) -> Contact:
    contact = await ContactService(session, scope).get(contact_id)
    if contact.client_id != client_id:
        raise NotFound("There is no such contact.", remedy="The client's page lists its contacts.")
    return contact


async def _contact_form(
    actor: Actor,
    database: Database,
    frame: Frame,
    client_id: UUID,
    form: Form,
    *,
    contact_id: UUID | None = None,
    status_code: int = 200,
) -> Template:
    async with database.read(actor.scope) as session:
        client = view(await ClientService(session, actor.scope).get(client_id))
    there = f"/clients/{client_id}"
    return frame.page(
        "clients/contact.html",
        title="Add contact" if contact_id is None else "Edit contact",
        place="clients",
        trail=[("Clients", "/clients"), (client.name, there)],
        status_code=status_code,
        form=form,
        client=client,
        action=f"{there}/contacts" if contact_id is None else f"{there}/contacts/{contact_id}",
        back=there,
    )
