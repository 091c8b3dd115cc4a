"""`muster job` and syncs that a worker carries out."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from muster.db import Database
from muster.simulator import FleetSpec, SimulatorServer
from tests.support.cli import Muster
from tests.support.workers import Works


@pytest.fixture
async def works(database: Database, tmp_path: Path) -> Works:
    return await Works.open(database, tmp_path / "data")


@pytest.fixture
def cli(works: Works) -> Muster:
    return Muster(works.settings_of_workers())


async def items(cli: Muster, *arguments: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = (await asyncio.to_thread(cli.done, *arguments))["items"]
    return listed


async def test_a_job_is_listed_shown_and_cancelled(works: Works, cli: Muster) -> None:
    with SimulatorServer(FleetSpec(agents=5, seed=1), frozen=True) as server:
        await works.connect(server)
    asked = await asyncio.to_thread(cli.done, "sync", "devices", "Tactical", "--background")
    again = await asyncio.to_thread(cli.done, "sync", "devices", "Tactical", "--background")
    assert (asked["joined"], again) == (False, {"job_id": asked["job_id"], "joined": True})
    (job,) = await items(cli, "job", "list", "--state", "requested")
    assert (job["job_id"], job["kind"], job["payload"]["trigger"]) == (
        asked["job_id"],
        "sync_devices",
        "command",
    )
    assert (await asyncio.to_thread(cli.done, "job", "show", asked["job_id"])) == job
    ended = await asyncio.to_thread(cli.done, "job", "cancel", asked["job_id"])
    assert ended["state"] == "cancelled"
    assert await items(cli, "job", "list", "--state", "requested") == []
    assert await items(cli, "job", "workers") == []
    told = await asyncio.to_thread(cli, "job", "cancel", asked["job_id"])
    assert told.out == "It is cancelled.\n"


async def test_wrong_words_are_refused(cli: Muster) -> None:
    wrong = await asyncio.to_thread(cli, "job", "list", "--state", "nonsense", "--json")
    assert (wrong.code, wrong.error["code"]) == (2, "invalid_input")
    for reference in ("nonsense", "0199f0a3-0000-7000-8000-000000000000"):
        missing = await asyncio.to_thread(cli, "job", "show", reference, "--json")
        assert (missing.code, missing.error["code"]) == (1, "not_found")


@pytest.mark.slow
async def test_a_command_has_a_living_worker_do_the_sync_and_follows_it(works: Works, cli: Muster) -> None:
    with SimulatorServer(FleetSpec(agents=40, seed=1), frozen=True) as server:
        integration_id = await works.connect(server)
        await works.map_all(integration_id)
        await works.unschedule(integration_id)
        async with works.worker() as worker:
            run = await asyncio.to_thread(cli.done, "sync", "devices", "Tactical")
            (job,) = await works.jobs()
            assert f"/{worker.pid}/" in (job.worker or "")
            (living,) = await items(cli, "job", "workers")
            assert (living["executor_id"], living["dead"]) == (job.worker, False)
            plan = await asyncio.to_thread(cli.done, "sync", "devices", "Tactical", "--plan")
            assert plan["created"] == 0
            assert len(await works.jobs()) == 1, "a plan is made by the command itself"
    assert (run["status"], run["created"], run["id"]) == ("succeeded", 40, str(job.job_id))
    assert job.state == "succeeded"
    assert job.result is not None
    assert job.result["run_id"] == str(job.job_id)
