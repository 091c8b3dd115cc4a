"""A small simulated server and a way to ask it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from muster.simulator import FleetSpec, SimulatorServer
from tests.simulator.sink import TEMPLATE, Sink, listening

AT = datetime(2030, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)

Ask = Callable[..., httpx2.Response]
Provision = Callable[..., int]


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    """Forty agents, time standing still."""
    with SimulatorServer(FleetSpec(agents=40, seed=3), at=AT, frozen=True) as running:
        yield running


@pytest.fixture
def ask(server: SimulatorServer) -> Iterator[Ask]:
    """Ask the server: `ask("/clients/")`, as the admin, `user="limited"`, or with own headers."""
    with httpx2.Client(base_url=server.url, timeout=30) as client:

        def asking(
            path: str, method: str = "GET", user: str | None = "admin", **rest: Any
        ) -> httpx2.Response:
            headers = {"X-API-KEY": server.users[user].api_key} if user else {}
            headers |= rest.pop("headers", {})
            return client.request(method, path, headers=headers, **rest)

        yield asking


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A receiver of webhooks."""
    with listening() as opened:
        yield opened


@pytest.fixture
def provision(server: SimulatorServer, sink: Sink) -> Provision:
    """Have webhooks of both events sent to the sink, or a URL, by a default template; its fields may be
    given, False for a URL action takes it away. It moves the time on by a minute and gives the template's pk.
    """

    def made(url: str | None = None, **fields: Any) -> int:
        settings, now = server.state.alert_settings, server.clock.now_us()
        actions = []
        for event in ("trigger", "resolve"):
            body = TEMPLATE.replace('"trigger"', f'"{event}"')
            headers = '{"Content-Type":"application/json"}'
            values = {"pattern": url or sink.url(), "rest_body": body, "rest_headers": headers}
            actions.append(settings.actions.add({"name": event, **values}, who="admin", now=now).pk)
        use: dict[str, Any] = {"action_type": "rest", "resolved_action_type": "rest"}
        use |= {"action_rest": actions[0], "resolved_action_rest": actions[1]}
        for name in ("action_rest", "resolved_action_rest"):
            if fields.get(name, True) is False:
                use[name], fields[name] = None, None
        template = settings.templates.add({"name": "Call", **use, **fields}, who="admin", now=now)
        settings.put_core({"alert_template": template.pk})
        server.clock.advance(timedelta(minutes=1))
        return template.pk

    return made


def events(server: SimulatorServer, sink: Sink) -> list[tuple[str, str, str]]:
    """Event, alert and severity of what arrived until nothing was to be sent any more."""
    server.webhooks.wait(10)
    return [(b["event"], b["alert_id"], b["severity"]) for b in (seen.json for seen in sink.arrived)]
