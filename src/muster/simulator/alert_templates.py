"""The alert templates' URLs (CONTRACT section 5)."""

from typing import Any

from muster.simulator.access import may
from muster.simulator.alert_settings import template_row
from muster.simulator.beta import plain_row
from muster.simulator.fields import Check, checked, choice, count, flag, one_of, several, text
from muster.simulator.fleet import Site
from muster.simulator.http import Response, answer, not_found
from muster.simulator.routing import Call, Endpoint, Handler, Routes
from muster.simulator.stored import Stored

_SEVERITIES = ("info", "warning", "error")


def _checks(call: Call) -> dict[str, Check]:
    """The columns that a write may set, in the server's order."""
    settings, fleet = call.state.alert_settings, call.state.fleet
    found: dict[str, Check] = {"name": text(longest=100), "is_active": flag()}
    for action in ("action", "resolved_action"):
        found |= {
            f"{action}_type": choice("script", "server", "rest"),
            f"{action}_args": several(text(longest=255, null=True, blank=True), null=True),
            f"{action}_env_vars": several(text(null=True, blank=True), null=True),
            f"{action}_timeout": count(),
            # Scripts are not simulated: no pk of one is known.
            action: one_of(()),
            f"{action}_rest": one_of(settings.actions),
        }
    found |= {
        f"{to}_recipients": several(text(longest=100, blank=True), null=True) for to in ("email", "text")
    }
    found["email_from"] = text(longest=254, null=True, blank=True)
    for what in ("agent", "check", "task"):
        if what != "agent":
            severities = several(choice(*_SEVERITIES))
            found |= {f"{what}_{way}_alert_severity": severities for way in ("email", "text", "dashboard")}
        found |= {f"{what}_{way}_on_resolved": flag(null=True) for way in ("email", "text")}
        found |= {f"{what}_always_{way}": flag(null=True) for way in ("email", "text", "alert")}
        found |= {f"{what}_periodic_alert_days": count(null=True), f"{what}_script_actions": flag(null=True)}
    found |= {f"exclude_{kind}": flag(null=True) for kind in ("workstations", "servers")}
    found["excluded_sites"] = several(one_of(fleet.sites, null=False))
    found["excluded_clients"] = several(one_of(fleet.clients, null=False))
    return found | {"excluded_agents": several(one_of(frozenset(fleet.pks()), null=False))}


def _template(call: Call) -> Stored:
    found = call.state.alert_settings.templates.get(int(call.pieces["pk"]))
    if found is None:
        raise not_found("AlertTemplate")
    return found


def _list(call: Call) -> Response:
    settings = call.state.alert_settings
    return answer([template_row(settings, template) for template in settings.templates])


def _add(call: Call) -> Response:
    state = call.state
    sent = checked(call.request.data(), _checks(call))
    state.alert_settings.templates.add(sent, who=call.caller.user.username, now=state.clock.now_us())
    state.alert_settings.recache()
    return answer("ok")


def _one(call: Call) -> Response:
    return answer(template_row(call.state.alert_settings, _template(call)))


def _change(call: Call) -> Response:
    state, pk = call.state, _template(call).pk
    sent = checked(call.request.data(), _checks(call))
    state.alert_settings.templates.change(pk, sent, who=call.caller.user.username, now=state.clock.now_us())
    state.alert_settings.recache()
    return answer("ok")


def _delete(call: Call) -> Response:
    call.state.alert_settings.remove_template(_template(call).pk)
    return answer("ok")


def _related(call: Call) -> Response:
    template = _template(call)
    holders = call.state.alert_settings.assigned_to(template.pk)
    sites: list[dict[str, Any]] = []
    clients: list[dict[str, Any]] = []
    for holder in holders:
        if isinstance(holder, Site):
            name = call.state.fleet.clients[holder.client].name
            sites.append({**plain_row(holder), "client_name": name})
        else:
            clients.append(plain_row(holder))
    row = {"id": template.pk, "policies": [], "clients": clients, "sites": sites}
    return answer({**row, **template.stamps(), **template.values})


def _permission(call: Call) -> bool:
    if call.request.method == "GET":
        return may(call.caller, "can_list_alerttemplates")
    if call.request.method in ("POST", "PUT", "PATCH"):
        data = call.request.data()
        kinds = ("action_type", "resolved_action_type")
        runs_scripts = isinstance(data, dict) and any(data.get(kind) == "server" for kind in kinds)
        if runs_scripts and not may(call.caller, "can_run_server_scripts"):
            return False
    return may(call.caller, "can_manage_alerttemplates")


def register(routes: Routes) -> None:
    """Add this family's URLs."""
    path = "/alerts/templates/"
    everything: dict[str, Handler] = {"GET": _list, "POST": _add}
    routes.add(path, Endpoint(everything, "GET, POST, HEAD, OPTIONS", _permission))
    one: dict[str, Handler] = {"GET": _one, "PUT": _change, "DELETE": _delete}
    routes.add(f"{path}<int:pk>/", Endpoint(one, "GET, PUT, DELETE, HEAD, OPTIONS", _permission))
    routes.add(f"{path}<int:pk>/related/", Endpoint({"GET": _related}, "GET, HEAD, OPTIONS", _permission))
