"""The fault run: a server's own webhooks while the process that receives them is killed; one reconciliation
afterwards makes both sides agree.
"""

from pathlib import Path

import pytest

from muster.db import Database
from tests.inbound_webhooks.surviving import survived


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_webhooks_survive_kills_of_the_receiver(database: Database, tmp_path: Path) -> None:
    run = await survived(database, tmp_path / "data", webhooks=600, kills=3, seed=5)
    assert run.attempts.total() > 500
    assert max(run.attempts.values()) > 1
    assert run.answered.total() < run.attempts.total()


@pytest.mark.soak
@pytest.mark.timeout(7200)
async def test_ten_thousand_webhooks_survive_ten_kills(database: Database, tmp_path: Path) -> None:
    run = await survived(database, tmp_path / "data", webhooks=10_000, kills=10, seed=6, agents=300)
    assert run.attempts.total() > 9_500
    assert max(run.attempts.values()) > 1
    assert run.answered.total() < run.attempts.total()
