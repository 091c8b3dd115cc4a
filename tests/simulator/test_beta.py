"""Paging and filters of the beta API, and the URLs that clients get wrong."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muster.simulator import FleetSpec, SimulatorServer

Ask = Callable[..., httpx2.Response]


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[SimulatorServer, httpx2.Client]]:
    with SimulatorServer(FleetSpec(agents=130, seed=9), frozen=True) as server:
        headers = {"X-API-KEY": server.api_key}
        with httpx2.Client(base_url=server.url, headers=headers, timeout=30) as client:
            yield server, client


@settings(max_examples=12)
@given(size=st.integers(9, 1500) | st.integers(-50, 0))
def test_a_walk_meets_every_agent_once(shared: tuple[SimulatorServer, httpx2.Client], size: int) -> None:
    client, effective = shared[1], min(size, 1000) if size > 0 else 100
    met, page = [], 1
    while True:
        answer = client.get(f"/beta/v1/agent/?page={page}&page_size={size}").json()
        assert answer["count"] == 130
        met += [row["id"] for row in answer["results"]]
        assert (answer["previous"] is None) == (page == 1)
        if answer["next"] is None:
            break
        assert len(answer["results"]) == effective
        page += 1
    assert met == list(range(1, 131))
    beyond = client.get(f"/beta/v1/agent/?page={page + 1}&page_size={size}")
    assert (beyond.status_code, beyond.json()) == (404, {"detail": "Invalid page."})


def test_rows_of_both_sources_agree(shared: tuple[SimulatorServer, httpx2.Client]) -> None:
    server, client = shared
    light = {row["agent_id"]: row for row in client.get("/agents/").json()}
    for row in client.get("/beta/v1/agent/?page_size=1000").json()["results"]:
        other = light.pop(row["agent_id"])
        detail = client.get(f"/beta/v1/agent/{row['id']}/").json()
        for name in other.keys() & row.keys():
            assert other[name] == row[name], name
        for name in other.keys() & detail.keys():
            assert other[name] == detail[name], name
        assert other["site_name"] == server.fleet.sites[row["site"]].name
    assert light == {}


@pytest.mark.parametrize(
    ("query", "keep"),
    [
        ("plat=linux", lambda agent: agent.plat == "linux"),
        ("monitoring_type=server", lambda agent: agent.monitoring_type == "server"),
        ("hostname=RECEPTION", lambda agent: agent.hostname == "RECEPTION"),
        ("hostname=RECEP", lambda _: False),
        ("client_id=0", lambda _: True),
        ("client_id=9999", lambda _: False),
        ("client=1", lambda _: True),
        ("site_id=1", lambda _: True),
        ("status=online", lambda _: True),
        ("last_seen__gte=2030-01-01", lambda _: True),
        ("needs_reboot=true", lambda agent: agent.needs_reboot),
        ("needs_reboot=1", lambda _: True),
        ("needs_reboot=3", lambda agent: not agent.needs_reboot),
        ("total_ram_range_min=32", lambda agent: agent.hardware is not None and agent.hardware.ram_gb >= 32),
        ("last_seen_range_after=2001-01-01", lambda agent: agent.presence.kind != "never"),
        ("last_seen_range_before=2001-01-01T00:00:00Z", lambda _: False),
        ("search=reception", lambda agent: agent.hostname == "RECEPTION"),
        ("id=7", lambda agent: agent.pk == 7),
        ("logged_in_username=None", lambda agent: agent.logged_in_username == "None"),
        ("plat=windows&site=1", lambda agent: agent.plat == "windows" and agent.site_id == 1),
    ],
)
def test_filters(
    shared: tuple[SimulatorServer, httpx2.Client], query: str, keep: Callable[[Any], bool]
) -> None:
    server, client = shared
    wanted = [agent.pk for agent in server.fleet if keep(agent)]
    answer = client.get(f"/beta/v1/agent/?page_size=1000&{query}").json()
    assert [row["id"] for row in answer["results"]] == wanted
    assert answer["count"] == len(wanted)
    backwards = client.get(f"/beta/v1/agent/?page_size=1000&ordering=-id&{query}").json()
    assert [row["id"] for row in backwards["results"]] == wanted[::-1]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("site=9999", "site"),
        ("site=abc", "site"),
        ("plat=beos", "plat"),
        ("client_id=abc", "client_id"),
        ("last_seen_range_after=yesterday", "last_seen_range"),
        ("last_seen_range_after=2030-02-31", "last_seen_range"),
        ("last_seen_range_after=2030-01-01T00:00:00+00:00", "last_seen_range"),
        ("total_ram_range_max=much", "total_ram_range"),
    ],
)
def test_bad_filter_values(shared: tuple[SimulatorServer, httpx2.Client], query: str, field: str) -> None:
    answer = shared[1].get(f"/beta/v1/agent/?{query}")
    assert answer.status_code == 400
    assert list(answer.json()) == [field]


def test_the_urls_clients_get_wrong(shared: tuple[SimulatorServer, httpx2.Client]) -> None:
    server, client = shared
    agent_id = server.fleet.agent(1).agent_id

    def status(path: str, method: str = "GET") -> tuple[int, str]:
        answer = client.request(method, path)
        return answer.status_code, answer.headers["content-type"].split(";")[0]

    assert status(f"/beta/v1/agent/{agent_id}/") == (404, "application/json")
    assert status(f"/beta/v1/agent/?agent_id={agent_id}") == (500, "text/html")
    assert status("/agents/1/") == (404, "text/html")
    assert status("/beta/v1/client/abc/") == (404, "application/json")
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS"):
        assert status("/beta/v1/agent/1/", method) == (500, "text/html")
    assert status("/beta/v1/agent/", "POST") == (405, "application/json")
    assert status("/beta/v1/client/1/", "DELETE") == (405, "application/json")
    assert status("/agents/?client=abc") == (500, "text/html")


def test_the_client_list_is_bare_and_unpaged(shared: tuple[SimulatorServer, httpx2.Client]) -> None:
    server, client = shared
    rows = client.get("/beta/v1/client/?page=999&page_size=1&search=x").json()
    assert [row["id"] for row in rows] == [
        pk for pk, _ in sorted(server.fleet.clients.items(), key=lambda item: item[1].name)
    ]


def test_a_client_can_be_renamed(server: SimulatorServer, ask: Ask) -> None:
    assert ask("/beta/v1/client/1/", "PUT", json={"name": "New & Better"}).json()["name"] == "New & Better"
    assert ask("/clients/1/").json()["name"] == "New & Better"
    taken = server.fleet.clients[2].name
    assert ask("/beta/v1/client/1/", "PUT", json={"name": taken}).status_code == 400
    assert ask("/beta/v1/client/1/", "PUT", json={}).json() == {"name": ["This field is required."]}


def test_switched_off_every_beta_url_is_an_html_404(server: SimulatorServer, ask: Ask) -> None:
    server.beta = False
    for path, user in (("/beta/v1/agent/", "admin"), ("/beta/v1/client/", None), ("/beta/v1", "admin")):
        answer = ask(path, user=user)
        assert (answer.status_code, len(answer.content)) == (404, 179)
    assert ask("/clients/").status_code == 200
    server.beta = True
    assert ask("/beta/v1/client/", user=None).status_code == 401


def test_links_are_built_from_the_host_header() -> None:
    with SimulatorServer(FleetSpec(agents=5), host_names=("rmm.example.com",)) as server:
        asked = {"X-API-KEY": server.api_key, "X-Forwarded-Host": "evil.example"}
        for host, proto, base in (
            ("rmm.example.com", "", "http://rmm.example.com"),
            ("rmm.example.com:8443", "https", "https://rmm.example.com:8443"),
        ):
            headers = {**asked, "Host": host, "X-Forwarded-Proto": proto}
            answer = httpx2.get(
                f"{server.url}/beta/v1/agent/?page_size=2&page=2&b=1&a= ", headers=headers
            ).json()
            assert answer["next"] == f"{base}/beta/v1/agent/?a=+&b=1&page=3&page_size=2"
            assert answer["previous"] == f"{base}/beta/v1/agent/?a=+&b=1&page_size=2"
