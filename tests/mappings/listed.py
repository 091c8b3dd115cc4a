"""An integration that has listed organizations, and the verbs of a person who maps them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from muster import clock
from muster.clients.service import ClientService, ContactService
from muster.db import bulk
from muster.db.types import table_of
from muster.mappings.models import OrganizationMapping
from muster.mappings.schemas import MappingView
from muster.mappings.service import MappingService
from muster.providers.contract import OrganizationRecord
from tests.support.world import World


@dataclass(frozen=True)
class List:
    """The organizations of one integration."""

    world: World
    integration_id: UUID

    async def list_again(self, names: Mapping[str, str], devices: int | None = None) -> None:
        """As a sync of organizations does."""
        records = [
            OrganizationRecord(external_id=key, name=name, device_count=devices)
            for key, name in names.items()
        ]
        async with self.world.database.write(self.world.scope) as session:
            await MappingService(session, self.world.scope).save_listed(
                self.integration_id, records, clock.now()
            )

    async def lose(self, *organizations: str) -> None:
        """The server lists these no longer."""
        async with self.world.database.write(self.world.scope) as session:
            await MappingService(session, self.world.scope).save_missing(
                self.integration_id, organizations, clock.now()
            )

    async def view(self, organization: str) -> MappingView:
        async with self.world.database.read(self.world.scope) as session:
            return await MappingService(session, self.world.scope).get(self.integration_id, organization)

    async def client(self, name: str) -> UUID:
        async with self.world.database.write(self.world.scope) as session:
            return (await ClientService(session, self.world.scope).create(name)).client_id

    async def contact(self, client_id: UUID, name: str) -> UUID:
        async with self.world.database.write(self.world.scope) as session:
            contacts = ContactService(session, self.world.scope)
            return (await contacts.create(client_id, name=name)).contact_id

    async def assign(self, organization: str, client_id: UUID | None, revision: str | None = None) -> None:
        async with self.world.database.write(self.world.scope) as session:
            await MappingService(session, self.world.scope).assign(
                self.integration_id, organization, client_id, revision=revision
            )

    async def switch(self, organization: str, on: bool, revision: str | None = None) -> None:
        async with self.world.database.write(self.world.scope) as session:
            await MappingService(session, self.world.scope).set_auto_sync(
                self.integration_id, organization, on, revision=revision
            )

    async def choose(self, organization: str, contact_id: UUID | None, revision: str | None = None) -> None:
        async with self.world.database.write(self.world.scope) as session:
            await MappingService(session, self.world.scope).set_default_contact(
                self.integration_id, organization, contact_id, revision=revision
            )

    async def write_past_the_service(self, organization: str, **values: Any) -> None:
        """As a mistake in Muster would."""
        async with self.world.database.write(self.world.scope) as session:
            await bulk.update_where(
                session,
                self.world.scope,
                table_of(OrganizationMapping),
                values,
                where={"external_organization_id": organization},
            )


async def listed(world: World, names: Mapping[str, str], devices: int | None = None) -> List:
    """A new integration of this world with these organizations, by their ids."""
    integration_id = await world.add(instance_url="https://api.example.com", api_key="ABCDEFGH12345678")
    some = List(world, integration_id)
    await some.list_again(names, devices)
    return some
