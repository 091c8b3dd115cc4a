"""One alert of a check as the server lists it, and the moment of the answer that holds it."""

from datetime import UTC, datetime
from typing import Any

MOMENT = datetime(2026, 11, 23, 15, 20, 12, tzinfo=UTC)
ROW: dict[str, Any] = {
    "id": 214,
    "hostname": "WSUS",
    "agent_id": "nwZqvrMSrJaHmfpUAFJWpSEPTFCYbfsozSptQLxE",
    "client": "Acme Corp",
    "site": "HQ",
    "alert_time": "2026-11-23T14:46:17.238507Z",
    "alert_type": "check",
    "message": "WSUS has a disk check that failed.",
    "snoozed": False,
    "snooze_until": None,
    "resolved": False,
    "resolved_on": None,
    "severity": "error",
    "hidden": False,
    "action_run": "2026-11-23T14:46:17.281732Z",
    "action_stdout": '{"ok":true}',
    "action_retcode": 200,
    "resolved_action_run": None,
    "agent": 18,
    "assigned_check": 12,
    "assigned_task": None,
}
