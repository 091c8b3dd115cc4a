"""A time that the test moves."""

from datetime import UTC, datetime, timedelta

import pytest

from muster import clock
from muster.simulator import SimulatorServer


class Time:
    """Muster's time. A simulated server has its own; those in `servers` move along."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)
        self.servers: list[SimulatorServer] = []

    def pass_(self, **span: float) -> None:
        """Let it pass: `minutes=5`."""
        self.now += timedelta(**span)
        for server in self.servers:
            server.clock.advance(timedelta(**span))


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    """Muster's clock stands still until the test moves it."""
    moving = Time()
    monkeypatch.setattr(clock, "now", lambda: moving.now)
    return moving
