"""One attempt to deliver: what is on the wire as recorded, and what is told when it fails."""

import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import trustme

from muster.simulator.delivery import NotDelivered, deliver, is_loopback
from muster.simulator.rendering import Outgoing
from tests.simulator.sink import Arrived, Sink
from tests.support.recordings import Recordings

# What each recorded action had for headers (as its text decodes), and its method and body.
CONFIGURED: dict[str, Any] = {
    "fire_cfg_headers_empty": "",
    "fire_cfg_headers_braces": {},
    "fire_cfg_headers_json": {
        "Content-Type": "application/json",
        "Authorization": "Bearer kv-secret-1",
        "X-Client": "Acme Corp",
    },
    "fire_cfg_put": "",
    "fire_cfg_get": "",
    "fire_cfg_delete": "",
    "fire_availability_failure": {"Content-Type": "application/json", "X-PSA-Secret": "s3cret"},
}


def _post(url: str, headers: Any = "", body: str | None = "{}") -> Outgoing:
    return Outgoing("POST", url, headers, body)


@pytest.mark.recordings
@pytest.mark.parametrize("name", CONFIGURED)
def test_the_request_is_on_the_wire_as_recorded(recordings: Recordings, name: str, sink: Sink) -> None:
    recorded = recordings.load_capture(name)["received"][0]
    method, path, _ = recorded["request_line"].split(" ")
    body = None if method in ("GET", "DELETE") else recorded["body"]
    deliver(Outgoing(method, sink.url(path), CONFIGURED[name], body))
    arrived = sink.arrived[0]
    assert arrived.request_line == recorded["request_line"]
    assert arrived.headers == [
        line.replace(":9099", f":{sink.port}") if line.startswith("Host:") else line
        for line in recorded["headers"]
    ]
    assert arrived.body == (body or "").encode()


@pytest.mark.recordings
def test_a_redirect_turns_a_post_into_a_get(recordings: Recordings, sink: Sink) -> None:
    recorded = recordings.load_capture("fire_cfg_redirect")["received"]
    sink.answer = lambda seen: (
        "302 Found\r\nLocation: /redirected" if seen.request_line.startswith("POST") else "200 OK"
    )
    answer = deliver(_post(sink.url("/redirect"), "", recorded[0]["body"]))
    assert [seen.request_line for seen in sink.arrived] == [seen["request_line"] for seen in recorded]
    assert [len(seen.headers) for seen in sink.arrived] == [len(seen["headers"]) for seen in recorded]
    assert (answer.status, answer.body, answer.url) == (200, None, sink.url("/redirected"))


def test_a_temporary_redirect_keeps_the_post(sink: Sink) -> None:
    sink.answer = lambda seen: "307 T\r\nLocation: /other" if "/hook" in seen.request_line else "204 None"
    sink.body = b""
    assert deliver(_post(sink.url(), {}, '{"a":1}')).status == 204
    assert [seen.body for seen in sink.arrived] == [b'{"a":1}'] * 2


def test_redirects_without_end_are_given_up(sink: Sink) -> None:
    sink.answer = lambda _: "302 Found\r\nLocation: /again"
    with pytest.raises(NotDelivered, match="Exceeded 30 redirects"):
        deliver(_post(sink.url()))
    assert len(sink.arrived) == 31


def test_an_answer_of_any_status_is_an_answer(sink: Sink) -> None:
    sink.answer = lambda _: "500 Internal Server Error\r\nContent-Type: text/plain"
    sink.body = "kaputt \xfc".encode("latin-1")
    answer = deliver(_post(sink.url()))
    assert (answer.status, answer.text) == (500, "kaputt ü")


@pytest.mark.recordings
def test_a_refused_connection(recordings: Recordings) -> None:
    returned = recordings.load_capture("fire_cfg_refused")["returned"]
    with pytest.raises(NotDelivered) as refused:
        deliver(_post("http://127.0.0.1:9/x"))
    assert repr((str(refused.value), 500)) == returned
    assert refused.value.connecting


def test_nothing_is_sent_to_others_than_loopback() -> None:
    for host in ("192.0.2.1", "[2001:db8::1]", "0.0.0.0", "psa.example.com", "localhost.example.com"):
        with pytest.raises(NotDelivered, match="loopback addresses only") as refused:
            deliver(_post(f"http://{host}:8000/hook"))
        assert refused.value.connecting
    assert [is_loopback(host) for host in ("127.9.9.9", "::1", "localhost", "a.localhost", "10.0.0.1")] == [
        *(True, True, True, True, False)
    ]


def test_a_redirect_to_others_is_not_followed(sink: Sink) -> None:
    sink.answer = lambda _: "302 Found\r\nLocation: http://192.0.2.1/"
    with pytest.raises(NotDelivered, match="loopback addresses only"):
        deliver(_post(sink.url()))


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("ftp://x/y", "No connection adapters were found for 'ftp://x/y'"),
        ("x/y", "Invalid URL 'x/y': No scheme supplied. Perhaps you meant https://x/y?"),
        ("http:///y", "Invalid URL 'http:///y': No host supplied"),
    ],
)
def test_an_address_that_is_none(url: str, told: str) -> None:
    with pytest.raises(NotDelivered) as refused:
        deliver(_post(url))
    assert str(refused.value) == told


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"X-N": 5}, "Header part (5) from ('X-N', 5) must be of type str or bytes, not <class 'int'>"),
        (
            {"X": "psa-key 東京"},
            "'latin-1' codec can't encode characters in position 8-9: ordinal not in range(256)",
        ),
        ({"X": " a"}, "Invalid leading whitespace"),
        ({"X": "a\r\nY: b"}, "Invalid leading whitespace"),
        ({"X Y": "a"}, "in header name: 'X Y'"),
    ],
)
def test_headers_that_cannot_be_sent(sink: Sink, headers: Any, told: str) -> None:
    with pytest.raises(NotDelivered) as refused:
        deliver(_post(sink.url(), headers))
    assert told in str(refused.value)
    assert sink.arrived == []


def test_a_header_set_to_null_is_left_out(sink: Sink) -> None:
    deliver(_post(sink.url(), {"User-Agent": None, "accept": "x/y"}))
    assert not any(line.startswith("User-Agent") for line in sink.arrived[0].headers)
    assert "accept: x/y" in sink.arrived[0].headers


def test_who_answers_too_late_is_not_waited_for(sink: Sink) -> None:
    over = threading.Event()

    def late(_: Arrived) -> str:
        over.wait(20)
        return "200 OK"

    sink.answer = late
    with pytest.raises(NotDelivered) as refused:
        deliver(_post(sink.url()), timeout=0.2)
    over.set()
    told = f"HTTPConnectionPool(host='127.0.0.1', port={sink.port}): Read timed out. (read timeout=0.2)"
    assert (str(refused.value), refused.value.connecting) == (told, False)


def test_a_get_waits_for_ever(sink: Sink) -> None:
    def late(_: Arrived) -> str:
        time.sleep(0.5)
        return "200 OK"

    sink.answer = late
    assert deliver(Outgoing("GET", sink.url(), "", None), timeout=0.1).status == 200


def test_a_connection_that_breaks_off() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            connection, _ = listener.accept()
            connection.recv(10_000)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(NotDelivered, match="Connection aborted") as refused:
            deliver(_post(f"http://127.0.0.1:{listener.getsockname()[1]}/"))
        thread.join()
    assert refused.value.connecting


def test_a_certificate_of_nobody_known_is_not_trusted(tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def shake_hands() -> None:
            connection, _ = listener.accept()
            with connection, pytest.raises(ssl.SSLError):
                context.wrap_socket(connection, server_side=True)

        thread = threading.Thread(target=shake_hands)
        thread.start()
        with pytest.raises(NotDelivered, match="Caused by SSLError") as refused:
            deliver(_post(f"https://127.0.0.1:{listener.getsockname()[1]}/x"))
        thread.join()
    assert "CERTIFICATE_VERIFY_FAILED" in str(refused.value)
