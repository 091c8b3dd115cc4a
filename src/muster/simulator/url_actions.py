"""The URL actions' URLs: what the server can be told to call (CONTRACT section 5)."""

from typing import Any

from muster.simulator.access import may
from muster.simulator.fields import Check, checked, choice, text
from muster.simulator.http import Response, answer, not_found
from muster.simulator.routing import Call, Endpoint, Handler, Routes
from muster.simulator.stored import Stored

METHODS = ("get", "post", "put", "delete", "patch")
_CHECKS: dict[str, Check] = {
    "name": text(longest=255),
    "desc": text(null=True, blank=True),
    "pattern": text(),
    "action_type": choice("web", "rest"),
    "rest_method": choice(*METHODS),
    "rest_body": text(null=True, blank=True),
    "rest_headers": text(null=True, blank=True),
}


def _row(action: Stored) -> dict[str, Any]:
    return {"id": action.pk, **action.stamps(), **action.values}


def _list(call: Call) -> Response:
    # Headers come in clear, secrets included.
    return answer([_row(action) for action in call.state.alert_settings.actions])


def _add(call: Call) -> Response:
    sent = checked(call.request.data(), _CHECKS)
    now = call.state.clock.now_us()
    call.state.alert_settings.actions.add(sent, who=call.caller.user.username, now=now)
    return answer("ok")


def _action(call: Call) -> Stored:
    found = call.state.alert_settings.actions.get(int(call.pieces["pk"]))
    if found is None:
        raise not_found("URLAction")
    return found


def _change(call: Call) -> Response:
    pk, sent = _action(call).pk, checked(call.request.data(), _CHECKS)
    now = call.state.clock.now_us()
    call.state.alert_settings.actions.change(pk, sent, who=call.caller.user.username, now=now)
    return answer("ok")


def _delete(call: Call) -> Response:
    call.state.alert_settings.remove_action(_action(call).pk)
    return answer("ok")


def permission(call: Call) -> bool:
    """To list and to run one needs another permission than to change one."""
    reads = call.request.method in ("GET", "PATCH")
    tests = call.request.method == "POST" and call.request.path == "/core/urlaction/run/test/"
    return may(call.caller, "can_run_urlactions" if reads or tests else "can_edit_core_settings")


def _one_permission(call: Call) -> bool:
    reads = call.request.method == "GET"
    return may(call.caller, "can_view_core_settings" if reads else "can_edit_core_settings")


def register(routes: Routes) -> None:
    """Add this family's URLs."""
    path = "/core/urlaction/"
    routes.add(path, Endpoint({"GET": _list, "POST": _add}, "GET, POST, HEAD, OPTIONS", permission))
    one: dict[str, Handler] = {"PUT": _change, "DELETE": _delete}
    routes.add(f"{path}<int:pk>/", Endpoint(one, "PUT, DELETE, OPTIONS", _one_permission))
