"""Clients: make, list, and find the one that is meant."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.clients.models import Client
from muster.clients.repository import ClientRepository
from muster.db.types import new_id
from muster.errors import Conflict, NotFound
from muster.naming import as_id, clean_name, name_key
from muster.tenancy import TenantScope

# SQLite's older builds take 999 parameters in one statement.
_IDS_AT_A_TIME = 500


class ClientService:
    """The verbs on the clients of one tenant."""

    def __init__(self, session: AsyncSession, scope: TenantScope) -> None:
        self.session = session
        self.scope = scope
        self.clients = ClientRepository(session, scope)

    async def create(self, name: str) -> Client:
        """Make a client. InvalidInput for an unusable name, Conflict for one that is taken in any case or
        spacing.
        """
        name = clean_name(name, what="the client")
        key = name_key(name)
        taken = Conflict(f"There is a client {name} already.", remedy="Choose another name.")
        if await self.clients.by_name_key(key) is not None:
            raise taken
        client = Client(
            tenant_id=self.scope.tenant_id,
            client_id=new_id(),
            name=name,
            name_key=key,
            created_at=clock.now(),
        )
        try:
            async with self.session.begin_nested():
                self.clients.add(client)
        except IntegrityError:
            # Somebody else took the name since the question above.
            raise taken from None
        return client

    async def get_or_create(self, name: str) -> Client:
        """The client of this name, made when it is not there yet."""
        existing = await self.clients.by_name_key(name_key(clean_name(name, what="the client")))
        if existing is not None:
            return existing
        try:
            return await self.create(name)
        except Conflict:
            return await self.get(name)

    async def list(self, *, limit: int | None = None, search: str | None = None) -> Sequence[Client]:
        """The clients by name; with `search` those whose name contains it in any case."""
        return await self.clients.page(limit=limit, search_key=name_key(search) if search else None)

    async def get(self, reference: str | UUID) -> Client:
        """The client meant by id or by name in any case; NotFound also for another tenant's."""
        wanted_id = reference if isinstance(reference, UUID) else as_id(reference)
        if wanted_id is not None and (client := await self.clients.by_id(wanted_id)) is not None:
            return client
        client = await self.clients.by_name_key(name_key(str(reference)))
        if client is None:
            raise NotFound(f"There is no client {reference}.", remedy="See: muster client list")
        return client

    async def names(self, ids: Collection[UUID]) -> dict[UUID, str]:
        """The names of the clients with these ids; ids that are not the tenant's are left out."""
        wanted = sorted(set(ids))
        names: dict[UUID, str] = {}
        for start in range(0, len(wanted), _IDS_AT_A_TIME):
            clients = await self.clients.by_ids(wanted[start : start + _IDS_AT_A_TIME])
            names.update((client.client_id, client.name) for client in clients)
        return names
