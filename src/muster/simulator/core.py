"""The server's own affairs: home, version, dashboard information, settings, custom field definitions."""

from typing import Any

from muster.simulator.access import may
from muster.simulator.clock import iso
from muster.simulator.extras import custom_field_definitions
from muster.simulator.fields import Check, checked, flag, one_of
from muster.simulator.http import HTML, Response, answer, refuse, server_error
from muster.simulator.routing import Call, Endpoint, Routes, signed_in
from muster.simulator.rows import DEFAULT_TIME_ZONE, all_timezones

# The version the *frontend* calls itself: the answer of /core/version/ (CONTRACT section 1).
FRONTEND_VERSION = "0.0.203"
_DATE_FORMAT = "MMM-DD-YYYY - HH:mm"


def _home(_: Call) -> Response:
    return answer({"status": "ok"})


def _version(_: Call) -> Response:
    return answer(FRONTEND_VERSION)


def _dashboard(call: Call) -> Response:
    placeholders = {
        "cmd": "dir C:\\",
        "powershell": "Get-ChildItem C:\\",
        "shell": "ls -l /",
    }
    return answer(
        {
            "trmm_version": call.state.version,
            "latest_trmm_ver": "error",
            "dark_mode": True,
            "show_community_scripts": True,
            "dbl_click_action": "editagent",
            "default_agent_tbl_tab": "mixed",
            "url_action": None,
            "client_tree_sort": "alphafail",
            "client_tree_splitter": 11,
            "loading_bar_color": "red",
            "clear_search_when_switching": True,
            "hosted": False,
            "date_format": None,
            "default_date_format": _DATE_FORMAT,
            "token_is_expired": False,
            "open_ai_integration_enabled": False,
            "dash_info_color": "info",
            "dash_positive_color": "positive",
            "dash_negative_color": "negative",
            "dash_warning_color": "warning",
            "run_cmd_placeholder_text": placeholders,
            "server_scripts_enabled": True,
            "web_terminal_enabled": False,
            "block_local_user_logon": False,
            "sso_enabled": False,
        }
    )


def _settings(call: Call) -> Response:
    return answer(_settings_row(call))


def _change_settings(call: Call) -> Response:
    """Only what concerns alerts can be changed here; a name that the server does not know is ignored."""
    settings, data = call.state.alert_settings, call.request.data()
    checks: dict[str, Check] = {
        "notify_on_info_alerts": flag(),
        "notify_on_warning_alerts": flag(),
        "alert_template": one_of(settings.templates),
    }
    sent = checked(data, checks)
    others = sorted(data.keys() & _settings_row(call).keys() - checks.keys())
    if others:
        raise refuse(501, f"The simulator does not change {', '.join(others)}; the real server does.")
    settings.put_core(sent)
    return answer("ok")


def _settings_row(call: Call) -> dict[str, Any]:
    made = iso(call.state.clock.start)
    shells: dict[str, Any] = {}
    for system, shell in (("windows", "cmd"), ("linux", "bash"), ("darwin", "bash")):
        shells |= {f"default_shell_{system}": shell, f"default_shell_{system}_custom": ""}
    return {
        "id": 1, "all_timezones": all_timezones(), "created_by": None, "created_time": made,
        "modified_by": None,
        "modified_time": made, "email_alert_recipients": [], "sms_alert_recipients": [],
        "twilio_number": None,
        "twilio_account_sid": None, "twilio_auth_token": None, "smtp_from_email": "rmm@example.com",
        "smtp_from_name": None, "smtp_host": "smtp.example.com", "smtp_host_user": "rmm@example.com",
        "smtp_host_password": "simulated", "smtp_port": 587, "smtp_requires_auth": True,
        "default_time_zone": DEFAULT_TIME_ZONE, "check_history_prune_days": 30,
        "resolved_alerts_prune_days": 0,
        "agent_history_prune_days": 60, "debug_log_prune_days": 30, "audit_log_prune_days": 0,
        "report_history_prune_days": 0, "agent_debug_level": "info", "clear_faults_days": 0,
        "mesh_token": "simulated", "mesh_username": "simulated", "mesh_site": "https://mesh.example.com",
        "mesh_device_group": "TacticalRMM", "mesh_company_name": "Simulated MSP",
        "sync_mesh_with_trmm": True,
        "agent_auto_update": True, "date_format": _DATE_FORMAT, "open_ai_token": None,
        "open_ai_model": "none", "enable_server_scripts": True, "enable_server_webterminal": False,
        "block_local_user_logon": False,
        "sso_enabled": False, **shells, "terminal_mode": "new", "workstation_policy": None,
        "server_policy": None, **call.state.alert_settings.core,
    }  # fmt: skip


def _custom_fields(_: Call) -> Response:
    return answer(custom_field_definitions())


def _custom_fields_of_model(call: Call) -> Response:
    data = call.request.data()
    if not isinstance(data, dict):
        raise server_error()
    model = data.get("model")
    return answer(custom_field_definitions(None if model is None else str(model)))


def _monitor_status(_: Call) -> Response:
    # A plain Django view: HTML, whatever the client accepts, and not a DRF answer.
    return Response(401, b"Missing X-Mon-Token header\n", HTML)


def _views_settings(call: Call) -> bool:
    return may(
        call.caller, "can_view_core_settings" if call.request.method == "GET" else "can_edit_core_settings"
    )


def _views_custom_fields(call: Call) -> bool:
    reads = call.request.method in ("GET", "PATCH")
    return may(call.caller, "can_view_customfields" if reads else "can_manage_customfields")


def register(routes: Routes) -> None:
    """Add this family's URLs."""
    get = "GET, OPTIONS"
    routes.add("/", Endpoint({"GET": _home}, get, None))
    routes.add("/core/version/", Endpoint({"GET": _version}, get, signed_in))
    routes.add("/core/dashinfo/", Endpoint({"GET": _dashboard}, get, signed_in))
    routes.add(
        "/core/settings/",
        Endpoint({"GET": _settings, "PUT": _change_settings}, "GET, PUT, HEAD, OPTIONS", _views_settings),
    )
    fields = {"GET": _custom_fields, "PATCH": _custom_fields_of_model}
    routes.add(
        "/core/customfields/", Endpoint(fields, "GET, POST, PATCH, HEAD, OPTIONS", _views_custom_fields)
    )
    routes.add("/core/v2/status/", Endpoint({"GET": _monitor_status}, get, None))
