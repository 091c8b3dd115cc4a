"""One attempt to send a URL action's request, as the server's HTTP client makes it (CONTRACT section 5).

It goes to loopback addresses only: what the simulator sends comes from templates that anybody may write.
"""

import http.client
import ipaddress
import ssl
import zlib
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from muster.simulator.rendering import Outgoing

# Seconds that the server waits for a connection, and for each piece of the answer.
TIMEOUT = 8.0
MAX_REDIRECTS = 30
MAX_ANSWER = 1024 * 1024
_BARE = {"Accept-Encoding": "identity", "User-Agent": "python-urllib3/2.7.0"}
_OWN = {
    "User-Agent": "python-requests/2.34.0",
    "Accept-Encoding": "gzip, deflate, br",
    "Accept": "*/*",
    "Connection": "keep-alive",
}
_ABOUT_THE_BODY = frozenset({"content-length", "content-type", "transfer-encoding"})


class NotDelivered(Exception):
    """Nothing came back, or nothing was sent; the text is what the server stores.

    `connecting`: the connection itself failed. The test button then tells the URL and body besides.
    """

    def __init__(self, text: str, *, connecting: bool = False) -> None:
        super().__init__(text)
        self.connecting = connecting


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back from the last of the redirects: status, text, its URL, and the body that was sent to
    it (None after a redirect that turned a POST into a GET).
    """

    status: int
    text: str
    url: str
    body: str | None


def deliver(outgoing: Outgoing, *, timeout: float = TIMEOUT) -> Answer:
    """Send a request once and follow its redirects (CONTRACT section 5, "When it fires"); NotDelivered for
    whatever prevents an answer.

    It blocks: never call it while the fleet's lock is held or on the event loop.
    """
    for _ in range(MAX_REDIRECTS + 1):
        headers = checked_headers(outgoing)
        status, target, text = _exchange(outgoing, headers, timeout)
        if target is None:
            return Answer(status, text, outgoing.url, outgoing.body)
        outgoing = _redirected(outgoing, status, urljoin(outgoing.url, target))
    raise NotDelivered(f"Exceeded {MAX_REDIRECTS} redirects.")


def _redirected(outgoing: Outgoing, status: int, url: str) -> Outgoing:
    if status in (307, 308):
        return replace(outgoing, url=url)
    headers = outgoing.headers
    if headers and not isinstance(headers, str):
        headers = {name: value for name, value in headers.items() if name.lower() not in _ABOUT_THE_BODY}
    turns = (status == 301 and outgoing.method == "POST") or status in (302, 303)
    return Outgoing("GET" if turns else outgoing.method, url, headers, None)


def checked_headers(outgoing: Outgoing) -> list[tuple[str, bytes]]:
    """The headers as they are sent, but for Host; NotDelivered when one of them cannot be sent."""
    merged: dict[str, tuple[str, Any]] = {}
    if outgoing.headers == "":
        merged = {name.lower(): (name, value) for name, value in _BARE.items()}
    else:
        own = dict(outgoing.headers) if outgoing.headers and not isinstance(outgoing.headers, str) else {}
        for name, value in (*_OWN.items(), *own.items()):
            merged[name.lower()] = (name, value)
    # A header that is set to null is left out, one of the client's own too.
    merged = {key: pair for key, pair in merged.items() if pair[1] is not None}
    merged.pop("content-length", None)
    found = [(name, _header(name, value)) for name, value in merged.values()]
    if outgoing.method != "GET":
        found.append(("Content-Length", str(len(_encoded(outgoing.body))).encode()))
    return found


def _header(name: str, value: Any) -> bytes:
    if not isinstance(value, str):
        kind = f"must be of type str or bytes, not {type(value)}"
        raise NotDelivered(f"Header part ({value!r}) from {(name, value)!r} {kind}")
    if value != value.lstrip() or "\r" in value or "\n" in value:
        raise NotDelivered(
            "Invalid leading whitespace, reserved character(s), or return character(s) in header value: "
            f"{value!r}"
        )
    if not name or not name.isascii() or any(sign in name for sign in ": \t\r\n"):
        raise NotDelivered(
            "Invalid leading whitespace, reserved character(s), or return character(s) in header name: "
            f"{name!r}"
        )
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError as error:
        raise NotDelivered(str(error)) from None


def _encoded(body: str | None) -> bytes:
    return (body or "").encode()


def _exchange(
    outgoing: Outgoing, headers: list[tuple[str, bytes]], timeout: float
) -> tuple[int, str | None, str]:
    """Status, where it redirects to (None: nowhere) and the text of one answer."""
    parts, port = _target(outgoing.url)
    path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    waits = None if outgoing.waits_for_ever else timeout
    pool = f"HTTP{'S' if parts.scheme == 'https' else ''}ConnectionPool(host='{parts.hostname}', port={port})"
    connection = _connected(parts, port, path, pool, waits)
    try:
        return _talk(connection, outgoing, headers, path)
    except TimeoutError:
        raise NotDelivered(f"{pool}: Read timed out. (read timeout={timeout:g})") from None
    except (OSError, http.client.HTTPException) as error:
        raise NotDelivered(f"('Connection aborted.', {error!r})", connecting=True) from None
    except ValueError as error:
        # A header's name or value that HTTP cannot carry.
        raise NotDelivered(str(error)) from None
    finally:
        connection.close()


def _target(url: str) -> tuple[SplitResult, int]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise NotDelivered(f"Failed to parse: {url}: {error}") from None
    if not parts.scheme:
        raise NotDelivered(f"Invalid URL {url!r}: No scheme supplied. Perhaps you meant https://{url}?")
    if parts.scheme not in ("http", "https"):
        raise NotDelivered(f"No connection adapters were found for {url!r}")
    if not parts.hostname:
        raise NotDelivered(f"Invalid URL {url!r}: No host supplied")
    return parts, port or (443 if parts.scheme == "https" else 80)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its mere name; no name is looked up."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _refuse_others(host: str) -> None:
    if not is_loopback(host):
        raise OSError(113, "No route to host: the simulator sends to loopback addresses only")


def _connected(
    parts: SplitResult, port: int, path: str, pool: str, waits: float | None
) -> http.client.HTTPConnection:
    host, secure = parts.hostname or "", parts.scheme == "https"
    exceeded = f"{pool}: Max retries exceeded with url: {path} (Caused by "
    connection = f"HTTP{'S' if secure else ''}Connection(host='{host}', port={port})"
    try:
        _refuse_others(host)
        if secure:
            trusting = ssl.create_default_context()
            opened: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=waits, context=trusting
            )
        else:
            opened = http.client.HTTPConnection(host, port, timeout=waits)
        opened.connect()
    except ssl.SSLError as error:
        raise NotDelivered(f"{exceeded}SSLError({error!r}))", connecting=True) from None
    except TimeoutError:
        told = f"{connection}, 'Connection to {host} timed out. (connect timeout={waits:g})'"
        raise NotDelivered(f"{exceeded}ConnectTimeoutError({told}))", connecting=True) from None
    except OSError as error:
        told = f'"{connection}: Failed to establish a new connection: {error}"'
        raise NotDelivered(f"{exceeded}NewConnectionError({told}))", connecting=True) from None
    return opened


def _talk(
    connection: http.client.HTTPConnection, outgoing: Outgoing, headers: list[tuple[str, bytes]], path: str
) -> tuple[int, str | None, str]:
    named = {name.lower() for name, _ in headers}
    connection.putrequest(outgoing.method, path, skip_host="host" in named, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders(None if outgoing.body is None else _encoded(outgoing.body))
    response = connection.getresponse()
    target = response.getheader("Location") if response.status in (301, 302, 303, 307, 308) else None
    return response.status, target, _text(response, response.read(MAX_ANSWER))


def _text(response: http.client.HTTPResponse, content: bytes) -> str:
    coding = (response.getheader("Content-Encoding") or "").lower()
    if coding in ("gzip", "deflate"):
        try:
            content = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(content, MAX_ANSWER)
        except zlib.error as error:
            told = f"'Received response with content-encoding: {coding}, but failed to decode it.'"
            raise NotDelivered(f"({told}, {error!r})") from None
    kind = response.headers.get_content_type()
    charset = response.headers.get_content_charset() or ("latin-1" if kind.startswith("text/") else "utf-8")
    try:
        return content.decode(charset, "replace")
    except LookupError:
        return content.decode("utf-8", "replace")
