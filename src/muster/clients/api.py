"""Clients and contacts as JSON: the same verbs as the pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import delete, get, patch, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.clients.listing import ClientListing, ClientRow, ClientSort
from muster.clients.schemas import ClientView, ContactView, contact_view, view
from muster.clients.service import ClientService, ContactService
from muster.clients.types import ClientNeighbours
from muster.db import Database
from muster.naming import NAME_LIMIT
from muster.web.paging import Limit, Offset

_READ, _UPDATE = [needs(Permission.ASSET_READ)], [needs(Permission.ASSET_UPDATE)]
_TAGS = ["Clients"]
_ONE = "/clients/{client_id:uuid}"
_CONTACT = "/contacts/{contact_id:uuid}"

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_LIMIT)]
Email = Annotated[str, msgspec.Meta(max_length=254)]
Phone = Annotated[str, msgspec.Meta(max_length=50)]
Wanted = Annotated[str, QueryParameter(max_length=NAME_LIMIT)]


class ClientName(msgspec.Struct, frozen=True, kw_only=True):
    """What a client is to be called."""

    name: Name


class ClientList(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the clients, and how many match in all."""

    items: Sequence[ClientRow]
    total: int


class ContactFields(msgspec.Struct, frozen=True, kw_only=True):
    """What a contact is called and how to reach them."""

    name: Name
    email: Email | None = None
    phone: Phone | None = None


class ContactList(msgspec.Struct, frozen=True, kw_only=True):
    """The contacts of a client."""

    items: Sequence[ContactView]
    total: int


@get("/clients", guards=_READ, operation_id="listClients", tags=_TAGS)
async def client_list(
    *,
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    client_neighbours: NamedDependency[ClientNeighbours],
    q: Wanted = "",
    sort: FromQuery[ClientSort] = ClientSort.NAME,
    limit: Limit = 100,
    offset: Offset = 0,
) -> ClientList:
    """Clients whose name contains `q`, however its umlauts are spelt, with their figures."""
    async with database.read(actor.scope) as session:
        listing = ClientListing(session, actor.scope, client_neighbours.figures)
        items, total = await listing.page(search=q, sort=sort, limit=limit, offset=offset)
    return ClientList(items=items, total=total)


@post("/clients", guards=_UPDATE, operation_id="createClient", tags=_TAGS)
async def client_create(
    data: JSONBody[ClientName], actor: NamedDependency[Actor], database: NamedDependency[Database]
) -> ClientView:
    """Make a client. 409 when one is called so already, in any case or spacing."""
    async with database.write(actor.scope) as session:
        return view(await ClientService(session, actor.scope).create(data.name))


@get(_ONE, guards=_READ, operation_id="getClient", tags=_TAGS)
async def client_get(
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    client_neighbours: NamedDependency[ClientNeighbours],
    client_id: FromPath[UUID],
) -> ClientRow:
    """One client with its figures."""
    async with database.read(actor.scope) as session:
        return await ClientListing(session, actor.scope, client_neighbours.figures).row(client_id)


@patch(_ONE, guards=_UPDATE, operation_id="renameClient", tags=_TAGS)
async def client_rename(
    data: JSONBody[ClientName],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    client_id: FromPath[UUID],
) -> ClientView:
    """Call a client otherwise. 409 when another one is called so."""
    async with database.write(actor.scope) as session:
        return view(await ClientService(session, actor.scope).rename(client_id, data.name))


@get(f"{_ONE}/contacts", guards=_READ, operation_id="listContacts", tags=_TAGS)
async def contact_list(
    actor: NamedDependency[Actor], database: NamedDependency[Database], client_id: FromPath[UUID]
) -> ContactList:
    """The people at a client, by name."""
    async with database.read(actor.scope) as session:
        client = await ClientService(session, actor.scope).get(client_id)
        contacts = await ContactService(session, actor.scope).list(client.client_id)
    return ContactList(items=[contact_view(contact) for contact in contacts], total=len(contacts))


@post(f"{_ONE}/contacts", guards=_UPDATE, operation_id="createContact", tags=_TAGS)
async def contact_create(
    data: JSONBody[ContactFields],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    client_id: FromPath[UUID],
) -> ContactView:
    """Add a person to a client."""
    async with database.write(actor.scope) as session:
        contacts = ContactService(session, actor.scope)
        return contact_view(
            await contacts.create(client_id, name=data.name, email=data.email, phone=data.phone)
        )


@get(_CONTACT, guards=_READ, operation_id="getContact", tags=_TAGS)
async def contact_get(
    actor: NamedDependency[Actor], database: NamedDependency[Database], contact_id: FromPath[UUID]
) -> ContactView:
    """One contact."""
    async with database.read(actor.scope) as session:
        return contact_view(await ContactService(session, actor.scope).get(contact_id))


@patch(_CONTACT, guards=_UPDATE, operation_id="updateContact", tags=_TAGS)
async def contact_update(
    data: JSONBody[ContactFields],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    contact_id: FromPath[UUID],
) -> ContactView:
    """Write what a contact is called and how to reach them; what is left out is cleared."""
    async with database.write(actor.scope) as session:
        contacts = ContactService(session, actor.scope)
        return contact_view(
            await contacts.update(contact_id, name=data.name, email=data.email, phone=data.phone)
        )


@delete(_CONTACT, guards=_UPDATE, operation_id="deleteContact", tags=_TAGS)
async def contact_delete(
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    client_neighbours: NamedDependency[ClientNeighbours],
    contact_id: FromPath[UUID],
) -> None:
    """Remove a contact; organizations that had it as default have none then."""
    async with database.write(actor.scope) as session:
        await ContactService(session, actor.scope).delete(contact_id, client_neighbours.let_go)


ROUTES: list[BaseRouteHandler] = [
    client_list,
    client_create,
    client_get,
    client_rename,
    contact_list,
    contact_create,
    contact_get,
    contact_update,
    contact_delete,
]
