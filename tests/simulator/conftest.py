"""A small simulated server and a way to ask it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from muster.simulator import FleetSpec, SimulatorServer

AT = datetime(2030, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)

Ask = Callable[..., httpx2.Response]


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
