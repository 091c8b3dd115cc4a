"""Which jobs are taken: bounded, by tenant in turn, oldest first."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from muster.jobs.rules import Running, Waiting, choose

_START = datetime(2026, 1, 1, tzinfo=UTC)
TENANTS = [UUID(int=number) for number in range(1, 5)]
lanes = st.sampled_from([None, "a", "b", "c"])
running = st.lists(st.builds(Running, st.sampled_from(TENANTS), lanes), max_size=12)


@st.composite
def waiting(draw: st.DrawFn) -> list[Waiting]:
    drawn = draw(st.lists(st.tuples(st.sampled_from(TENANTS), lanes, st.integers(0, 50)), max_size=30))
    return [
        Waiting(tenant, UUID(int=1000 + number), lane, _START + timedelta(seconds=second))
        for number, (tenant, lane, second) in enumerate(drawn)
    ]


@given(waiting(), running, st.integers(0, 10), st.integers(1, 3))
def test_bounds_hold_and_nothing_is_left_that_could_have_been_taken(
    jobs: list[Waiting], busy: list[Running], free: int, per_lane: int
) -> None:
    chosen = choose(jobs, busy, free=free, per_lane=per_lane)
    assert len(chosen) == len(set(chosen)) <= free
    assert set(chosen) <= set(jobs)
    before = Counter(job.lane for job in busy)
    filled = before + Counter(job.lane for job in chosen)
    assert all(filled[lane] <= max(per_lane, before[lane]) for lane in filled if lane is not None), (
        "a lane that was too full already gets no more"
    )
    if len(chosen) < free:
        left = [job for job in jobs if job not in chosen]
        assert all(job.lane is not None and filled[job.lane] >= per_lane for job in left)


@given(waiting(), running, st.integers(0, 10), st.integers(1, 3))
def test_a_tenant_s_jobs_of_one_lane_are_taken_in_their_order(
    jobs: list[Waiting], busy: list[Running], free: int, per_lane: int
) -> None:
    chosen = set(choose(jobs, busy, free=free, per_lane=per_lane))
    for tenant in TENANTS:
        for lane in (None, "a", "b", "c"):
            own = sorted(
                (job for job in jobs if (job.tenant_id, job.lane) == (tenant, lane)),
                key=lambda job: (job.requested_at, job.job_id),
            )
            taken = [job in chosen for job in own]
            assert taken == sorted(taken, reverse=True)


@given(st.integers(1, 50), st.integers(1, 8), running)
def test_a_heap_of_one_tenant_s_jobs_does_not_hold_up_another_s(
    heap: int, free: int, busy: list[Running]
) -> None:
    big, small = TENANTS[0], TENANTS[1]
    jobs = [Waiting(big, UUID(int=number), None, _START) for number in range(1, heap + 1)]
    late = Waiting(small, UUID(int=999), None, _START + timedelta(days=1))
    counts = Counter(job.tenant_id for job in busy)
    chosen = choose([*jobs, late], busy, free=free, per_lane=1)
    if counts[small] < counts[big]:
        assert chosen[0] == late
    elif free > counts[small] - counts[big] + 1:
        assert late in chosen
