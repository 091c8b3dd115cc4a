"""Where a sync is in what it reads, and how fast."""

from datetime import UTC, datetime

import pytest

from muster.providers.contract import DeviceChunk, OrganizationRead, RejectedRow
from muster.sync import position
from muster.sync.position import Position


class Stopwatch:
    """Seconds that the test moves."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Stopwatch:
    stopwatch = Stopwatch()
    monkeypatch.setattr(position, "time", stopwatch)
    return stopwatch


def chunk(count: int, source: str = "light") -> DeviceChunk:
    rows = tuple(RejectedRow(position=n, field=None, reason="odd", external_id=None) for n in range(count))
    return DeviceChunk(
        organization_id="1", source=source, answered_at=datetime.now(UTC), records=(), rejected=rows
    )


def end(source: str = "light") -> OrganizationRead:
    return OrganizationRead(organization_id="1", source=source, received=1, expected=1, complete=True)


def test_a_pass_counts_devices_and_organizations(watch: Stopwatch) -> None:
    at = Position()
    at.take(chunk(30), "Acme")
    at.take(end(), "Acme")
    at.take(chunk(12), "Contoso")
    assert (at.pass_name, at.read, at.organization, at.organizations) == ("light", 42, "Contoso", 1)
    assert (at.reads, at.ended) == ({"1": 42}, {"1"})
    at.take(chunk(5, "detail"), "Acme")
    assert (at.pass_name, at.read, at.organization, at.organizations) == ("detail", 5, "Acme", 0)
    assert (at.reads, at.ended) == ({"1": 5}, set())


def test_what_an_earlier_attempt_read_counts_but_in_no_shorter_list(watch: Stopwatch) -> None:
    at = Position()
    at.skipped = 100
    at.ended = {"7"}
    at.take(chunk(10), "Acme")
    assert (at.read, at.ended) == (110, {"7"})
    at.begin("single", total=20)
    at.add(10)
    assert (at.read, at.total) == (10, 20)


def test_the_rate_is_that_of_late(watch: Stopwatch) -> None:
    at = Position()
    assert at.rate() is None
    at.begin("light")
    at.add(10)
    assert at.rate() is None
    for _ in range(60):
        watch.seconds += 1
        at.add(2)
    assert at.rate() == pytest.approx(2.0)
    for _ in range(60):
        watch.seconds += 1
        at.add(50)
    assert at.rate() == pytest.approx(50.0)
