"""Reading installed software of the recorded fleet and of the simulator."""

import asyncio
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import pytest

from muster.providers.contract import (
    ProviderAuthError,
    ProviderError,
    ProviderPayloadError,
    ProviderPermissionError,
    ProviderUnavailable,
)
from muster.providers.inventory import SoftwareConnection, SoftwareReport
from muster.providers.tacticalrmm import software_records
from muster.simulator import FleetSpec, SimulatorServer
from muster.simulator.faults import Fault
from tests.providers.tacticalrmm.software_reading import AGENTS, answering, read, read_at
from tests.support.apart import simulator_apart
from tests.support.opening import opened
from tests.support.recordings import Recordings
from tests.support.replay import ReplayServer, Reply, Seen, SnapshotHandler, capture_reply, serving

# --- the recorded fleet -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded(recordings: Recordings) -> Iterator[ReplayServer]:
    with serving(SnapshotHandler(recordings)) as server:
        yield server


@pytest.fixture(scope="module")
def raw(recordings: Recordings) -> dict[str, list[dict[str, str]]]:
    """The recorded entries by agent id."""
    ids = {agent["id"]: agent["agent_id"] for agent in recordings.load_snapshot("agents_ids.json.gz")}
    return {ids[one["agent"]]: one["software"] for one in recordings.load_snapshot("software.json.gz")}


@pytest.fixture(scope="module")
def everybody(recordings: Recordings) -> list[str]:
    return [agent["agent_id"] for agent in recordings.load_snapshot("agents_ids.json.gz")]


@pytest.mark.recordings
async def test_the_recorded_fleet(
    recorded: ReplayServer, raw: dict[str, list[dict[str, str]]], everybody: list[str]
) -> None:
    found = await read_at(recorded.url, everybody)
    assert (found.end.reports, found.end.complete, found.end.problem) == (175, True, None)
    assert found.end.answered_at.isoformat().startswith("2026-11-23T")
    assert found.reports.keys() == raw.keys()
    told: Counter[str] = Counter()
    for key, report in found.reports.items():
        content = report.read()
        assert not content.rejected
        assert len(content.records) == len(raw[key])
        for one, entry in zip(content.records, raw[key], strict=True):
            dated = entry.get("install_date", "0001")[:10]
            assert one.name == " ".join(entry["name"].split())
            assert one.version == (entry["version"].strip() or None)
            assert one.publisher == (entry.get("publisher") or None)
            assert one.source == (entry.get("source", "").strip() or None)
            assert str(one.installed_on) == (str(None) if dated.startswith("0001") else dated)
            assert (one.size_bytes is None) == (entry.get("size", "0 B") == "0 B")
            told += Counter({name: 1 for name in one.__struct_fields__ if getattr(one, name) is not None})
    # Of these 1,429 are of agents of long ago, which know name and version only.
    unsaid = {"version": 508, "publisher": 254, "installed_on": 2_921, "size_bytes": 1_651, "source": 4_318}
    old = dict.fromkeys(unsaid, 1_429) | {"version": 0}
    assert told == {"name": 26_956} | {name: 26_956 - old[name] - unsaid[name] for name in unsaid}


@pytest.mark.recordings
async def test_what_is_understood_differently_has_another_digest(
    recorded: ReplayServer, everybody: list[str]
) -> None:
    """Where this fails, lists mean something else than before: raise TRANSLATION, and note both here."""
    found = await read_at(recorded.url, everybody)
    meant = sorted(str(one) for report in found.reports.values() for one in report.read().records)
    fingerprint = blake2b("\n".join(meant).encode(), digest_size=8).hexdigest()
    assert (software_records.TRANSLATION, fingerprint) == (1, "972cc89a3aa456fa")


@pytest.mark.recordings
async def test_one_request_beside_the_roster_and_none_that_wakes_an_agent(
    recordings: Recordings, everybody: list[str]
) -> None:
    with serving(SnapshotHandler(recordings)) as server:
        await read_at(server.url, everybody)
        assert [(seen.method, seen.path, seen.query) for seen in server.seen] == [
            ("GET", "/agents/", {"detail": "false"}),
            ("GET", "/software/", {}),
        ]


@pytest.mark.recordings
async def test_agents_that_nobody_asked_for_leave_nothing(
    recorded: ReplayServer, raw: dict[str, Any]
) -> None:
    one, *_ = raw
    found = await read_at(recorded.url, [one])
    assert found.reports.keys() == {one}
    assert (found.end.reports, found.end.complete) == (175, True)


@pytest.mark.recordings
async def test_a_recorded_answer_that_was_cut_proves_nothing(
    recordings: Recordings, recorded: ReplayServer, everybody: list[str]
) -> None:
    whole = await read_at(recorded.url, everybody)
    handler = SnapshotHandler(recordings)
    end = 0

    def cut(seen: Seen) -> Reply:
        reply = handler(seen)
        if seen.path != "/software/":
            return reply
        return Reply(body=reply.body[:end], headers=reply.headers)

    with serving(cut) as server:
        for end, reports in ((9, 0), (2_727_452, 54), (-1, 175)):  # noqa: B007 - `cut` takes it
            found = await read_at(server.url, everybody)
            assert not found.end.complete
            assert found.end.error is not None
            assert found.end.error.code == "payload"
            assert found.digests.items() <= whole.digests.items()
            assert len(found.reports) == found.end.reports == reports


@pytest.mark.recordings
@pytest.mark.parametrize("way", ["bulk", "one-by-one"])
@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("software_noperm", ProviderPermissionError, "can_list_software"),
        ("auth_apikey_invalid", ProviderAuthError, "credentials"),
        ("auth_apikey_expired", ProviderAuthError, "expired"),
    ],
)
async def test_captured_refusals(
    recordings: Recordings, way: str, name: str, kind: type[ProviderError], said: str
) -> None:
    with serving(answering(capture_reply(recordings, name))) as server:
        with pytest.raises(kind, match=said):
            await read_at(server.url, software=way)
        assert len(server.seen) == 2


@pytest.mark.recordings
async def test_captured_answers_about_one_agent(recordings: Recordings) -> None:
    with serving(answering(capture_reply(recordings, "software_one_windows"))) as server:
        found = await read_at(server.url, AGENTS[:1], software="one-by-one")
        assert found.names == {AGENTS[0]: []}
        assert (found.end.complete, found.end.reports) == (True, 1)
        # Of another agent than was asked for nothing is taken.
        other = await read_at(server.url, AGENTS[1:2], software="one-by-one")
        assert not other.reports
        assert not other.end.complete
    with serving(answering(capture_reply(recordings, "software_one_linux"))) as server:
        found = await read_at(server.url, AGENTS, software="one-by-one")
        assert not found.reports
        assert (found.end.complete, found.end.reports) == (True, 0)
    for name in ("software_one_404", "software_by_pk"):
        with serving(answering(capture_reply(recordings, name))) as server:
            found = await read_at(server.url, AGENTS[:2], software="one-by-one")
            assert not found.end.complete
            assert found.end.error is not None
            assert found.end.error.code == "not_found"


# --- the simulator ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorServer]:
    with SimulatorServer(FleetSpec(agents=40), frozen=True) as server:
        yield server


async def test_both_ways_bring_the_same_and_send_no_put(simulator: SimulatorServer) -> None:
    before = len(simulator.requests)
    async with opened(simulator.url, api_key=simulator.api_key) as connection:
        ids = list(await connection.roster())
        bulk = await read(connection, ids)
    each = await read_at(simulator.url, ids, api_key=simulator.api_key, software="one-by-one")
    requests = simulator.requests[before:]
    roster = "/agents/?detail=false"
    assert [seen.path for seen in requests[:4]] == [roster, roster, "/software/", roster]
    assert [seen.path for seen in requests[4:]] == [f"/software/{key}/" for key in ids]
    assert {seen.method for seen in requests} == {"GET"}
    assert each.digests == bulk.digests
    assert each.names == bulk.names
    assert each.end.reports == bulk.end.reports == len(bulk.reports) < len(ids)
    assert each.end.complete
    assert bulk.end.complete


async def test_what_changes_on_an_agent_changes_its_digest_alone() -> None:
    with SimulatorServer(FleetSpec(agents=20), frozen=True) as server:
        async with opened(server.url, api_key=server.api_key) as connection:
            ids = list(await connection.roster())
            before = await read(connection, ids)
            agent = next(key for key, names in before.names.items() if names)
            server.software.install(agent, "Brand New 1.0", "1.0")
            after = await read(connection, ids)
            assert dict(after.digests.items() - before.digests.items()).keys() == {agent}
            assert set(after.names[agent]) - set(before.names[agent]) == {"Brand New 1.0"}
            server.software.forget(agent)
            gone = await read(connection, ids)
    assert gone.reports.keys() == before.reports.keys() - {agent}
    assert gone.end.complete


async def test_a_key_that_sees_less_proves_nothing_about_the_rest(simulator: SimulatorServer) -> None:
    async with opened(simulator.url, api_key=simulator.api_key) as connection:
        everybody = list(await connection.roster())
        whole = await read(connection, everybody)
    limited = {"api_key": simulator.users["limited"].api_key}
    async with opened(simulator.url, limited) as connection:
        visible = list(await connection.roster())
    assert len(visible) < len(everybody)
    for way in ("bulk", "one-by-one"):
        found = await read_at(simulator.url, everybody, **limited, software=way)
        assert found.digests.items() < whole.digests.items()
        assert found.reports.keys() == whole.reports.keys() & set(visible)
        assert not found.end.complete
        assert "not listed" in (found.end.problem or "")
        assert (await read_at(simulator.url, visible, **limited, software=way)).end.complete


async def test_a_connection_that_is_cut_brings_nothing_and_is_tried_twice() -> None:
    with SimulatorServer(FleetSpec(agents=5), frozen=True) as server:
        server.add_fault("cut-body@/software/")
        async with opened(server.url, api_key=server.api_key) as connection:
            ids = list(await connection.roster())
            with pytest.raises(ProviderUnavailable) as caught:
                await read(connection, ids)
        assert caught.value.code == "broken_off"
        assert len([seen for seen in server.requests if seen.path == "/software/"]) == 2


@pytest.mark.parametrize("way", ["bulk", "one-by-one"])
async def test_an_agent_whose_list_is_none_is_told_of_and_the_others_stand(way: str) -> None:
    with SimulatorServer(FleetSpec(agents=20), frozen=True) as server:
        fields = {"api_key": server.api_key, "software": way}
        async with opened(server.url, fields) as connection:
            ids = list(await connection.roster())
            sound = await read(connection, ids)
            victim = next(key for key, names in sound.names.items() if names)
            server.add_fault(Fault("malformed-software", path="/software/", agent_id=victim))
            found = await read(connection, ids)
            with pytest.raises(ProviderPayloadError):
                found.reports[victim].read()
            assert found.end.complete
            assert found.reports.keys() == sound.reports.keys()
            assert dict(found.digests.items() - sound.digests.items()).keys() == {victim}
            server.faults.clear()
            server.add_fault(Fault("malformed-software", "entry", path="/software/", agent_id=victim))
            content = (await read(connection, ids)).reports[victim].read()
    assert [one.name for one in content.records] == sound.names[victim]
    assert len(content.rejected) == 5


def test_a_large_answer_takes_little_memory() -> None:
    async def reading() -> tuple[int, int]:
        with simulator_apart(400, weight="real") as server:
            async with opened(server.url, {"api_key": server.api_key}) as connection:
                assert isinstance(connection, SoftwareConnection)
                ids, size, number = list(await connection.roster()), 0, 0
                tracemalloc.start()
                async for item in connection.software(ids):
                    if isinstance(item, SoftwareReport):
                        size, number = size + item.size, number + 1
                        # To understand all of them would take too long while memory is watched.
                        if number % 10 == 0:
                            item.read()
                peak = tracemalloc.get_traced_memory()[1]
                tracemalloc.stop()
        return size, peak

    size, peak = asyncio.run(reading())
    assert size > 12_000_000
    assert peak < 6_000_000
