"""The people at a client."""

from uuid import UUID

import pytest

from muster.audit.service import AuditService
from muster.clients.models import Contact
from muster.clients.service import ClientService, ContactService
from muster.db import Database
from muster.errors import InvalidInput, NotFound
from tests.support.world import World


@pytest.fixture
async def world(database: Database) -> World:
    return await World.make(database)


async def _client(world: World, name: str = "Contoso") -> UUID:
    async with world.database.write(world.scope) as session:
        return (await ClientService(session, world.scope).create(name)).client_id


async def _add(world: World, client_id: UUID, name: str, **reach: str) -> Contact:
    async with world.database.write(world.scope) as session:
        return await ContactService(session, world.scope).create(client_id, name=name, **reach)


async def _nobody(*_: object) -> None:
    """Nothing holds a contact here."""


async def test_contacts_are_listed_changed_and_removed(world: World) -> None:
    client_id = await _client(world)
    bob = await _add(world, client_id, " bob  Builder ", email=" Bob@Contoso.example ", phone="+49  30 1")
    assert (bob.name, bob.email, bob.phone) == ("bob Builder", "bob@contoso.example", "+49 30 1")
    await _add(world, client_id, "Ann", email="", phone=" ")
    await _add(world, await _client(world, "Other"), "Zoë")
    async with world.database.write(world.scope) as session:
        contacts = ContactService(session, world.scope)
        assert [(each.name, each.email) for each in await contacts.list(client_id)] == [
            ("Ann", None),
            ("bob Builder", "bob@contoso.example"),
        ]
        changed = await contacts.update(bob.contact_id, name="Bob", phone="1")
        assert (changed.name, changed.email, changed.phone) == ("Bob", None, "1")
        assert await contacts.counts([client_id]) == {client_id: 2}
    async with world.database.write(world.scope) as session:
        contacts = ContactService(session, world.scope)
        await contacts.delete(bob.contact_id, _nobody)
        assert [each.name for each in await contacts.list(client_id)] == ["Ann"]
        with pytest.raises(NotFound):
            await contacts.delete(bob.contact_id, _nobody)
    async with world.database.read(world.scope) as session:
        entries = await AuditService(session, world.scope).list(limit=50)
    trail = [(each.action, each.subject) for each in reversed(entries) if "contact" in each.action]
    assert trail == [
        ("contact.created", "bob Builder"),
        ("contact.created", "Ann"),
        ("contact.created", "Zoë"),
        ("contact.updated", "Bob"),
        ("contact.deleted", "Bob"),
    ]


@pytest.mark.parametrize(
    ("code", "fields"),
    [
        ("contact_name", {"name": "  "}),
        ("contact_name", {"name": "x" * 201}),
        ("contact_email", {"name": "Ann", "email": "nowhere"}),
        ("contact_phone", {"name": "Ann", "phone": "1" * 51}),
        ("contact_phone", {"name": "Ann", "phone": "1\n2"}),
    ],
)
async def test_a_refusal_says_which_field(world: World, code: str, fields: dict[str, str]) -> None:
    client_id = await _client(world)
    with pytest.raises(InvalidInput) as refused:
        await _add(world, client_id, **fields)
    assert refused.value.code == code
    async with world.database.read(world.scope) as session:
        assert await ContactService(session, world.scope).list(client_id) == []


async def test_another_tenants_people_are_not_there(world: World) -> None:
    stranger = await World.make(world.database, "Stranger")
    client_id = await _client(world)
    ann = await _add(world, client_id, "Ann")
    async with world.database.write(stranger.scope) as session:
        contacts = ContactService(session, stranger.scope)
        assert await contacts.list(client_id) == []
        assert await contacts.names([ann.contact_id]) == {}
        for refused in (
            contacts.get(ann.contact_id),
            contacts.update(ann.contact_id, name="Eve"),
            contacts.delete(ann.contact_id, _nobody),
            contacts.create(client_id, name="Eve"),
        ):
            with pytest.raises(NotFound):
                await refused


async def test_a_rename_is_recorded_and_keeps_to_one_name_each(world: World) -> None:
    client_id = await _client(world)
    await _client(world, "Fabrikam")
    async with world.database.write(world.scope) as session:
        clients = ClientService(session, world.scope)
        assert (await clients.rename(client_id, "CONTOSO")).name == "CONTOSO"
        assert (await clients.rename(client_id, "CONTOSO")).name == "CONTOSO"
        with pytest.raises(Exception, match="There is a client fabrikam already"):
            await clients.rename(client_id, "fabrikam")
        with pytest.raises(NotFound):
            await clients.rename(UUID(int=7), "Nobody")
    async with world.database.read(world.scope) as session:
        (entry,) = await AuditService(session, world.scope).list(action="client.renamed", limit=9)
        assert (entry.subject, entry.detail) == ("CONTOSO", {"from": "Contoso"})
        assert (await ClientService(session, world.scope).get("contoso")).name == "CONTOSO"
