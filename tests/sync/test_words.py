"""How runs and entries read."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from muster.db.types import new_id
from muster.sync import words
from muster.sync.history import Names
from muster.sync.schemas import EntryView, RunView

BEGUN = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)


def run(**values: Any) -> RunView:
    fields: dict[str, Any] = dict.fromkeys(words.COUNTERS, 0)
    fields |= {
        **dict.fromkeys(("id", "run_id", "integration_id"), new_id()),
        "sync_type": "devices",
        "mode": "full",
        "trigger": "manual",
        "started_by": None,
        "status": "succeeded",
        "phase": "finished",
        "started_at": BEGUN,
        "heartbeat_at": BEGUN,
        "finished_at": None,
        "duration_ms": None,
        "cursor": {},
        "progress_total": None,
        "requests": 0,
        "bytes_received": 0,
        "error": None,
    }
    return RunView(**fields | values)


def entry(**values: Any) -> EntryView:
    fields: dict[str, Any] = dict.fromkeys(EntryView.__struct_fields__)
    fields |= {"entry_number": 1, "item_type": "device", "action": "updated", "reason": "content_changed"}
    return EntryView(**fields | values)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"unchanged": 8, "processed": 8}, "8 unchanged"),
        ({"created": 1200, "failed": 2, "unchanged": 5}, "2 failed, 1,200 created"),
        ({}, "Nothing to read"),
        ({"status": "failed"}, "Nothing was read"),
    ],
)
def test_a_result_is_one_line(values: dict[str, Any], said: str) -> None:
    assert words.result(run(**values)) == said


def phases(*begun: tuple[str, float]) -> dict[str, Any]:
    return {"phases": [[name, (BEGUN + timedelta(seconds=at)).isoformat()] for name, at in begun]}


def test_phases_are_told_once_with_the_time_they_took() -> None:
    cursor = phases(
        ("starting", 0), ("organizations", 0.5), ("devices", 1), ("organizations", 4), ("devices", 5)
    )
    found = words.steps(run(cursor=cursor, finished_at=BEGUN + timedelta(seconds=7), processed=250))
    assert [(step.text, step.state, step.figure, step.seconds) for step in found] == [
        ("Organizations", "done", None, 1.5),
        ("Devices", "done", "250 read", 5.0),
    ]


def test_a_running_run_shows_what_is_still_to_come() -> None:
    found = words.steps(run(cursor=phases(("organizations", 0), ("roster", 1)), status="running"))
    assert [(step.text, step.state) for step in found] == [
        ("Organizations", "done"),
        ("Device list", "now"),
        ("Devices", "waits"),
        ("Hardware", "waits"),
        ("Missing", "waits"),
    ]


def test_a_failed_run_shows_where_it_ended() -> None:
    found = words.steps(run(cursor=phases(("organizations", 0)), status="failed", finished_at=BEGUN))
    assert [(step.text, step.state) for step in found] == [("Organizations", "ended")]


def test_changes_read_like_what_they_are() -> None:
    disk = {"device": "C:", "total_bytes": 500_000_000_000, "percent_used": 40}
    changes = [
        {"field": "needs_reboot", "old": False, "new": True},
        {"field": "ram_gb", "old": 16.0, "new": 32.0},
        {"field": "lan_ips", "old": None, "new": ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"]},
        {"field": "disks", "old": [], "new": [disk]},
        {"field": "client_id", "old": "a", "new": "b"},
        {"field": "site", "old": "Main Office", "new": "Main Office"},
        {"field": "description", "old": None, "new": "x" * 500},
    ]
    line = words.line(entry(changes=changes, name="DC-01"), Names(clients={"a": "Acme", "b": "Contoso"}))
    shown = [(change.label, change.old, change.new) for change in line.changes]
    assert shown[:5] == [
        ("Needs reboot", "No", "Yes"),
        ("Memory", "16 GB", "32 GB"),
        ("LAN addresses", None, "10.0.0.1, 10.0.0.2, 10.0.0.3 and 1 more"),
        ("Disks", None, "C: 500 GB, 40 % used"),
        ("Client", "Acme", "Contoso"),
    ]
    assert len(shown) == 6
    assert len(shown[5][2] or "") == 120


def test_a_line_names_what_it_is_about() -> None:
    asset_id = new_id()
    names = Names(organizations={"7": "Acme Corp"}, assets={asset_id: "DC-01"})
    assert words.line(entry(asset_id=asset_id, organization_id="7"), names).name == "DC-01"
    assert words.line(entry(asset_id=asset_id, organization_id="7"), names).organization == "Acme Corp"
    assert words.line(entry(external_id="agent-1"), names).name == "agent-1"
    own = words.line(entry(item_type="organization", organization_id="7", external_id="7"), names)
    assert (own.name, own.organization) == ("Acme Corp", None)
    assert words.line(entry(item_type="roster"), names).name == "The list of all devices"


def test_software_is_told_in_programs() -> None:
    changed = {"listed": 12_345, "installed": 7, "updated": 0, "removed": 1}
    read = run(
        sync_type="software", processed=80, created=75, updated=3, unchanged=2, cursor={"changed": changed}
    )
    assert words.result(read) == "12,345 programs on 75 new devices, 7 installed, 1 removed"
    quiet = run(
        sync_type="software", processed=80, unchanged=80, cursor={"changed": dict.fromkeys(changed, 0)}
    )
    assert words.result(quiet) == "80 unchanged"
    broken = run(sync_type="software", status="failed", failed=2)
    assert words.result(broken) == "2 failed"
    assert words.doing("software") == "Reading what is installed"
