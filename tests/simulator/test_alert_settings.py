"""URL actions, alert templates, and which template the server keeps on which agent."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from muster.simulator import SimulatorServer

Ask = Callable[..., httpx2.Response]
MINUTE = timedelta(minutes=1)
ACTION = {"name": "Call", "pattern": "http://127.0.0.1:9/x", "action_type": "rest"}


def _template(ask: Ask, name: str = "Template", **more: Any) -> int:
    """Make a template; the server does not say its id."""
    assert ask("/alerts/templates/", "POST", json={"name": name, **more}).json() == "ok"
    found: int = max(row["id"] for row in ask("/alerts/templates/").json() if row["name"] == name)
    return found


def _assign(ask: Ask, template: int | None, path: str = "/core/settings/") -> None:
    kind = "site" if "sites" in path else "client"
    body: dict[str, Any] = {"alert_template": template}
    assert ask(path, "PUT", json=body if path.startswith("/core") else {kind: body}).status_code == 200


def _on_agents(ask: Ask) -> dict[str, str | None]:
    """The template's name by agent id, as the light list tells."""
    rows = ask("/agents/").json()
    return {row["agent_id"]: row["alert_template"] and row["alert_template"]["name"] for row in rows}


def _settled(server: SimulatorServer, ask: Ask) -> dict[str, str | None]:
    server.clock.advance(MINUTE)
    return _on_agents(ask)


def test_a_default_template_reaches_every_agent_but_not_at_once(server: SimulatorServer, ask: Ask) -> None:
    pk = _template(ask)
    server.clock.advance(MINUTE)
    _assign(ask, pk)
    assert set(_on_agents(ask).values()) == {None}
    assert set(_settled(server, ask).values()) == {"Template"}


def test_assigned_while_the_server_is_still_busy_it_reaches_nobody(server: SimulatorServer, ask: Ask) -> None:
    pk = _template(ask)
    _assign(ask, pk)
    assert set(_settled(server, ask).values()) == {None}
    # The same once more only throws the stale copy away; a change of a template starts the task again.
    _assign(ask, pk)
    assert set(_settled(server, ask).values()) == {None}
    assert ask(f"/alerts/templates/{pk}/", "PUT", json={"is_active": True}).json() == "ok"
    assert set(_settled(server, ask).values()) == {"Template"}


def test_the_stale_copy_of_the_settings_lives_ten_minutes(server: SimulatorServer, ask: Ask) -> None:
    pk = _template(ask)
    _assign(ask, pk)
    server.clock.advance(timedelta(minutes=11))
    ask(f"/alerts/templates/{pk}/", "PUT", json={})
    assert set(_settled(server, ask).values()) == {"Template"}


def test_nearer_templates_win(server: SimulatorServer, ask: Ask) -> None:
    names = ("global", "client", "site", "policy")
    pks = {name: _template(ask, name) for name in names}
    server.clock.advance(MINUTE)
    for which, path in (
        ("global", "/core/settings/"),
        ("client", "/clients/1/"),
        ("site", "/clients/sites/1/"),
    ):
        _assign(ask, pks[which], path)
        server.clock.advance(MINUTE)
    own = server.fleet.edit(next(a for a in server.fleet if a.site_id == 1), policy=7)
    server.state.alert_settings.policies[7] = pks["policy"]
    server.state.alert_settings.recache()
    found = _settled(server, ask)
    for agent in server.fleet:
        site = server.fleet.sites[agent.site_id]
        wanted = "site" if site.pk == 1 else "client" if site.client == 1 else "global"
        assert found[agent.agent_id] == ("policy" if agent.pk == own.pk else wanted)


def test_excluded_agents_fall_to_the_next_template_or_to_none(server: SimulatorServer, ask: Ask) -> None:
    excluded = {
        "excluded_sites": [1],
        "excluded_clients": [2],
        "excluded_agents": [3],
        "exclude_servers": True,
    }
    pk, lower = _template(ask, "first", **excluded), _template(ask, "lower")
    server.clock.advance(MINUTE)
    _assign(ask, pk)
    _assign(ask, lower, "/clients/2/")
    found = _settled(server, ask)
    for agent in server.fleet:
        site = server.fleet.sites[agent.site_id]
        left_out = site.pk == 1 or agent.pk == 3 or agent.monitoring_type == "server"
        wanted = "lower" if site.client == 2 else None if left_out else "first"
        assert found[agent.agent_id] == wanted


def test_whether_a_template_is_active_is_asked_when_it_is_handed_out(
    server: SimulatorServer, ask: Ask
) -> None:
    pk = _template(ask)
    server.clock.advance(MINUTE)
    _assign(ask, pk)
    assert set(_settled(server, ask).values()) == {"Template"}
    ask(f"/alerts/templates/{pk}/", "PUT", json={"is_active": False})
    assert set(_on_agents(ask).values()) == {"Template"}
    assert set(_settled(server, ask).values()) == {None}


def test_what_is_deleted_is_gone_everywhere(server: SimulatorServer, ask: Ask) -> None:
    ask("/core/urlaction/", "POST", json=ACTION)
    action = ask("/core/urlaction/").json()[0]["id"]
    pk = _template(ask, action_type="rest", action_rest=action)
    server.clock.advance(MINUTE)
    for path in ("/core/settings/", "/clients/1/", "/clients/sites/1/"):
        _assign(ask, pk, path)
    assert ask("/alerts/templates/").json()[0]["applied_count"] == 2
    assert ask(f"/core/urlaction/{action}/", "DELETE").json() == "ok"
    assert ask(f"/alerts/templates/{pk}/").json()["action_rest"] is None
    assert ask(f"/alerts/templates/{pk}/", "DELETE").json() == "ok"
    assert ask("/core/settings/").json()["alert_template"] is None
    assert ask("/clients/1/").json()["alert_template"] is None
    assert set(_settled(server, ask).values()) == {None}
    assert ask(f"/alerts/templates/{pk}/").status_code == 404
    assert ask(f"/core/urlaction/{action}/", "DELETE").status_code == 404


def test_a_default_template_deleted_under_the_servers_eyes_stops_its_task(
    server: SimulatorServer, ask: Ask
) -> None:
    gone, kept = _template(ask, "gone"), _template(ask, "kept")
    server.clock.advance(MINUTE)
    _assign(ask, gone)
    assert set(_settled(server, ask).values()) == {"gone"}
    _assign(ask, kept, "/clients/1/")
    ask(f"/alerts/templates/{gone}/", "DELETE")
    # Its copy of the settings still names the deleted template: nobody is worked out anew.
    assert set(_settled(server, ask).values()) == {None}
    server.clock.advance(timedelta(minutes=11))
    ask(f"/alerts/templates/{kept}/", "PUT", json={})
    assert "kept" in _settled(server, ask).values()


def test_names_are_not_unique_and_the_list_is_in_no_order(ask: Ask) -> None:
    for _ in range(2):
        ask("/core/urlaction/", "POST", json=ACTION)
    assert [row["name"] for row in ask("/core/urlaction/").json()] == ["Call", "Call"]
    assert ask("/core/urlaction/1/", "PUT", json={"desc": "changed"}).json() == "ok"
    assert [row["id"] for row in ask("/core/urlaction/").json()] == [2, 1]


@pytest.mark.parametrize(
    ("path", "method", "reader", "writer"),
    [
        ("/core/urlaction/", "GET", 403, 200),
        ("/core/urlaction/", "POST", 403, 200),
        ("/core/urlaction/0/", "PUT", 403, 404),
        ("/core/urlaction/0/", "DELETE", 403, 404),
        ("/core/urlaction/0/", "GET", 405, 405),
        ("/alerts/templates/", "GET", 200, 200),
        ("/alerts/templates/", "POST", 403, 200),
        ("/alerts/templates/0/", "PUT", 403, 404),
        ("/alerts/templates/0/", "GET", 404, 404),
        ("/core/settings/", "PUT", 403, 200),
        ("/clients/1/", "PUT", 403, 500),
        ("/clients/sites/1/", "PUT", 403, 500),
    ],
)
def test_who_may(path: str, method: str, reader: int, writer: int, ask: Ask) -> None:
    body: dict[str, Any] | None = None if method in ("GET", "DELETE") else {}
    assert ask(path, method, user="nototp", json=body).status_code == reader
    assert ask(path, method, user="technician", json=body).status_code == writer
    assert ask(path, method, user="norole", json=body).status_code == 403


def test_a_template_that_runs_on_the_server_needs_one_permission_more(ask: Ask) -> None:
    body = {"name": "x", "action_type": "server"}
    assert ask("/alerts/templates/", "POST", user="technician", json=body).status_code == 403
    assert ask("/alerts/templates/", "POST", json=body).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "field", "message"),
    [
        ("/core/urlaction/", {"name": ""}, "name", "This field may not be blank."),
        ("/core/urlaction/", {"name": None}, "name", "This field may not be null."),
        ("/core/urlaction/", {"name": ["x"]}, "name", "Not a valid string."),
        (
            "/core/urlaction/",
            {"name": "x" * 256},
            "name",
            "Ensure this field has no more than 255 characters.",
        ),
        ("/core/urlaction/", {"action_type": "Rest"}, "action_type", '"Rest" is not a valid choice.'),
        ("/alerts/templates/", {"is_active": "perhaps"}, "is_active", "Must be a valid boolean."),
        ("/alerts/templates/", {"action_timeout": "x"}, "action_timeout", "A valid integer is required."),
        (
            "/alerts/templates/",
            {"excluded_sites": 1},
            "excluded_sites",
            'Expected a list of items but got type "int".',
        ),
        (
            "/alerts/templates/",
            {"action_rest": {}},
            "action_rest",
            "Incorrect type. Expected pk value, received dict.",
        ),
    ],
)
def test_a_wrong_field_is_refused_in_the_servers_words(
    path: str, body: dict[str, Any], field: str, message: str, ask: Ask
) -> None:
    answer = ask(path, "POST", json=body)
    assert (answer.status_code, answer.json()) == (400, {field: [message]})
    assert ask(path).json() == []


def test_settings_that_are_not_simulated_are_not_swallowed(ask: Ask) -> None:
    assert ask("/core/settings/", "PUT", json={"smtp_port": 25}).status_code == 501
    assert ask("/core/settings/", "PUT", json={"no_such_setting": 25}).json() == "ok"
    assert ask("/core/settings/", "PUT", json={"alert_template": 99}).status_code == 400


def test_a_client_or_site_is_changed_by_name_too(server: SimulatorServer, ask: Ask) -> None:
    assert ask("/clients/1/", "PUT", json={"client": {"name": "New"}}).json() == "{client} was updated"
    taken = ask("/clients/2/", "PUT", json={"client": {"name": "New"}})
    assert (taken.status_code, taken.json()) == (400, {"name": ["client with this name already exists."]})
    assert ask("/clients/2/", "PUT", json={"client": {"name": "a|b"}}).status_code == 400
    site = server.fleet.sites_of_client(1)[0].pk
    assert (
        ask(f"/clients/sites/{site}/", "PUT", json={"site": {"name": "Cellar"}}).json() == "Site was edited"
    )
    agent = next(agent for agent in server.fleet if agent.site_id == site)
    rows = {row["agent_id"]: row for row in ask("/agents/").json()}
    assert (rows[agent.agent_id]["client_name"], rows[agent.agent_id]["site_name"]) == ("New", "Cellar")
