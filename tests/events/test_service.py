"""Events are written with their cause, in order, and shown in the CloudEvents envelope."""

import asyncio
import json
from uuid import UUID, uuid4

import pytest

from muster.db import Database
from muster.db.row_security import WrongTenant
from muster.events.schemas import EventView
from muster.events.service import EventService
from muster.events.types import NewEvent
from muster.tenancy import TenantScope
from muster.tenants.service import TenantService
from tests.support.cli import Muster


async def tenant(database: Database, name: str = "Acme") -> TenantScope:
    async with database.write() as session:
        return TenantScope((await TenantService(session).create(name)).tenant_id)


async def publish(database: Database, scope: TenantScope, *subjects: str) -> None:
    async with database.write(scope) as session:
        await EventService(session, scope).publish_many(
            [NewEvent(type="RMM_TEST", subject=subject, data={}) for subject in subjects]
        )


async def listed(database: Database, scope: TenantScope) -> list[EventView]:
    async with database.read(scope) as session:
        return list(reversed(await EventService(session, scope).list(limit=1000)))


async def test_an_event_is_shown_in_its_envelope(database: Database) -> None:
    scope, thing = await tenant(database), uuid4()
    async with database.write(scope) as session:
        event_id = await EventService(session, scope).publish(
            "RMM_TEST", thing, {"id": thing, "none": None}, source="/integrations/7"
        )
    (event,) = await listed(database, scope)
    assert isinstance(event_id, UUID)
    assert (event.specversion, event.id, event.type, event.subject) == (
        "1.0",
        event_id,
        "RMM_TEST",
        str(thing),
    )
    assert (event.source, event.sequence, event.tenantid) == ("/integrations/7", "1", scope.tenant_id)
    assert event.data == {"id": str(thing), "none": None}
    assert event.time.tzinfo is not None


async def _publish_and_fail(database: Database, scope: TenantScope) -> None:
    async with database.write(scope) as session:
        await EventService(session, scope).publish("RMM_TEST", "lost", {})
        raise KeyError


async def test_an_event_goes_with_its_cause(database: Database) -> None:
    scope = await tenant(database)
    await publish(database, scope, "a")
    with pytest.raises(KeyError):
        await _publish_and_fail(database, scope)
    async with database.write(scope) as session:
        service = EventService(session, scope)
        savepoint = await session.begin_nested()
        await service.publish("RMM_TEST", "lost with its savepoint", {})
        await savepoint.rollback()
        await service.publish("RMM_TEST", "b", {})
    events = await listed(database, scope)
    assert [(event.position, event.subject) for event in events] == [(1, "a"), (2, "b")]


async def test_sequences_have_no_gaps_however_many_publish_at_once(database: Database) -> None:
    one, two = await tenant(database, "One"), await tenant(database, "Two")
    work = [publish(database, scope, *map(str, range(3))) for scope in (one, two) for _ in range(8)]
    await asyncio.gather(*work)
    for scope in (one, two):
        events = await listed(database, scope)
        assert [event.position for event in events] == list(range(1, 25))
        assert [event.subject for event in events] == ["0", "1", "2"] * 8


async def test_a_reader_never_sees_a_later_event_before_an_earlier_one(database: Database) -> None:
    """The order of sequences is the order of commits: who is slow after publishing holds nobody up."""
    scope = await tenant(database)
    async with database.write(scope) as slow:
        await EventService(slow, scope).publish("RMM_TEST", "slow", {})
        if not database.is_sqlite:
            await publish(database, scope, "quick")
            assert [event.position for event in await listed(database, scope)] == [1]
    assert (await listed(database, scope))[-1].subject == "slow"


async def test_too_much_data_is_refused(database: Database) -> None:
    scope = await tenant(database)
    async with database.write(scope) as session:
        with pytest.raises(ValueError, match="65536"):
            await EventService(session, scope).publish("RMM_TEST", "big", {"text": "x" * 70_000})


async def test_a_session_belongs_to_one_tenant(database: Database) -> None:
    one, two = await tenant(database, "One"), await tenant(database, "Two")
    async with database.read(one) as session:
        with pytest.raises(WrongTenant):
            EventService(session, two)
    await publish(database, one, "theirs")
    assert await listed(database, two) == []


async def test_events_are_listed_on_the_command_line(muster_on: Muster, database: Database) -> None:
    scope = await tenant(database)
    await publish(database, scope, "first", "second")
    shown = muster_on.done("event", "list", "--limit", 1)
    assert [item["subject"] for item in shown["items"]] == ["second"]
    assert shown["items"][0]["specversion"] == "1.0"
    assert muster_on.done("event", "list", "--type", "RMM_OTHER") == {"items": []}
    lines = muster_on("event", "list", "--type", "RMM_TEST").out
    assert "first" in lines
    assert json.dumps("") not in lines
