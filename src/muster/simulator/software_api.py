"""The URLs of installed software (CONTRACT section 3)."""

from muster.simulator.access import visible_sites
from muster.simulator.agents_api import agent_of, permission
from muster.simulator.http import Refusal, Response, answer, server_error
from muster.simulator.routing import Call, Endpoint, Routes
from muster.simulator.spoiling import shorten, spoil_software

_UNREACHABLE = "Unable to contact the agent"


def _all(call: Call) -> Response:
    fleet, software, now = call.state.fleet, call.state.software, call.state.clock.now_us()
    found = {
        pk: row
        for pk in call.state.shuffled(fleet.pks(visible_sites(call.caller, fleet)))
        if (row := software.row(fleet.agent(pk), now)) is not None
    }
    pieces = [b"["]
    for row in shorten(call, spoil_software(call, found)):
        pieces += row
        pieces.append(b",")
    pieces[-1 if len(pieces) > 1 else 1 :] = [b"]"]
    return Response(200, pieces)


def _one(call: Call) -> Response:
    agent = agent_of(call)
    row = call.state.software.row(agent, call.state.clock.now_us())
    # Without a row the answer is an empty *array*.
    return answer([]) if row is None else Response(200, spoil_software(call, {agent.pk: row})[0])


def _refresh(call: Call) -> Response:
    """Have the agent report now: the list is what it is at this moment."""
    agent, state = agent_of(call), call.state
    if agent.posix:
        return answer(f"Not available for {agent.plat}", 400)
    now = state.clock.now_us()
    if not state.software.reachable:
        return answer(_UNREACHABLE, 400)
    # An agent that is not connected: nobody catches the message bus's complaint.
    if state.rows.status(agent, now) != "online":
        raise server_error()
    state.software.refresh(agent, now)
    return answer("ok")


def _install(call: Call) -> Response:
    """Chocolatey is not simulated; what was recorded is that the agent could not be reached."""
    agent_of(call)
    data = call.request.data()
    if not isinstance(data, dict) or "name" not in data:
        raise server_error()
    if not call.state.software.reachable:
        return answer(_UNREACHABLE, 400)
    raise Refusal(answer({"detail": "The simulator installs nothing; the real server does."}, 501))


def register(routes: Routes) -> None:
    """Add this family's URLs."""
    rule = permission("can_list_software", "can_manage_software", needs_id_to_write=True)
    methods = "GET, POST, PUT, HEAD, OPTIONS"
    routes.add("/software/", Endpoint({"GET": _all}, methods, rule))
    one = Endpoint({"GET": _one, "PUT": _refresh, "POST": _install}, methods, rule)
    routes.add("/software/<agent:agent_id>/", one)
