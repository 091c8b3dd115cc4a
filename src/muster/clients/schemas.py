"""A client as others see it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from muster.clients.models import Client


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
