"""Receipts become alerts: through HTTP, then as a worker does it."""

from typing import Any

import msgspec
import pytest

from muster.db import bulk
from muster.db.types import table_of
from muster.inbound_webhooks.drain import MOST_ATTEMPTS, ReceiptDrain
from muster.inbound_webhooks.models import WebhookReceipt
from muster.inbound_webhooks.receipts import ReceiptService
from muster.inbound_webhooks.service import WebhookService
from muster.inbound_webhooks.types import ReceiptState
from muster.integrations.service import IntegrationService
from muster.jobs.service import JobService
from muster.jobs.types import JobCancelled, JobSuspended
from muster.providers import registry
from muster.providers.alerting import WebhookProvider
from muster.simulator import SimulatorServer
from tests.inbound_webhooks.test_door import AGENT, BODY
from tests.support.hook import Hook
from tests.support.job import Job
from tests.support.site import Browser, some_id
from tests.support.world import World

STATES = ReceiptState


def body(server: SimulatorServer, alert: int, event: str = "trigger", **more: Any) -> dict[str, Any]:
    """What the server sends about one of its alerts."""
    row = server.alerts.get(alert)
    assert row is not None
    assert row.agent is not None
    agent_id = server.fleet.agent(row.agent).agent_id
    return {"agent_id": agent_id, "alert_id": str(alert), "event": event, "severity": row.severity, **more}


async def states(hook: Hook) -> list[str]:
    return [receipt.state.value for receipt in await hook.receipts()]


async def job_kinds(hook: Hook) -> set[str]:
    async with hook.world.database.read(hook.world.scope) as session:
        return {job.kind for job in await JobService(session, hook.world.scope).list()}


async def test_an_alert_is_as_the_server_says_not_as_the_body(live: Hook, server: SimulatorServer) -> None:
    alert = server.alerts.raise_alert(3, "check", "warning", "Disk is full.")
    await live.call(body(server, alert, severity="info", message="Nothing much"))
    assert await live.drain() == {"processed": 1}
    (found,) = (await live.alerts()).values()
    assert (found.severity, found.message, found.status, found.confirmed) == (
        "moderate",
        "Disk is full.",
        "active",
        True,
    )
    assert found.asset_id is not None
    (receipt,) = await live.receipts()
    assert (receipt.state, receipt.alert_id, receipt.attempts) == (STATES.PROCESSED, found.alert_id, 1)
    assert "refresh_devices" in await job_kinds(live)


async def test_the_offered_bodies_open_and_close_the_same_alert(live: Hook, server: SimulatorServer) -> None:
    alert = server.alerts.raise_alert(3, "check", "error")
    row = server.alerts.get(alert)
    assert row is not None
    known = {
        "{{agent.agent_id}}": server.fleet.agent(3).agent_id,
        "{{alert.id}}": str(alert),
        "{{alert.severity}}": "error",
        "{{alert.alert_type}}": "check",
        "{{alert.alert_time}}": "2026-11-23 14:46:17.238507+00:00",
        "{{client.id}}": "1",
        "{{site.id}}": "1",
        "{{alert.message}}": "It failed.",
    }
    for template in (await live.endpoint()).templates:
        text = template.body
        for placeholder, value in known.items():
            text = text.replace(placeholder, value)
        if template.key == "resolve":
            server.alerts.recover(alert)
        assert "{{" not in text
        assert (await live.call(text)).status_code == 200
        await live.drain()
        (found,) = (await live.alerts()).values()
        assert found.status == ("active" if template.key == "trigger" else "resolved")
        if template.key == "resolve":
            alert = server.alerts.raise_alert(3, "check", "error", cause=9)
            known["{{alert.id}}"] = str(alert)
            break


async def test_a_server_that_is_down_leaves_the_bodys_own_values(live: Hook, server: SimulatorServer) -> None:
    alert = server.alerts.raise_alert(3, "check", "error")
    sent = body(server, alert, message="As the webhook says")
    server.stop()
    await live.call(sent)
    assert await live.drain() == {"processed": 1}
    (found,) = (await live.alerts()).values()
    assert (found.status, found.severity, found.confirmed) == ("active", "critical", False)
    assert "sync_alerts" in await job_kinds(live)


@pytest.mark.parametrize("first", ["trigger", "resolve"])
async def test_order_and_duplicates_do_not_matter(live: Hook, server: SimulatorServer, first: str) -> None:
    alert = server.alerts.raise_alert(3, "check", "error")
    sent = [body(server, alert, event) for event in ("trigger", "resolve")]
    server.stop()
    for each in sent if first == "trigger" else reversed(sent):
        await live.call(each)
        await live.call(each)
        await live.drain()
    (found,) = (await live.alerts()).values()
    assert (found.status, found.occurrences) == ("resolved", 1)
    assert await states(live) == ["processed"] * 4


async def test_the_least_body_makes_an_alert(live: Hook, server: SimulatorServer) -> None:
    agent = server.fleet.agent(5).agent_id
    assert (await live.call({"agent_id": agent})).status_code == 200
    assert await live.drain() == {"processed": 1}
    (found,) = (await live.alerts()).values()
    assert (found.status, found.device_id, found.external_alert_id) == ("active", agent, None)


async def test_an_unknown_device_is_recorded_and_linked_when_it_is_synced(
    live: Hook, server: SimulatorServer
) -> None:
    new = server.fleet.add_agent(1)
    alert = server.alerts.raise_alert(new, "check", "error")
    assert (await live.call(body(server, alert))).status_code == 200
    assert await live.drain() == {"unknown_device": 1}
    assert (await live.alerts())[str(alert)].asset_id is None
    (receipt,) = await live.receipts()
    assert receipt.alert_id == (await live.alerts())[str(alert)].alert_id


async def test_many_receipts_are_read_by_one_list(live: Hook, server: SimulatorServer) -> None:
    agents = [agent for agent in server.fleet if not agent.maintenance_mode]
    alerts = [server.alerts.raise_alert(agents[number % 20], "check", "error") for number in range(60)]
    for alert in alerts:
        await live.call(body(server, alert))
    before = len(server.requests)
    assert await live.drain() == {"processed": 60}
    asked = [(seen.method, seen.path) for seen in server.requests[before:]]
    assert [method for method, path in asked if path.startswith("/alerts/")] == ["PATCH"]
    found = await live.alerts()
    assert {alert.external_alert_id for alert in found.values()} == {str(alert) for alert in alerts}
    assert all(alert.confirmed for alert in found.values())


async def test_of_few_receipts_each_alert_is_read_once(live: Hook, server: SimulatorServer) -> None:
    alerts = [server.alerts.raise_alert(number + 1, "check", "error") for number in range(3)]
    for alert in [*alerts, *alerts]:
        await live.call(body(server, alert))
    before = len(server.requests)
    await live.drain()
    asked = sorted(seen.path for seen in server.requests[before:] if seen.path.startswith("/alerts/"))
    assert asked == sorted(f"/alerts/{alert}/" for alert in alerts)


async def test_an_alert_that_is_gone_from_the_server_is_pruned(live: Hook, server: SimulatorServer) -> None:
    agent = server.fleet.agent(3).agent_id
    await live.call({"agent_id": agent, "alert_id": "999999", "event": "trigger"})
    assert await live.drain() == {"processed": 1}
    assert (await live.alerts())["999999"].status == "pruned"
    assert "sync_alerts" not in await job_kinds(live)


async def test_what_the_credentials_may_not_see_is_taken_by_the_body(
    world: World, caller: Browser, server: SimulatorServer
) -> None:
    """This user's role sees the first client only."""
    integration_id = await world.connect(server, api_key=server.users["limited"].api_key)
    hook = await Hook.of(world, integration_id, caller)
    foreign = next(iter(server.fleet.agents_of_client(2)))
    alert = server.alerts.raise_alert(foreign, "check", "error")
    await hook.call(body(server, alert))
    assert await hook.drain() == {"unknown_device": 1}
    found = (await hook.alerts())[str(alert)]
    assert (found.status, found.severity, found.confirmed) == ("active", "critical", False)
    # A reconciliation could not see it either.
    assert "sync_alerts" not in await job_kinds(hook)


async def test_a_test_of_the_server_is_marked_and_makes_no_alert(live: Hook, server: SimulatorServer) -> None:
    agent = server.fleet.agent(3)
    name = agent.hostname
    sent = {"agent_id": agent.agent_id, "alert_id": str(agent.pk), "event": "trigger", "severity": name}
    answer = await live.call({**sent, "alert_type": name, "alert_time": name})
    assert answer.status_code == 200
    assert await live.drain() == {}
    assert await states(live) == ["test"]
    assert await live.alerts() == {}


async def test_every_receipt_that_ended_is_told_once(live: Hook, server: SimulatorServer) -> None:
    alert = server.alerts.raise_alert(3, "check", "error")
    await live.call(body(server, alert))
    await live.call(b"nothing")
    await live.drain()
    told = [(event.subject, event.data["state"]) for event in await live.events()]
    by_state = {receipt.state.value: str(receipt.receipt_id) for receipt in await live.receipts()}
    assert sorted(told) == sorted((by_state[state], state) for state in ("not_understood", "processed"))


async def test_disconnected_meanwhile_keeps_what_waits(live: Hook) -> None:
    await live.call(BODY)
    async with live.world.database.write(live.world.scope) as session:
        service = IntegrationService(session, live.world.scope, live.world.box)
        await service.disconnect(live.integration_id)
    assert await live.drain() == {"kept": 1}
    assert await live.alerts() == {}


async def test_an_integration_that_is_not_connected_is_not_asked(hook: Hook) -> None:
    await hook.call(BODY)
    assert await hook.drain() == {"unknown_device": 1}
    assert (await hook.alerts())["214"].confirmed is False


class Poison:
    """A provider that breaks at one body, as a mistake of ours would."""

    def __init__(self, provider: Any) -> None:
        self.manifest = msgspec.structs.replace(provider.manifest, key="poisonous")
        self.webhook = provider.webhook
        self._provider = provider

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)

    def parse_webhook(self, content: bytes) -> Any:
        message = self._provider.parse_webhook(content)
        if b"poison" not in content:
            return message
        return msgspec.structs.replace(message, message="a\0b", device_name="x\0y")


async def test_a_poisonous_receipt_never_blocks_the_others(hook: Hook) -> None:
    """NUL is what PostgreSQL takes in no text; on SQLite nothing is wrong with it."""
    world = hook.world
    poison = Poison(registry.get("tacticalrmm"))
    assert isinstance(poison, WebhookProvider)
    registry.register(poison)
    try:
        fields = {"instance_url": "https://api.p.example", "api_key": "K" * 32}
        integration_id = await world.add("P", "poisonous", **fields)
        other = Hook(world, integration_id, "", hook.client)
        other.path = other.path.replace("tacticalrmm", "poisonous")
        other = await _with_secret(other)
        for number in (1, 2, 3):
            await other.call({**BODY, "alert_id": str(number)})
            if number == 1:
                await other.call({**BODY, "alert_id": "77", "message": "poison"})
        for _ in range(MOST_ATTEMPTS):
            await other.drain()
        found = {receipt.external_alert_id: receipt for receipt in await other.receipts()}
        good = {number: receipt.state.value for number, receipt in found.items() if number != "77"}
        assert good == dict.fromkeys(("1", "2", "3"), "unknown_device")
        if not world.database.is_sqlite:
            bad = found["77"]
            assert (bad.state, bad.attempts) == (STATES.FAILED, MOST_ATTEMPTS)
            assert bad.problem is not None
            assert bad.problem["code"] == "gave_up"
            assert {alert.external_alert_id for alert in (await other.alerts()).values()} == {"1", "2", "3"}
    finally:
        registry.unregister("poisonous")


async def _with_secret(hook: Hook) -> Hook:
    async with hook.world.database.write(hook.world.scope) as session:
        service = WebhookService(session, hook.world.scope, hook.world.box)
        hook.secret = await service.secret(hook.integration_id)
    return hook


async def test_what_kills_its_process_is_given_up(hook: Hook) -> None:
    await hook.call(BODY)
    (receipt,) = await hook.receipts()
    async with hook.world.database.write(hook.world.scope) as session:
        tried = [{"receipt_id": receipt.receipt_id, "attempts": MOST_ATTEMPTS}]
        await bulk.update(session, hook.world.scope, table_of(WebhookReceipt), tried, key=["receipt_id"])
    assert await hook.drain() == {"failed": 1}
    assert await states(hook) == ["failed"]


@pytest.mark.parametrize(("how", "ends"), [("cancel", JobCancelled), ("stop", JobSuspended)])
async def test_it_ends_between_two_batches(hook: Hook, how: str, ends: type[Exception]) -> None:
    await hook.call(BODY)
    world, payload = hook.world, {"integration_id": str(hook.integration_id)}
    drain = ReceiptDrain(world.database, world.box, world.connector)
    with pytest.raises(ends):
        await drain.drain(Job(world.scope, some_id(), payload, end_after=1, how=how))
    assert await states(hook) == ["unknown_device"]


async def test_a_replay_processes_once_more_and_doubles_nothing(live: Hook, server: SimulatorServer) -> None:
    alert = server.alerts.raise_alert(3, "check", "error")
    await live.call(body(server, alert))
    await live.drain()
    (receipt,) = await live.receipts()
    async with live.world.database.write(live.world.scope) as session:
        await ReceiptService(session, live.world.scope, live.world.box).replay(receipt.receipt_id)
    assert await states(live) == ["waiting"]
    assert await live.drain() == {"processed": 1}
    (found,) = (await live.alerts()).values()
    assert found.occurrences == 1
    assert AGENT
