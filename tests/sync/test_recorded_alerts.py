"""The recorded server's alerts, from the wire to the table."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from muster.alerts.schemas import AlertFilter, AlertView
from muster.alerts.service import AlertService
from tests.support.recordings import Recordings
from tests.support.replay import NOT_FOUND, Reply, Seen, SnapshotHandler, as_json, serving
from tests.support.time import Time
from tests.support.world import World

pytestmark = pytest.mark.recordings

RECORDED_AT = datetime(2026, 11, 23, 15, 20, 12, tzinfo=UTC)
OURS = {"error": "critical", "warning": "moderate", "info": "minor"}


class AlertsHandler:
    """The recorded fleet with its alerts; `change` is made to what is open before it is given."""

    def __init__(
        self, recordings: Recordings, change: Callable[[list[dict[str, Any]]], Any] | None = None
    ) -> None:
        self._fleet = SnapshotHandler(recordings)
        self.open: list[dict[str, Any]] = recordings.load_snapshot("alerts_open.json.gz")
        self.all: list[dict[str, Any]] = recordings.load_snapshot("alerts_all.json.gz")
        self.change = change
        self.asked: list[tuple[str, str, Any]] = []

    def __call__(self, seen: Seen) -> Reply:
        if not seen.path.startswith("/alerts/"):
            return self._fleet(seen)
        body = json.loads(seen.body) if seen.body else None
        self.asked.append((seen.method, seen.path, body))
        if (seen.method, body) == ("PATCH", {"resolvedFilter": False}):
            rows = self.open if self.change is None else self.change(json.loads(json.dumps(self.open)))
            return as_json(rows)
        if seen.method == "PATCH" and list(body or ()) == ["timeFilter"]:
            return as_json(self.all)
        if seen.method == "GET":
            found = [row for row in self.all if seen.path == f"/alerts/{row['id']}/"]
            return (
                as_json(found[0]) if found else as_json({"detail": "No Alert matches the given query."}, 404)
            )
        return NOT_FOUND


async def connected(world: World, handler: AlertsHandler, url: str) -> UUID:
    """An integration whose check is over: nothing is asked but for its alerts."""
    integration_id = await world.add("Recorded", instance_url=url, api_key="RECORDED")
    assert (await world.connector.check(world.scope, integration_id)).ok
    handler.asked.clear()
    return integration_id


async def stored(world: World, integration_id: UUID) -> dict[str, AlertView]:
    wanted = AlertFilter(integration_id=integration_id)
    async with world.database.read(world.scope) as session:
        found, _ = await AlertService(session, world.scope).list(wanted, limit=10_000)
    return {alert.external_alert_id or "": alert for alert in found}


async def test_75_open_alerts_of_the_recorded_server(
    world: World, recordings: Recordings, time: Time
) -> None:
    # Some of them were snoozed until the next days.
    time.now = RECORDED_AT
    handler = AlertsHandler(recordings)
    with serving(handler) as replay:
        integration_id = await connected(world, handler, replay.url)
        run = await world.alerts(integration_id)
        assert (run.status, run.created, run.failed) == ("succeeded", 75, 0)
        assert handler.asked == [("PATCH", "/alerts/", {"resolvedFilter": False})]
        alerts = await stored(world, integration_id)
        assert set(alerts) == {str(row["id"]) for row in handler.open}
        for row in handler.open:
            alert = alerts[str(row["id"])]
            assert alert.status == ("snoozed" if row["snoozed"] else "active")
            assert (alert.severity, alert.original_severity) == (OURS[row["severity"]], row["severity"])
            assert (alert.hidden, alert.alert_type) == (row["hidden"], row["alert_type"])
            assert (alert.device_id, alert.device_name) == (row.get("agent_id"), row.get("hostname"))
        # `top`, the dashboard's own question, would make these look resolved.
        assert sum(alert.hidden or alert.status == "snoozed" for alert in alerts.values()) == 7
        again = await world.alerts(integration_id)
        assert (again.unchanged, again.created, again.updated) == (75, 0, 0)


async def test_the_recorded_history_by_a_backfill(world: World, recordings: Recordings) -> None:
    handler = AlertsHandler(recordings)
    with serving(handler) as replay:
        integration_id = await connected(world, handler, replay.url)
        run = await world.alerts(integration_id, days=3650)
        assert (run.status, run.failed) == ("succeeded", 0)
        assert handler.asked[-1] == ("PATCH", "/alerts/", {"timeFilter": 3650})
        alerts = await stored(world, integration_id)
        assert len(alerts) == len(handler.all) == run.created
        for row in handler.all:
            assert (alerts[str(row["id"])].status == "resolved") is row["resolved"]
        again = await world.alerts(integration_id, days=3650)
        assert (again.created, again.updated, again.unchanged) == (0, 0, len(handler.all))


async def test_a_row_that_cannot_be_read_is_told_and_resolves_nothing(
    world: World, recordings: Recordings
) -> None:
    handler = AlertsHandler(recordings)
    with serving(handler) as replay:
        integration_id = await connected(world, handler, replay.url)
        await world.alerts(integration_id)
        before = await stored(world, integration_id)
        spoiled = handler.open[10]["id"]

        def spoil(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
            rows[10]["severity"] = {"not": "a word"}
            return rows

        handler.change = spoil
        handler.asked.clear()
        run = await world.alerts(integration_id)
        assert (run.status, run.failed, run.processed, run.unchanged) == ("succeeded", 1, 75, 74)
        (entry,) = await world.entries(run)
        assert (entry.reason, entry.external_id) == ("malformed", str(spoiled))
        # Nor is it asked for: it is listed.
        assert len(handler.asked) == 1
        assert await stored(world, integration_id) == before


async def test_a_short_list_is_believed_alert_by_alert(world: World, recordings: Recordings) -> None:
    """Alerts that a list leaves out are as open as they say themselves."""
    handler = AlertsHandler(recordings)
    with serving(handler) as replay:
        integration_id = await connected(world, handler, replay.url)
        await world.alerts(integration_id)
        handler.change = lambda rows: rows[:40]
        run = await world.alerts(integration_id)
        assert (run.status, run.unchanged, run.updated, run.missing) == ("succeeded", 75, 0, 0)
        assert len(handler.asked) == 1 + 1 + 35
        assert {alert.status for alert in (await stored(world, integration_id)).values()} == {
            "active",
            "snoozed",
        }
