"""A webhook set up on a simulated server: planned, made, tested, watched, repaired, removed; on record."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import uvicorn

from muster.app import create_app
from muster.audit.schemas import AuditView
from muster.audit.service import AuditService
from muster.errors import Conflict, InvalidInput, NotFound
from muster.inbound_webhooks.provisioning.jobs import CHECK_WEBHOOK, job_handlers
from muster.inbound_webhooks.provisioning.schemas import SetupState
from muster.inbound_webhooks.provisioning.service import WebhookSetup
from muster.inbound_webhooks.receipts import ReceiptService
from muster.inbound_webhooks.service import WebhookService
from muster.inbound_webhooks.types import ReceiptState
from muster.providers.alerting import WebhookObjects
from muster.schedules import kinds
from muster.schedules.service import ScheduleService
from muster.simulator import SimulatorServer
from tests.support.job import Job
from tests.support.site import Site, some_id
from tests.support.world import World

HERE = "https://muster.example.com"
OTHER = {"name": "Night shift", "is_active": True}


def setup_of(world: World) -> WebhookSetup:
    return WebhookSetup(world.database, world.box, world.connector, world.settings.public_url)


@pytest.fixture
def setup(world: World) -> WebhookSetup:
    return setup_of(world)


@pytest.fixture
async def connected(world: World, server: SimulatorServer) -> UUID:
    """An integration with a key that may change the server."""
    return await world.connect(server, api_key=server.users["technician"].api_key)


def settle(server: SimulatorServer) -> None:
    """Let the server's background task come to its end."""
    server.clock.advance(timedelta(minutes=5))


def names(server: SimulatorServer) -> tuple[list[str], list[str], str | None]:
    """The URL actions, the alert templates and the default of the server."""
    settings = server.state.alert_settings
    default = settings.templates.get(settings.core["alert_template"])
    actions, templates = (
        [item["name"] for item in shelf] for shelf in (settings.actions, settings.templates)
    )
    return sorted(actions), sorted(templates), default["name"] if default else None


def add_default(server: SimulatorServer) -> None:
    settings = server.state.alert_settings
    made = settings.templates.add(OTHER, who="owner", now=server.clock.now_us())
    settings.put_core({"alert_template": made.pk})
    settle(server)


async def audited(world: World) -> list[AuditView]:
    async with world.database.read(world.scope) as session:
        entries = await AuditService(session, world.scope).list(limit=100)
    return [entry for entry in reversed(entries) if entry.action.startswith("webhook.")]


async def rotate(world: World, integration_id: UUID) -> None:
    async with world.database.write(world.scope) as session:
        await WebhookService(session, world.scope, world.box).rotate(integration_id)


# --- setting up ------------------------------------------------------------------------------------------


async def test_a_plan_changes_nothing_and_shows_no_secret(
    world: World, setup: WebhookSetup, connected: UUID, server: SimulatorServer
) -> None:
    plan = await setup.plan(world.scope, connected, reached_by=HERE)
    assert [step.kind for step in plan.steps] == ["make_action", "make_action", "make_template", "assign"]
    assert plan.target_url.startswith(f"{HERE}/api/webhooks/tacticalrmm/")
    assert (plan.replaces, plan.lacking, plan.notes) == ([], [], [])
    async with world.database.write(world.scope) as session:
        secret = await WebhookService(session, world.scope, world.box).secret(connected)
    assert secret not in repr(plan)
    assert names(server) == ([], [], None)
    assert await setup.state(world.scope, connected) == SetupState(integration_id=connected)


async def test_what_is_set_up_is_kept_and_on_record(
    world: World, setup: WebhookSetup, connected: UUID, server: SimulatorServer
) -> None:
    state = await setup.set_up(world.scope, connected, reached_by=HERE)
    actions, templates, default = names(server)
    label = f"Muster webhook {connected.hex[-12:]}"
    assert (actions, templates, default) == ([f"{label} (resolve)", f"{label} (trigger)"], [label], label)
    assert state.is_set_up
    assert state.checked_at is not None
    assert (state.drift.steps, state.drift.problem) == ([], None)
    assert None not in (state.objects.trigger_action, state.objects.resolve_action, state.objects.template)
    (entry,) = await audited(world)
    assert entry.action == "webhook.set_up"
    assert entry.detail["url"] == state.target_url
    assert len(entry.detail["steps"]) == 4
    # Once more finds nothing to do, and puts nothing on record.
    assert (await setup.set_up(world.scope, connected)).objects == state.objects
    settle(server)
    assert (await setup.plan(world.scope, connected)).steps == []


async def test_a_server_is_not_told_to_call_nobody_knows_whom(
    world: World, setup: WebhookSetup, connected: UUID
) -> None:
    with pytest.raises(InvalidInput, match="MUSTER_PUBLIC_URL") as refused:
        await setup.plan(world.scope, connected)
    assert refused.value.code == "no_public_url"
    for wrong in ("ftp://muster.example.com", "muster.example.com", 'https://x/"', "https://x y"):
        with pytest.raises(InvalidInput):
            await setup.plan(world.scope, connected, address=wrong)


async def test_whose_word_on_the_address_counts(
    world: World, connected: UUID, server: SimulatorServer
) -> None:
    set_apart = World(world.database, world.scope, world.box, MUSTER_PUBLIC_URL="https://set.example.com")
    by_operator, plain = setup_of(set_apart), setup_of(world)
    found = await by_operator.plan(world.scope, connected, reached_by=HERE)
    assert found.target_url.startswith("https://set.example.com/api/")
    found = await by_operator.plan(world.scope, connected, address="https://typed.example.com/")
    assert found.target_url.startswith("https://typed.example.com/api/")
    await plain.set_up(world.scope, connected, reached_by=HERE)
    settle(server)
    # Reached by another way, the server's address stays as it was set up.
    assert (await plain.plan(world.scope, connected, reached_by="http://10.0.0.5")).steps == []
    (first, *_) = (await by_operator.plan(world.scope, connected)).steps
    assert (first.kind, "address" in (first.detail or "")) == ("mend_action", True)


@pytest.mark.parametrize(
    ("address", "notes"),
    [
        ("https://muster.example.com", 0),
        ("http://muster.example.com", 1),
        ("http://127.0.0.1:8080", 2),
        ("https://10.1.2.3", 1),
        ("https://muster", 1),
    ],
)
async def test_a_plan_tells_what_to_know_about_the_address(
    address: str, notes: int, world: World, setup: WebhookSetup, connected: UUID
) -> None:
    plan = await setup.plan(world.scope, connected, address=address)
    assert len(plan.notes) == notes


async def test_an_existing_default_is_never_replaced_without_asking(
    world: World, setup: WebhookSetup, connected: UUID, server: SimulatorServer
) -> None:
    add_default(server)
    assert (await setup.plan(world.scope, connected, reached_by=HERE)).replaces == ["Night shift"]
    with pytest.raises(Conflict) as refused:
        await setup.set_up(world.scope, connected, reached_by=HERE)
    assert refused.value.code == "would_replace"
    assert names(server) == ([], ["Night shift"], "Night shift")
    assert await audited(world) == []
    assert not (await setup.state(world.scope, connected)).is_set_up
    await setup.set_up(world.scope, connected, reached_by=HERE, replace=True)
    (entry,) = await audited(world)
    assert entry.detail["replaced"] == ["Night shift"]
    state = await setup.remove(world.scope, connected)
    assert names(server) == ([], ["Night shift"], "Night shift")
    assert state == SetupState(integration_id=connected)
    assert [entry.action for entry in await audited(world)] == ["webhook.set_up", "webhook.removed"]


async def test_a_reader_key_is_refused_with_the_permission_and_nothing_is_half_made(
    world: World, setup: WebhookSetup, server: SimulatorServer
) -> None:
    reader = await world.connect(server, "Reader", api_key=server.users["nototp"].api_key)
    for verb in (setup.plan, setup.set_up):
        with pytest.raises(Conflict, match="can_run_urlactions") as refused:
            await verb(world.scope, reader, reached_by=HERE)
        assert refused.value.code == "permission_missing"
    role = server.users["technician"].role
    assert role is not None
    role.permissions -= {"can_manage_alerttemplates"}
    partly = await world.connect(server, "Partly", api_key=server.users["technician"].api_key)
    plan = await setup.plan(world.scope, partly, reached_by=HERE)
    assert plan.lacking == ["can_manage_alerttemplates"]
    with pytest.raises(Conflict, match="can_manage_alerttemplates"):
        await setup.set_up(world.scope, partly, reached_by=HERE)
    assert names(server) == ([], [], None)
    assert not (await setup.state(world.scope, partly)).is_set_up
    assert await audited(world) == []


async def test_an_integration_that_is_not_connected_is_left_alone(
    world: World, setup: WebhookSetup, integration_id: UUID
) -> None:
    for verb in (setup.plan_removal, setup.remove, setup.coverage):
        with pytest.raises(Conflict) as refused:
            await verb(world.scope, integration_id)
        assert refused.value.code == "not_connected"
    with pytest.raises(Conflict):
        await setup.set_up(world.scope, integration_id, reached_by=HERE)
    with pytest.raises(NotFound):
        await setup.state(world.scope, some_id())


# --- crashes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [5, 7, 9, 11, 13])
async def test_a_set_up_that_broke_is_told_and_goes_on_where_it_was(
    after: int, world: World, setup: WebhookSetup, connected: UUID, server: SimulatorServer
) -> None:
    add_default(server)
    began = len(server.requests)
    server.add_fault(f"error500@/,after={after},times=9")
    with pytest.raises(Conflict):
        await setup.set_up(world.scope, connected, reached_by=HERE, replace=True)
    server.faults.clear()
    assert len(server.requests) - began > after
    state = await setup.state(world.scope, connected)
    entries = [entry.action for entry in await audited(world)]
    if state.is_set_up:
        assert state.drift.problem is not None
        assert state.objects.previous == "1"
        assert entries == ["webhook.set_up", "webhook.set_up_failed"]
        checked = await setup.check(world.scope, connected)
        assert checked.drift.problem is None
    else:
        assert entries == []
    await setup.set_up(world.scope, connected, reached_by=HERE, replace=True)
    actions, templates, default = names(server)
    assert (len(actions), len(templates)) == (2, 2)
    assert default == f"Muster webhook {connected.hex[-12:]}"
    await setup.remove(world.scope, connected)
    assert names(server) == ([], ["Night shift"], "Night shift")


async def test_what_a_killed_process_left_is_taken_over(
    world: World, setup: WebhookSetup, connected: UUID, server: SimulatorServer
) -> None:
    state = await setup.set_up(world.scope, connected, reached_by=HERE)
    # The process died after the server was changed and before it was kept.
    async with world.database.write(world.scope) as session:
        service = WebhookService(session, world.scope, world.box)
        await service.set_objects(connected, WebhookObjects(), target_url=state.target_url)
    assert (await setup.set_up(world.scope, connected)).objects == state.objects
    async with world.database.write(world.scope) as session:
        service = WebhookService(session, world.scope, world.box)
        await service.set_objects(connected, WebhookObjects(), target_url=state.target_url)
    await setup.remove(world.scope, connected)
    assert names(server) == ([], [], None)


async def test_a_removal_that_broke_goes_on(
    world: World, setup: WebhookSetup, connected: UUID, server: SimulatorServer
) -> None:
    await setup.set_up(world.scope, connected, reached_by=HERE)
    server.add_fault("error500@/core/urlaction/1/")
    with pytest.raises(Conflict):
        await setup.remove(world.scope, connected)
    server.faults.clear()
    state = await setup.state(world.scope, connected)
    assert state.is_set_up
    assert state.drift.problem is not None
    await setup.remove(world.scope, connected)
    assert names(server) == ([], [], None)
    assert "webhook.removal_failed" in [entry.action for entry in await audited(world)]


# --- drift --------------------------------------------------------------------------------------------------


async def test_drift_is_found_by_the_daily_job_and_repaired(
    world: World, setup: WebhookSetup, connected: UUID, server: SimulatorServer
) -> None:
    check = job_handlers(setup)[CHECK_WEBHOOK]
    job = Job(world.scope, some_id(), {"integration_id": str(connected)})
    began = len(server.requests)
    # What Muster did not set up costs no request.
    assert await check(job) == {"is_set_up": False, "to_repair": [], "problem": None}
    assert len(server.requests) == began
    await setup.set_up(world.scope, connected, reached_by=HERE)
    settle(server)
    assert await check(job) == {"is_set_up": True, "to_repair": [], "problem": None}
    server.state.alert_settings.remove_action(1)
    assert await check(job) == {
        "is_set_up": True,
        "to_repair": ["make_action", "mend_template"],
        "problem": None,
    }
    state = await setup.state(world.scope, connected)
    assert [step.kind for step in state.drift.steps] == ["make_action", "mend_template"]
    await setup.set_up(world.scope, connected)
    settle(server)
    assert (await setup.check(world.scope, connected)).drift.steps == []
    assert len(names(server)[0]) == 2


async def test_a_check_that_cannot_look_says_why_and_forgets_nothing(
    world: World, setup: WebhookSetup, connected: UUID, server: SimulatorServer
) -> None:
    state = await setup.set_up(world.scope, connected, reached_by=HERE)
    role = server.users["technician"].role
    assert role is not None
    role.permissions -= {"can_run_urlactions"}
    found = await setup.check(world.scope, connected)
    assert found.drift.problem is not None
    assert found.drift.problem.code == "permission_missing"
    assert (found.objects, found.target_url) == (state.objects, state.target_url)


async def test_a_check_keeps_what_was_replaced(
    world: World, setup: WebhookSetup, connected: UUID, server: SimulatorServer
) -> None:
    add_default(server)
    await setup.set_up(world.scope, connected, reached_by=HERE, replace=True)
    server.state.alert_settings.put_core({"alert_template": None})
    settle(server)
    state = await setup.check(world.scope, connected)
    assert [step.kind for step in state.drift.steps] == ["assign"]
    assert state.objects.previous == "1"


async def test_a_new_secret_is_handed_to_the_server_by_a_repair(
    world: World, setup: WebhookSetup, connected: UUID, server: SimulatorServer
) -> None:
    await setup.set_up(world.scope, connected, reached_by=HERE)
    settle(server)
    await rotate(world, connected)
    assert (await setup.state(world.scope, connected)).rotated_since
    state = await setup.check(world.scope, connected)
    assert [step.kind for step in state.drift.steps] == ["mend_action", "mend_action"]
    assert not state.rotated_since
    await setup.set_up(world.scope, connected)
    async with world.database.write(world.scope) as session:
        secret = await WebhookService(session, world.scope, world.box).secret(connected)
    assert all(secret in item["rest_headers"] for item in server.state.alert_settings.actions)


async def test_every_connected_integration_is_checked_once_a_day(world: World, connected: UUID) -> None:
    async with world.database.write(world.scope) as session:
        service = ScheduleService(session, world.scope, world.box)
        await service.ensure(connected)
        schedules = {schedule.kind: schedule for schedule in await service.list(connected)}
    assert schedules[kinds.WEBHOOK].minutes == 1440
    assert kinds.KINDS[kinds.WEBHOOK].order.kind == CHECK_WEBHOOK


# --- the test and coverage ----------------------------------------------------------------------------------


@asynccontextmanager
async def listening(world: World) -> AsyncIterator[str]:
    """Muster on a port of its own; where it is reached."""
    site = Site.of(world)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(create_app(site.application, worker=False), log_config=None)
        serving = uvicorn.Server(config)
        task = asyncio.create_task(serving.serve(sockets=[listener]))
        while not serving.started:
            assert not task.done()
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        serving.should_exit = True
        await task


async def test_the_servers_own_test_arrives_as_a_receipt(
    world: World, setup: WebhookSetup, connected: UUID
) -> None:
    async with listening(world) as address:
        await setup.set_up(world.scope, connected, address=address)
        result = await setup.test(world.scope, connected)
    assert result.arrived
    assert result.receipt_id is not None
    async with world.database.read(world.scope) as session:
        found = await ReceiptService(session, world.scope, world.box).get(result.receipt_id)
    assert found.receipt.state is ReceiptState.TEST
    assert found.receipt.integration_id == connected
    assert "webhook.tested" in [entry.action for entry in await audited(world)]


async def test_a_test_that_does_not_arrive_tells_what_the_server_met(
    world: World, setup: WebhookSetup, connected: UUID, server: SimulatorServer
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = listener.getsockname()[1]
    result = await setup.test(world.scope, connected, address=f"http://127.0.0.1:{nobody}")
    assert (result.arrived, result.receipt_id) == (False, None)
    assert "Connection refused" in result.answer
    async with listening(world) as address:
        await setup.set_up(world.scope, connected, address=address)
        changed = {"rest_headers": '{"X-Alga-Webhook-Secret":"wrong"}'}
        (first, _) = server.state.alert_settings.actions
        server.state.alert_settings.actions.change(first.pk, changed, who="owner", now=0)
        result = await setup.test(world.scope, connected)
    assert not result.arrived
    assert "secret" in result.answer


async def test_coverage_names_the_assets(
    world: World, setup: WebhookSetup, synced: UUID, server: SimulatorServer
) -> None:
    await setup.set_up(world.scope, synced, reached_by=HERE)
    settle(server)
    for agent in server.fleet:
        server.fleet.edit(agent, maintenance_mode=agent.pk in (3, 4))
    found = await setup.coverage(world.scope, synced)
    assert (found.devices, found.covered) == (30, 28)
    (group,) = found.groups
    assert (group.reason, group.count) == ("maintenance", 2)
    assert {device.name for device in group.devices} == {server.fleet.agent(pk).hostname for pk in (3, 4)}
    assert all(device.asset_id is not None for device in group.devices)
    assert len(found.notes) == 1


async def test_another_tenants_integration_is_not_there(world: World, connected: UUID) -> None:
    other = await World.make(world.database, "Other MSP")
    setup = WebhookSetup(other.database, other.box, other.connector, None)
    verbs: list[Any] = [setup.state, setup.check, setup.plan_removal, setup.remove, setup.coverage]
    for verb in verbs:
        with pytest.raises(NotFound):
            await verb(other.scope, connected)
