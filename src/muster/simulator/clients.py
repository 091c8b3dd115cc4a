"""The stable client and site lists (CONTRACT section 3)."""

from typing import Any

from muster.simulator.access import may, may_see_client, may_see_site, visible_clients, visible_sites
from muster.simulator.extras import client_fields, site_fields
from muster.simulator.fields import Check, checked, flag, one_of, text
from muster.simulator.fleet import Client, Fleet, Site
from muster.simulator.http import Response, answer, invalid, not_found, refuse, server_error
from muster.simulator.routing import Call, Endpoint, Permission, Routes

NO_FAILURES = {"error": False, "warning": False}


class _Counts:
    """Agents and maintenance by site, read once a request."""

    def __init__(self, call: Call) -> None:
        self.agents = call.state.fleet.agents_per_site()
        self.maintenance = call.state.fleet.sites_in_maintenance()


def _shared(which: Client) -> dict[str, Any]:
    return {
        "id": which.pk,
        "name": which.name,
        "server_policy": None,
        "workstation_policy": None,
        "alert_template": which.alert_template,
    }


def _site_row(call: Call, site: Site, counts: _Counts | None = None) -> dict[str, Any]:
    """A site; with its agent count and maintenance flag only inside a client."""
    row = {
        **_shared(site),
        "client_name": call.state.fleet.clients[site.client].name,
        "client": site.client,
        "custom_fields": site_fields(site.pk),
        "block_policy_inheritance": site.block_policy_inheritance,
        "failing_checks": NO_FAILURES,
    }
    if counts is not None:
        row |= {"agent_count": counts.agents[site.pk], "maintenance_mode": site.pk in counts.maintenance}
    return row


def _client_row(call: Call, client: Client, counts: _Counts) -> dict[str, Any]:
    visible = visible_sites(call.caller, call.state.fleet)
    sites = [
        site for site in call.state.fleet.sites_of_client(client.pk) if visible is None or site.pk in visible
    ]
    return {
        **_shared(client),
        "block_policy_inheritance": client.block_policy_inheritance,
        "sites": [_site_row(call, site, counts) for site in sites],
        "custom_fields": client_fields(client.pk),
        "failing_checks": NO_FAILURES,
    }


def _list_clients(call: Call) -> Response:
    fleet, counts = call.state.fleet, _Counts(call)
    visible = visible_clients(call.caller, fleet)
    rows = []
    for client in sorted(fleet.clients.values(), key=lambda client: client.name):
        if visible is not None and client.pk not in visible:
            continue
        sites = [site.pk for site in fleet.sites_of_client(client.pk)]
        # Counted over all sites: a role that sees fewer agents than this is restricted.
        totals = {
            "agent_count": sum(counts.agents[site] for site in sites),
            "maintenance_mode": any(site in counts.maintenance for site in sites),
        }
        rows.append({**_client_row(call, client, counts), **totals})
    return answer(rows)


def _one_client(call: Call) -> Response:
    client = call.state.fleet.clients.get(int(call.pieces["pk"]))
    if client is None:
        raise not_found("Client")
    return answer(_client_row(call, client, _Counts(call)))


def _list_sites(call: Call) -> Response:
    fleet = call.state.fleet
    visible = visible_sites(call.caller, fleet)
    sites = sorted(fleet.sites.values(), key=lambda site: site.name)
    return answer([_site_row(call, site) for site in sites if visible is None or site.pk in visible])


def _one_site(call: Call) -> Response:
    site = call.state.fleet.sites.get(int(call.pieces["pk"]))
    if site is None:
        raise not_found("Site")
    return answer(_site_row(call, site))


def _change(call: Call, which: Client, kind: str) -> None:
    """Change what was sent under `kind`; a changed template is handed to the agents in the background."""
    state, data = call.state, call.request.data()
    if not isinstance(data, dict) or not isinstance(data.get(kind), dict):
        raise server_error()
    if data.get("custom_fields"):
        raise refuse(501, "The simulator does not store custom fields; the real server does.")
    checks: dict[str, Check] = {
        "name": text(longest=255),
        "block_policy_inheritance": flag(),
        "alert_template": one_of(state.alert_settings.templates),
    }
    sent = checked(data[kind], checks)
    if "|" in sent.get("name", ""):
        raise invalid({"non_field_errors": [f"{kind.title()} name cannot contain the | character"]})
    _refuse_taken(state.fleet, which, sent.get("name"))
    before = which.alert_template
    state.fleet.change(which, **sent)
    who = call.caller.user.username
    # What was made by nobody gets its maker with the first change.
    which.created_by = which.created_by or who
    which.modified_by, which.modified_us = who, state.clock.now_us()
    if which.alert_template != before:
        state.alert_settings.recache()


def _refuse_taken(fleet: Fleet, which: Client, name: str | None) -> None:
    """Refuse a name that another client, or another site of the same client, has."""
    if isinstance(which, Site):
        others: list[Client] = [*fleet.sites_of_client(which.client)]
        taken = {"non_field_errors": ["The fields client, name must make a unique set."]}
    else:
        others = list(fleet.clients.values())
        taken = {"name": ["client with this name already exists."]}
    if any(other.name == name for other in others if other is not which):
        raise invalid(taken)


def _change_client(call: Call) -> Response:
    client = call.state.fleet.clients.get(int(call.pieces["pk"]))
    if client is None:
        raise not_found("Client")
    _change(call, client, "client")
    # The server's own braces: a formatting mark was forgotten there.
    return answer("{client} was updated")


def _change_site(call: Call) -> Response:
    site = call.state.fleet.sites.get(int(call.pieces["pk"]))
    if site is None:
        raise not_found("Site")
    _change(call, site, "site")
    return answer("Site was edited")


def client_permission(call: Call) -> bool:
    """Who may read or change clients; the beta API asks the same."""
    reads, pk = call.request.method == "GET", call.pieces.get("pk")
    allowed = may(call.caller, "can_list_clients" if reads else "can_manage_clients")
    return allowed and (pk is None or may_see_client(call.caller, call.state.fleet, pk))


def site_permission(call: Call) -> bool:
    """Who may read or change sites; the beta API asks the same."""
    reads, pk = call.request.method == "GET", call.pieces.get("pk")
    allowed = may(call.caller, "can_list_sites" if reads else "can_manage_sites")
    return allowed and (pk is None or may_see_site(call.caller, call.state.fleet, pk))


def register(routes: Routes) -> None:
    """Add this family's URLs."""
    families: tuple[tuple[str, Permission, Any, Any, Any], ...] = (
        ("/clients/", client_permission, _list_clients, _one_client, _change_client),
        ("/clients/sites/", site_permission, _list_sites, _one_site, _change_site),
    )
    for path, permission, several, one, change in families:
        routes.add(path, Endpoint({"GET": several}, "GET, POST, HEAD, OPTIONS", permission))
        handlers = {"GET": one, "PUT": change}
        routes.add(f"{path}<int:pk>/", Endpoint(handlers, "GET, PUT, DELETE, HEAD, OPTIONS", permission))
