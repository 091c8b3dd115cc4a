"""Alerts are made to agree with a server's: what is asked for, what is written, what is never concluded."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx2
import pytest

from muster import clock
from muster.alerts.intake import AlertIntake
from muster.alerts.schemas import AlertFilter, AlertView
from muster.alerts.service import AlertService
from muster.alerts.types import AlertStatus
from muster.db.types import new_id
from muster.errors import Conflict, InvalidInput
from muster.events.service import EventService
from muster.providers.alerting import AlertType, WebhookMessage
from muster.simulator import FleetSpec, SimulatorServer
from muster.sync.schemas import Preview, RunView
from tests.providers.second import AcmeServer, acme
from tests.support.statements import statements
from tests.support.time import Time
from tests.support.world import World
from tests.sync.test_writes import written

# What a run moves when there is nothing to write of alerts: itself, and the events of its beginning and end.
RUN_ALONE = {"sync_runs", "events", "event_sequences"}
OPEN = {"active", "acknowledged", "snoozed"}


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(FleetSpec(agents=60, seed=3, alerts=120), frozen=True) as running:
        yield running


async def stored(world: World, integration_id: UUID) -> dict[str, AlertView]:
    """What Muster has, by the server's ids."""
    wanted = AlertFilter(integration_id=integration_id)
    async with world.database.read(world.scope) as session:
        found, total = await AlertService(session, world.scope).list(wanted, limit=100_000)
    assert len(found) == total
    return {alert.external_alert_id or str(alert.alert_id): alert for alert in found}


async def statuses(world: World, integration_id: UUID) -> dict[str, str]:
    return {key: alert.status for key, alert in (await stored(world, integration_id)).items()}


def expected(server: SimulatorServer, *, resolved: bool = False) -> dict[str, str]:
    """What Muster is to have of a server's alerts, by their ids."""
    return {
        str(row.pk): "resolved" if row.resolved else "snoozed" if row.snoozed else "active"
        for row in server.alerts.rows()
        if resolved or not row.resolved
    }


def asked(server: SimulatorServer, since: int) -> list[tuple[str, str]]:
    """Requests about alerts after a number of requests."""
    return [(seen.method, seen.path) for seen in server.requests[since:] if "/alerts/" in seen.path]


def by_hand(server: SimulatorServer, method: str, alert: int | str, body: Any = None) -> None:
    """What a technician does to an alert in the server's own pages."""
    headers = {"X-API-KEY": server.api_key}
    path = f"{server.url}/alerts/{alert}/"
    assert httpx2.request(method, path, headers=headers, json=body).status_code == 200


async def reasons(world: World, run: RunView) -> dict[str, set[str]]:
    """The server's ids of a run's entries by their reason."""
    found: dict[str, set[str]] = {}
    for entry in await world.entries(run):
        found.setdefault(entry.reason, set()).add(entry.external_id or "")
    return found


async def test_what_is_open_on_the_server_becomes_alerts(world: World, server: SimulatorServer) -> None:
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    await world.devices(integration_id)
    before = await world.integration(integration_id)
    first = len(server.requests)
    run = await world.alerts(integration_id)
    wanted = expected(server)
    assert (run.status, run.created, run.processed) == ("succeeded", len(wanted), len(wanted))
    assert (run.failed, run.missing, run.unchanged) == (0, 0, 0)
    assert await statuses(world, integration_id) == wanted
    assert asked(server, first) == [("PATCH", "/alerts/")]
    assert run.requests == 1
    alerts, assets = await stored(world, integration_id), await world.assets()
    for row in server.alerts.rows():
        if row.resolved:
            continue
        agent = None if row.agent is None else server.fleet.agent(row.agent).agent_id
        alert = alerts[str(row.pk)]
        assert (alert.device_id, alert.hidden, alert.original_severity) == (agent, row.hidden, row.severity)
        assert alert.asset_id == (None if agent is None else assets[agent].asset_id)
    # It says nothing of the fleet.
    after = await world.integration(integration_id)
    assert (after.last_sync_at, after.sync_status) == (before.last_sync_at, before.sync_status)
    assert (await reasons(world, run)) == {"new_alert": set(wanted)}


async def test_two_thousand_alerts_cost_one_request_and_then_no_write(database: Any) -> None:
    world = await World.make(database)
    with SimulatorServer(FleetSpec(agents=300, seed=5, alerts=2000), frozen=True) as server:
        integration_id = await world.connect(server)
        count = len(expected(server))
        await world.map_all(integration_id)
        await world.devices(integration_id)
        first = await world.alerts(integration_id)
        assert (first.status, first.created, first.requests) == ("succeeded", count, 1)
        # About 0.9 KB an alert, and nothing of those that are over.
        assert first.bytes_received < 1_200 * count
        before = await stored(world, integration_id)
        with statements(database) as seen:
            again = await world.alerts(integration_id)
        assert (again.status, again.unchanged, again.processed) == ("succeeded", count, count)
        assert (again.created, again.updated, again.requests) == (0, 0, 1)
        assert set(written(seen)) == RUN_ALONE
        assert written(seen)["events"] == 2
        assert len(seen) < 20 + 15 * (count // 200 + 1)
        assert await stored(world, integration_id) == before
        backfill = await world.alerts(integration_id, days=3650)
        everything = expected(server, resolved=True)
        assert len(everything) == 2000
        assert (backfill.created, backfill.unchanged) == (2000 - count, count)
        assert backfill.requests == 2
        assert await statuses(world, integration_id) == everything
        with statements(database) as seen:
            twice = await world.alerts(integration_id, days=3650)
        assert (twice.created, twice.updated, twice.unchanged) == (0, 0, 2000)
        assert set(written(seen)) == RUN_ALONE


async def test_missed_triggers_and_missed_ends_are_repaired_by_id(
    world: World, server: SimulatorServer
) -> None:
    integration_id = await world.connect(server)
    await world.alerts(integration_id)
    agents = server.fleet.pks()
    new = [server.alerts.raise_alert(agents[number], "check") for number in range(3)]
    ended = [row for row in server.alerts.rows() if not row.resolved and row.key and row.pk not in new][:2]
    for row in ended:
        server.alerts.recover(row.pk)
    rest = [row.pk for row in server.alerts.rows() if not row.resolved and row.pk not in new][:3]
    by_hand(server, "PUT", rest[0], {"type": "resolve"})
    by_hand(server, "DELETE", rest[1])
    by_hand(server, "PUT", rest[2], {"type": "snooze", "snooze_days": 3})
    first = len(server.requests)
    run = await world.alerts(integration_id)
    resolved = {str(row.pk) for row in ended} | {str(rest[0])}
    assert (run.status, run.created, run.missing, run.failed) == ("succeeded", 3, 1, 0)
    assert run.updated == len(resolved) + 1
    # One list, and only what was open here and is not in it.
    assert asked(server, first)[0] == ("PATCH", "/alerts/")
    assert sorted(asked(server, first)[1:]) == sorted(
        ("GET", f"/alerts/{alert}/") for alert in {*resolved, str(rest[1])}
    )
    found = await statuses(world, integration_id)
    assert {found[alert] for alert in resolved} == {"resolved"}
    assert found[str(rest[1])] == "pruned"
    assert found[str(rest[2])] == "snoozed"
    assert {key: status for key, status in found.items() if status in OPEN} == expected(server)
    assert await reasons(world, run) == {
        "new_alert": {str(pk) for pk in new},
        "resolved_there": resolved,
        "alert_changed": {str(rest[2])},
        "not_found": {str(rest[1])},
    }
    rows = {str(row.pk): row for row in server.alerts.rows()}
    for alert in resolved:
        at = (await stored(world, integration_id))[alert].resolved_at
        resolved_on = rows[alert].resolved_on
        assert at is not None
        assert resolved_on is not None
        assert abs(at.timestamp() - resolved_on / 1e6) < 1
    quiet = await world.alerts(integration_id)
    assert (quiet.created, quiet.updated, quiet.missing, quiet.requests) == (0, 0, 0, 1)


async def test_the_run_and_its_alerts_are_told(world: World, server: SimulatorServer) -> None:
    integration_id = await world.connect(server)
    run = await world.alerts(integration_id)
    async with world.database.read(world.scope) as session:
        events = await EventService(session, world.scope).list(limit=10_000)
    told = [event.type for event in reversed(events) if event.subject == str(run.run_id)]
    assert told == ["RMM_SYNC_STARTED", "RMM_SYNC_COMPLETED"]
    triggered = [event for event in events if event.type == "RMM_ALERT_TRIGGERED"]
    assert len(triggered) == run.created
    assert {event.data["cause"] for event in triggered} == {"sync"}
    ended = next(event for event in events if event.type == "RMM_SYNC_COMPLETED")
    assert (ended.data["sync_type"], ended.data["items_created"]) == ("alerts", run.created)


async def test_a_restricted_key_resolves_nothing_that_it_cannot_see(
    world: World, server: SimulatorServer, time: Time
) -> None:
    time.servers.append(server)
    integration_id = await world.connect(server)
    await world.alerts(integration_id)
    before = await statuses(world, integration_id)
    await world.update(integration_id, api_key=server.users["limited"].api_key)
    assert (await world.connector.check(world.scope, integration_id)).ok
    time.pass_(minutes=1)
    first = len(server.requests)
    run = await world.alerts(integration_id, trigger="schedule")
    hidden = (await reasons(world, run))["permission_missing"]
    assert run.status == "succeeded"
    assert len(hidden) > 20
    assert (run.updated, run.missing, run.failed) == (0, 0, 0)
    assert await statuses(world, integration_id) == before
    assert len(asked(server, first)) == 1 + len(hidden)
    entries = [entry for entry in await world.entries(run) if entry.reason == "permission_missing"]
    assert {entry.action for entry in entries} == {"skipped"}
    assert all("stays open" in (entry.message or "") for entry in entries)
    # By itself they are not asked for again at once, but some hours later; by a person at once.
    time.pass_(minutes=10)
    first = len(server.requests)
    await world.alerts(integration_id, trigger="schedule")
    assert len(asked(server, first)) == 1
    first = len(server.requests)
    await world.alerts(integration_id, trigger="manual")
    assert len(asked(server, first)) == 1 + len(hidden)
    time.pass_(hours=7)
    first = len(server.requests)
    await world.alerts(integration_id, trigger="schedule")
    assert len(asked(server, first)) > 1
    # What ends unseen is found once it may be seen again.
    await world.update(integration_id, api_key=server.api_key)
    assert (await world.connector.check(world.scope, integration_id)).ok
    gone = min(hidden)
    by_hand(server, "PUT", gone, {"type": "resolve"})
    time.pass_(hours=7)
    await world.alerts(integration_id, trigger="schedule")
    assert (await statuses(world, integration_id))[gone] == "resolved"


async def test_a_preview_shows_what_would_be_done(world: World, server: SimulatorServer) -> None:
    integration_id = await world.connect(server)
    preview = await world.sync.alerts(world.scope, integration_id, preview=True)
    assert isinstance(preview, Preview)
    assert (preview.status, preview.created) == ("succeeded", len(expected(server)))
    assert len(preview.entries) == preview.created
    assert await stored(world, integration_id) == {}
    await world.alerts(integration_id)
    ended = next(row.pk for row in server.alerts.rows() if not row.resolved)
    by_hand(server, "PUT", ended, {"type": "resolve"})
    preview = await world.sync.alerts(world.scope, integration_id, preview=True)
    assert isinstance(preview, Preview)
    assert [(entry.reason, entry.external_id) for entry in preview.entries] == [
        ("resolved_there", str(ended))
    ]
    assert (await statuses(world, integration_id))[str(ended)] != AlertStatus.RESOLVED


async def test_single_reads_that_fail_leave_the_rest_to_the_next_run(
    world: World, server: SimulatorServer
) -> None:
    integration_id = await world.connect(server)
    await world.alerts(integration_id)
    open_now = [row.pk for row in server.alerts.rows() if not row.resolved]
    for alert in open_now[:30]:
        by_hand(server, "PUT", alert, {"type": "resolve"})
    for alert in open_now[:30]:
        server.add_fault(f"error500@/alerts/{alert}/")
    run = await world.alerts(integration_id)
    assert run.status == "partial"
    assert run.error is not None
    assert run.error["code"] == "unavailable"
    assert {(await statuses(world, integration_id))[str(alert)] for alert in open_now[:30]} <= OPEN
    server.faults.clear()
    run = await world.alerts(integration_id)
    assert (run.status, run.updated) == ("succeeded", 30)


async def test_days_are_bounded_and_a_provider_without_alerts_has_none(
    world: World, server: SimulatorServer
) -> None:
    integration_id = await world.connect(server)
    for days in (0, -1, 3651):
        with pytest.raises(InvalidInput, match="days"):
            await world.alerts(integration_id, days=days)
    other = AcmeServer("https://acme.example.com")
    with acme(other):
        second = await world.add("Acme", "acmermm", instance_url=other.url, token=other.token)
        with pytest.raises(Conflict, match="no alerts") as refused:
            await world.alerts(second)
    assert refused.value.code == "not_offered"
    assert refused.value.remedy


async def heard(world: World, integration_id: UUID, **said: Any) -> None:
    """What a webhook says while the server cannot be asked."""
    view = await world.integration(integration_id)
    message = WebhookMessage(event="trigger", alert_type=AlertType.CHECK, **said)
    async with world.database.write(world.scope) as session:
        intake = AlertIntake(session, world.scope, view)
        await intake.hear(message, at=clock.now(), receipt_id=new_id())


async def test_what_webhooks_left_without_a_name_is_named_even_when_it_is_over(
    world: World, server: SimulatorServer, time: Time
) -> None:
    time.servers.append(server)
    integration_id = await world.connect(server)
    await world.alerts(integration_id)
    time.pass_(minutes=1)
    agent = server.fleet.agent(server.fleet.pks()[0])
    over = server.alerts.raise_alert(agent, "check")
    row = server.alerts.get(over)
    assert row is not None
    opened_at = datetime.fromtimestamp(row.alert_time / 1e6, UTC)
    await heard(world, integration_id, device_id=agent.agent_id, opened_at=opened_at)
    # Of this one the server knows nothing.
    await heard(world, integration_id, device_id="stranger " * 4, opened_at=opened_at)
    server.alerts.recover(over)
    found = (await stored(world, integration_id)).values()
    assert len([alert for alert in found if not alert.confirmed]) == 2
    time.pass_(minutes=1)
    first = len(server.requests)
    run = await world.alerts(integration_id, trigger="schedule")
    assert run.status == "succeeded"
    assert asked(server, first) == [("PATCH", "/alerts/")] * 2
    alert = (await stored(world, integration_id))[str(over)]
    assert (alert.status, alert.confirmed, alert.identity) == ("resolved", True, "named")
    # What could not be named is not asked for again and again, only until all that came then is an alert.
    time.pass_(hours=2)
    await world.alerts(integration_id, trigger="schedule")
    time.pass_(minutes=10)
    first = len(server.requests)
    again = await world.alerts(integration_id, trigger="schedule")
    assert asked(server, first) == [("PATCH", "/alerts/")]
    assert (again.created, again.updated) == (0, 0)
    time.pass_(minutes=1)
    await heard(world, integration_id, device_id="newcomer " * 4)
    time.pass_(minutes=10)
    first = len(server.requests)
    await world.alerts(integration_id, trigger="schedule")
    assert asked(server, first) == [("PATCH", "/alerts/")] * 2
