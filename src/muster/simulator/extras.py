"""What hangs on an agent: checks, tasks, history, notes, pending actions, patches, custom fields."""

from typing import Any

from muster.simulator.agents import DAY, Agent
from muster.simulator.clock import iso
from muster.simulator.presence import MINUTE

_NO_CHECKS = {"total": 0, "passing": 0, "failing": 0, "warning": 0, "info": 0, "has_failing_checks": False}

CUSTOM_FIELDS: tuple[tuple[int, str, str, str, tuple[str, ...]], ...] = (
    (1, "agent", "text", "Inventory tag", ()),
    (2, "agent", "checkbox", "Under contract", ()),
    (3, "agent", "multiple", "Labels", ("gold", "silver", "lab")),
    (4, "client", "text", "Customer number", ()),
    (5, "site", "text", "Location code", ()),
)


def custom_fields(agent: Agent) -> list[dict[str, Any]]:
    """The agent's custom field values: text, true or false, a list. Most agents have none."""
    if agent.pk != 1 and agent.roll % 7:
        return []
    values = (f"INV-{agent.pk:05d}", agent.roll % 2 == 0, ["gold", "lab"][: 1 + agent.roll % 2])
    return [
        {"id": agent.pk * 3 + number, "field": number + 1, "agent": agent.pk, "value": value}
        for number, value in enumerate(values)
    ]


def client_fields(pk: int) -> list[dict[str, Any]]:
    """A client's custom field values; two clients in three have none."""
    return [{"id": pk, "field": 4, "client": pk, "value": f"K-{pk:04d}"}] if pk % 3 == 1 else []


def site_fields(pk: int) -> list[dict[str, Any]]:
    """A site's custom field values; three sites in four have none."""
    return [{"id": pk, "field": 5, "site": pk, "value": f"LOC-{pk}"}] if pk % 4 == 1 else []


def custom_field_definitions(model: str | None = None) -> list[dict[str, Any]]:
    """The rows of `/core/customfields/`, all or those of one model (agent, client, site)."""
    made = "2024-02-01T09:00:00.137762Z"
    return [
        {
            "id": pk, "created_by": None, "created_time": made, "modified_by": None, "modified_time": made,
            "order": 0,
            "model": of, "type": kind, "options": list(options), "name": name, "required": False,
            "default_value_string": None, "default_value_bool": False, "default_values_multiple": [],
            "hide_in_ui": False, "hide_in_summary": False,
        }
        for pk, of, kind, name, options in CUSTOM_FIELDS
        if model in (None, of)
    ]  # fmt: skip


def _checked(agent: Agent) -> bool:
    """Whether the agent has checks: the first one always, otherwise one in three that ever reported."""
    return agent.pk == 1 or (agent.roll % 3 == 0 and agent.presence.kind != "never")


def check_counts(agent: Agent) -> dict[str, Any]:
    """The `checks` summary."""
    if not _checked(agent):
        return _NO_CHECKS
    return {"total": 3, "passing": 1, "failing": 1, "warning": 0, "info": 1, "has_failing_checks": True}


_NO_CHECK_SETTINGS: dict[str, Any] = {
    "overridden_by_policy": False, "email_alert": False, "text_alert": False, "dashboard_alert": False,
    "fails_b4_alert": 1, "run_interval": 0, "alert_severity": "warning", "error_threshold": 0,
    "warning_threshold": 0, "disk": None, "ip": None, "script_args": [], "env_vars": [],
    "info_return_codes": [],
    "warning_return_codes": [], "success_return_codes": [], "timeout": None, "svc_name": None,
    "svc_display_name": None, "pass_if_start_pending": None, "pass_if_svc_not_exist": False,
    "restart_if_stopped": None, "svc_policy_mode": None, "log_name": None, "event_id": None,
    "event_id_is_wildcard": False, "event_type": None, "event_source": None, "event_message": None,
    "fail_when": None, "search_last_days": None, "number_of_events_b4_alert": 1, "managed_by_policy": False,
}  # fmt: skip


def _check(agent: Agent, number: int, own: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    pk = agent.pk * 3 + number
    made = iso(agent.created_us + DAY + number)
    outcome = {
        "id": pk, "status": "failing", "alert_severity": None, "more_info": None, "last_run": made,
        "fail_count": 0,
        "outage_history": None, "extra_details": None, "stdout": None, "stderr": None, "retcode": None,
        "execution_time": None, "history": [], "agent": agent.pk, "assigned_check": pk,
    }  # fmt: skip
    return {
        "id": pk, "readable_desc": "", "assignedtasks": [], "alert_template": None,
        "check_result": {**outcome, **result} if result else {},
        "created_by": None, "created_time": made, "modified_by": None, "modified_time": made, "name": None,
        "check_type": "", **_NO_CHECK_SETTINGS, "agent": agent.pk, "policy": None, "script": None, **own,
    }  # fmt: skip


def checks(agent: Agent) -> list[dict[str, Any]]:
    """The rows of `/agents/<agent_id>/checks/`; `check_result` is {} for one that never ran."""
    if not _checked(agent):
        return []
    disk = {
        "readable_desc": "Disk Space Check: Drive C: -  Warning Threshold: 20% Error Threshold: 10%",
        "check_type": "diskspace", "error_threshold": 10, "warning_threshold": 20, "disk": "C:",
    }  # fmt: skip
    ping = {"readable_desc": "Ping Check: router", "check_type": "ping", "name": "router", "ip": "10.0.0.1"}
    script = {
        "readable_desc": "Script Check: Empty the bin",
        "check_type": "script",
        "timeout": 60,
        "script": 1,
    }
    output = {"alert_severity": "info", "stdout": "C:\\temp\\new\r\n", "stderr": 'no "file"', "retcode": 1}
    full = {"alert_severity": "error", "more_info": "Total: 476G, Free: 3.1G (0.7%)"}
    return [
        _check(agent, 0, disk, full),
        _check(agent, 1, ping, {"status": "passing", "more_info": "Reply from 10.0.0.1"}),
        _check(agent, 2, script, output if agent.pk % 2 else {}),
    ]


_UNSET_SCHEDULE = (
    "daily_interval", "run_time_bit_weekdays", "weekly_interval", "run_time_minute", "monthly_days_of_month",
    "monthly_months_of_year", "monthly_weeks_of_month", "task_repetition_duration",
    "task_repetition_interval", "random_task_delay",
)  # fmt: skip


def tasks(agent: Agent) -> list[dict[str, Any]]:
    """The rows of `/agents/<agent_id>/tasks/`."""
    if agent.pk != 1 and agent.roll % 11:
        return []
    made = iso(agent.created_us + DAY)
    unset = dict.fromkeys(_UNSET_SCHEDULE)
    result = {
        "id": agent.pk, "retcode": 1, "stdout": "", "stderr": "disk full", "execution_time": "0.0000",
        "last_run": made, "status": "failing", "sync_status": "initial", "locked_at": None,
        "run_status": None,
        "agent": agent.pk, "task": agent.pk,
    }  # fmt: skip
    action = {"name": "x", "type": "script", "script": 1, "timeout": 90, "script_args": []}
    return [{
        "id": agent.pk, "schedule": "Manual", "alert_template": None, "run_time_date": None,
        "expire_date": None,
        "task_result": result, "created_by": None, "created_time": made, "modified_by": None,
        "modified_time": made,
        "actions": [action], "name": 'Weekly "tidy"', "collector_all_output": False, "enabled": True,
        "continue_on_error": True, "alert_severity": "warning", "email_alert": False, "text_alert": False,
        "dashboard_alert": False, "task_type": "manual",
        "win_task_name": f"TacticalRMM_simulated{agent.pk:08d}",
        **unset, "stop_task_at_duration_end": False, "remove_if_not_scheduled": False,
        "run_asap_after_missed": False, "task_instance_policy": 1, "task_supported_platforms": [agent.plat],
        "managed_by_policy": False, "agent": agent.pk, "policy": None, "custom_field": None,
        "assigned_check": None,
    }]  # fmt: skip


def history(agent: Agent) -> list[dict[str, Any]]:
    """The rows of `/agents/<agent_id>/history/`: a command (without `script_name`) and a script run."""
    if agent.pk != 1:
        return []
    shared = {
        "collector_all_output": False,
        "save_to_agent_note": False,
        "agent": agent.pk,
        "custom_field": None,
    }
    done = {"id": 1, "stderr": "", "stdout": "done", "retcode": 0, "execution_time": 2.5}
    return [
        {"id": 1, "time": iso(agent.created_us + DAY), "type": "cmd_run", "command": "hostname",
         "username": "admin",
         "results": "DC-01\r\n", "script_results": None, "script": None, **shared},
        {"id": 2, "script_name": "Empty the bin", "time": iso(agent.created_us + DAY + MINUTE),
         "type": "script_run",
         "command": "", "username": "admin", "results": None, "script_results": done, "script": 1, **shared},
    ]  # fmt: skip


def notes(agent: Agent) -> list[dict[str, Any]]:
    """The rows of `/agents/<agent_id>/notes/`."""
    if agent.roll % 13:
        return []
    return [{"pk": agent.pk, "entry_time": iso(agent.created_us + DAY), "note": "key is at the desk",
             "username": "admin", "agent_id": agent.agent_id}]  # fmt: skip


def pending_actions(agent: Agent, client: str, site: str) -> list[dict[str, Any]]:
    """The rows of `/agents/<agent_id>/pendingactions/`, done and waiting ones."""
    if agent.pk != 1 and agent.roll % 29:
        return []
    due = "2031-01-05 03:00:00"
    return [{
        "id": agent.pk, "hostname": agent.hostname, "client": client, "site": site, "due": due,
        "description": "Device pending reboot", "entry_time": iso(agent.created_us + DAY),
        "action_type": "schedreboot", "status": "pending" if agent.pk % 2 else "completed",
        "details": {"time": due, "taskname": "simulated"}, "agent": agent.pk,
    }]  # fmt: skip


def windows_update_policy(agent: Agent) -> dict[str, Any]:
    """The agent's own patch policy, all inherited."""
    made = iso(agent.created_us + 40)
    inherited = dict.fromkeys(("critical", "important", "moderate", "low", "other"), "inherit")
    return {
        "id": agent.pk, "created_by": None, "created_time": made, "modified_by": None, "modified_time": made,
        **inherited, "run_time_hour": 3, "run_time_frequency": "inherit", "run_time_days": [],
        "run_time_day": 1,
        "reboot_after_install": "inherit", "reprocess_failed_inherit": True, "reprocess_failed": False,
        "reprocess_failed_times": 5, "email_if_fail": False, "agent": agent.pk, "policy": None,
    }  # fmt: skip


def windows_updates(agent: Agent) -> list[dict[str, Any]]:
    """The rows of `/winupdate/<agent_id>/`; none on Linux and macOS."""
    if agent.posix or agent.hardware is None:
        return []
    return [
        {"id": agent.pk * 4 + number, "date_installed": "02 13 2024 04:11" if number == 0 else None,
         "guid": f"00000000-5151-4000-8000-{agent.pk * 4 + number:012d}", "kb": f"KB50340{number}1",
         "title": f"2024-0{number + 1} Cumulative Update (KB50340{number}1)", "installed": number == 0,
         "downloaded": number < 2, "description": "An invented update.", "severity": ("", "Critical",
             "")[number],
         "categories": [], "category_ids": [], "kb_article_ids": [], "more_info_urls": [],
         "support_url": None,
         "revision_number": None, "action": "approve" if agent.has_patches_pending and number else "nothing",
         "result": "success" if number == 0 else "n/a", "agent": agent.pk}
        for number in (2, 1, 0)
    ]  # fmt: skip
