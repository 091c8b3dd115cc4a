"""Events become signed webhooks: tried again for a day, given up, switched off; none lost, none doubled."""

import base64
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from standardwebhooks import Webhook

from muster.bootstrap import outbound
from muster.db import Database
from muster.errors import Conflict
from muster.events.relay import BATCH
from muster.events.service import EventService
from muster.events.types import ON_REQUEST, EventType, NewEvent
from muster.jobs.service import JobService
from muster.jobs.types import JobCancelled, JobPostponed, JobSuspended
from muster.outbound_webhooks import jobs, upkeep
from muster.outbound_webhooks.courier import Courier
from muster.outbound_webhooks.delivery_service import DELIVER, DeliveryService
from muster.outbound_webhooks.service import SubscriptionService
from muster.outbound_webhooks.types import Attempt, Due, Target
from tests.outbound_webhooks.conftest import TRIGGERED, Hooks
from tests.support.job import Job
from tests.support.receiver import Receiver
from tests.support.statements import statements
from tests.support.time import Time


async def test_an_event_arrives_signed(hooks: Hooks, receiver: Receiver) -> None:
    subscription_id, secret = await hooks.subscribe(receiver.url + "?key=1")
    event_id = await hooks.happen(alert_id="a", message="Übermut")
    assert DELIVER in await hooks.open_jobs()
    await hooks.work()
    (received,) = receiver.received
    assert received.path == "/hook?key=1"
    assert received.headers["webhook-id"] == str(event_id)
    payload = Webhook(secret).verify(received.body, dict(received.headers))
    assert payload["type"] == TRIGGERED
    assert payload["data"] == {"alert_id": "a", "message": "Übermut"}
    delivery = await hooks.only(subscription_id)
    assert (delivery.state, delivery.status_code, delivery.answer, delivery.attempts) == (
        "delivered",
        200,
        "ok",
        1,
    )
    view = await hooks.view(subscription_id)
    assert view.last_success_at is not None
    assert view.deliveries == {"delivered": 1}


async def test_who_hears_of_what(hooks: Hooks, receiver: Receiver) -> None:
    by_type, _ = await hooks.subscribe(receiver.url, "By type")
    by_rule, _ = await hooks.subscribe(receiver.url, "By rule", events=())
    switched_off, _ = await hooks.subscribe(receiver.url, "Off")
    async with hooks.database.write(hooks.scope) as session:
        await SubscriptionService(session, hooks.scope, hooks.world.box).switch(switched_off, on=False)
    await hooks.happen()
    await hooks.happen("RMM_SYNC_FAILED")
    await hooks.happen("RMM_ALERT_RESOLVED", deliver_to=[str(by_rule), str(uuid4())])
    assert [each.event_type for each in await hooks.log(by_type)] == [TRIGGERED]
    assert [each.event_type for each in await hooks.log(by_rule)] == ["RMM_ALERT_RESOLVED"]
    assert await hooks.log(switched_off) == []
    await hooks.relay()
    assert len(await hooks.log(by_type)) == 1


async def test_what_is_sent_on_request_goes_to_who_has_chosen_it(hooks: Hooks, receiver: Receiver) -> None:
    async def is_asked_for() -> bool:
        async with hooks.database.read(hooks.scope) as session:
            service = SubscriptionService(session, hooks.scope, hooks.world.box)
            return await service.asks_for(ON_REQUEST)

    ordinary = sorted({*EventType} - ON_REQUEST)
    empty, _ = await hooks.subscribe(receiver.url, "Rules only", ())
    most, _ = await hooks.subscribe(receiver.url, "Everything else", ordinary)
    assert not await is_asked_for()
    stranger = await Hooks.make(hooks.database, "Stranger IT")
    await stranger.subscribe(receiver.url, events=[EventType.SOFTWARE_REMOVED])
    assert not await is_asked_for()
    wanted, _ = await hooks.subscribe(receiver.url, "Inventory", [EventType.SOFTWARE_REMOVED])
    assert await is_asked_for()
    removed = await hooks.happen(EventType.SOFTWARE_REMOVED)
    await hooks.happen(EventType.SOFTWARE_INSTALLED)
    assert [delivery.event_id for delivery in await hooks.log(wanted)] == [removed]
    assert (await hooks.log(empty), await hooks.log(most)) == ([], [])
    # Nobody listens who is switched off.
    async with hooks.database.write(hooks.scope) as session:
        await SubscriptionService(session, hooks.scope, hooks.world.box).switch(wanted, on=False)
    assert not await is_asked_for()


async def test_a_batch_of_events_costs_little_more_than_one(hooks: Hooks, receiver: Receiver) -> None:
    subscription_id, _ = await hooks.subscribe(receiver.url)
    costs = []
    for count in (1, BATCH):
        async with hooks.database.write(hooks.scope) as session:
            events = [NewEvent(type=TRIGGERED, subject=str(n), data={}) for n in range(count)]
            await EventService(session, hooks.scope).publish_many(events)
        with statements(hooks.database) as seen:
            await hooks.relay()
        costs.append(len(seen))
    assert len(await hooks.log(subscription_id)) == BATCH + 1
    # A full batch is followed by a look for more.
    assert costs[1] <= 2 * costs[0]


async def test_failures_are_tried_for_a_day_under_the_same_id(
    hooks: Hooks, receiver: Receiver, time: Time
) -> None:
    subscription_id, _ = await hooks.subscribe(receiver.url)
    receiver.status, receiver.body = 500, b"\x00no \xff luck" + b"x" * 10_000
    start = time.now
    event_id = await hooks.happen()
    await hooks.work()
    first = await hooks.only(subscription_id)
    assert (first.state, first.status_code, first.attempts) == ("waiting", 500, 1)
    assert first.answer is not None
    assert first.answer.startswith("no ")
    assert len(first.answer) <= 1_000
    assert first.next_attempt_at is not None
    assert timedelta(0) < first.next_attempt_at - time.now <= timedelta(seconds=5)
    assert (await hooks.view(subscription_id)).failing_since == start
    await hooks.work()
    assert len(receiver.received) == 1, "it is not time yet"
    while (delivery := await hooks.only(subscription_id)).state == "waiting":
        assert delivery.next_attempt_at is not None
        time.now = delivery.next_attempt_at
        await hooks.work()
    assert delivery.state == "failed"
    assert time.now - start <= timedelta(days=1)
    assert 10 <= len(receiver.received) == delivery.attempts <= 25
    assert {each.headers["webhook-id"] for each in receiver.received} == {str(event_id)}
    stamps = [int(each.headers["webhook-timestamp"]) for each in receiver.received]
    assert stamps == sorted(stamps)
    assert stamps[-1] > stamps[0]
    assert (await hooks.view(subscription_id)).disabled_at is None
    # Sent again by hand, it has another day.
    receiver.status = 204
    async with hooks.database.write(hooks.scope) as session:
        service = DeliveryService(session, hooks.scope)
        failed = await service.failed_since(subscription_id, start)
        assert await service.again(subscription_id, failed) == 1
    await hooks.work()
    again = await hooks.only(subscription_id)
    assert (again.state, again.status_code, again.attempts) == ("delivered", 204, 1)
    assert receiver.received[-1].headers["webhook-id"] == str(event_id)
    assert (await hooks.view(subscription_id)).failing_since is None


async def test_a_pause_that_is_asked_for_is_kept(hooks: Hooks, receiver: Receiver, time: Time) -> None:
    subscription_id, _ = await hooks.subscribe(receiver.url)
    receiver.status, receiver.headers = 429, {"retry-after": "600"}
    await hooks.happen()
    await hooks.work()
    delivery = await hooks.only(subscription_id)
    assert delivery.next_attempt_at is not None
    assert delivery.next_attempt_at >= time.now + timedelta(seconds=600)


async def test_days_of_failure_switch_it_off(hooks: Hooks, receiver: Receiver, time: Time) -> None:
    subscription_id, _ = await hooks.subscribe(receiver.url)
    receiver.status = 503
    start = time.now
    for _ in range(12):
        await hooks.happen()
        await hooks.work()
        time.pass_(hours=12)
    view = await hooks.view(subscription_id)
    assert (view.disabled_reason, view.failing_since) == ("failing", start)
    assert view.disabled_at is not None
    assert view.disabled_at - start >= timedelta(days=5)
    assert view.deliveries.get("waiting", 0) == 0
    sent = len(receiver.received)
    await hooks.happen()
    await hooks.work()
    assert len(receiver.received) == sent
    with pytest.raises(Conflict):
        async with hooks.database.write(hooks.scope) as session:
            await DeliveryService(session, hooks.scope).test(subscription_id)


async def test_a_success_in_between_begins_the_count_anew(
    hooks: Hooks, receiver: Receiver, time: Time
) -> None:
    subscription_id, _ = await hooks.subscribe(receiver.url)
    for number in range(14):
        receiver.status = 200 if number == 6 else 503
        await hooks.happen()
        await hooks.work()
        time.pass_(hours=13)
    assert (await hooks.view(subscription_id)).disabled_at is None


async def test_gone_switches_it_off_at_once_and_drops_what_waits(hooks: Hooks, receiver: Receiver) -> None:
    subscription_id, _ = await hooks.subscribe(receiver.url)
    receiver.status = 500
    await hooks.happen()
    await hooks.work()
    receiver.status = 410
    await hooks.happen()
    await hooks.work()
    view = await hooks.view(subscription_id)
    assert view.disabled_reason == "gone"
    assert view.deliveries == {"failed": 1, "dropped": 1}


async def test_redirects_are_not_followed(hooks: Hooks, receiver: Receiver) -> None:
    subscription_id, _ = await hooks.subscribe(receiver.url)
    receiver.status, receiver.headers = 307, {"location": f"http://{receiver.place}/elsewhere"}
    await hooks.happen()
    await hooks.work()
    assert [each.path for each in receiver.received] == ["/hook"]
    assert "redirects are not followed" in ((await hooks.only(subscription_id)).error or "")


@pytest.mark.parametrize(
    ("url", "allow", "problem"),
    [
        ("https://{place}/hook", "", "may not be reached"),
        ("http://{place}/hook", "10.0.0.0/8", "may not be reached"),
        ("https://{place}/hook", "127.0.0.0/8", "TLS"),
        ("https://nothing.invalid/hook", "", "cannot be resolved"),
    ],
)
async def test_what_the_way_there_refuses_is_told(
    database: Database, receiver: Receiver, url: str, allow: str, problem: str
) -> None:
    hooks = await Hooks.make(database, allow=allow)
    subscription_id, _ = await hooks.subscribe(url.format(place=receiver.place))
    await hooks.happen()
    await hooks.work()
    delivery = await hooks.only(subscription_id)
    assert (delivery.state, delivery.status_code) == ("waiting", None)
    assert problem in (delivery.error or "")
    assert receiver.received == []


async def test_http_leads_into_named_networks_only(database: Database) -> None:
    hooks = await Hooks.make(database, allow="127.0.0.0/8")
    subscription_id, _ = await hooks.subscribe("http://192.0.2.1/hook")
    await hooks.happen()
    await hooks.work()
    assert "may not be reached" in ((await hooks.only(subscription_id)).error or "")


async def test_both_secrets_sign_for_a_day(hooks: Hooks, receiver: Receiver, time: Time) -> None:
    subscription_id, old = await hooks.subscribe(receiver.url)
    async with hooks.database.write(hooks.scope) as session:
        made = await SubscriptionService(session, hooks.scope, hooks.world.box).rotate(subscription_id)
    await hooks.happen()
    await hooks.work()
    for secret in (made.secret, old):
        Webhook(secret).verify(receiver.received[0].body, _fresh(receiver.received[0].headers))
    time.pass_(hours=25)
    await hooks.happen()
    await hooks.work()
    signatures = receiver.received[1].headers["webhook-signature"].split(" ")
    assert len(signatures) == 1
    assert base64.b64decode(signatures[0].removeprefix("v1,"))


class Killed(BaseException):
    """Nothing is done after it."""


class _Killed(Courier):
    """Carries, and is killed before anybody can note it."""

    def __init__(self, courier: Courier) -> None:
        self._courier = courier

    async def carry(self, target: Target, due: Due) -> Attempt:
        await self._courier.carry(target, due)
        raise Killed


async def test_killed_before_it_is_noted_it_goes_again_under_the_same_id(
    hooks: Hooks, receiver: Receiver
) -> None:
    subscription_id, _ = await hooks.subscribe(receiver.url)
    event_id = await hooks.happen()
    killed = _Killed(outbound.courier(hooks.world.settings))
    handler = jobs.job_handlers(hooks.database, hooks.world.box, killed)[DELIVER]
    with pytest.raises(Killed):
        await handler(Job(hooks.scope, UUID(int=1)))
    assert (await hooks.only(subscription_id)).state == "waiting"
    await hooks.work()
    assert [each.headers["webhook-id"] for each in receiver.received] == [str(event_id)] * 2
    assert (await hooks.only(subscription_id)).state == "delivered"


async def test_the_job_ends_and_waits_when_it_should(hooks: Hooks, receiver: Receiver) -> None:
    await hooks.subscribe(receiver.url)
    assert await hooks.handler(Job(hooks.scope, UUID(int=1))) is None
    await hooks.happen()
    with pytest.raises(JobCancelled):
        await hooks.handler(Job(hooks.scope, UUID(int=1), end_after=0, how="cancel"))
    with pytest.raises(JobSuspended):
        await hooks.handler(Job(hooks.scope, UUID(int=1), end_after=0, how="stop"))
    # What is asked for while it ends would join it: it looks once more.
    with pytest.raises(JobPostponed):
        await hooks.handler(Job(hooks.scope, UUID(int=1)))
    assert await hooks.handler(Job(hooks.scope, UUID(int=1))) is None
    assert len(receiver.received) == 1


async def test_what_was_forgotten_is_found(hooks: Hooks, receiver: Receiver, time: Time) -> None:
    await hooks.subscribe(receiver.url)
    await hooks.happen()
    async with hooks.database.write(hooks.scope) as session:
        for job in (await hooks.open_jobs()).values():
            await JobService(session, hooks.scope).cancel(job.job_id)
    assert await upkeep.ask_for_forgotten(hooks.database) == 0, "not due for long enough"
    time.pass_(minutes=2)
    assert await upkeep.ask_for_forgotten(hooks.database) == 1
    assert DELIVER in await hooks.open_jobs()


async def test_the_log_is_kept_for_some_days(hooks: Hooks, receiver: Receiver, time: Time) -> None:
    subscription_id, _ = await hooks.subscribe(receiver.url)
    await hooks.happen()
    await hooks.work()
    time.pass_(days=29)
    await hooks.happen()
    assert await upkeep.delete_old(hooks.database, 30) == 0
    time.pass_(days=2)
    assert await upkeep.delete_old(hooks.database, 30) == 1
    assert [each.state for each in await hooks.log(subscription_id)] == ["waiting"]
    time.pass_(days=90)
    assert await upkeep.delete_old(hooks.database, 30) == 0, "what waits is not deleted"


def _fresh(headers: Any) -> dict[str, str]:
    """The library refuses what is older than five minutes by the real clock, which the test's is close to."""
    assert abs(datetime.now().timestamp() - int(headers["webhook-timestamp"])) < 300  # noqa: DTZ005
    return dict(headers)
