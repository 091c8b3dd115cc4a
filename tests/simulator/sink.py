"""A receiver of webhooks that keeps them byte for byte, as the recordings have them."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

# The recorded set-up's body (hook_1_post_urlaction), compact as it was.
TEMPLATE = (
    '{"agent_id":"{{agent.agent_id}}","alert_id":"{{alert.id}}","event":"trigger",'
    '"severity":"{{alert.severity}}","message":"{{alert.message}}","alert_time":"{{alert.alert_time}}",'
    '"client_id":"{{client.id}}","site_id":"{{site.id}}","hostname":"{{agent.hostname}}",'
    '"alert_type":"{{alert.alert_type}}"}'
)


@dataclass(frozen=True)
class Arrived:
    """One request as it came over the wire."""

    request_line: str
    headers: list[str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body decoded once."""
        return json.loads(self.body)


@dataclass
class Sink:
    """`arrived` so far. `answer` gives each answer's status line and headers' lines; it may take its time or
    ask the sender's API first.
    """

    port: int
    arrived: list[Arrived] = field(default_factory=list)
    answer: Callable[[Arrived], str] = lambda _: "200 OK"
    body: bytes = b'{"ok":true}'

    def url(self, path: str = "/hook?token=abc") -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}{path}"

    def take(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as file:
            lines = []
            while line := file.readline().rstrip(b"\r\n"):
                lines.append(line.decode("latin-1"))
            if not lines:
                return
            length = next(
                (int(line[16:]) for line in lines if line.lower().startswith("content-length: ")), 0
            )
            seen = Arrived(lines[0], lines[1:], file.read(length))
            self.arrived.append(seen)
            rest = f"Content-Length: {len(self.body)}\r\nConnection: close"
            connection.sendall(f"HTTP/1.1 {self.answer(seen)}\r\n{rest}\r\n\r\n".encode() + self.body)


@contextmanager
def listening() -> Iterator[Sink]:
    """A sink on a free loopback port; every connection has a thread."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        sink = Sink(listener.getsockname()[1])
        over = threading.Event()

        def accept() -> None:
            while True:
                connection, _ = listener.accept()
                if over.is_set():
                    connection.close()
                    return
                threading.Thread(target=sink.take, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield sink
        over.set()
        socket.create_connection(("127.0.0.1", sink.port)).close()
        thread.join()
