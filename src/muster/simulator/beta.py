"""The beta API, off by default on a real server (CONTRACT section 2).

Its oddities are kept: roles do not apply to the lists, the client list is bare, `?agent_id=` and most methods
end in an HTML 500, an agent id in the path is a 404, `next` is built from the Host header.
"""

from typing import Any
from urllib.parse import parse_qs, urlencode

import msgspec

from muster.simulator.access import may, may_see_agent
from muster.simulator.beta_filters import chosen
from muster.simulator.clients import NO_FAILURES, client_permission, site_permission
from muster.simulator.clock import iso
from muster.simulator.fleet import Client, Site
from muster.simulator.http import Response, answer, invalid, not_found, refuse, server_error, whole
from muster.simulator.routing import Call, Endpoint, Routes, signed_in
from muster.simulator.spoiling import spoil

PREFIX = "/beta/v1/"
_PAGE_SIZE, _LARGEST_PAGE = 100, 1000


def _link(call: Call, page: int | None) -> str:
    """An absolute URL of another page; the query's parts come out sorted and escaped anew."""
    request = call.request
    query = parse_qs(request.query, keep_blank_values=True)
    query.pop("page", None)
    if page is not None:
        query["page"] = [str(page)]
    text = urlencode(sorted(query.items()), doseq=True)
    return request.absolute(request.path + (f"?{text}" if text else ""))


def _paging(call: Call, count: int) -> tuple[int, int, int]:
    """The page asked for, its size, the last page; 404 for a page that is not there."""
    params = call.request.params
    size = params.get("page_size", "")
    asked = whole(size) or _PAGE_SIZE
    per_page = min(asked, _LARGEST_PAGE)
    last = max(1, -(-count // per_page))
    wanted = params.get("page") or "1"
    try:
        page = last if wanted == "last" else int(wanted)
    except ValueError:
        page = 0
    if not 1 <= page <= last:
        raise refuse(404, "Invalid page.")
    return page, per_page, last


def _envelope(call: Call, count: int, page: int, last: int, rows: list[bytes]) -> Response:
    following = _link(call, page + 1) if page < last else None
    previous = None if page == 1 else _link(call, page - 1 if page > 2 else None)
    head = msgspec.json.encode({"count": count, "next": following, "previous": previous})
    # One page of real-weight agents is up to 100 MB: the pieces are sent as they are, never joined.
    pieces = [head[:-1], b',"results":[']
    for number, row in enumerate(rows):
        pieces += [b",", row] if number else [row]
    return Response(200, [*pieces, b"]}"])


def _list_agents(call: Call) -> Response:
    pks = chosen(call)
    if "agent_id" in call.request.params:
        # The filter makes the view look for a pk it does not have.
        raise server_error()
    page, size, last = _paging(call, len(pks))
    now, part = call.state.clock.now_us(), pks[(page - 1) * size : page * size]
    rows = [call.state.rows.beta(pk, now) for pk in part]
    return _envelope(call, len(pks), page, last, spoil(call, part, rows))


def _pk(call: Call) -> int:
    pk = whole(call.pieces["pk"])
    if pk is None:
        raise not_found()
    return pk


def _one_agent(call: Call) -> Response:
    pk = _pk(call)
    # The list's filters apply to the single agent too.
    if not call.state.fleet.site_of(pk) or pk not in chosen(call, only=pk):
        raise not_found("Agent")
    return Response(200, call.state.rows.beta_detail(pk, call.state.clock.now_us()))


def _agent_permission(call: Call) -> bool:
    if call.request.method == "POST":
        return True
    reads, agent_id = call.request.method == "GET", call.request.params.get("agent_id")
    permission = "can_list_agents" if reads else "can_edit_agent"
    if not may(call.caller, permission):
        return False
    if agent_id is not None:
        return may_see_agent(call.caller, call.state.fleet, agent_id)
    if not reads:
        # Every method but GET needs an agent id that these URLs do not have.
        raise server_error()
    return True


def plain_row(which: Client) -> dict[str, Any]:
    """The stored columns of a client or site, as the beta API and a template's relations write them."""
    row = {
        "id": which.pk,
        "created_by": which.created_by,
        "created_time": iso(which.created_us),
        "modified_by": which.modified_by,
        "modified_time": iso(which.modified_us),
        "name": which.name,
        "block_policy_inheritance": which.block_policy_inheritance,
        "failing_checks": NO_FAILURES,
        "workstation_policy": None,
        "server_policy": None,
        "alert_template": which.alert_template,
    }
    if isinstance(which, Site):
        row["client"] = which.client
    return row


def _list_clients(call: Call) -> Response:
    # A bare array, whatever page is asked for.
    return answer(
        [plain_row(client) for client in sorted(call.state.fleet.clients.values(), key=lambda c: c.name)]
    )


def _one_client(call: Call) -> Response:
    client = call.state.fleet.clients.get(_pk(call))
    if client is None:
        raise not_found("Client")
    return answer(plain_row(client))


def _change_client(call: Call) -> Response:
    fleet, data = call.state.fleet, call.request.data()
    client = fleet.clients.get(_pk(call))
    if client is None:
        raise not_found("Client")
    name = data.get("name") if isinstance(data, dict) else None
    if not isinstance(name, str):
        raise invalid({"name": ["This field is required."]})
    if any(other.name == name for other in fleet.clients.values() if other is not client):
        raise invalid({"name": ["client with this name already exists."]})
    fleet.rename_client(client.pk, name)
    who = call.caller.user.username
    client.created_by, client.modified_by, client.modified_us = who, who, call.state.clock.now_us()
    return answer(plain_row(client))


def _list_sites(call: Call) -> Response:
    words = call.request.params.get("search", "").replace(",", " ").lower().split()
    sites = [
        site
        for _, site in sorted(call.state.fleet.sites.items())
        if all(word in site.name.lower() for word in words)
    ]
    if call.request.params.get("ordering") == "-id":
        sites.reverse()
    page, size, last = _paging(call, len(sites))
    rows = [msgspec.json.encode(plain_row(site)) for site in sites[(page - 1) * size : page * size]]
    return _envelope(call, len(sites), page, last, rows)


def _one_site(call: Call) -> Response:
    site = call.state.fleet.sites.get(_pk(call))
    if site is None:
        raise not_found("Site")
    return answer(plain_row(site))


def _root(call: Call) -> Response:
    return answer({name: call.request.absolute(f"{PREFIX}{name}/") for name in ("agent", "client", "site")})


def register(routes: Routes) -> None:
    """Add this family's URLs."""
    one = "GET, PUT"
    routes.add(PREFIX, Endpoint({"GET": _root}, "GET, HEAD, OPTIONS", signed_in))
    routes.add(f"{PREFIX}agent/", Endpoint({"GET": _list_agents}, "GET", _agent_permission))
    routes.add(f"{PREFIX}agent/<pk:pk>/", Endpoint({"GET": _one_agent}, one, _agent_permission))
    routes.add(f"{PREFIX}client/", Endpoint({"GET": _list_clients}, "GET", client_permission))
    routes.add(
        f"{PREFIX}client/<pk:pk>/",
        Endpoint({"GET": _one_client, "PUT": _change_client}, one, client_permission),
    )
    routes.add(f"{PREFIX}site/", Endpoint({"GET": _list_sites}, "GET", site_permission))
    routes.add(f"{PREFIX}site/<pk:pk>/", Endpoint({"GET": _one_site}, one, site_permission))
