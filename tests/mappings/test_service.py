"""Mapping organizations: what a person decides, and what somebody else decided meanwhile."""

from collections.abc import Sequence

import pytest
from sqlalchemy.exc import IntegrityError

from muster.audit.schemas import AuditView
from muster.audit.service import AuditService
from muster.clients.service import ClientService, ContactService
from muster.db import Database
from muster.errors import Conflict, InvalidInput, NotFound
from muster.mappings.listing import MappingState, OrganizationListing
from muster.mappings.schemas import Acceptance
from muster.mappings.service import MappingService
from tests.mappings.listed import List, listed
from tests.support.world import World


@pytest.fixture
async def some(database: Database) -> List:
    return await listed(await World.make(database), {"1": "Contoso", "2": "Übermut & Söhne", "3": "Fabrikam"})


async def _trail(world: World) -> list[AuditView]:
    async with world.database.read(world.scope) as session:
        entries = await AuditService(session, world.scope).list(limit=100)
    return list(reversed(entries))


async def test_a_mapping_is_recorded_and_taken_back(some: List) -> None:
    client = await some.client("Contoso Ltd")
    await some.assign("1", client)
    # Said again it is no news.
    await some.assign("1", client)
    await some.assign("1", None)
    entries = [entry for entry in await _trail(some.world) if entry.action.startswith("mapping.")]
    assert [(entry.action, entry.subject, entry.detail["client"]) for entry in entries] == [
        ("mapping.assigned", "Contoso", "Contoso Ltd"),
        ("mapping.unassigned", "Contoso", "Contoso Ltd"),
    ]
    assert entries[0].detail["integration_id"] == str(some.integration_id)


async def test_a_client_of_nobody_or_of_another_tenant_cannot_be_mapped(some: List) -> None:
    stranger = await World.make(some.world.database, "Stranger")
    async with stranger.database.write(stranger.scope) as session:
        theirs = (await ClientService(session, stranger.scope).create("Theirs")).client_id
    with pytest.raises(NotFound):
        await some.assign("1", theirs)
    with pytest.raises(NotFound):
        await some.assign("9", None)
    assert (await some.view("1")).client_id is None


async def test_the_default_contact_is_one_of_the_mapped_client(some: List) -> None:
    contoso, other = await some.client("Contoso"), await some.client("Other")
    ann, bob = await some.contact(contoso, "Ann"), await some.contact(other, "Bob")
    with pytest.raises(InvalidInput, match="not a contact"):
        await some.choose("1", ann)
    await some.assign("1", contoso)
    with pytest.raises(InvalidInput, match="not a contact"):
        await some.choose("1", bob)
    await some.choose("1", ann)
    assert (await some.view("1")).default_contact_id == ann
    # Another client has other people.
    await some.assign("1", other)
    assert (await some.view("1")).default_contact_id is None


async def test_the_database_itself_refuses_a_contact_of_another_client(some: List) -> None:
    contoso, other = await some.client("Contoso"), await some.client("Other")
    bob = await some.contact(other, "Bob")
    await some.assign("1", contoso)
    with pytest.raises(IntegrityError):
        await some.write_past_the_service("1", default_contact_id=bob)
    # And one that organizations still have cannot go past the service either.
    ann = await some.contact(contoso, "Ann")
    await some.choose("1", ann)
    with pytest.raises(IntegrityError):
        async with some.world.database.write(some.world.scope) as session:
            await ContactService(session, some.world.scope).delete(ann, _keeps_it)


async def _keeps_it(*_: object) -> None:
    return None


async def test_a_contact_that_goes_leaves_no_organization_with_it(some: List) -> None:
    contoso = await some.client("Contoso")
    ann = await some.contact(contoso, "Ann")
    for organization in ("1", "2"):
        await some.assign(organization, contoso)
        await some.choose(organization, ann)
    world = some.world

    async with world.database.write(world.scope) as session:
        await ContactService(session, world.scope).delete(
            ann, lambda s, scope, contact: MappingService(s, scope).let_go_of_contact(contact)
        )
    for organization in ("1", "2"):
        view = await some.view(organization)
        assert (view.client_id, view.default_contact_id) == (contoso, None)


async def test_a_listing_keeps_what_people_decided(some: List) -> None:
    contoso = await some.client("Contoso")
    ann = await some.contact(contoso, "Ann")
    await some.assign("1", contoso)
    await some.choose("1", ann)
    before = await some.view("1")
    await some.list_again({"1": "Contoso renamed"})
    after = await some.view("1")
    assert after.external_organization_name == "Contoso renamed"
    assert (after.client_id, after.default_contact_id) == (contoso, ann)
    # A sync is nobody's decision: what a person saw before it still holds.
    assert after.revision == before.revision


@pytest.mark.parametrize("change", ["client", "auto_sync", "contact"])
async def test_what_somebody_else_decided_meanwhile_stands(some: List, change: str) -> None:
    contoso, other = await some.client("Contoso"), await some.client("Other")
    ann = await some.contact(contoso, "Ann")
    await some.assign("1", contoso)
    seen = (await some.view("1")).revision
    if change == "client":
        await some.assign("1", other)
    elif change == "auto_sync":
        await some.switch("1", False)
    else:
        await some.choose("1", ann)
    now = await some.view("1")
    for attempt in (
        some.assign("1", None, seen),
        some.switch("1", True, seen),
        some.choose("1", None, seen),
    ):
        with pytest.raises(Conflict) as refused:
            await attempt
        assert refused.value.code == "mapping_changed"
    assert await some.view("1") == now
    await some.assign("1", None, now.revision)


async def test_several_are_accepted_all_or_none(some: List) -> None:
    contoso, other = await some.client("Contoso"), await some.client("Other")
    await some.assign("2", other)
    world = some.world

    async def accept(*accepted: Acceptance) -> int:
        async with world.database.write(world.scope) as session:
            return await MappingService(session, world.scope).accept(some.integration_id, accepted)

    with pytest.raises(Conflict):
        await accept(Acceptance("1", contoso), Acceptance("2", contoso))
    assert (await some.view("1")).client_id is None
    assert await accept(Acceptance("1", contoso), Acceptance("3", other)) == 2
    assert [(await some.view(each)).client_id for each in "123"] == [contoso, other, other]
    assert [entry.subject for entry in await _trail(world) if entry.action == "mapping.assigned"][-2:] == [
        "Contoso",
        "Fabrikam",
    ]


async def _page(some: List, state: MappingState = MappingState.ALL, search: str = "") -> Sequence[str]:
    async with some.world.database.read(some.world.scope) as session:
        listing = OrganizationListing(session, some.world.scope)
        page = await listing.page(some.integration_id, state=state, search=search, limit=50)
    assert page.total == len(page.rows)
    return [row.external_organization_name for row in page.rows]


async def test_who_waits_for_a_person_comes_first(some: List) -> None:
    await some.list_again({"4": "Ångström", "5": "Zeta", "6": "alpha"})
    await some.lose("3", "6")
    await some.assign("5", await some.client("Zeta"))
    await some.assign("6", await some.client("Alpha"))
    assert await _page(some) == ["Ångström", "Contoso", "Übermut & Söhne", "alpha", "Zeta", "Fabrikam"]
    assert await _page(some, MappingState.MAPPED) == ["alpha", "Zeta"]
    assert await _page(some, MappingState.UNMAPPED, "ueberm") == ["Übermut & Söhne"]
    assert await _page(some, search="nobody") == []


async def test_what_is_not_read_is_counted(some: List) -> None:
    await some.list_again({"1": "Contoso", "2": "Übermut", "3": "Fabrikam", "4": "Gone"}, devices=10)
    await some.lose("4")
    await some.assign("1", await some.client("Contoso"))
    await some.assign("2", await some.client("Übermut"))
    await some.switch("2", False)
    async with some.world.database.read(some.world.scope) as session:
        page = await OrganizationListing(session, some.world.scope).page(some.integration_id, limit=50)
    tally = page.summary.tally
    assert (tally.agents, tally.read) == (30, 10)
    assert (tally.unmapped_agents, tally.unmapped_organizations) == (10, 1)
    assert (tally.paused_agents, tally.paused_organizations) == (10, 1)
    assert page.summary.counts == {"all": 4, "unmapped": 2, "mapped": 2}


async def test_an_agreement_holds_for_the_proposals_that_were_seen(some: List) -> None:
    await some.client("Contoso")
    world = some.world

    async def agreement(search: str = "") -> str:
        async with world.database.read(world.scope) as session:
            listing = OrganizationListing(session, world.scope)
            return (await listing.page(some.integration_id, search=search, limit=1)).summary.agreement

    async def accept(seen: str, search: str = "") -> int:
        async with world.database.write(world.scope) as session:
            return await OrganizationListing(session, world.scope).accept(
                some.integration_id, seen, search=search
            )

    seen = await agreement()
    await some.client("Fabrikam")
    with pytest.raises(Conflict) as refused:
        await accept(seen)
    assert refused.value.code == "proposals_changed"
    assert (await some.view("1")).client_id is None
    # Only what was searched for is seen, so only that is accepted.
    assert await accept(await agreement("fabri"), "fabri") == 1
    assert (await some.view("1")).client_id is None
    assert await accept(await agreement()) == 1


async def test_unmapped_is_what_is_listed_and_has_no_client(some: List) -> None:
    await some.list_again({"1": "Contoso", "2": "Übermut", "3": "Fabrikam"}, devices=4)
    await some.assign("1", await some.client("Contoso"))
    await some.lose("3")
    async with some.world.database.read(some.world.scope) as session:
        (found,) = await MappingService(session, some.world.scope).unmapped()
    assert (found.integration_id, found.organizations, found.devices) == (some.integration_id, 1, 4)
