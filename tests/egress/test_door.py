"""Requests through the door, over real loopback connections."""

import asyncio
import gzip
import socket
import ssl
from pathlib import Path

import pytest
import structlog
import trustme

from muster import clock
from muster.egress import Egress, EgressPolicy
from muster.egress.errors import (
    AddressNotAllowed,
    BodyTooLarge,
    BrokenOff,
    ConnectionRefused,
    EgressError,
    NameNotResolved,
    TimedOut,
    TlsUntrusted,
)
from muster.egress.policy import networks
from muster.errors import NotConfigured
from muster.providers.contract import Traffic
from muster.simulator import FleetSpec, SimulatorServer
from tests.support.replay import Reply, Seen, as_json, serving


class Naps:
    """A sleep that only notes how long it should have been."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


def door(naps: Naps | None = None, **policy: object) -> Egress:
    return Egress(EgressPolicy(**policy), sleep=naps or Naps(), jitter=lambda: 0.5)  # type: ignore[arg-type]


def in_turn(*replies: Reply) -> "InTurn":
    return InTurn(list(replies))


class InTurn:
    """The given answers one after the other, the last for ever."""

    def __init__(self, replies: list[Reply]) -> None:
        self.replies = replies

    def __call__(self, seen: Seen) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


async def test_an_answer_comes_whole_and_is_counted() -> None:
    traffic = Traffic()
    with serving(lambda _: as_json({"a": 1}, date="Mon, 23 Nov 2026 15:20:07 GMT")) as server:
        async with door().server(server.url, meter=traffic) as client:
            answer = await client.request("GET", "/x/", params={"page": 2}, headers={"X-Key": "k"})
    assert (answer.status, answer.body, answer.media_type) == (200, b'{"a": 1}', "application/json")
    assert answer.date is not None
    assert answer.date.isoformat() == "2026-11-23T15:20:07+00:00"
    assert (traffic.requests, traffic.bytes_received) == (1, 8)
    assert server.seen[0].query == {"page": "2"}
    assert server.seen[0].headers["x-key"] == "k"


async def test_a_packed_body_is_unpacked_and_counted_as_it_came() -> None:
    traffic = Traffic()
    packed = gzip.compress(b"[" + b"1," * 9999 + b"1]")
    with serving(lambda _: Reply(body=packed, headers={"content-encoding": "gzip"})) as server:
        async with door().server(server.url, meter=traffic) as client:
            answer = await client.request("GET", "/")
    assert len(answer.body) == 20_001
    assert traffic.bytes_received == len(packed)


@pytest.mark.parametrize("length", [1_001, 50_000])
async def test_a_body_beyond_its_bound_is_not_read_to_the_end(length: int) -> None:
    bomb = gzip.compress(b"0" * length)
    with serving(lambda _: Reply(body=bomb, headers={"content-encoding": "gzip"})) as server:
        async with door().server(server.url) as client:
            with pytest.raises(BodyTooLarge):
                await client.request("GET", "/", max_body=1_000)
    assert len(server.seen) == 1


async def test_redirects_are_handed_back_and_cookies_forgotten() -> None:
    reply = Reply(302, b"", headers={"location": "/elsewhere/", "set-cookie": "sessionid=abc; Path=/"})
    with serving(lambda _: reply) as server:
        async with door().server(server.url) as client:
            assert (await client.request("GET", "/a/", headers={"X-API-KEY": "k"})).status == 302
            await client.request("GET", "/b/")
    assert [seen.path for seen in server.seen] == ["/a/", "/b/"]
    assert "cookie" not in server.seen[1].headers


async def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with serving(lambda _: as_json(1)) as server:
        async with door().server(server.url) as client:
            assert (await client.request("GET", "/")).status == 200


# --- repetition ------------------------------------------------------------------------------------------


async def test_reads_are_repeated_with_growing_pauses_and_full_jitter() -> None:
    naps, traffic = Naps(), Traffic()
    replies = in_turn(Reply(500), Reply(502), Reply(503), as_json("fine"))
    with serving(replies) as server:
        async with door(naps).server(server.url, meter=traffic) as client:
            assert (await client.request("GET", "/")).status == 200
    assert naps.taken == [0.25, 0.5, 1.0]
    assert traffic.requests == 4


async def test_repetition_ends_and_the_last_answer_is_handed_back() -> None:
    naps = Naps()
    with serving(lambda _: Reply(500)) as server:
        async with door(naps).server(server.url) as client:
            assert (await client.request("GET", "/")).status == 500
            assert (await client.request("GET", "/", retries=0)).status == 500
    assert len(server.seen) == 5


async def test_retry_after_is_honoured_up_to_the_cap() -> None:
    naps = Naps()
    replies = in_turn(Reply(429, headers={"retry-after": "7"}), as_json(1))
    with serving(replies) as server:
        async with door(naps).server(server.url) as client:
            assert (await client.request("GET", "/")).status == 200
    assert naps.taken == [7.0]
    with serving(lambda _: Reply(429, headers={"retry-after": "3000"})) as server:
        async with door(naps).server(server.url) as client:
            answer = await client.request("GET", "/")
    assert (answer.status, answer.retry_after, len(server.seen)) == (429, 3000.0, 1)


async def test_writes_are_never_repeated_unless_they_only_read() -> None:
    with serving(lambda _: Reply(503)) as server:
        async with door().server(server.url) as client:
            await client.request("POST", "/login/", json={})
            assert len(server.seen) == 1
            await client.request("PATCH", "/alerts/", json={"resolvedFilter": False}, is_read=True)
            assert len(server.seen) == 5


async def test_client_errors_are_answers_not_occasions_to_ask_again() -> None:
    with serving(lambda _: Reply(404)) as server:
        async with door().server(server.url) as client:
            assert (await client.request("GET", "/")).status == 404
    assert len(server.seen) == 1


async def test_a_dropped_and_a_cut_connection_are_told_apart_from_an_answer() -> None:
    naps = Naps()
    with SimulatorServer(FleetSpec(agents=5)) as server:
        headers = {"X-API-KEY": server.api_key}
        async with door(naps).server(server.url) as client:
            server.add_fault("drop@/agents/,times=1")
            assert (await client.request("GET", "/agents/", headers=headers)).status == 200
            server.add_fault("cut-body@/agents/")
            with pytest.raises(BrokenOff):
                await client.request("GET", "/agents/", headers=headers)
    assert len(naps.taken) == 1 + 3


# --- what can go wrong before an answer -------------------------------------------------------------------


async def failure(egress: Egress, origin: str, **options: object) -> EgressError:
    async with egress.server(origin) as client:
        with pytest.raises(EgressError) as caught:
            await client.request("GET", "/", **options)  # type: ignore[arg-type]
    return caught.value


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_a_refused_connection() -> None:
    naps = Naps()
    found = await failure(door(naps), f"http://127.0.0.1:{free_port()}")
    assert isinstance(found, ConnectionRefused)
    assert len(naps.taken) == 3


async def test_an_unknown_name() -> None:
    assert isinstance(await failure(door(), "https://nosuch.invalid"), NameNotResolved)


async def test_an_address_that_may_not_be_reached_gets_no_connection() -> None:
    with serving(lambda _: as_json(1)) as server:
        found = await failure(door(allowed_networks=networks(["10.0.0.0/8"])), server.url)
    assert isinstance(found, AddressNotAllowed)
    assert "127.0.0.1" in found.message
    assert not server.seen
    metadata = await failure(door(), "http://169.254.169.254")
    assert isinstance(metadata, AddressNotAllowed)


async def test_a_name_that_changes_its_answer_gains_nothing() -> None:
    """What was checked is what is connected to: the name is asked once a connection."""
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    with serving(lambda _: as_json(1)) as server:
        egress = Egress(EgressPolicy(), resolve=rebinding)
        async with egress.server(f"http://rmm.example:{server.port}") as client:
            assert (await client.request("GET", "/")).status == 200
        assert asked == ["rmm.example"]
        assert server.seen[0].headers["host"] == f"rmm.example:{server.port}"
        assert isinstance(await failure(egress, f"http://rmm.example:{server.port}"), AddressNotAllowed)


async def test_of_several_addresses_only_allowed_ones_are_tried_until_one_answers() -> None:
    async def several(host: str, port: int) -> list[str]:
        return ["169.254.169.254", "127.0.0.2", "127.0.0.1"]

    with serving(lambda _: as_json(1)) as server:
        egress = Egress(EgressPolicy(allowed_networks=networks(["127.0.0.1/32"])), resolve=several)
        async with egress.server(f"http://rmm.example:{server.port}") as client:
            assert (await client.request("GET", "/")).status == 200


async def test_a_slow_answer_times_out_and_is_not_asked_for_again() -> None:
    release = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    naps = Naps()
    slow = await failure(door(naps), origin, read_timeout=0.05)
    late = await failure(door(naps, call_timeout=0.05), origin)
    release.set()
    server.close()
    await server.wait_closed()
    assert isinstance(slow, TimedOut)
    assert isinstance(late, TimedOut)
    assert not naps.taken


# --- TLS -------------------------------------------------------------------------------------------------


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def files(authority: trustme.CA, folder: Path, name: str) -> tuple[Path, Path]:
    issued = authority.issue_cert(name)
    chain, key = folder / "chain.pem", folder / "key.pem"
    for part in issued.cert_chain_pems:
        part.write_to_path(chain, append=True)
    issued.private_key_pem.write_to_path(key)
    return chain, key


async def test_an_unknown_authority_is_not_trusted_until_its_file_is_named(
    authority: trustme.CA, tmp_path: Path
) -> None:
    known = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(known)
    with serving(lambda _: as_json(1), tls=files(authority, tmp_path, "127.0.0.1")) as server:
        found = await failure(door(), server.url)
        assert isinstance(found, TlsUntrusted)
        async with door(ca_file=known).server(server.url) as client:
            answer = await client.request("GET", "/")
        assert answer.status == 200
        assert answer.peer is not None
        assert answer.peer.address == "127.0.0.1"
        assert answer.peer.certificate_until is not None
        assert answer.peer.certificate_until > clock.now()


async def test_a_certificate_for_another_name_is_not_trusted(authority: trustme.CA, tmp_path: Path) -> None:
    known = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(known)

    async def here(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    with serving(lambda _: as_json(1), tls=files(authority, tmp_path, "rmm.example")) as server:
        egress = Egress(EgressPolicy(ca_file=known), resolve=here)
        async with egress.server(f"https://rmm.example:{server.port}") as client:
            assert (await client.request("GET", "/")).status == 200
        assert isinstance(await failure(egress, f"https://api.example:{server.port}"), TlsUntrusted)


async def test_a_port_without_tls_is_told_as_such() -> None:
    with serving(lambda _: as_json(1)) as server:
        found = await failure(door(), f"https://127.0.0.1:{server.port}")
    assert isinstance(found, TlsUntrusted)


def test_an_unusable_ca_file_is_refused_at_once(tmp_path: Path) -> None:
    empty = tmp_path / "ca.pem"
    for prepare in (lambda: None, lambda: empty.write_text("no certificate")):
        prepare()
        with pytest.raises(NotConfigured, match=r"ca\.pem"):
            door(ca_file=empty)


def test_certificates_are_always_verified() -> None:
    context = door()._context
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


# --- manners ---------------------------------------------------------------------------------------------


async def test_a_server_bears_at_most_two_requests_at_once_from_all_connections() -> None:
    under_way, most = 0, 0
    gate = asyncio.Event()

    async def counting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal under_way, most
        while await reader.readline() not in {b"\r\n", b""}:
            pass
        under_way += 1
        most = max(most, under_way)
        if under_way == 2:
            gate.set()
        await gate.wait()
        under_way -= 1
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n[]")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(counting, "127.0.0.1", 0)
    origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with door().server(origin) as one, door().server(origin) as other:
        answers = await asyncio.gather(
            *(client.request("GET", "/") for client in (one, other) for _ in range(4))
        )
    server.close()
    await server.wait_closed()
    assert [answer.status for answer in answers] == [200] * 8
    assert most == 2


async def test_nothing_secret_is_logged() -> None:
    with (
        serving(lambda _: as_json({"token": "secret-token"})) as server,
        structlog.testing.capture_logs() as logs,
    ):
        async with door().server(server.url) as client:
            answer = await client.request(
                "POST",
                "/v2/login/",
                params={"q": "secret-query"},
                headers={"X-API-KEY": "secret-key"},
                json={"password": "secret-password"},
            )
    assert len(logs) == 1
    assert logs[0]["path"] == "/v2/login/"
    assert {"method", "status", "ms", "bytes"} <= set(logs[0])
    assert "secret" not in f"{logs}{answer}"
