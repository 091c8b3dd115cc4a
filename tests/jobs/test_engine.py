"""Jobs are carried out once, fairly, within bounds; they fail, wait, end early and report as they should."""

import asyncio
import threading
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from muster import clock
from muster.db import Database
from muster.jobs.engine import EngineOptions
from muster.jobs.service import WorkerService
from muster.jobs.types import JobCancelled, JobContext, JobFailed, JobPostponed, JobSuspended
from tests.jobs.conftest import Desk, Start, soon


async def nothing(_job: JobContext) -> None:
    return None


async def test_a_job_is_carried_out_once_and_its_result_is_kept(desk: Desk, start: Start) -> None:
    seen: list[UUID] = []

    async def add(job: JobContext) -> Mapping[str, Any]:
        seen.append(job.job_id)
        return {"sum": job.payload["a"] + job.payload["b"], "actor": job.scope.actor}

    ticket = await desk.request("add", payload={"a": 1, "b": 2})
    async with start(add=add):
        done = await desk.until(ticket.job_id)
    assert (done.state, done.result, done.attempts) == ("succeeded", {"sum": 3, "actor": "someone"}, 1)
    assert done.started_at is not None
    assert done.finished_at is not None
    assert seen == [ticket.job_id]
    assert not ticket.joined


async def test_a_request_in_a_transaction_that_is_rolled_back_was_never_made(desk: Desk) -> None:
    async with desk.database.write(desk.scope) as session:
        await desk.jobs(session).request("kind", "key", {})
        await session.rollback()
    assert await desk.list() == []


async def test_a_second_request_joins_the_first_until_it_has_ended(desk: Desk, start: Start) -> None:
    first = await desk.request("sync", "one")
    assert (await desk.request("sync", "one")) == type(first)(first.job_id, joined=True)
    assert not (await desk.request("sync", "other")).joined
    assert not (await (await Desk.make(desk.database, "Other")).request("sync", "one")).joined
    async with start(sync=nothing):
        await desk.until(first.job_id)
    again = await desk.request("sync", "one")
    assert not again.joined
    assert again.job_id != first.job_id


async def test_many_requests_at_once_make_one_job(desk: Desk) -> None:
    tickets = await asyncio.gather(*(desk.request("sync", "one") for _ in range(12)))
    assert len({ticket.job_id for ticket in tickets}) == 1
    assert Counter(ticket.joined for ticket in tickets) == {True: 11, False: 1}


async def test_who_joins_a_waiting_job_can_bring_it_forward(desk: Desk, start: Start) -> None:
    later = await desk.request("sync", "one", not_before=clock.now() + timedelta(hours=1))
    async with start(sync=nothing):
        await asyncio.sleep(0.3)
        assert (await desk.get(later.job_id)).state == "requested"
        assert (await desk.request("sync", "one")).joined
        assert (await desk.until(later.job_id)).state == "succeeded"


async def test_a_failure_says_why_and_an_unexpected_one_does_not_tell_more_than_it_may(
    desk: Desk, start: Start
) -> None:
    async def fails(_job: JobContext) -> None:
        raise JobFailed("no_luck", "It did not work.", remedy="Try harder.", result={"half": True})

    async def breaks(_job: JobContext) -> None:
        raise RuntimeError("secret thing")

    one, two, three = [await desk.request(kind) for kind in ("fails", "breaks", "unknown")]
    async with start(fails=fails, breaks=breaks):
        failed, broken, unknown = [await desk.until(ticket.job_id) for ticket in (one, two, three)]
    assert (failed.state, failed.result) == ("failed", {"half": True})
    assert failed.error == {"code": "no_luck", "message": "It did not work.", "remedy": "Try harder."}
    assert broken.error is not None
    assert broken.error["code"] == "internal"
    assert "secret" not in str(broken.error)
    assert unknown.error is not None
    assert unknown.error["code"] == "unknown_kind"


async def test_a_waiting_job_is_cancelled_at_once_and_a_running_one_when_it_looks(
    desk: Desk, start: Start
) -> None:
    steps = 0

    async def long(job: JobContext) -> None:
        nonlocal steps
        while not job.cancelled():
            steps += 1
            job.report({"steps": steps})
            await asyncio.sleep(0.02)
        raise JobCancelled

    waiting = await desk.request("long", "later", not_before=clock.now() + timedelta(hours=1))
    assert (await desk.cancel(waiting.job_id)).state == "cancelled"
    running = await desk.request("long", "now")
    async with start(long=long):
        await soon(lambda: steps > 0)
        await soon(lambda: desk.reported(running.job_id))
        assert (await desk.cancel(running.job_id)).state == "started"
        ended = await desk.until(running.job_id)
    assert (ended.state, ended.progress) == ("cancelled", {"steps": steps})
    assert (await desk.cancel(running.job_id)).cancel_requested_at == ended.cancel_requested_at


async def test_a_postponed_job_is_tried_again_and_counts_as_one_attempt(desk: Desk, start: Start) -> None:
    tries = 0

    async def shy(job: JobContext) -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise JobPostponed(clock.now() + timedelta(seconds=0.2))

    ticket = await desk.request("shy")
    async with start(shy=shy):
        done = await desk.until(ticket.job_id)
    assert (tries, done.state, done.attempts) == (3, "succeeded", 1)


async def test_work_is_bounded_in_all_and_per_lane_and_no_tenant_starves(
    desk: Desk, start: Start, database: Database
) -> None:
    small = await Desk.make(database, "Small")
    for number in range(12):
        await desk.request("work", f"big-{number}", lane=f"lane-{number % 2}")
    last = await small.request("work", "small", lane="lane-2")
    running: Counter[str] = Counter()
    most: Counter[str] = Counter()
    order: list[UUID] = []

    async def work(job: JobContext) -> None:
        lane = (await (small if job.scope == small.scope else desk).get(job.job_id)).lane or ""
        order.append(job.job_id)
        for name in (lane, "all"):
            running[name] += 1
            most[name] = max(most[name], running[name])
        await asyncio.sleep(0.05)
        for name in (lane, "all"):
            running[name] -= 1

    options = EngineOptions(jobs=3, per_lane=1, poll=0.05, heartbeat=0.2)
    async with start(options, work=work):
        await soon(lambda: len(order) == 13)
    assert most["lane-0"] == most["lane-1"] == 1
    assert most["all"] <= 3
    # The big tenant asked twelve times before; the small one is among the first taken all the same.
    assert order.index(last.job_id) < 3


async def test_a_worker_that_ends_lets_jobs_finish_and_leaves_the_rest_to_the_next(
    desk: Desk, start: Start
) -> None:
    attempts: list[tuple[str, int]] = []
    let_go = asyncio.Event()

    async def quick(job: JobContext) -> None:
        attempts.append(("quick", job.attempt))
        while not job.stopping():
            await asyncio.sleep(0.01)

    async def polite(job: JobContext) -> None:
        attempts.append(("polite", job.attempt))
        while job.attempt == 1:
            if job.stopping():
                raise JobSuspended
            await asyncio.sleep(0.01)

    async def deaf(job: JobContext) -> None:
        attempts.append(("deaf", job.attempt))
        if job.attempt == 1:
            await let_go.wait()

    tickets = [await desk.request(kind) for kind in ("quick", "polite", "deaf")]
    options = EngineOptions(poll=0.05, heartbeat=0.2, grace=3)
    handlers = {"quick": quick, "polite": polite, "deaf": deaf}
    async with start(options, **handlers):
        await soon(lambda: len(attempts) == 3)
    states = [(await desk.get(ticket.job_id)).state for ticket in tickets]
    assert states == ["succeeded", "started", "started"]
    async with desk.database.read(system=True) as session:
        assert await WorkerService(session).list() == []
    async with start(options, **handlers):
        for ticket in tickets:
            assert (await desk.until(ticket.job_id)).state == "succeeded"
    assert sorted(attempts) == [("deaf", 1), ("deaf", 2), ("polite", 1), ("polite", 2), ("quick", 1)]


async def test_threads_do_not_grow_with_jobs(desk: Desk, start: Start) -> None:
    done = 0

    async def work(_job: JobContext) -> None:
        nonlocal done
        await asyncio.to_thread(sum, range(10))
        done += 1

    async with start(EngineOptions(jobs=10, poll=0.02, heartbeat=0.2), work=work):
        await desk.request("work", "first")
        await soon(lambda: done == 1)
        for number in range(60):
            await desk.request("work", str(number))
        await soon(lambda: done == 61)
        # DBOS's own pool has eight, and grows to that with use.
        assert threading.active_count() <= 40
    assert await desk.list("requested", "started") == []
