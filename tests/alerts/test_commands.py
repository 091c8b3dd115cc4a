"""`muster alert`: every verb of a person, on the command line."""

import json
from pathlib import Path
from typing import Any

import pytest

from muster.bootstrap import metadata
from muster.db import Database, migrate
from muster.providers.alerting import AlertSeverity
from muster.simulator import SimulatorServer
from tests.alerts.saying import Alerts, record
from tests.support.cli import Muster
from tests.support.world import World


@pytest.fixture
async def desk(muster: Muster, tmp_path: Path, alert_fleet: SimulatorServer) -> Muster:
    """A command line whose tenant has three open alerts and one that is over."""
    folder = tmp_path / "data"
    folder.mkdir(exist_ok=True)
    database = Database(f"sqlite:///{folder / 'muster.db'}")
    await migrate.upgrade(database, metadata())
    world = await World.make(database)
    integration_id = await world.connect(alert_fleet)
    await world.map_all(integration_id)
    await world.devices(integration_id)
    alerts = await Alerts.of(world, integration_id)
    first, second = alerts.devices[:2]
    await alerts.apply(
        record("1", device_id=first, device_name="WSUS-1"),
        record("2", device_id=second, device_name="DC-1", severity=AlertSeverity.MINOR, cause="c"),
        record("3", message="The backup failed."),
        record("4", device_id=first, resolved=True),
    )
    await database.close()
    return muster


def _by_server_id(muster: Muster, *arguments: str) -> dict[str, dict[str, Any]]:
    listed = muster.done("alert", "list", *arguments)
    assert listed["total"] == len(listed["items"])
    return {item["external_alert_id"]: item for item in listed["items"]}


def test_lists_what_is_open_and_what_is_asked_for(desk: Muster) -> None:
    assert set(_by_server_id(desk)) == {"1", "2", "3"}
    assert set(_by_server_id(desk, "--status", "resolved")) == {"4"}
    assert set(_by_server_id(desk, "--severity", "minor", "--severity", "major")) == {"2"}
    assert set(_by_server_id(desk, "--search", "backup")) == {"3"}
    assert set(_by_server_id(desk, "--integration", "Tactical", "--type", "availability")) == {"1", "2", "3"}
    asset = _by_server_id(desk)["1"]
    assert set(_by_server_id(desk, "--asset", asset["asset_id"], "--client", asset["client_name"])) == {"1"}
    assert set(_by_server_id(desk, "--suppressed")) == set()
    ended = desk("alert", "list", "--limit", 1)
    assert ended.code == 0
    assert "1 of 3" in ended.out + ended.err


def test_every_verb_of_a_person(desk: Muster) -> None:
    alert_id = _by_server_id(desk)["1"]["alert_id"]
    assert desk.done("alert", "ack", alert_id)["status"] == "acknowledged"
    assert desk.done("alert", "unack", alert_id)["status"] == "active"
    snoozed = desk.done("alert", "snooze", alert_id, "--days", 3)
    assert (snoozed["status"], snoozed["write_back"]["state"]) == ("snoozed", "waiting")
    assert desk.done("alert", "unsnooze", alert_id)["status"] == "active"
    desk.done("alert", "note", alert_id, "The line is being repaired.")
    assert desk.done("alert", "resolve", alert_id)["status"] == "resolved"
    shown = desk.done("alert", "show", alert_id)
    kinds = [line["kind"] for line in shown["timeline"]]
    assert kinds == [
        *("raised", "acknowledged", "unacknowledged", "snoozed", "unsnoozed", "note", "resolved"),
    ]
    assert {line["actor"] for line in shown["timeline"][1:]} == {"command line"}
    asked = [job["payload"]["alert_id"] for job in desk.done("job", "list")["items"]]
    assert asked == [alert_id] * 3


def test_what_cannot_be_done_is_said(desk: Muster) -> None:
    alert_id = _by_server_id(desk, "--status", "resolved")["4"]["alert_id"]
    refused = desk("alert", "ack", alert_id, "--json")
    assert (refused.code, refused.error["code"]) == (1, "alert_state")
    for unknown in ("nothing", "00000000-0000-7000-8000-000000000000"):
        ended = desk("alert", "show", unknown, "--json")
        assert (ended.code, json.loads(ended.err)["error"]["code"]) == (1, "not_found")
    assert desk("alert", "snooze", alert_id, "--days", 0).code == 2
