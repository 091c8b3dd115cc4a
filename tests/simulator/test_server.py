"""Running simulated servers: several at once, on any loopback address, in both kinds of tests, with TLS."""

import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
import trustme

from muster.simulator import FleetSpec, SeenRequest, SimulatorServer

Ask = Callable[..., httpx2.Response]


async def test_in_an_event_loop() -> None:
    async with SimulatorServer(FleetSpec(agents=3)) as server, httpx2.AsyncClient() as client:
        answer = await client.get(f"{server.url}/agents/", headers={"X-API-KEY": server.api_key})
    assert len(answer.json()) == 3


def test_several_servers_live_side_by_side() -> None:
    with SimulatorServer(FleetSpec(3, seed=1)) as one, SimulatorServer(FleetSpec(5, seed=2)) as two:
        for server, other in ((one, two), (two, one)):
            rows = httpx2.get(f"{server.url}/agents/", headers={"X-API-KEY": server.api_key}).json()
            assert len(rows) == len(server.fleet)
            assert (
                httpx2.get(f"{server.url}/agents/", headers={"X-API-KEY": other.api_key}).status_code == 401
            )


@pytest.mark.allow_hosts(["127.0.0.7"])
def test_on_another_loopback_address() -> None:
    with SimulatorServer(FleetSpec(1), host="127.0.0.7") as server:
        assert server.url.startswith("http://127.0.0.7:")
        assert httpx2.get(server.url).json() == {"status": "ok"}


def test_stopped_and_started_again_it_is_the_same_server() -> None:
    server = SimulatorServer(FleetSpec(3))
    with server:
        url, headers = server.url, {"X-API-KEY": server.api_key}
        server.fleet.rename_client(1, "Before")
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(url)
    with server:
        assert server.url == url
        assert httpx2.get(f"{url}/clients/1/", headers=headers).json()["name"] == "Before"


def test_a_taken_port_is_an_os_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        SimulatorServer(FleetSpec(1), port=taken.getsockname()[1]).start()


def test_with_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    key.write_bytes(issued.private_key_pem.bytes())
    chain.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with SimulatorServer(FleetSpec(150), tls=(chain, key)) as server:
        assert server.url.startswith("https://")
        answer = httpx2.get(
            f"{server.url}/beta/v1/agent/", headers={"X-API-KEY": server.api_key}, verify=trusting
        )
        assert answer.json()["next"].startswith(f"{server.url}/beta/")
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(server.url)


def test_what_was_asked_is_remembered(server: SimulatorServer, ask: Ask) -> None:
    size = len(ask("/clients/?a=1", user="nototp").content)
    ask("/clients/", user=None)
    ask("/v2/login/", "POST", user=None, json={})
    assert server.requests == [
        SeenRequest("GET", "/clients/?a=1", 200, size, "nototp"),
        SeenRequest("GET", "/clients/", 401, 58, None),
        SeenRequest("POST", "/v2/login/", 400, server.requests[2].bytes, None),
    ]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.1:8000", 200),
        ("localhost:9", 200),
        ("[::1]:9", 200),
        ("rmm.example.com", 400),
        ("", 400),
    ],
)
def test_other_hosts_are_refused(ask: Ask, host: str, status: int) -> None:
    answer = ask("/", headers={"Host": host})
    assert answer.status_code == status
    if status == 400:
        assert answer.headers["content-type"] == "text/html; charset=utf-8"


def test_every_answer_says_that_it_is_simulated(server: SimulatorServer, ask: Ask) -> None:
    server.add_fault("error502@/logout/")
    for path in (
        "/",
        "/agents",
        "/nope/",
        "/clients/abc/",
        "/logout/",
        "/alerts/",
        "/beta/v1/agent/?agent_id=x",
    ):
        assert ask(path).headers["x-muster-simulator"] == "tactical-rmm-1.5.1", path


def test_a_missing_slash_is_a_redirect_even_for_post(ask: Ask) -> None:
    for method in ("GET", "POST"):
        answer = ask("/v2/checkcreds?x=1", method, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (301, "/v2/checkcreds/?x=1")


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/json", 200),
        ("*/*", 200),
        ("text/html", 406),
        ("text/html, */*;q=0.8", 200),
        ("application/*", 200),
    ],
)
def test_accept_must_allow_json(ask: Ask, accept: str, status: int) -> None:
    assert ask("/clients/", headers={"Accept": accept}).status_code == status


def test_bodies_are_read_as_json_or_as_a_form(ask: Ask) -> None:
    url = "/v2/checkcreds/"
    good = b'{"username": "totp", "password": "totp-Passw0rd"}'

    def posted(content: bytes, kind: str) -> httpx2.Response:
        return ask(url, "POST", user=None, content=content, headers={"Content-Type": kind})

    assert posted(good, "application/json; charset=utf-8").json() == {"totp": True}
    form = b"username=totp&password=totp-Passw0rd"
    assert posted(form, "application/x-www-form-urlencoded").json() == {"totp": True}
    assert posted(good, "text/plain").status_code == 415
    broken = posted(b"{username", "application/json")
    assert broken.status_code == 400
    assert broken.json()["detail"].startswith("JSON parse error - ")
    # Deeper than the parser goes: the simulator's own failure looks like the server's.
    assert posted(b"[" * 100_000, "application/json").status_code in (400, 500)


def test_urls_that_are_not_simulated_say_so(ask: Ask) -> None:
    answer = ask("/scripts/", "PATCH", json={})
    assert answer.status_code == 501
    assert "the simulator does not answer it" in answer.json()["detail"]
    assert ask("/clients/", "POST", json={}).status_code == 501
    assert ask("/scripts/", user=None).status_code == 401


def test_the_head_of_a_list(ask: Ask) -> None:
    answer = ask("/clients/", "HEAD")
    assert (answer.status_code, answer.content) == (200, b"")
    assert ask("/agents/", "HEAD").status_code == 500
    assert ask("/core/version/", "HEAD").status_code == 405
