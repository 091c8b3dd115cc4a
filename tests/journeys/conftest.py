"""A Muster that serves and works, a simulated server, and a browser: on both deployments."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from muster.simulator import FleetSpec, SimulatorServer
from tests.support.chromium import chromium
from tests.support.house import House


# Not for the whole session: while Playwright runs, its thread has an event loop, and tests that bring one
# of their own could not run.
@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> House:
    """A fresh installation; the journey is made on each database."""
    return House(database_url, tmp_path)


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(FleetSpec(agents=40, seed=7)) as running:
        yield running
