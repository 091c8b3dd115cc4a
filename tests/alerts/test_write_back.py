"""What a person does to an alert reaches the server, which really has it then; or he is told why not."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from muster.alerts.jobs import job_handlers
from muster.alerts.requests import WRITE_BACK
from muster.alerts.schemas import AlertDetail
from muster.alerts.service import AlertService
from muster.alerts.telling import GIVE_UP_AFTER, UNDER_WAY
from muster.alerts.types import WriteBack
from muster.db import Database
from muster.jobs.service import JobService
from muster.jobs.types import JobPostponed, JobView
from muster.providers.alerting import AlertConnection
from muster.simulator import FleetSpec, SimulatorServer
from muster.simulator.alert_rows import AlertRow
from tests.alerts.saying import Alerts
from tests.simulator.sink import TEMPLATE, Sink, listening
from tests.support.job import Job
from tests.support.time import Time
from tests.support.world import World


@pytest.fixture
def server(time: Time) -> Iterator[SimulatorServer]:
    with SimulatorServer(FleetSpec(agents=6, seed=3, alerts=0), frozen=True) as running:
        time.servers.append(running)
        for agent in running.fleet:
            running.fleet.edit(agent, maintenance_mode=False)
        yield running


@pytest.fixture
def sink() -> Iterator[Sink]:
    with listening() as opened:
        yield opened


class Desk(Alerts):
    """A technician's work with alerts of a server that is there."""

    server: SimulatorServer
    time: Time

    async def raised(self, *, read: bool = True) -> AlertDetail:
        """An alert of the first device, read from the server."""
        pk = self.server.alerts.raise_alert(self.devices[0], "check", "error")
        if read:
            await self.read(pk)
        return await self.named(str(pk))

    async def read(self, pk: int, origin: Any = "sync") -> None:
        """Take in how the server has it."""
        at = self.time.now
        async with self.world.connector.open(self.scope, self.integration.integration_id) as connection:
            assert isinstance(connection, AlertConnection)
            await self.apply(await connection.alert(str(pk)), at=at, origin=origin)

    async def do(self, verb: str, alert_id: UUID, **options: Any) -> None:
        """What a person does."""
        async with self.database.write(self.scope) as session:
            await getattr(AlertService(session, self.scope), verb)(alert_id, **options)

    async def jobs(self) -> list[JobView]:
        """What is to be told to the server, oldest first."""
        async with self.database.read(self.scope) as session:
            return list(reversed(await JobService(session, self.scope).list(kinds=[WRITE_BACK])))

    async def tell(self, number: int = -1) -> str | None:
        """Carry out a job, and say how it came out."""
        job = (await self.jobs())[number]
        handler = job_handlers(self.database, self.world.connector)[WRITE_BACK]
        result = await handler(Job(self.scope, job.job_id, job.payload))
        assert result is not None
        state: str | None = result["state"]
        return state

    def row(self, alert: AlertDetail) -> AlertRow:
        """The alert as the server has it."""
        row = self.server.alerts.get(int(alert.external_alert_id or 0))
        assert row is not None
        return row

    async def outcome(self, alert: AlertDetail) -> WriteBack:
        """How what was done stands with the server."""
        found = (await self.get(alert.alert_id)).write_back
        assert found is not None
        return found


@pytest.fixture
async def desk(database: Database, server: SimulatorServer, time: Time) -> Desk:
    return await _desk(database, server, time)


async def _desk(database: Database, server: SimulatorServer, time: Time, user: str = "admin") -> Desk:
    world = await World.make(database)
    integration_id = await world.connect(server, api_key=server.users[user].api_key)
    await world.map_all(integration_id)
    await world.devices(integration_id)
    desk = await Desk.of(world, integration_id)
    desk.server, desk.time = server, time
    return desk


async def test_resolved_here_is_resolved_there(desk: Desk) -> None:
    alert = await desk.raised()
    await desk.do("resolve", alert.alert_id)
    assert (await desk.get(alert.alert_id)).status == "resolved"
    assert (await desk.outcome(alert)).state == "waiting"
    # A reading in between changes nothing: the server is still to be told.
    await desk.read(int(alert.external_alert_id or 0))
    assert (await desk.get(alert.alert_id)).status == "resolved"
    assert await desk.tell() == "done"
    assert desk.row(alert).resolved
    after = await desk.get(alert.alert_id)
    assert (after.status, after.resolved_by) == ("resolved", "command line")
    assert [line.kind for line in after.timeline] == ["raised", "resolved", "write_back"]
    assert (await desk.outcome(alert)).message == "The server has taken it."
    # Once more is nothing.
    assert await desk.tell() is None


async def test_snoozed_and_woken_here_is_so_there(desk: Desk) -> None:
    alert = await desk.raised()
    await desk.do("acknowledge", alert.alert_id)
    await desk.do("snooze", alert.alert_id, days=3)
    assert await desk.tell() == "done"
    assert desk.row(alert).snoozed
    await desk.do("unsnooze", alert.alert_id)
    assert await desk.tell() == "done"
    assert not desk.row(alert).snoozed
    after = await desk.get(alert.alert_id)
    assert (after.status, after.snoozed_until) == ("acknowledged", None)


async def test_acknowledging_is_told_to_nobody(desk: Desk) -> None:
    alert = await desk.raised()
    await desk.do("acknowledge", alert.alert_id)
    assert await desk.jobs() == []
    await desk.read(int(alert.external_alert_id or 0))
    assert (await desk.get(alert.alert_id)).status == "acknowledged"


async def test_only_the_last_of_two_deeds_is_told(desk: Desk) -> None:
    alert = await desk.raised()
    await desk.do("snooze", alert.alert_id, days=3)
    desk.time.pass_(seconds=1)
    await desk.do("resolve", alert.alert_id)
    assert await desk.tell(0) is None
    assert await desk.tell(1) == "done"
    row = desk.row(alert)
    assert (row.resolved, row.snoozed) == (True, False)


@pytest.mark.parametrize("verb", ["resolve", "snooze"])
async def test_a_key_that_may_not_is_told_so_and_the_alert_is_as_before(
    database: Database, server: SimulatorServer, time: Time, verb: str
) -> None:
    desk = await _desk(database, server, time, user="nototp")
    alert = await desk.raised()
    await desk.do("acknowledge", alert.alert_id)
    await desk.do(verb, alert.alert_id, **({"days": 2} if verb == "snooze" else {}))
    assert await desk.tell() == "refused"
    after = await desk.get(alert.alert_id)
    assert after.status == "acknowledged"
    assert after.write_back is not None
    assert "can_manage_alerts" in (after.write_back.message or "")
    assert after.occurrences == 1


async def test_an_alert_that_is_gone_is_pruned(desk: Desk) -> None:
    alert = await desk.raised()
    await desk.do("snooze", alert.alert_id, days=2)
    desk.server.state.alerts.book.remove(int(alert.external_alert_id or 0))
    assert await desk.tell() == "failed"
    assert (await desk.get(alert.alert_id)).status == "pruned"


async def test_a_server_that_is_down_is_tried_for_a_day(desk: Desk) -> None:
    alert = await desk.raised()
    await desk.do("resolve", alert.alert_id)
    desk.server.add_fault("error502@/alerts/")
    pauses = []
    while True:
        try:
            assert await desk.tell() == "failed"
            break
        except JobPostponed as postponed:
            pauses.append((postponed.until - desk.time.now).total_seconds())
            desk.time.now = postponed.until
    assert pauses[0] == 15
    assert max(pauses) == 1800
    assert pauses == sorted(pauses)
    told = await desk.outcome(alert)
    assert told.state == "failed"
    assert told.at - told.since >= GIVE_UP_AFTER
    # It stays resolved here until the server can be asked; then the server's word counts.
    assert (await desk.get(alert.alert_id)).status == "resolved"
    desk.server.faults.clear()
    await desk.read(int(alert.external_alert_id or 0))
    assert (await desk.get(alert.alert_id)).status == "active"


async def test_what_the_server_has_resolved_meanwhile_needs_no_telling(desk: Desk) -> None:
    alert = await desk.raised()
    await desk.do("resolve", alert.alert_id)
    desk.server.alerts.recover(int(alert.external_alert_id or 0))
    requests = len(desk.server.requests)
    assert await desk.tell() == "done"
    assert [seen.method for seen in desk.server.requests[requests:]] == ["GET"]


async def test_a_deed_that_is_never_told_does_not_stand_for_ever(desk: Desk) -> None:
    """The job is lost, whatever became of it: after two days the server's word counts again."""
    alert = await desk.raised()
    await desk.do("resolve", alert.alert_id)
    for hours, status in ((47, "resolved"), (2, "active")):
        desk.time.pass_(hours=hours)
        await desk.read(int(alert.external_alert_id or 0))
        assert (await desk.get(alert.alert_id)).status == status
    assert (await desk.outcome(alert)).state == "failed"


async def test_a_disconnected_integration_is_not_told(desk: Desk) -> None:
    alert = await desk.raised()
    await desk.do("resolve", alert.alert_id)
    await desk.world.connector.disconnect(desk.scope, desk.integration.integration_id)
    assert await desk.tell() == "failed"
    assert "disconnected" in ((await desk.outcome(alert)).message or "")


# --- while the alert's webhook is under way ----------------------------------------------------------------


def _provision(server: SimulatorServer, sink: Sink) -> None:
    settings, now = server.state.alert_settings, server.clock.now_us()
    values = {
        "pattern": sink.url(),
        "rest_body": TEMPLATE,
        "rest_headers": '{"Content-Type":"application/json"}',
    }
    action = settings.actions.add({"name": "trigger", **values}, who="admin", now=now).pk
    use = {"action_type": "rest", "action_rest": action}
    template = settings.templates.add({"name": "Call", **use}, who="admin", now=now)
    settings.put_core({"alert_template": template.pk})
    server.clock.advance(timedelta(minutes=1))


async def test_the_server_is_told_after_it_has_saved_its_webhooks_answer(
    desk: Desk, server: SimulatorServer, sink: Sink
) -> None:
    """Told earlier it would forget: it saves the alert as it had it before its webhook."""
    go_on = threading.Event()

    def slow(_: object) -> str:
        go_on.wait(20)
        return "200 OK"

    sink.answer = slow
    _provision(server, sink)
    pk = server.alerts.raise_alert(desk.devices[0], "check", "error")
    # Its webhook has reached us, and has no answer yet.
    await desk.read(pk, "webhook")
    alert = await desk.named(str(pk))
    await desk.do("resolve", alert.alert_id)
    for _ in range(2):
        with pytest.raises(JobPostponed) as postponed:
            await desk.tell()
        assert postponed.value.until <= desk.time.now + UNDER_WAY
        desk.time.pass_(seconds=3)
    assert not desk.row(alert).resolved
    go_on.set()
    server.webhooks.wait(10)
    assert await desk.tell() == "done"
    assert desk.row(alert).resolved


async def test_a_webhook_that_never_lands_does_not_hold_up_for_ever(desk: Desk) -> None:
    pk = desk.server.alerts.raise_alert(desk.devices[0], "check", "error")
    await desk.read(pk, "webhook")
    alert = await desk.named(str(pk))
    await desk.do("resolve", alert.alert_id)
    with pytest.raises(JobPostponed):
        await desk.tell()
    desk.time.now += UNDER_WAY
    assert await desk.tell() == "done"
    assert desk.row(alert).resolved


async def test_what_the_server_overwrites_is_told_again(
    desk: Desk, server: SimulatorServer, sink: Sink
) -> None:
    """Muster had not heard of the webhook when it told the server; the server forgot, and is told again."""
    reached, go_on = threading.Event(), threading.Event()

    def slow(_: object) -> str:
        reached.set()
        go_on.wait(20)
        return "200 OK"

    sink.answer = slow
    _provision(server, sink)
    alert = await desk.raised()
    assert reached.wait(10)
    await desk.do("resolve", alert.alert_id)
    assert await desk.tell() == "done"
    go_on.set()
    server.webhooks.wait(10)
    assert not desk.row(alert).resolved
    desk.time.pass_(seconds=60)
    await desk.read(int(alert.external_alert_id or 0))
    after = await desk.get(alert.alert_id)
    assert (after.status, after.resolved_by) == ("resolved", "command line")
    assert (await desk.outcome(alert)).state == "waiting"
    assert len(await desk.jobs()) == 2
    assert await desk.tell() == "done"
    assert desk.row(alert).resolved
    assert (await desk.told()).count("TRIGGERED") == 1


async def test_while_its_cause_lasts_a_resolved_alert_comes_back_under_a_new_id(desk: Desk) -> None:
    alert = await desk.raised()
    await desk.do("resolve", alert.alert_id)
    assert await desk.tell() == "done"
    desk.time.pass_(minutes=5)
    desk.server.alerts.cycle()
    (new,) = [row for row in desk.server.alerts.rows() if row.key == desk.row(alert).key and not row.resolved]
    assert str(new.pk) != alert.external_alert_id
    await desk.read(new.pk)
    again = await desk.named(str(new.pk))
    assert (again.status, again.previous_alert_id, again.occurrences) == ("active", alert.alert_id, 2)
    assert (await desk.get(alert.alert_id)).status == "resolved"


# --- before the server has named it ------------------------------------------------------------------------


async def test_what_was_done_before_the_server_named_it_is_told_then(desk: Desk) -> None:
    pk = desk.server.alerts.raise_alert(desk.devices[0], "check", "error")
    heard = await desk.hear(desk.time.now, device_id=desk.devices[0])
    assert heard.alert_id is not None
    await desk.do("resolve", heard.alert_id)
    assert await desk.jobs() == []
    desk.time.pass_(minutes=1)
    await desk.read(pk)
    alert = await desk.named(str(pk))
    assert (alert.alert_id, alert.status) == (heard.alert_id, "resolved")
    assert await desk.tell() == "done"
    assert desk.row(alert).resolved
