"""`muster schedule`, the next runs of `integration show`, and the doctor on schedules, workers and runs."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from muster.simulator import SimulatorServer
from tests.support.cli import Muster


@pytest.fixture
def connected(muster: Muster, server: SimulatorServer) -> Muster:
    muster.done("tenant", "create", "Acme")
    muster.done(
        *("integration", "add", "tacticalrmm", "--name", "Main", "--url", server.url),
        settings={"MUSTER_API_KEY": server.api_key},
    )
    return muster


def test_schedules_are_listed_and_changed(connected: Muster) -> None:
    assert connected.done("schedule", "list", "Main") == {"items": []}
    ended = connected("schedule", "set", "Main", "devices_refresh", "--minutes", 30, "--json")
    assert (ended.code, ended.error["code"]) == (1, "not_connected")
    connected.done("integration", "check", "Main")
    listed = connected.done("schedule", "list", "Main")["items"]
    assert {(row["kind"], row["minutes"], row["enabled"]) for row in listed} == {
        ("devices_full", 1440, True),
        ("devices_refresh", 15, True),
        ("alerts", 10, True),
        ("alerts_backfill", 1440, True),
        ("software", 1440, True),
        ("webhook", 1440, True),
    }
    changed = connected.done("schedule", "set", "Main", "devices_refresh", "--minutes", 30)
    assert changed["minutes"] == 30
    assert connected.done("schedule", "set", "Main", "devices-full", "--off")["enabled"] is False
    shown = connected.done("integration", "show", "Main")["counts"]
    assert shown["schedules"]["devices_refresh"]["next_run_at"] == changed["next_run_at"]
    assert shown["needs_attention"] is None
    assert "devices_refresh" in connected("schedule", "list", "Main").out


def test_wrong_input_is_refused(connected: Muster) -> None:
    connected.done("integration", "check", "Main")
    for arguments in (
        ("devices_refresh", "--minutes", 2),
        ("devices_refresh",),
        ("nonsense", "--on"),
    ):
        ended = connected("schedule", "set", "Main", *arguments, "--json")
        assert (ended.code, ended.error["code"]) == (2, "invalid_input")
    assert connected("schedule", "list", "Nobody").code == 1


def test_the_doctor_tells_of_what_nobody_runs(connected: Muster, tmp_path: Path) -> None:
    connected.done("integration", "check", "Main")
    connected.done("schedule", "list", "Main")
    assert connected.done("doctor")["findings"] == []
    with closing(sqlite3.connect(tmp_path / "data" / "muster.db")) as database, database:
        database.execute("UPDATE sync_schedules SET next_run_at = '2026-01-01 00:00:00.000000'")
        database.execute(
            "INSERT INTO job_requests (tenant_id, job_id, kind, dedup_key, payload, state, requested_at,"
            " not_before, attempts) SELECT tenant_id, integration_id, 'sync_devices', 'x', '{}', 'requested',"
            " '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000', 0 FROM rmm_integrations"
        )
        database.execute(
            "INSERT INTO workers (executor_id, host, pid, version, started_at, heartbeat_at) VALUES"
            " ('elsewhere:1:1/77/1.00', 'elsewhere:1:1', 77, '0', '2026-01-01 00:00:00.000000',"
            " '2026-01-01 00:00:00.000000')"
        )
        database.execute(
            "INSERT INTO sync_runs (tenant_id, run_id, integration_id, sync_type, mode, trigger, status,"
            " lease_owner, heartbeat_at, started_at, phase, cursor, processed, created, updated, unchanged,"
            " missing, deleted, failed, requests, bytes_received) SELECT tenant_id, integration_id,"
            " integration_id, 'devices', 'full', 'schedule', 'running', 'elsewhere:1:1/77/1.00',"
            " '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000', 'devices', '{}', 0, 0, 0, 0, 0, 0,"
            " 0, 0, 0 FROM rmm_integrations"
        )
        database.execute(
            "UPDATE sync_schedules SET paused_code = 'key_expired', paused_error ="
            ' \'{"code": "key_expired", "message": "The API key has expired.", "remedy": "Make one."}\''
            " WHERE kind = 'devices_full'"
        )
    ended = connected("doctor", "--json")
    assert ended.code == 1
    findings = {finding["code"]: finding for finding in ended.json["findings"]}
    assert {code: finding["level"] for code, finding in findings.items()} == {
        "schedules_overdue": "warning",
        "integrations_need_attention": "warning",
        "workers_absent": "error",
        "workers_dead": "warning",
        "runs_stuck": "warning",
    }
    assert all(finding["remedy"] for finding in findings.values())
    assert "The API key has expired." in findings["integrations_need_attention"]["message"]
    assert "needs attention" in connected("schedule", "list", "Main").err
