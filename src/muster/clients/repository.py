"""Questions to the tables of clients and contacts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import func, select

from muster.clients.models import Client, Contact
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

    async def count(self) -> int:
        """How many there are."""
        query = select(func.count()).select_from(Client).where(Client.tenant_id == self.scope.tenant_id)
        return (await self.session.scalars(query)).one()

    async def names(self) -> list[tuple[UUID, str]]:
        """Id and name of every client, by name."""
        query = (
            select(Client.client_id, Client.name)
            .where(Client.tenant_id == self.scope.tenant_id)
            .order_by(Client.name_key, Client.client_id)
        )
        return [(row[0], row[1]) for row in await self.session.execute(query)]

    async def by_ids(self, ids: Sequence[UUID]) -> Sequence[Client]:
        """The clients with these ids; at most a few hundred at a time."""
        query = select(Client).where(Client.tenant_id == self.scope.tenant_id, Client.client_id.in_(ids))
        return (await self.session.scalars(query)).all()

    def add(self, client: Client) -> None:
        """A new client, written when the transaction is."""
        self.session.add(client)


class ContactRepository(TenantRepository):
    """Named questions to `contacts`, within one tenant."""

    async def by_id(self, contact_id: UUID, *, for_update: bool = False) -> Contact | None:
        """One contact. `for_update` keeps others from naming or changing it meanwhile."""
        query = select(Contact).where(
            Contact.tenant_id == self.scope.tenant_id, Contact.contact_id == contact_id
        )
        if for_update:
            query = query.with_for_update()
        return (await self.session.scalars(query)).one_or_none()

    async def of_client(self, client_id: UUID) -> Sequence[Contact]:
        """The contacts of a client, by name."""
        query = (
            select(Contact)
            .where(Contact.tenant_id == self.scope.tenant_id, Contact.client_id == client_id)
            .order_by(func.lower(Contact.name), Contact.contact_id)
        )
        return (await self.session.scalars(query)).all()

    async def names(self, ids: Collection[UUID]) -> dict[UUID, str]:
        """The names of these contacts; at most a few hundred at a time."""
        query = select(Contact.contact_id, Contact.name).where(
            Contact.tenant_id == self.scope.tenant_id, Contact.contact_id.in_(ids)
        )
        return {row[0]: row[1] for row in await self.session.execute(query)}

    async def counts(self, client_ids: Collection[UUID]) -> dict[UUID, int]:
        """How many contacts these clients have; at most a few hundred at a time."""
        query = (
            select(Contact.client_id, func.count())
            .where(Contact.tenant_id == self.scope.tenant_id, Contact.client_id.in_(client_ids))
            .group_by(Contact.client_id)
        )
        return {row[0]: row[1] for row in await self.session.execute(query)}

    def add(self, contact: Contact) -> None:
        """A new contact, written when the transaction is."""
        self.session.add(contact)

    async def remove(self, contact: Contact) -> None:
        """Delete a contact."""
        await self.session.delete(contact)
        await self.session.flush()
