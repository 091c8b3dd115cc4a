"""Questions to the table of clients."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from muster.clients.models import Client
from muster.db.repository import TenantRepository


class ClientRepository(TenantRepository):
    """Named questions to `clients`, within one tenant."""

    async def by_id(self, client_id: UUID) -> Client | None:
        """One client."""
        return await self.session.get(Client, (self.scope.tenant_id, client_id))

    async def by_name_key(self, key: str) -> Client | None:
        """The client whose folded name is this."""
        query = select(Client).where(Client.tenant_id == self.scope.tenant_id, Client.name_key == key)
        return (await self.session.scalars(query)).one_or_none()

    async def page(self, *, limit: int | None, search_key: str | None) -> Sequence[Client]:
        """Clients by name; with `search_key` those whose folded name contains it."""
        query = select(Client).where(Client.tenant_id == self.scope.tenant_id)
        if search_key:
            query = query.where(Client.name_key.contains(search_key, autoescape=True))
        query = query.order_by(Client.name_key, Client.client_id).limit(limit)
        return (await self.session.scalars(query)).all()

    async def by_ids(self, ids: Sequence[UUID]) -> Sequence[Client]:
        """The clients with these ids; at most a few hundred at a time."""
        query = select(Client).where(Client.tenant_id == self.scope.tenant_id, Client.client_id.in_(ids))
        return (await self.session.scalars(query)).all()

    def add(self, client: Client) -> None:
        """A new client, written when the transaction is."""
        self.session.add(client)
