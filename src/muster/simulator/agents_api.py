"""The stable agent URLs: lists, detail and what hangs on an agent (CONTRACT section 3)."""

from collections.abc import Callable
from typing import Any

from muster.simulator.access import may, may_see_agent, visible_sites
from muster.simulator.agents import Agent
from muster.simulator.extras import checks, history, notes, pending_actions, tasks, windows_updates
from muster.simulator.http import Refusal, Response, answer, array_of, not_found, server_error
from muster.simulator.routing import Call, Endpoint, Permission, Routes
from muster.simulator.spoiling import shorten, spoil

LATEST_AGENT = "2.11.0"


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise server_error() from None


def _listed(call: Call) -> list[int]:
    """The pks of a list request: what role, `site` (wins over `client`) and `monitoring_type` leave."""
    fleet, params = call.state.fleet, call.request.params
    kind = params.get("monitoring_type")
    if kind and kind not in ("server", "workstation"):
        raise Refusal(answer("monitoring type does not exist", 400))
    sites = visible_sites(call.caller, fleet)
    wanted: set[int] | None = None
    if "site" in params:
        wanted = {_integer(params["site"])}
    elif "client" in params:
        wanted = {site.pk for site in fleet.sites_of_client(_integer(params["client"]))}
    if sites is not None:
        wanted = sites if wanted is None else wanted & sites
    pks = fleet.pks(wanted)
    return [pk for pk in pks if fleet.agent(pk).monitoring_type == kind] if kind else pks


def _list(call: Call) -> Response:
    rows, now = call.state.rows, call.state.clock.now_us()
    pks = call.state.shuffled(_listed(call))
    # Only the exact word counts: `0`, `True` and anything else than `true` give the short rows.
    if call.request.params.get("detail", "true") == "true":
        found = [rows.light(pk, now) for pk in pks]
    else:
        found = [rows.short(pk) for pk in pks]
    return array_of(shorten(call, spoil(call, pks, found)))


def agent_of(call: Call) -> Agent:
    """The agent of the URL; 404 when there is none."""
    pk = call.state.fleet.pk_of(call.pieces["agent_id"])
    if pk is None:
        raise not_found("Agent")
    return call.state.fleet.agent(pk)


def _detail(call: Call) -> Response:
    return Response(200, call.state.rows.detail(agent_of(call).pk, call.state.clock.now_us()))


def _hanging(of: Callable[[Agent], list[dict[str, Any]]]) -> Callable[[Call], Response]:
    def handler(call: Call) -> Response:
        return answer(of(agent_of(call)))

    return handler


def _pending(call: Call) -> Response:
    agent, fleet = agent_of(call), call.state.fleet
    site = fleet.sites[agent.site_id]
    return answer(pending_actions(agent, fleet.clients[site.client].name, site.name))


def _versions(call: Call) -> Response:
    rows, fleet = call.state.rows, call.state.fleet
    pks = call.state.shuffled(fleet.pks(visible_sites(call.caller, fleet)))
    agents = [rows.short_values(fleet.agent(pk)) for pk in pks]
    return answer({"versions": [LATEST_AGENT], "agents": agents})


def _histories(call: Call) -> list[dict[str, Any]]:
    fleet = call.state.fleet
    visible = visible_sites(call.caller, fleet)
    # Only the first agent has a history.
    shown = fleet.site_of(1) and (visible is None or fleet.site_of(1) in visible)
    return history(fleet.agent(1)) if shown else []


def _all_history(call: Call) -> Response:
    return answer(_histories(call))


def _script_history(call: Call) -> Response:
    wanted = ("id", "time", "username", "script", "script_results", "agent", "script_name")
    runs = [row for row in _histories(call) if row["type"] == "script_run"]
    limit = call.request.params.get("limit")
    if limit:
        runs = runs[: _integer(limit)]
    fleet = call.state.fleet
    return answer(
        [{**{k: row[k] for k in wanted}, "agent_id": fleet.agent(row["agent"]).agent_id} for row in runs]
    )


def permission(reading: str, writing: str, *, needs_id_to_write: bool = False) -> Permission:
    """The rule of most agent URLs: one permission to read, another for every other method, and the agent's
    client.

    `needs_id_to_write`: other methods than GET look for an agent id and fail (500) on URLs without one.
    """

    def check(call: Call) -> bool:
        agent_id = call.pieces.get("agent_id")
        reads = call.request.method == "GET"
        if not may(call.caller, reading if reads else writing):
            return False
        if agent_id is None:
            if needs_id_to_write and not reads:
                raise server_error()
            return True
        return may_see_agent(call.caller, call.state.fleet, agent_id)

    return check


def register(routes: Routes) -> None:
    """Add this family's URLs."""
    agents = permission("can_list_agents", "can_edit_agent", needs_id_to_write=True)
    records = permission("can_list_agent_history", "can_list_agent_history")
    patches = permission("can_manage_winupdates", "can_manage_winupdates")
    get, with_post = "GET, HEAD, OPTIONS", "GET, POST, HEAD, OPTIONS"
    routes.add("/agents/", Endpoint({"GET": _list}, get, agents))
    routes.add("/agents/versions/", Endpoint({"GET": _versions}, "GET, OPTIONS", agents))
    routes.add("/agents/history/", Endpoint({"GET": _all_history}, get, records))
    routes.add("/agents/scripthistory/", Endpoint({"GET": _script_history}, get, records))
    one = "/agents/<agent:agent_id>/"
    routes.add(one, Endpoint({"GET": _detail}, "GET, PUT, DELETE, HEAD, OPTIONS", agents))
    families: tuple[tuple[str, Callable[[Agent], list[dict[str, Any]]], str, Permission], ...] = (
        ("checks", checks, with_post, permission("can_list_checks", "can_manage_checks")),
        ("tasks", tasks, with_post, permission("can_list_autotasks", "can_manage_autotasks")),
        ("history", history, get, records),
        ("notes", notes, with_post, permission("can_list_notes", "can_manage_notes")),
    )
    for name, of, allow, rule in families:
        routes.add(f"{one}{name}/", Endpoint({"GET": _hanging(of)}, allow, rule))
    waiting = permission("can_list_pendingactions", "can_manage_pendingactions")
    routes.add(f"{one}pendingactions/", Endpoint({"GET": _pending}, "GET, DELETE, HEAD, OPTIONS", waiting))
    routes.add("/winupdate/<agent:agent_id>/", Endpoint({"GET": _hanging(windows_updates)}, get, patches))
