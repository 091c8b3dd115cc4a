"""Clients and contacts as others see them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from muster.clients.models import Client, Contact


class ClientView(msgspec.Struct, frozen=True, kw_only=True):
    """One client. `id` is `client_id`."""

    id: UUID
    client_id: UUID
    name: str
    created_at: datetime


def view(client: Client) -> ClientView:
    """The client as others see it."""
    return ClientView(
        id=client.client_id, client_id=client.client_id, name=client.name, created_at=client.created_at
    )


class ContactView(msgspec.Struct, frozen=True, kw_only=True):
    """A person at a client. `id` is `contact_id`."""

    id: UUID
    contact_id: UUID
    client_id: UUID
    name: str
    email: str | None
    phone: str | None
    created_at: datetime
    updated_at: datetime


def contact_view(contact: Contact) -> ContactView:
    """The contact as others see it."""
    return ContactView(
        id=contact.contact_id,
        contact_id=contact.contact_id,
        client_id=contact.client_id,
        name=contact.name,
        email=contact.email,
        phone=contact.phone,
        created_at=contact.created_at,
        updated_at=contact.updated_at,
    )


class ClientOption(msgspec.Struct, frozen=True, kw_only=True):
    """A client that a picker offers. `found` is the part of its name that was looked for."""

    client_id: UUID
    before: str
    found: str
    after: str
    assets: int | None


class ClientChoice(msgspec.Struct, frozen=True, kw_only=True):
    """What a picker shows for what was typed. `is_new`: no client is called exactly so."""

    wanted: str
    options: Sequence[ClientOption]
    more: int
    is_new: bool
