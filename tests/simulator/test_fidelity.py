"""Every recorded request of the covered families is asked of the simulator, and the answers compared."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import httpx2
import pytest

from muster.simulator import FleetSpec, SimulatorServer
from tests.simulator.replays import COVERED, NOT_REPLAYED, Question, Translator, kind_of
from tests.simulator.shapes import Shape, differences
from tests.support.recordings import Recordings, find_recordings

pytestmark = pytest.mark.recordings

# Headers that must be equal, and headers that must be there or not be there.
_EQUAL = ("content-type", "www-authenticate", "allow", "location", "vary")
_PRESENT = ("retry-after", "set-cookie")
# Read in the server's source, in no recording: the key of an assigned policy, a note.
_UNRECORDED = {
    "GET /agents/": {"$[].policy: no recording has it"},
    "GET /agents/<id>/notes/": {"$: elements, no recording has any"},
}
# The recorded fleet has these always null, or never: the columns allow both (the server's models).
_COLUMNS_ALLOW: dict[str, set[str]] = {
    "patches_last_installed": {"str", "null"},
    "time_zone": {"str", "null"},
    "policy": {"int", "null"},
    "description": {"str", "null"},
    "boot_time": {"float", "null"},
    "date_installed": {"str", "null"},
    "value": {"str", "bool", "array"},
}


def _names() -> list[str]:
    found = find_recordings()
    if found is None:
        return []
    return [name for prefix in COVERED for name in found.capture_names(prefix)]


# A clone without recordings still has one test here, which skips with the reason why.
_REPLAYED = [name for name in _names() if name not in NOT_REPLAYED] or ["no recordings"]


@pytest.fixture(scope="module")
def server() -> Iterator[SimulatorServer]:
    at = datetime(2026, 11, 23, 14, 32, tzinfo=UTC)
    spec = FleetSpec(agents=250, seed=5, clients=5, weight="real")
    with SimulatorServer(spec, frozen=True, at=at, host_names=("api.example.com",)) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: SimulatorServer) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, timeout=30) as opened:
        yield opened


def _ask(client: httpx2.Client, question: Question) -> httpx2.Response:
    return client.request(
        question.method,
        question.path,
        headers=question.headers,
        json=question.json,
        content=question.content,
    )


def _columns_allow(shape: Shape) -> None:
    for key, inner in shape.keys.items():
        inner.types |= _COLUMNS_ALLOW.get(key, set())
        _columns_allow(inner)
    if shape.element:
        _columns_allow(shape.element)


@lru_cache(maxsize=1)
def _known(recordings: Recordings) -> dict[str, Shape]:
    """The shape of all recorded 200 answers by kind of URL, from captures, whole bodies and the snapshot."""
    shapes: dict[str, Shape] = {}
    for prefix in COVERED:
        for name in recordings.capture_names(prefix):
            capture = recordings.load_capture(name)
            if (
                "request" in capture
                and capture["response"]["status"] == 200
                and capture["response"]["is_json"]
            ):
                request = capture["request"]
                kind = kind_of(request["method"], request["path"])
                shapes.setdefault(kind, Shape()).add(capture["response"]["body"])
    for entry in recordings.snapshot_index():
        kind = kind_of(entry.method, entry.path)
        if kind in shapes:
            shapes[kind].add(recordings.load_snapshot(entry.file))
    for shape in shapes.values():
        _columns_allow(shape)
    # A beta detail or a single agent carries the same stored columns as the list.
    element = shapes["GET /beta/v1/agent/"].keys["results"].element
    assert element is not None
    for kind in ("GET /beta/v1/agent/<pk>/", "GET /agents/<id>/"):
        for key, inner in element.keys.items():
            if key in shapes[kind].keys and key not in ("alert_template", "policy"):
                shapes[kind].keys[key] = inner
    # One alert is written like an element of the list, and so are the elements of the short list.
    alert = shapes["PATCH /alerts/"].element
    assert alert is not None
    shapes["GET /alerts/<pk>/"] = shapes["PATCH /alerts/"].keys["alerts"].element = alert
    rows = shapes["GET /software/"].element
    assert rows is not None
    shapes["GET /software/<id>/"].keys["software"] = rows.keys["software"]
    return shapes


def test_every_capture_of_a_covered_family_is_replayed_or_listed(recordings: Recordings) -> None:
    names = {name for prefix in COVERED for name in recordings.capture_names(prefix)}
    assert names == set(_REPLAYED) | set(NOT_REPLAYED)
    assert len(names) > 200
    assert all(NOT_REPLAYED.values())


@pytest.mark.parametrize("name", _REPLAYED)
def test_answers_as_recorded(
    name: str, recordings: Recordings, server: SimulatorServer, client: httpx2.Client
) -> None:
    capture = recordings.load_capture(name)
    translator = Translator(server)
    server.beta = not name.startswith("beta_disabled")
    translator.prepare(capture, lambda question: _ask(client, question))
    got = _ask(client, translator.question(capture))
    recorded = capture["response"]
    server.beta = True

    assert got.status_code == recorded["status"]
    assert got.headers["x-muster-simulator"] == "tactical-rmm-1.5.1"
    for header in _EQUAL:
        assert got.headers.get(header) == recorded["headers"].get(header), header
    for header in _PRESENT:
        assert (header in got.headers) == (header in recorded["headers"]), header
    if not recorded["is_json"]:
        assert len(got.content) == recorded["bytes"]
        return
    body = json.loads(got.content)
    if recorded["status"] >= 400:
        numberless = [re.sub(r"\d+ seconds?", "N seconds", str(text)) for text in (body, recorded["body"])]
        assert numberless[0] == numberless[1]
        return
    kind = kind_of(got.request.method, capture["request"]["path"])
    found = differences(Shape().add(recorded["body"]), Shape().add(body), _known(recordings)[kind])
    assert [line for line in found if line not in _UNRECORDED.get(kind, ())] == []
    _compare_links(recorded["body"], body, translator, server)


def _compare_links(recorded: Any, simulated: Any, translator: Translator, server: SimulatorServer) -> None:
    """`next` and `previous` are written the same way, where both have one."""
    for name in ("next", "previous"):
        if isinstance(recorded, dict) and recorded.get(name) and simulated[name]:
            wanted = recorded[name].replace("http://127.0.0.1:8765", server.url)
            assert simulated[name] == translator.path(wanted)


def test_one_page_of_real_weight_agents_weighs_what_it_weighed(
    recordings: Recordings, server: SimulatorServer, client: httpx2.Client
) -> None:
    for path, name in (
        ("/beta/v1/agent/?page_size=1000", "beta_agent_ps1000"),
        ("/agents/", "agents_list_default"),
        ("/software/", "software_all"),
    ):
        got = client.get(path, headers={"X-API-KEY": server.api_key})
        ratio = len(got.content) / recordings.load_capture(name)["response"]["bytes"]
        assert 0.75 < ratio < 1.35, path
