"""What devices report as installed is taken in: what is asked for and written, what is never concluded."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from uuid import UUID

import pytest

from muster.db.types import new_id
from muster.errors import Conflict
from muster.events.schemas import EventView
from muster.events.service import EventService
from muster.events.types import ON_REQUEST, EventType
from muster.jobs.service import JobService
from muster.jobs.types import JobCancelled, JobSuspended
from muster.outbound_webhooks.schemas import SubscriptionInput
from muster.outbound_webhooks.service import SubscriptionService
from muster.simulator import FleetSpec, SimulatorServer
from muster.simulator.agents import Agent
from muster.software.schemas import AssetSoftware
from muster.software.service import SoftwareCatalog
from muster.sync import service, software, words
from muster.sync.jobs import request_software
from muster.sync.schemas import EntryView, Preview, RunView
from tests.providers.second import AcmeServer, acme
from tests.schedules.hands import Hands
from tests.support.job import Job
from tests.support.statements import statements
from tests.support.time import Time
from tests.support.world import World
from tests.sync.installed import changes, installs, inventory, listed, programs
from tests.sync.test_writes import written

# What a run moves when there is nothing to write of software: itself, when it was read, and the events of its
# beginning and end.
RUN_ALONE = {"sync_runs", "events", "event_sequences", "software_readings"}


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(FleetSpec(agents=40, seed=3), frozen=True) as running:
        yield running


@pytest.fixture
async def ingested(world: World, server: SimulatorServer, time: Time) -> UUID:
    """An integration whose software was read once."""
    time.servers.append(server)
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    await world.devices(integration_id)
    run = await world.software(integration_id)
    assert run.status == "succeeded", run.error
    time.pass_(minutes=1)
    return integration_id


def reporting(server: SimulatorServer) -> list[Agent]:
    """Machines that list something."""
    return [agent for pk in server.fleet.pks() if server.software.of(agent := server.fleet.agent(pk))]


def asked(server: SimulatorServer, since: int = 0) -> list[tuple[str, str]]:
    """Requests after a number of them."""
    return [(seen.method, seen.path) for seen in server.requests[since:]]


async def events(world: World, *types: str) -> Sequence[EventView]:
    async with world.database.read(world.scope) as session:
        return await EventService(session, world.scope).list(types, limit=10_000)


async def lines(world: World, run: RunView) -> dict[str, list[EntryView]]:
    """A run's entries by their reason."""
    found: dict[str, list[EntryView]] = {}
    for entry in await world.entries(run):
        found.setdefault(entry.reason, []).append(entry)
    return found


async def of_agent(world: World, agent: Agent) -> AssetSoftware:
    """What Muster knows of a machine."""
    asset = (await world.assets())[agent.agent_id]
    async with world.database.read(world.scope) as session:
        return await SoftwareCatalog(session, world.scope).of_asset(asset.asset_id, limit=10_000, offset=0)


async def test_what_devices_list_becomes_installs_and_a_second_run_writes_nothing(
    world: World, server: SimulatorServer, ingested: UUID
) -> None:
    (run, *_) = await world.runs()
    there = {agent.agent_id: listed(world, server, agent) for agent in reporting(server)}
    assets = await world.assets()
    # Some machines have no row, one an empty list: neither is taken for the other.
    silent = [pk for pk in server.fleet.pks() if server.software.of(pk) is None]
    assert silent
    assert len(there) > 20
    assert (run.sync_type, run.mode, run.failed, run.updated) == ("software", "full", 0, 0)
    assert run.created == run.processed == len(server.fleet.pks()) - len(silent)
    found = await installs(world)
    assert {assets[each].asset_id: wanted for each, wanted in there.items()} == {
        asset_id: programs(each) for asset_id, each in found.items()
    }
    for pk in silent:
        assert not (await of_agent(world, server.fleet.agent(pk))).reported
    count = sum(map(len, found.values()))
    assert words.result(run) == f"{count:,} programs on {run.created} new devices"
    # A beginning is no change.
    assert await changes(world) == []
    assert await events(world, *ON_REQUEST) == []
    before, first = await inventory(world), len(server.requests)
    with statements(world.database) as seen:
        again = await world.software(ingested)
    assert (again.status, again.unchanged, again.processed) == ("succeeded", run.created, run.created)
    assert (again.created, again.updated, await world.entries(again)) == (0, 0, [])
    assert set(written(seen)) <= RUN_ALONE
    assert written(seen)["events"] == 2
    assert len(seen) < 30
    assert await inventory(world) == before
    # In bulk, and only what the server has stored: nothing is refreshed on the agents.
    assert asked(server, first).count(("GET", "/software/")) == 1
    assert {method for method, path in asked(server) if path.startswith("/software/")} == {"GET"}
    assert again.requests == 2
    assert words.result(again) == f"{run.created} unchanged"


async def test_it_says_nothing_of_the_fleet(world: World, server: SimulatorServer, ingested: UUID) -> None:
    before = await world.integration(ingested)
    server.add_fault("error500@/software/")
    run = await world.software(ingested)
    assert (run.status, run.error and run.error["code"]) == ("failed", "unavailable")
    after = await world.integration(ingested)
    assert (after.last_sync_at, after.sync_status, after.sync_error) == (
        before.last_sync_at,
        before.sync_status,
        before.sync_error,
    )


async def test_what_changes_is_told_line_by_line_and_sent_to_who_asks(
    world: World, server: SimulatorServer, ingested: UUID, time: Time
) -> None:
    agent, other = reporting(server)[:2]
    server.software.install(agent, "Zebra Viewer", "1.9", publisher="Zebra Inc.")
    server.software.install(other, "Quagga Tool", "2")
    run = await world.software(ingested)
    assert (run.created, run.updated) == (0, 2)
    # Nobody has asked for them.
    assert await events(world, *ON_REQUEST) == []
    async with world.database.write(world.scope) as session:
        subscriptions = SubscriptionService(session, world.scope, world.box)
        await subscriptions.add(
            SubscriptionInput(
                name="Inventory",
                url="https://hooks.example.com/",
                event_types=[EventType.SOFTWARE_UPDATED, EventType.SOFTWARE_REMOVED],
            )
        )
    time.pass_(minutes=1)
    server.software.upgrade(agent, "Zebra Viewer", "1.10")
    server.software.install(agent, "Okapi", "3.0")
    server.software.remove(other, "Quagga Tool")
    run = await world.software(ingested)
    assert (run.status, run.updated, run.unchanged) == ("succeeded", 2, run.processed - 2)
    assert words.result(run) == "1 installed, 1 updated, 1 removed"
    assets = await world.assets()
    said = {entry.external_id: entry for entry in (await lines(world, run))["list_changed"]}
    assert {key: entry.message for key, entry in said.items()} == {
        agent.agent_id: "Installed Okapi 3.0. Updated Zebra Viewer 1.10.",
        other.agent_id: "Removed Quagga Tool 2.",
    }
    assert said[agent.agent_id].asset_id == assets[agent.agent_id].asset_id
    assert said[agent.agent_id].name == assets[agent.agent_id].name
    found = {each.type: each for each in await events(world, *ON_REQUEST)}
    assert set(found) == ON_REQUEST
    updated = found[EventType.SOFTWARE_UPDATED]
    asset = assets[agent.agent_id]
    assert (updated.subject, updated.data["run_id"]) == (str(asset.asset_id), str(run.run_id))
    wanted = {
        "integration_id": str(ingested),
        "device_id": agent.agent_id,
        "device_name": asset.name,
        "name": "Zebra Viewer",
        "publisher": "Zebra Inc.",
        "version": "1.10",
        "from_version": "1.9",
    }
    assert wanted.items() <= updated.data.items()
    assert "from_version" not in found[EventType.SOFTWARE_REMOVED].data
    assert [(each.kind, each.name) for each in await changes(world)][:3]
    assert {(each.kind, each.version, each.from_version) for each in await changes(world)} == {
        ("installed", "1.9", None),
        ("installed", "2", None),
        ("updated", "1.10", "1.9"),
        ("installed", "3.0", None),
        ("removed", "2", None),
    }


async def test_only_assets_of_mapped_organizations_leave_anything(
    world: World, server: SimulatorServer
) -> None:
    integration_id = await world.connect(server)
    organizations = await world.organizations(integration_id)
    assert organizations.created > 2
    # Without an asset the server is not even asked.
    first = len(server.requests)
    assert (await world.software(integration_id)).status == "succeeded"
    assert len(server.requests) == first
    names = [mapping.external_organization_name for mapping in await world.mappings(integration_id)]
    await world.map_all(integration_id, but=names[:1])
    await world.devices(integration_id)
    run = await world.software(integration_id)
    assets = await world.assets()
    mine = {agent.agent_id for agent in reporting(server) if agent.agent_id in assets}
    assert 0 < len(mine) < len(reporting(server))
    assert set(await inventory(world)) == mine
    # Nor are those read whose organization brings nothing in any more.
    await world.map_all(integration_id)
    (unmapped,) = [
        m for m in await world.mappings(integration_id) if m.external_organization_name == names[0]
    ]
    await world.devices(integration_id)
    assert run.processed < (await world.software(integration_id)).processed
    assert unmapped.client_id is not None


@pytest.mark.parametrize("fault", ["cut-body@/software/", "short-list=70@/software/"])
async def test_a_shrunken_answer_removes_nothing(
    world: World, server: SimulatorServer, ingested: UUID, fault: str
) -> None:
    before = await inventory(world)
    server.add_fault(fault)
    run = await world.software(ingested)
    assert run.status in {"succeeded", "partial", "failed"}
    assert await inventory(world) == before
    assert await changes(world) == []
    server.faults.clear()
    again = await world.software(ingested)
    assert (again.status, again.updated, again.created) == ("succeeded", 0, 0)
    assert await inventory(world) == before


async def test_a_restricted_key_removes_nothing_and_says_so(
    world: World, server: SimulatorServer, ingested: UUID
) -> None:
    before = await inventory(world)
    user = server.users["limited"]
    await world.update(ingested, api_key=user.api_key)
    assert (await world.connector.check(world.scope, ingested)).ok
    run = await world.software(ingested)
    assert run.status == "partial"
    assert run.error is not None
    assert "left as it is" in run.error["message"]
    assert run.processed < len(before)
    assert await inventory(world) == before
    assert await changes(world) == []
    # Hidden is not silent.
    assert {(await of_agent(world, agent)).missed_since for agent in reporting(server)} == {None}


async def test_an_empty_list_is_not_believed_and_silence_is_told_apart(
    world: World, server: SimulatorServer, ingested: UUID
) -> None:
    emptied, silent, *_ = reporting(server)
    before = await inventory(world)
    server.software.empty(emptied)
    server.software.forget(silent)
    run = await world.software(ingested)
    assert (run.status, run.updated, run.missing, run.failed) == ("succeeded", 0, 0, 0)
    said = await lines(world, run)
    assert [entry.external_id for entry in said["list_emptied"]] == [emptied.agent_id]
    assert [entry.name for entry in said["not_reported"]] == ["1 device"]
    assert {entry.action for each in said.values() for entry in each} == {"skipped"}
    assert await inventory(world) == before
    known = await of_agent(world, silent)
    assert known.reported
    assert known.missed_since is not None
    server.software.restore(silent)
    await world.software(ingested)
    assert (await of_agent(world, silent)).missed_since is None


@pytest.mark.parametrize(
    ("how", "status"), [("type", "succeeded"), ("entry", "succeeded"), ("missing", "partial")]
)
async def test_a_list_that_makes_no_sense_leaves_what_is_known_and_the_others_alone(
    world: World, server: SimulatorServer, ingested: UUID, how: str, status: str
) -> None:
    before = await inventory(world)
    server.add_fault(f"malformed-software={how}")
    run = await world.software(ingested)
    assert run.status == status
    (entry,) = await world.entries(run)
    assert entry.item_type == "software"
    if how == "entry":
        assert (entry.action, run.failed, run.unchanged) == ("skipped", 0, run.processed)
        assert "make no sense" in (entry.message or "")
    else:
        assert (entry.action, run.failed, run.unchanged) == ("failed", 1, run.processed - 1)
    assert await inventory(world) == before


async def test_a_preview_shows_what_would_be_done(world: World, server: SimulatorServer) -> None:
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    await world.devices(integration_id)
    preview = await world.sync.software(world.scope, integration_id, preview=True)
    assert isinstance(preview, Preview)
    assert (preview.status, preview.created) == ("succeeded", len(preview.entries))
    assert preview.created >= len(reporting(server))
    assert await installs(world) == {}
    assert not (await of_agent(world, reporting(server)[0])).reported


async def test_it_is_stopped_between_chunks_and_goes_on(
    world: World, server: SimulatorServer, ingested: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(software, "_LISTS", 3)
    changed = reporting(server)[:20]
    for agent in changed:
        server.software.install(agent, "Zebra Viewer", "1.9")
    job_id, attempts, run = new_id(), 0, None
    while run is None:
        attempts += 1
        job = Job(world.scope, job_id, end_after=9 * attempts, how="stop")
        try:
            run = await world.software(ingested, job=job)
        except JobSuspended:
            waiting, *_ = await world.runs()
            assert (waiting.run_id, waiting.status) == (job_id, "running")
        if attempts == 1:
            assert run is None
    assert attempts > 1
    assert (run.run_id, run.status) == (job_id, "succeeded")
    assert (run.updated, run.unchanged) == (len(changed), run.processed - len(changed))
    assert words.result(run) == f"{len(changed)} installed"
    entries = await world.entries(run)
    assert {entry.external_id for entry in entries} == {agent.agent_id for agent in changed}
    assert len(entries) == len(changed) == len(await changes(world))


async def test_a_cancelled_one_keeps_what_it_has(
    world: World, server: SimulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(software, "_LISTS", 3)
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    await world.devices(integration_id)
    with pytest.raises(JobCancelled):
        await world.software(integration_id, job=Job(world.scope, new_id(), end_after=10, how="cancel"))
    run, *_ = await world.runs()
    assert run.status == "cancelled"
    assert 0 < len(await inventory(world)) <= run.created < len(reporting(server))


async def test_a_provider_without_software_has_none(world: World) -> None:
    other = AcmeServer("https://acme.example.com")
    with acme(other):
        second = await world.add("Acme", "acmermm", instance_url=other.url, token=other.token)
        with pytest.raises(Conflict, match="no software") as refused:
            await world.software(second)
    assert refused.value.code == "not_offered"


async def test_device_by_device_it_goes_on_where_it_ended(
    world: World, server: SimulatorServer, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(software, "_PART", 7)
    time.servers.append(server)
    hands = Hands(world)
    integration_id = await world.connect(server, software="one-by-one")
    await world.map_all(integration_id)
    await world.devices(integration_id)
    view = await world.integration(integration_id)
    async with world.database.write(world.scope) as session:
        await request_software(JobService(session, world.scope), view)
    # Every part takes longer than others are to wait.
    monkeypatch.setattr(service, "_PATIENCE", timedelta(0))
    first, done = len(server.requests), 0
    while any(job.kind == "sync_software" and job.state == "requested" for job in await hands.jobs()):
        done += len(await hands.work())
        time.pass_(minutes=1)
    runs = [run for run in await world.runs() if run.sync_type == "software"]
    agents = len(server.fleet.pks())
    assert len(runs) == done == -(-agents // 7)
    assert [run.status for run in runs] == ["succeeded", *["partial"] * (done - 1)]
    assert {run.error["code"] for run in runs[1:] if run.error} == {"continues"}
    single = [path for _, path in asked(server, first) if path.startswith("/software/")]
    assert "/software/" not in single
    # Each once.
    assert len(single) == len(set(single)) == agents
    assert {method for method, _ in asked(server, first)} == {"GET"}
    assert set(await inventory(world)) == {agent.agent_id for agent in reporting(server)}


async def test_device_by_device_a_failed_run_is_gone_on_with(
    world: World, server: SimulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(software, "_PART", 7)
    integration_id = await world.connect(server, software="one-by-one")
    await world.map_all(integration_id)
    await world.devices(integration_id)
    order = sorted(await world.assets())
    for device_id in order[17:20]:
        server.add_fault(f"error502@/software/{device_id}/")
    failed = await world.software(integration_id)
    assert failed.status == "failed"
    known = set(await inventory(world))
    server.faults.clear()
    first = len(server.requests)
    again = await world.software(integration_id)
    assert again.status == "succeeded"
    single = [path for _, path in asked(server, first) if path.startswith("/software/")]
    assert single == [f"/software/{device_id}/" for device_id in order[14:]]
    assert known < set(await inventory(world)) == {agent.agent_id for agent in reporting(server)}
    # And then everything again.
    first = len(server.requests)
    third = await world.software(integration_id)
    assert (third.status, third.unchanged) == ("succeeded", third.processed)
    assert len(asked(server, first)) > len(order)
