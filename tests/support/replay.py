"""A loopback server that answers with recorded exchanges: the snapshot by path and query, or one capture."""

import asyncio
import functools
import json
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import uvicorn

from tests.support.recordings import Recordings


@dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """An answer to give."""

    status: int = 200
    body: bytes = b"null"
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Seen], Reply]


def as_json(value: Any, status: int = 200, **headers: str) -> Reply:
    """A JSON answer; header names with underscores for dashes."""
    return Reply(
        status, json.dumps(value).encode(), headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


def as_html(status: int = 200, text: str = "<!doctype html><title>page</title>") -> Reply:
    """A web page."""
    return Reply(status, text.encode(), "text/html; charset=utf-8")


NOT_FOUND = as_html(404, "<h1>Not Found</h1>")


class ReplayServer:
    """Answers every request by `handler`, on a free loopback port, outside the test's own loop."""

    def __init__(self, handler: Handler, *, tls: tuple[Path, Path] | None = None) -> None:
        self.handler = handler
        self.seen: list[Seen] = []
        self._tls = tls
        # Named as TCP, or asyncio leaves Nagle's algorithm on and every answer takes 40 ms.
        self.listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.port: int = self.listener.getsockname()[1]

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def asked(self, path: str, method: str = "GET") -> list[Seen]:
        """The requests for this path so far."""
        return [seen for seen in self.seen if seen.path == path and seen.method == method]

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        seen = Seen(
            scope["method"],
            scope["path"],
            dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True)),
            {name.decode(): value.decode() for name, value in scope["headers"]},
            body,
        )
        self.seen.append(seen)
        reply = self.handler(seen)
        headers = {
            "content-type": reply.content_type,
            "content-length": str(len(reply.body)),
            **reply.headers,
        }
        await send(
            {
                "type": "http.response.start",
                "status": reply.status,
                "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            }
        )
        await send({"type": "http.response.body", "body": reply.body})


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    """One loop in one thread for all replay servers of a process: starting one must cost next to nothing."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="replay", daemon=True).start()
    return loop


@contextmanager
def serving(handler: Handler, *, tls: tuple[Path, Path] | None = None) -> Iterator[ReplayServer]:
    """A running ReplayServer."""
    replay = ReplayServer(handler, tls=tls)
    config = uvicorn.Config(
        replay.app,
        interface="asgi3",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        date_header=False,
        server_header=False,
        ssl_certfile=str(tls[0]) if tls else None,
        ssl_keyfile=str(tls[1]) if tls else None,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)

    def run(work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, _loop()).result(timeout=30)

    run(server.startup(sockets=[replay.listener]))
    try:
        yield replay
    finally:
        run(server.shutdown(sockets=[replay.listener]))


# --- the snapshot ----------------------------------------------------------------------------------------


class SnapshotHandler:
    """The recorded fleet by path and query, each answer with the Date header it was recorded with."""

    def __init__(self, recordings: Recordings, *, beta: bool = True) -> None:
        self.beta = beta
        self.entries = {entry.path: entry for entry in recordings.snapshot_index() if entry.method == "GET"}
        self.recordings = recordings
        self.agents: list[dict[str, Any]] = []
        for path, entry in self.entries.items():
            if path.startswith("/beta/v1/agent/"):
                self.agents += recordings.load_snapshot(entry.file)["results"]
        sites = recordings.load_snapshot("beta_site.json.gz")["results"]
        self.client_of = {site["id"]: site["client"] for site in sites}

    def __call__(self, seen: Seen) -> Reply:
        if seen.path.startswith("/beta/") and not self.beta:
            return NOT_FOUND
        if seen.path == "/core/version/":
            return as_json("0.0.203", date=self._date("/clients/"))
        if seen.path == "/beta/v1/agent/":
            return self._beta_page(seen)
        query = f"?{'&'.join(f'{key}={value}' for key, value in seen.query.items())}" if seen.query else ""
        for path in (seen.path + query, seen.path):
            if path in self.entries:
                entry = self.entries[path]
                return Reply(body=self.recordings.snapshot_bytes(entry.file), headers={"date": entry.date})
        beta = next((path for path in self.entries if urlsplit(path).path == seen.path), None)
        if beta is None:
            return NOT_FOUND
        entry = self.entries[beta]
        return Reply(body=self.recordings.snapshot_bytes(entry.file), headers={"date": entry.date})

    def _date(self, path: str) -> str:
        return next(entry.date for key, entry in self.entries.items() if key.startswith(path))

    def _beta_page(self, seen: Seen) -> Reply:
        client = int(seen.query.get("client_id", "0"))
        rows = [row for row in self.agents if not client or self.client_of[row["site"]] == client]
        size, page = int(seen.query.get("page_size", "100")), int(seen.query.get("page", "1"))
        start = (page - 1) * size
        if page < 1 or (start >= len(rows) and page > 1):
            return as_json({"detail": "Invalid page."}, 404)
        more = start + size < len(rows)
        body = {
            "count": len(rows),
            "next": "http://elsewhere.invalid/beta/v1/agent/?page=2" if more else None,
            "previous": None,
            "results": rows[start : start + size],
        }
        return as_json(body, date=self._date("/beta/v1/agent/"))


def capture_reply(recordings: Recordings, name: str) -> Reply:
    """A recorded answer."""
    response = recordings.load_capture(name)["response"]
    kind = response["headers"].get("content-type", "")
    body = response["body"]
    content = body.encode() if "html" in kind else json.dumps(body).encode()
    kept = ("www-authenticate", "retry-after", "location")
    return Reply(
        response["status"], content, kind, {k: v for k, v in response["headers"].items() if k in kept}
    )


def capture_handler(recordings: Recordings, name: str) -> Handler:
    """The same recorded answer to every request."""
    reply = capture_reply(recordings, name)
    return lambda _: reply
