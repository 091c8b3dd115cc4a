"""The simulator as a bare ASGI application: no framework, since the oddities are what it is for."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from muster.simulator import (
    agents_api,
    alert_templates,
    alerts_api,
    auth,
    beta,
    clients,
    core,
    software_api,
    unsimulated,
    url_action_runs,
    url_actions,
)
from muster.simulator.access import authenticate
from muster.simulator.faults import Fault
from muster.simulator.http import HTML, Refusal, Request, Response, not_found_page, page, refuse, server_error
from muster.simulator.routing import Call, Routes, dispatch
from muster.simulator.state import SeenRequest, State

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MARK = "tactical-rmm-1.5.1"
MAX_BODY = 4 * 1024 * 1024
_SENT_AT_ONCE = 512 * 1024
_HUGE = 10 * 1024 * 1024
_DASHBOARD = (
    b'<!DOCTYPE html><html><head><title>Tactical RMM</title><meta charset="utf-8"></head>'
    b'<body><div id="q-app"></div><script type="module" src="/assets/index.js"></script></body></html>'
)
_BAD_GATEWAY = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    b"<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)


def _table() -> Routes:
    routes = Routes()
    own = (core, auth, clients, agents_api, beta, alerts_api, alert_templates, url_actions, url_action_runs)
    for family in (*own, software_api, unsimulated):
        family.register(routes)
    return routes


class SimulatorApp:
    """Answers requests from a State. `extensions["muster.transport"]`, when the server gives it, lets it
    break connections.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self._routes = _table()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One ASGI event stream; the lifespan is left to the server."""
        if scope["type"] != "http":
            return
        request = await _read(scope, receive)
        user = self._user(request)
        hits = self.state.faults.strike(request.full_path)
        if "slow" in hits:
            await asyncio.sleep(hits["slow"].seconds())
        transport = scope.get("extensions", {}).get("muster.transport")
        if "drop" in hits:
            self._remember(request, Response(0, content_type=None), user)
            transport.abort()
            await _gone(receive)
            return
        with self.state.fleet.lock:
            response = self._injected(hits) or self._answer(request, hits)
            date = self.state.clock.http_date()
        if response.later is not None:
            headers = response.headers
            response = await asyncio.to_thread(response.later)
            response.headers = headers | response.headers
        if request.method == "HEAD":
            response.body = b""
        self._remember(request, response, user)
        await _write(response, date, send, cut="cut-body" in hits)
        if "cut-body" in hits:
            transport.close()
            await _gone(receive)

    def _user(self, request: Request) -> str | None:
        try:
            caller = authenticate(request, self.state.accounts)
        except Refusal:
            return None
        return caller.user.username if caller else None

    def _remember(self, request: Request, response: Response, user: str | None) -> None:
        seen = SeenRequest(request.method, request.full_path, response.status, response.size, user)
        self.state.requests.append(seen)

    @staticmethod
    def _injected(hits: dict[str, Fault]) -> Response | None:
        """The answer a fault gives instead of the server's."""
        if "dashboard" in hits:
            return Response(200, _DASHBOARD, "text/html")
        if "error502" in hits:
            return Response(502, _BAD_GATEWAY, "text/html")
        if "error500" in hits:
            return server_error().response
        if "throttle429" in hits:
            wait = max(0, round(hits["throttle429"].seconds()))
            text = f"Request was throttled. Expected available in {wait} seconds."
            return refuse(429, text, Retry_After=str(wait)).response
        if "huge-body" in hits:
            piece = b'"padding padding padding padding",'
            inside = piece * (_HUGE // len(piece)) + b'"end"'
            opened, closed = (b'{"huge":[', b"]}") if hits["huge-body"].value == "object" else (b"[", b"]")
            return Response(200, [opened, inside, closed])
        return None

    def _answer(self, request: Request, hits: dict[str, Fault]) -> Response:
        state = self.state
        if not state.host_allowed(request.host):
            return page(400, "Bad Request (400)")
        beta_off = not state.beta_enabled or "beta-off" in hits
        if beta_off and request.path.startswith("/beta"):
            return not_found_page().response
        found = self._routes.resolve(request.path)
        if found is None:
            if not request.path.endswith("/") and self._routes.resolve(f"{request.path}/"):
                query = f"?{request.query}" if request.query else ""
                return Response(301, b"", HTML, {"Location": f"{request.path}/{query}"})
            return not_found_page().response
        endpoint, pieces = found
        return dispatch(endpoint, Call(state, request, pieces, hits))


async def _read(scope: Message, receive: Receive) -> Request:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")[: MAX_BODY + 1 - len(body)]
        if not message.get("more_body"):
            break
    # As the recorded server behind its proxy did: X-Forwarded-Proto counts, X-Forwarded-Host does not.
    secure = headers.get("x-forwarded-proto") == "https"
    return Request(
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        body=bytes(body[:MAX_BODY]),
        client_ip=scope["client"][0] if scope.get("client") else "",
        scheme="https" if secure else scope["scheme"],
    )


async def _write(response: Response, date: str, send: Send, *, cut: bool) -> None:
    headers = {
        "Date": date,
        "Server": "muster-simulator",
        "X-Muster-Simulator": MARK,
        "Vary": "origin",
        **response.headers,
    }
    if response.content_type is not None:
        headers["Content-Type"] = response.content_type
    if response.status != 204:
        headers["Content-Length"] = str(response.size)
    encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": encoded})
    pieces = [response.body] if isinstance(response.body, bytes) else response.body
    left = response.size // 2 if cut else response.size
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece[:left])
        size += len(waiting[-1])
        left -= len(waiting[-1])
        if size > _SENT_AT_ONCE:
            await send({"type": "http.response.body", "body": b"".join(waiting), "more_body": True})
            waiting, size = [], 0
        if not left:
            break
    await send({"type": "http.response.body", "body": b"".join(waiting), "more_body": cut})


async def _gone(receive: Receive) -> None:
    """Wait until the server has noticed that the connection is closed, so that it says no more on it."""
    while (await receive())["type"] != "http.disconnect":
        pass
