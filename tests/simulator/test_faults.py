"""Faults: what each looks like on the wire, where it strikes and how often."""

from collections.abc import Callable

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.simulator import Fault, FleetSpec, SimulatorServer
from muster.simulator.faults import EXPLAINED

Ask = Callable[..., httpx2.Response]


def test_a_fault_strikes_where_and_as_often_as_told(server: SimulatorServer, ask: Ask) -> None:
    fault = server.add_fault("error502@/agents/,times=2,after=1")
    statuses = [ask("/agents/?detail=false").status_code for _ in range(5)]
    assert statuses == [200, 502, 502, 200, 200]
    assert fault.struck == 2
    server.add_fault("error500")
    assert ask("/clients/").status_code == 500
    server.faults.clear()
    assert ask("/clients/").status_code == 200


def test_the_query_belongs_to_the_path(server: SimulatorServer, ask: Ask) -> None:
    server.add_fault("error502@/agents/?client=2")
    assert ask("/agents/?client=1").status_code == 200
    assert ask("/agents/?client=2").status_code == 502


def test_server_errors_are_html(server: SimulatorServer, ask: Ask) -> None:
    server.add_fault("error500,times=1")
    assert (len((first := ask("/clients/")).content), first.headers["content-type"]) == (
        145,
        "text/html; charset=utf-8",
    )
    server.add_fault("error502,times=1")
    assert b"502 Bad Gateway" in ask("/clients/").content


def test_throttled_with_a_time_to_wait(server: SimulatorServer, ask: Ask) -> None:
    server.add_fault("throttle429=7,times=1")
    answer = ask("/clients/")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert answer.json() == {"detail": "Request was throttled. Expected available in 7 seconds."}


def test_a_dropped_connection_and_the_next_request_on_a_new_one(server: SimulatorServer, ask: Ask) -> None:
    server.add_fault("drop,times=1")
    with pytest.raises(httpx2.RemoteProtocolError):
        ask("/clients/")
    assert ask("/clients/").status_code == 200
    assert [seen.status for seen in server.requests] == [0, 200]


def test_a_body_cut_in_the_middle(server: SimulatorServer, ask: Ask) -> None:
    server.add_fault("cut-body,times=1")
    with pytest.raises(httpx2.RemoteProtocolError, match=r"incomplete|without sending complete"):
        ask("/agents/")
    assert ask("/agents/").status_code == 200


def test_the_dashboards_address_answers_everything_with_html(server: SimulatorServer, ask: Ask) -> None:
    server.add_fault("dashboard")
    for path, method in (("/agents/", "GET"), ("/v2/checkcreds/", "POST"), ("/nowhere", "GET")):
        answer = ask(path, method)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")
        assert b"<!DOCTYPE html>" in answer.content


@pytest.mark.parametrize("kind", ["array", "object"])
def test_ten_megabytes_of_json(server: SimulatorServer, ask: Ask, kind: str) -> None:
    server.add_fault(f"huge-body={kind}@/clients/")
    answer = ask("/clients/")
    assert 10_000_000 < len(answer.content) < 11_000_000
    assert isinstance(answer.json(), dict if kind == "object" else list)


def test_one_agent_is_malformed_in_every_list(server: SimulatorServer, ask: Ask) -> None:
    chosen = server.fleet.agent(4).agent_id
    server.faults.add(Fault("malformed-agent", "type", agent_id=chosen))
    for path in ("/agents/", "/agents/?detail=false", "/beta/v1/agent/"):
        found = ask(path).json()
        rows = {row["agent_id"]: row for row in (found if isinstance(found, list) else found["results"])}
        assert len(rows) == 40
        assert [agent_id for agent_id, row in rows.items() if not isinstance(row["hostname"], str)] == [
            chosen
        ]
    server.faults.clear()
    server.add_fault("malformed-agent=missing")
    assert [row["id"] for row in ask("/agents/?detail=false").json() if "agent_id" not in row] == [1]


def test_the_beta_api_goes_off_in_the_middle_of_a_walk(server: SimulatorServer, ask: Ask) -> None:
    server.add_fault("beta-off,after=2")
    pages = [ask(f"/beta/v1/agent/?page_size=10&page={page}") for page in (1, 2, 3)]
    assert [page.status_code for page in pages] == [200, 200, 404]
    assert len(pages[2].content) == 179
    assert ask("/agents/").status_code == 200


def test_slow_keeps_a_client_waiting(server: SimulatorServer, ask: Ask) -> None:
    server.add_fault("slow=3600@/clients/,times=1")
    with pytest.raises(httpx2.ReadTimeout):
        ask("/clients/", timeout=0.1)
    server.add_fault("slow=0@/clients/")
    assert ask("/clients/").status_code == 200


def test_faults_given_at_start() -> None:
    with SimulatorServer(FleetSpec(1), faults=("error500@/clients/",)) as server:
        headers = {"X-API-KEY": server.api_key}
        assert httpx2.get(f"{server.url}/clients/", headers=headers).status_code == 500
        assert httpx2.get(f"{server.url}/agents/", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("explode", "there is no fault"),
        ("slow=fast", "seconds from 0 to 3600"),
        ("slow=9999", "seconds from 0 to 3600"),
        ("huge-body=string", "array or object"),
        ("malformed-agent=badly", "type or missing"),
        ("error500@agents", "is not a fault"),
        ("error500,often=1", "is not a fault"),
        ("", "is not a fault"),
    ],
)
def test_a_senseless_fault_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Fault.parse(text)


@given(
    kind=st.sampled_from(sorted(EXPLAINED.keys() - {"slow", "throttle429", "huge-body", "malformed-agent"})),
    path=st.sampled_from(("", "/", "/agents/", "/beta/v1/agent/")),
    times=st.none() | st.integers(0, 99),
    after=st.none() | st.integers(0, 99),
)
def test_a_fault_reads_as_it_is_written(kind: str, path: str, times: int | None, after: int | None) -> None:
    numbers = {"times": times, "after": after}
    text = kind + (f"@{path}" if path else "")
    text += "".join(f",{name}={number}" for name, number in numbers.items() if number is not None)
    fault = Fault.parse(text)
    assert (fault.kind, fault.path, fault.times, fault.after) == (kind, path or "/", times, after or 0)
