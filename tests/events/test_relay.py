"""The relay brings each event to each subscriber, in order, and a failure holds up nobody else."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.clients.service import ClientService
from muster.db import Database, bulk
from muster.db.types import table_of
from muster.events.models import EventCursor
from muster.events.relay import BATCH, EventRelay
from muster.events.schemas import EventView
from muster.events.service import EventService
from muster.events.types import NewEvent, Subscriber
from muster.tenancy import TenantScope
from tests.events.test_service import listed, publish, tenant

_CURSORS = table_of(EventCursor)
MONTH = timedelta(days=30)


class Recorder:
    """Remembers what it did; fails, before it does anything, on the subjects in `bad`."""

    def __init__(self) -> None:
        self.heard: list[tuple[TenantScope, str]] = []
        self.bad: set[str] = set()

    async def __call__(self, session: AsyncSession, scope: TenantScope, events: Sequence[EventView]) -> None:
        for event in events:
            if event.subject in self.bad:
                raise RuntimeError(f"cannot do {event.subject}")
        self.heard += [(scope, event.subject) for event in events]

    def of(self, scope: TenantScope) -> list[str]:
        return [subject for heard, subject in self.heard if heard == scope]


def relay(database: Database, *subscribers: Subscriber, retention: timedelta = MONTH) -> EventRelay:
    return EventRelay(database, subscribers, retention)


async def test_everybody_hears_everything_in_order(database: Database) -> None:
    one, two = await tenant(database, "One"), await tenant(database, "Two")
    subjects = [str(number) for number in range(2 * BATCH + 3)]
    await publish(database, one, *subjects)
    await publish(database, two, "x", "y")
    first, second = Recorder(), Recorder()
    work = relay(database, Subscriber("first", first), Subscriber("second", second))
    assert await work.relay_once() == 2 * (len(subjects) + 2)
    for recorder in (first, second):
        assert recorder.of(one) == subjects
        assert recorder.of(two) == ["x", "y"]
    assert await work.relay_once() == 0
    await publish(database, two, "z")
    assert await work.relay_once() == 2
    assert first.of(two) == ["x", "y", "z"]


async def test_only_what_was_asked_for(database: Database) -> None:
    scope = await tenant(database)
    recorder = Recorder()
    work = relay(database, Subscriber("some", recorder, frozenset({"RMM_OTHER"})))
    async with database.write(scope) as session:
        await EventService(session, scope).publish_many(
            [
                NewEvent(type=name, subject=str(number), data={})
                for number, name in enumerate(["RMM_TEST", "RMM_OTHER", "RMM_TEST", "RMM_OTHER", "RMM_TEST"])
            ]
        )
    assert await work.relay_once() == 2
    assert recorder.of(scope) == ["1", "3"]
    # The rest is behind it for good.
    assert await relay(database, Subscriber("some", recorder)).relay_once() == 0


def _client_maker(fail: Callable[[EventView], bool]) -> Callable[..., Awaitable[None]]:
    async def make_client(session: AsyncSession, scope: TenantScope, events: Sequence[EventView]) -> None:
        for event in events:
            await ClientService(session, scope).create(f"client of {event.subject}")
            if fail(event):
                raise RuntimeError("after writing")

    return make_client


async def _clients(database: Database, scope: TenantScope) -> list[str]:
    async with database.read(scope) as session:
        return sorted(client.name for client in await ClientService(session, scope).list())


async def test_what_a_handler_writes_goes_with_its_place(database: Database) -> None:
    scope, broken = await tenant(database), {"b"}
    await publish(database, scope, "a", "b", "c")
    maker = _client_maker(lambda event: event.subject in broken)
    assert await relay(database, Subscriber("maker", maker)).relay_once() == 1
    assert await _clients(database, scope) == ["client of a"]
    broken.clear()
    await _let_time_pass(database, scope)
    assert await relay(database, Subscriber("maker", maker)).relay_once() == 2
    assert await _clients(database, scope) == ["client of a", "client of b", "client of c"]


async def _let_time_pass(database: Database, scope: TenantScope) -> None:
    """As if the pause after a failure were over."""
    async with database.write(scope) as session:
        await bulk.update_where(session, scope, _CURSORS, {"next_attempt_at": None}, where={})


async def test_a_failure_holds_up_only_its_own_subscriber_and_tenant(database: Database) -> None:
    one, two = await tenant(database, "One"), await tenant(database, "Two")
    await publish(database, one, "good", "bad", "later")
    await publish(database, two, "x")
    failing, fine = Recorder(), Recorder()
    failing.bad.add("bad")
    work = relay(database, Subscriber("failing", failing), Subscriber("fine", fine))
    await work.relay_once()
    assert failing.of(one) == ["good"]
    assert failing.of(two) == ["x"]
    assert fine.of(one) == ["good", "bad", "later"]
    # It is not tried again before its pause is over.
    failing.bad.clear()
    assert await work.relay_once() == 0
    await _let_time_pass(database, one)
    assert await work.relay_once() == 2
    assert failing.of(one) == ["good", "bad", "later"]


async def test_several_relays_do_nothing_twice(database: Database) -> None:
    scopes = [await tenant(database, f"Tenant {number}") for number in range(4)]
    for scope in scopes:
        await publish(database, scope, *map(str, range(20)))
    recorder = Recorder()
    relays = [relay(database, Subscriber("one", recorder)) for _ in range(3)]
    while sum(await asyncio.gather(*(each.relay_once() for each in relays))):
        pass
    for scope in scopes:
        assert recorder.of(scope) == [str(number) for number in range(20)]


async def test_old_events_go_when_everybody_is_done_with_them(database: Database) -> None:
    scope = await tenant(database)
    async with database.write(scope) as session:
        await EventService(session, scope).publish_many(
            [
                NewEvent(
                    type="RMM_TEST",
                    subject=f"{days}",
                    data={},
                    occurred_at=clock.now() - timedelta(days=days),
                )
                for days in (40, 35, 20, 0)
            ]
        )
    recorder = Recorder()
    recorder.bad.add("35")
    work = relay(database, Subscriber("slow", recorder))
    assert await work.prune() == 0
    await work.relay_once()
    assert await work.prune() == 1
    recorder.bad.clear()
    await _let_time_pass(database, scope)
    await work.relay_once()
    assert await work.prune() == 1
    assert [event.subject for event in await listed(database, scope)] == ["20", "0"]
    await publish(database, scope, "next")
    assert [event.position for event in await listed(database, scope)] == [3, 4, 5]


async def test_without_subscribers_age_alone_decides(database: Database) -> None:
    scope = await tenant(database)
    await publish(database, scope, "a")
    assert await relay(database).prune() == 0
    assert await relay(database, retention=timedelta(0)).prune() == 1


async def test_it_runs_until_told_to_stop(database: Database) -> None:
    scope, stop = await tenant(database), asyncio.Event()
    await publish(database, scope, "a", "b")

    async def handler(session: AsyncSession, scope: TenantScope, events: Sequence[EventView]) -> None:
        if events[-1].subject == "b":
            stop.set()

    await asyncio.wait_for(relay(database, Subscriber("stops", handler)).run(stop), 60)


def test_two_subscribers_cannot_share_a_name(sqlite_database: Database) -> None:
    with pytest.raises(ValueError, match="same name"):
        relay(sqlite_database, Subscriber("one", Recorder()), Subscriber("one", Recorder()))
