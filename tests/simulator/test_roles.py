"""What a role lets a user see, with the gaps of the real server."""

from collections.abc import Callable

import httpx2
import pytest

from muster.simulator import SimulatorServer

Ask = Callable[..., httpx2.Response]


def _foreign(server: SimulatorServer) -> str:
    sites = {site.pk for site in server.fleet.sites_of_client(2)}
    return next(agent.agent_id for agent in server.fleet if agent.site_id in sites)


def test_a_role_limited_to_one_client_lists_only_that_client(server: SimulatorServer, ask: Ask) -> None:
    clients = ask("/clients/", user="limited").json()
    assert [client["id"] for client in clients] == [1]
    rows = ask("/agents/", user="limited").json()
    assert {row["client_name"] for row in rows} == {clients[0]["name"]}
    assert len(rows) == clients[0]["agent_count"] > 0
    assert ask("/agents/?client=2", user="limited").json() == []
    assert {site["client"] for site in ask("/clients/sites/", user="limited").json()} == {1}
    pks = {row["id"] for row in ask("/agents/?detail=false", user="limited").json()}
    assert {row["agent"] for row in ask("/software/", user="limited").json()} <= pks


def test_a_role_limited_to_one_site_sees_fewer_agents_than_the_client_counts(
    server: SimulatorServer, ask: Ask
) -> None:
    first = server.fleet.sites_of_client(2)[0].pk
    second = server.fleet.add_site(2, "Second place")
    server.fleet.add_agent(second)
    role = server.users["onesite"].role
    assert role is not None
    clients = ask("/clients/", user="onesite").json()
    assert [(client["id"], [site["id"] for site in client["sites"]]) for client in clients] == [
        (2, [pk for pk in (first, second) if pk in role.sites])
    ]
    assert clients[0]["agent_count"] > len(ask("/agents/", user="onesite").json())


def test_foreign_objects_by_id_are_refused(server: SimulatorServer, ask: Ask) -> None:
    foreign = _foreign(server)
    for path in (f"/agents/{foreign}/", f"/software/{foreign}/", f"/agents/{foreign}/checks/", "/clients/2/"):
        assert ask(path, user="limited").status_code == 403, path
    assert ask(f"/agents/{'x' * 40}/", user="limited").status_code == 404
    assert ask("/clients/999/", user="limited").status_code == 404


def test_a_role_limited_to_sites_only_reads_every_client_by_id(ask: Ask) -> None:
    answer = ask("/clients/1/", user="onesite")
    assert (answer.status_code, answer.json()["sites"]) == (200, [])


def test_the_beta_lists_know_no_roles(server: SimulatorServer, ask: Ask) -> None:
    assert ask("/beta/v1/agent/", user="limited").json()["count"] == 40
    assert len(ask("/beta/v1/client/", user="limited").json()) == len(server.fleet.clients)
    assert ask("/beta/v1/site/", user="limited").json()["count"] == len(server.fleet.sites)
    pk = server.fleet.agent(_foreign(server)).pk
    assert ask(f"/beta/v1/agent/{pk}/", user="limited").status_code == 200
    assert ask("/beta/v1/client/2/", user="limited").status_code == 403


@pytest.mark.parametrize("user", ["noperm", "norole"])
@pytest.mark.parametrize(
    "path", ["/agents/", "/clients/", "/clients/sites/", "/software/", "/beta/v1/agent/", "/beta/v1/site/"]
)
def test_without_the_permission_every_list_is_forbidden(ask: Ask, user: str, path: str) -> None:
    assert ask(path, user=user).status_code == 403


def test_permissions_can_be_taken_while_the_server_runs(server: SimulatorServer, ask: Ask) -> None:
    role = server.users["nototp"].role
    assert role is not None
    assert ask("/software/", user="nototp").status_code == 200
    role.permissions -= {"can_list_software"}
    assert ask("/software/", user="nototp").status_code == 403
    assert ask("/clients/", user="nototp").status_code == 200
