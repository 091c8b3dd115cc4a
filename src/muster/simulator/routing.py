"""The URL table and the order in which the server looks at a request.

As in the real server: the URL is resolved first (a URL that fits no pattern is an HTML 404, one that lacks
only its slash a 301), then come the Accept header, the credential, the permission, the throttle, the method.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from muster.simulator.access import Caller, authenticate, not_authenticated
from muster.simulator.faults import Fault
from muster.simulator.http import HTML, Refusal, Request, Response, accepts_json, answer, forbidden, refuse

if TYPE_CHECKING:
    from muster.simulator.state import State


@dataclass(slots=True)
class Call:
    """A request on its way through an endpoint: who asks, with which pieces of the URL."""

    state: "State"
    request: Request
    pieces: dict[str, str]
    # The faults that hit this request, by kind.
    faults: dict[str, Fault] = field(default_factory=dict)
    identity: Caller | None = None

    @property
    def caller(self) -> Caller:
        """Who asks; 401 when nobody was named."""
        if self.identity is None:
            raise not_authenticated()
        return self.identity


Handler = Callable[[Call], Response]
Permission = Callable[[Call], bool]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What answers one URL: handlers by method, the Allow header as the server writes it, who may ask.

    `permission` None: anybody, even without a credential. `throttle` names one of the state's throttles.
    """

    handlers: dict[str, Handler]
    allow: str
    permission: Permission | None
    throttle: str | None = None


def signed_in(call: Call) -> bool:
    """The permission of URLs that only need a credential."""
    return call.caller is not None


def _options() -> Response:
    parses = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"]
    return answer({"name": "", "description": "", "renders": ["application/json"], "parses": parses})


def _run(endpoint: Endpoint, call: Call) -> Response:
    request, state = call.request, call.state
    if not accepts_json(request.headers.get("accept")):
        raise refuse(406, "Could not satisfy the request Accept header.")
    call.identity = authenticate(request, state.accounts)
    if endpoint.permission is not None:
        # Naming the caller first: a 401 comes before any 403 or 404.
        _ = call.caller
        if not endpoint.permission(call):
            raise forbidden()
    # Only calls without a credential are throttled.
    if endpoint.throttle is not None and call.identity is None:
        client = "".join(request.headers.get("x-forwarded-for", request.client_ip).split())
        wait = state.throttles[endpoint.throttle].wait(client, state.clock.now_us())
        if wait is not None:
            unit = "second" if wait == 1 else "seconds"
            text = f"Request was throttled. Expected available in {wait} {unit}."
            raise refuse(429, text, Retry_After=str(wait))
    method = "GET" if request.method == "HEAD" and "HEAD" in endpoint.allow else request.method
    if method == "OPTIONS" and "OPTIONS" in endpoint.allow:
        return _options()
    handler = endpoint.handlers.get(method)
    if handler is None and method in endpoint.allow.split(", "):
        raise refuse(501, f"The simulator does not do {method} on this URL; the real server does.")
    if handler is None:
        raise refuse(405, f'Method "{request.method}" not allowed.')
    return handler(call)


def dispatch(endpoint: Endpoint, call: Call) -> Response:
    """Answer a call; whatever the REST framework itself answers carries the Allow header, an HTML page does
    not.
    """
    try:
        response = _run(endpoint, call)
    except Refusal as refusal:
        response = refusal.response
    if response.content_type != HTML:
        response.headers.setdefault("Allow", endpoint.allow)
    return response


_CONVERTERS = {"any": "(.*/)?", "int": "[0-9]{1,18}", "agent": "[^/]{20}[^/]+", "pk": "[^/.]+"}


class Routes:
    """The URL table. Patterns are Django's: `<int:pk>`, `<agent:agent_id>` (21 characters or more),
    `<pk:pk>`.
    """

    def __init__(self) -> None:
        self._table: list[tuple[re.Pattern[str], Endpoint]] = []

    def add(self, path: str, endpoint: Endpoint) -> None:
        """Register an endpoint under a path that ends with a slash."""
        pattern = re.sub(r"<(\w+):(\w+)>", lambda m: f"(?P<{m[2]}>{_CONVERTERS[m[1]]})", path)
        self._table.append((re.compile(pattern), endpoint))

    def resolve(self, path: str) -> tuple[Endpoint, dict[str, str]] | None:
        """The endpoint of a path with the pieces of it, or None."""
        for pattern, endpoint in self._table:
            match = pattern.fullmatch(path)
            if match:
                return endpoint, match.groupdict()
        return None
