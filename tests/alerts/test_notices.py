"""Channels are told of alerts: once for an occasion, in one message when there are many, tried for a day."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from muster.alerts.notices import jobs, letters, upkeep
from muster.alerts.notices.letters import MOST_A_MINUTE
from muster.alerts.notices.service import SEND_NOTICES, NoticeService, NoticeWish
from muster.alerts.notices.types import DueNotice, NoticeView
from muster.alerts.rule_service import RuleDraft, RuleService
from muster.alerts.rules import RuleAction, RuleConditions
from muster.bootstrap import outbound
from muster.jobs.service import JobService
from muster.jobs.types import OPEN, JobPostponed
from muster.notifications import channels
from muster.notifications.notifier import Notifier
from muster.notifications.service import ChannelService
from muster.notifications.types import ChannelKind, Look, Outcome, Post
from muster.providers.alerting import AlertSeverity
from tests.alerts.saying import START, Alerts, after, record
from tests.support.job import Job
from tests.support.receiver import Receiver, receiving
from tests.support.time import Time


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


class OnCall:
    """A tenant's rule that tells one channel of critical alerts, and what a worker would do about it."""

    def __init__(self, alerts: Alerts, sender: Notifier, channel_id: UUID) -> None:
        self.alerts = alerts
        self.database, self.scope, self.box = alerts.database, alerts.scope, alerts.world.box
        self.sender = sender
        self.channel_id = channel_id

    async def work(self, sender: Any = None, public_url: str | None = None) -> None:
        handlers = jobs.job_handlers(self.database, self.box, sender or self.sender, public_url)
        try:
            await handlers[SEND_NOTICES](Job(self.scope, UUID(int=1)))
        except JobPostponed:
            return

    async def notices(self, external_id: str = "214") -> Sequence[NoticeView]:
        alert = await self.alerts.named(external_id)
        async with self.database.read(self.scope) as session:
            return await NoticeService(session, self.scope).of_alert(alert.alert_id)

    async def told(self, external_id: str = "214") -> list[Mapping[str, Any]]:
        """What the alert's timeline says of it."""
        alert = await self.alerts.named(external_id)
        return [line.detail for line in alert.timeline if line.kind == "notified"]


@pytest.fixture
async def on_call(alerts: Alerts, receiver: Receiver) -> OnCall:
    settings = (await _world(alerts)).settings
    sender = outbound.notifier(settings)
    channel = await channels.add_channel(
        alerts.database,
        alerts.scope,
        alerts.world.box,
        sender,
        name="On call",
        kind=ChannelKind.APPRISE,
        fields={"url": f"json://{receiver.place}/in"},
    )
    async with alerts.database.write(alerts.scope) as session:
        draft = RuleDraft(
            name="Wake them",
            action=RuleAction.NOTIFY,
            conditions=RuleConditions(severities=(AlertSeverity.CRITICAL,)),
            targets=(channel.channel_id,),
        )
        await RuleService(session, alerts.scope).add(alerts.integration.integration_id, draft)
    return OnCall(alerts, sender, channel.channel_id)


async def _world(alerts: Alerts) -> Any:
    world = alerts.world
    return type(world)(world.database, world.scope, world.box, MUSTER_OUTBOUND_ALLOW="127.0.0.0/8")


async def test_an_alert_is_told_once(on_call: OnCall, receiver: Receiver) -> None:
    device = on_call.alerts.devices[0]
    await on_call.alerts.apply(record(message="Disk <C:> is full", device_id=device))
    await on_call.work(public_url="https://muster.example.com")
    (received,) = receiver.received
    alert = await on_call.alerts.named("214")
    assert received.json["title"].startswith("[critical] Disk <C:> is full")
    assert f"https://muster.example.com/alerts/{alert.alert_id}" in received.json["message"]
    assert "Rule: Wake them" in received.json["message"]
    assert alert.rule_name == "Wake them"
    # The same again, by a webhook and by a sync, tells nobody.
    await on_call.alerts.apply(record(message="Disk <C:> is full", device_id=device))
    await on_call.alerts.hear(external_alert_id="214", device_id=device, event="trigger")
    await on_call.work()
    assert len(receiver.received) == 1
    (notice,) = await on_call.notices()
    assert notice.state == "sent"
    assert [line["outcome"] for line in await on_call.told()] == ["delivered"]
    assert [line["channel"] for line in await on_call.told()] == ["On call"]


async def test_what_the_rule_does_not_mean_is_not_told(on_call: OnCall, receiver: Receiver) -> None:
    await on_call.alerts.apply(record(severity=AlertSeverity.MINOR))
    await on_call.work()
    assert receiver.received == []
    assert await on_call.notices() == []


async def test_what_the_server_has_snoozed_is_not_told(on_call: OnCall, receiver: Receiver) -> None:
    await on_call.alerts.apply(record(snoozed=True, snoozed_until=after(60)))
    await on_call.work()
    assert receiver.received == []
    assert (await on_call.alerts.only()).rule_name is not None


async def test_the_job_is_asked_for_with_the_alert(on_call: OnCall) -> None:
    await on_call.alerts.apply(record())
    async with on_call.database.read(on_call.scope) as session:
        kinds = [job.kind for job in await JobService(session, on_call.scope).list([s.value for s in OPEN])]
    assert SEND_NOTICES in kinds


async def test_a_storm_is_told_in_few_messages(on_call: OnCall, receiver: Receiver, time: Time) -> None:
    many = [record(str(number), message=f"Alert {number}", raw={}) for number in range(1_000)]
    for start in range(0, 1_000, 100):
        await on_call.alerts.apply(*many[start : start + 100])
        await on_call.work()
        time.pass_(seconds=1)
    assert len(receiver.received) <= MOST_A_MINUTE
    time.pass_(minutes=2)
    await on_call.work()
    assert len(receiver.received) <= MOST_A_MINUTE + 2
    titles = [each.json["title"] for each in receiver.received]
    counts = [int(title.split(" ")[0]) for title in titles]
    assert sum(counts) == 1_000
    assert "and 80 more" in receiver.received[0].json["message"]
    assert [line["outcome"] for line in await on_call.told("999")] == ["delivered"]


async def test_failures_are_tried_for_a_day(on_call: OnCall, receiver: Receiver, time: Time) -> None:
    receiver.status = 503
    start = time.now
    await on_call.alerts.apply(record(), at=start)
    await on_call.work()
    (notice,) = await on_call.notices()
    assert (notice.state, notice.attempts) == ("waiting", 1)
    assert notice.next_attempt_at == pytest.approx(time.now + letters.FIRST_PAUSE, abs=timedelta(seconds=1))
    tries = 0
    while notice.state == "waiting":
        assert notice.next_attempt_at is not None
        # Every one of the tries is like the others; not each has to be made here.
        time.now = max(notice.next_attempt_at, time.now + timedelta(hours=4))
        await on_call.work()
        (notice,) = await on_call.notices()
        tries += 1
        assert tries < 20
    assert notice.state == "failed"
    assert [line["outcome"] for line in await on_call.told()] == ["waits", "failed"]
    async with on_call.database.read(on_call.scope) as session:
        channel = await ChannelService(session, on_call.scope, on_call.box).get(on_call.channel_id)
    assert channel.error is not None
    assert "503" in channel.error["message"]


async def test_a_failure_that_passes(on_call: OnCall, receiver: Receiver, time: Time) -> None:
    receiver.status = 503
    await on_call.alerts.apply(record(), at=time.now)
    await on_call.work()
    receiver.status = 200
    time.pass_(minutes=1)
    await on_call.work()
    assert [line["outcome"] for line in await on_call.told()] == ["waits", "delivered"]


class Killed(BaseException):
    """Nothing is done after it."""


class _Killed:
    """Sends, and is killed before anybody can note it."""

    def __init__(self, sender: Notifier, *, sends: bool) -> None:
        self._sender = sender
        self._sends = sends

    async def send(self, posts: Sequence[Post]) -> Mapping[str, Outcome]:
        if self._sends:
            await self._sender.send(posts)
        raise Killed

    async def look(self, url: str) -> Look:
        return await self._sender.look(url)


@pytest.mark.parametrize("sends", [True, False])
async def test_killed_while_it_sends_it_is_sent_again_and_says_so(
    on_call: OnCall, receiver: Receiver, sends: bool
) -> None:
    await on_call.alerts.apply(record())
    with pytest.raises(Killed):
        await on_call.work(_Killed(on_call.sender, sends=sends))
    (notice,) = await on_call.notices()
    assert notice.state == "sending"
    await on_call.work()
    assert len(receiver.received) == 1 + sends
    assert "you may have it already" in receiver.received[-1].json["message"]
    (notice,) = await on_call.notices()
    assert notice.state == "sent"
    await on_call.work()
    assert len(receiver.received) == 1 + sends


async def test_a_removed_channel_is_given_up(on_call: OnCall, receiver: Receiver) -> None:
    await on_call.alerts.apply(record())

    async def nobody(*_: object) -> Sequence[str]:
        return []

    async with on_call.database.write(on_call.scope) as session:
        await ChannelService(session, on_call.scope, on_call.box).remove(on_call.channel_id, nobody)
    await on_call.work()
    (notice,) = await on_call.notices()
    assert notice.state == "failed"
    assert receiver.received == []
    # Those to come pass it over.
    await on_call.alerts.apply(record("300"))
    assert await on_call.notices("300") == []


async def test_wishes_are_kept_once(on_call: OnCall) -> None:
    await on_call.alerts.apply(record())
    alert = await on_call.alerts.named("214")
    wish = NoticeWish(alert.alert_id, on_call.channel_id, "again")
    for _ in range(2):
        async with on_call.database.write(on_call.scope) as session:
            await NoticeService(session, on_call.scope).ask([wish, wish], at=START)
    assert [notice.occasion for notice in await on_call.notices()].count("again") == 1


async def test_what_was_forgotten_is_found(on_call: OnCall, time: Time) -> None:
    await on_call.alerts.apply(record(), at=time.now)
    async with on_call.database.write(on_call.scope) as session:
        service = JobService(session, on_call.scope)
        for job in await service.list([state.value for state in OPEN]):
            await service.cancel(job.job_id)
    assert await upkeep.ask_for_forgotten(on_call.database) == 0
    time.pass_(minutes=2)
    assert await upkeep.ask_for_forgotten(on_call.database) == 1


def _due(number: int, **values: Any) -> DueNotice:
    usual: dict[str, Any] = {
        "notice_id": UUID(int=number),
        "alert_id": UUID(int=number),
        "channel_id": UUID(int=1),
        "attempts": 0,
        "is_again": False,
        "created_at": START,
        "severity": "minor",
        "status": "active",
        "message": f"Alert {number}",
        "device_name": "SRV-01",
        "organization_name": None,
        "opened_at": None,
        "occurrences": 1,
        "rule_name": None,
    }
    return DueNotice(**{**usual, **values})


def _sort(due: Sequence[DueNotice], sent: Sequence[datetime] = ()) -> letters.Mail:
    return letters.sort_out(due, {UUID(int=1): sent}, START, lambda _: None)


def test_few_go_one_by_one_and_many_together() -> None:
    assert [len(letter.notices) for letter in _sort([_due(n) for n in range(3)]).letters] == [1, 1, 1]
    (digest,) = _sort([_due(0, severity="critical"), *(_due(n) for n in range(1, 30))]).letters
    assert digest.title == "30 alerts: 1 critical, 29 minor"
    lines = digest.body.splitlines()
    assert lines[0] == "[critical] Alert 0 on SRV-01"
    assert lines[-1] == "and 10 more"


def test_a_channel_that_had_enough_waits_until_its_minute_is_over() -> None:
    recent = [START - timedelta(seconds=50 - second) for second in range(MOST_A_MINUTE)]
    mail = _sort([_due(1)], recent)
    assert mail.letters == ()
    assert mail.held == {UUID(int=1): recent[0] + timedelta(minutes=1)}
    # With room for one, two go together.
    assert len(_sort([_due(1), _due(2)], recent[1:]).letters) == 1
