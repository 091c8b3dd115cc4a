"""The recorded set-up of a webhook, asked again in the same order; and the recorded presses of the test
button, with what the receiver got.
"""

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from muster.simulator import FleetSpec, SimulatorServer
from tests.simulator.sink import Arrived, Sink, listening
from tests.support.recordings import Recordings, find_recordings

pytestmark = pytest.mark.recordings

_USERS = {"superadmin": "admin", "nototp": "nototp", "rwuser": "technician"}
_AGENT = "iVgRVIfLBcbfnoGMbJmTPSIAoCLrZaWZkSBvrjnW"
# A look into the database between three tries of the race; test_alert_settings.py has the race.
_NO_EXCHANGE = {"hook_5i_race_post_template_then_put_core"}
# Seconds that the simulator waits here, where the recorded server waited 8.
_TIMEOUT = 0.4


def _names(prefix: str) -> list[str]:
    found = find_recordings()
    names = [] if found is None else found.capture_names(prefix)
    wanted = [name for name in names if not name.endswith(".sink") and name not in _NO_EXCHANGE]
    return wanted or ["no recordings"]


_SET_UP = [name for name in _names("hook_") if not name.startswith("hook_test_")]


@pytest.fixture(scope="module")
def server() -> Iterator[SimulatorServer]:
    """One agent as the recorded one; the next URL action gets the recorded number."""
    with SimulatorServer(FleetSpec(agents=0), frozen=True) as running:
        running.fleet.rename_client(1, "Acme Corp")
        running.fleet.rename_site(1, "HQ")
        agent = running.fleet.add_agent(1, agent_id=_AGENT, hostname="WSUS")
        assert agent.pk == 1
        settings = running.state.alert_settings
        for _ in range(4):
            settings.remove_action(settings.actions.add({}, who="nobody", now=0).pk)
        running.webhooks.timeout = _TIMEOUT
        yield running


def _ask(server: SimulatorServer, request: dict[str, Any], port: int = 9099) -> httpx2.Response:
    text = json.dumps(request["body"]).replace("127.0.0.1:9099", f"127.0.0.1:{port}")
    key = server.users[_USERS[request["as_user"]]].api_key
    return httpx2.request(
        request["method"],
        server.url + request["path"],
        headers={"X-API-KEY": key},
        json=json.loads(text),
        timeout=30,
    )


def _comparable(value: Any) -> Any:
    """Without moments, and what only the recorded fleet has."""
    if isinstance(value, list):
        cut = [each for each in value if not (isinstance(each, str) and each.startswith("...TRIMMED"))]
        return [_comparable(each) for each in cut]
    if not isinstance(value, dict):
        return "admin" if value == "superadmin" else value
    dropped = {"created_time", "modified_time"}
    if "client_name" in value or "sites" in value:
        dropped |= {"custom_fields", "agent_count"}
    return {key: _comparable(inner) for key, inner in value.items() if key not in dropped}


def test_the_set_up_is_answered_as_recorded(server: SimulatorServer, recordings: Recordings) -> None:
    for name in _SET_UP:
        recorded = recordings.load_capture(name)
        got = _ask(server, recorded["request"])
        answer = recorded["response"]
        assert got.status_code == answer["status"], name
        for header in ("content-type", "allow", "vary"):
            assert got.headers.get(header) == answer["headers"].get(header), name
        wanted, found = _comparable(answer["body"]), _comparable(got.json())
        if isinstance(wanted, dict) and "sites" in wanted:
            # Cut in the recording; other sites than the first are the fleet's own.
            found["sites"] = found["sites"][: len(wanted["sites"])]
        assert found == wanted, name
        server.clock.advance(timedelta(minutes=1))


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    """Answers by path as the recorded receiver did."""

    def answer(arrived: Arrived) -> str:
        path = arrived.request_line.split()[1]
        if path.startswith("/slow/"):
            time.sleep(2 * _TIMEOUT)
        if path == "/redirect":
            return "302 Found\r\nLocation: /redirected"
        return "500 Internal Server Error" if path == "/status/500" else "200 OK"

    with listening() as opened:
        opened.answer = answer
        yield opened


@pytest.mark.parametrize("name", _names("hook_test_"))
def test_the_test_button_sends_and_tells_what_was_recorded(
    name: str, server: SimulatorServer, sink: Sink, recordings: Recordings
) -> None:
    recorded = recordings.load_capture(name)
    sink.arrived.clear()
    got = _ask(server, recorded["request"], sink.port)
    assert got.status_code == recorded["response"]["status"]
    assert got.headers["allow"] == recorded["response"]["headers"]["allow"]
    assert _here(got.text, sink.port) == _here(json.dumps(recorded["response"]["body"]), sink.port)
    arrived = [
        {
            "request_line": a.request_line,
            "headers": [_here(line, sink.port) for line in a.headers],
            "body": a.body,
        }
        for a in sink.arrived
    ]
    expected = [
        {
            "request_line": each["request_line"],
            "headers": [_here(line, sink.port) for line in each["headers"]],
            "body": each["body"].encode(),
        }
        for each in recordings.load_capture(f"{name}.sink")
    ]
    assert arrived == expected


def _here(text: str, port: int) -> Any:
    """Equal for what says the same on another port and with another patience."""
    found = text.replace(f"127.0.0.1:{port}", "127.0.0.1:9099").replace(f"port={port}", "port=9099")
    found = found.replace(f"read timeout={_TIMEOUT}", "read timeout=8")
    return json.loads(found) if found.startswith("{") else found


def test_the_test_button_goes_to_loopback_addresses_only(server: SimulatorServer) -> None:
    body = {
        "pattern": "http://192.0.2.1/x",
        "rest_body": "{}",
        "rest_headers": "{}",
        "rest_method": "post",
        "run_instance_type": "none",
        "run_instance_id": None,
    }
    request = {"method": "POST", "path": "/core/urlaction/run/test/", "as_user": "superadmin", "body": body}
    got = _ask(server, request)
    assert got.status_code == 200
    assert "loopback" in got.json()["result"]


@pytest.mark.parametrize(
    ("changes", "status", "wrong"),
    [
        ({"run_instance_type": "alert"}, 400, "run_instance_type"),
        ({"rest_body": None}, 400, "rest_body"),
        ({"pattern": ""}, 400, "pattern"),
        ({"run_instance_type": "agent", "run_instance_id": "x" * 40}, 500, None),
        ({"run_instance_type": "client", "run_instance_id": "99"}, 500, None),
    ],
)
def test_what_the_test_button_refuses(
    changes: dict[str, Any], status: int, wrong: str | None, server: SimulatorServer
) -> None:
    body = {
        "pattern": "http://127.0.0.1:9/x",
        "rest_body": "{}",
        "rest_headers": "{}",
        "rest_method": "post",
        "run_instance_type": "none",
        "run_instance_id": None,
        **changes,
    }
    path = "/core/urlaction/run/test/"
    got = _ask(server, {"method": "POST", "path": path, "as_user": "superadmin", "body": body})
    assert got.status_code == status
    if wrong is not None:
        assert list(got.json()) == [wrong]


def test_a_limited_role_tests_with_what_it_sees(server: SimulatorServer) -> None:
    server.users["limited"].role = server.users["technician"].role
    reader = {"method": "POST", "path": "/core/urlaction/run/test/", "as_user": "nototp", "body": {}}
    assert _ask(server, reader).status_code == 403
    run = {"method": "PATCH", "path": "/core/urlaction/run/", "as_user": "superadmin", "body": {"action": 5}}
    got = _ask(server, run)
    assert (got.status_code, got.json()) == (400, "received an incorrect request")
