"""Which agents' alerts cannot reach us, and why: read from a simulated server with few requests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from muster.providers.alerting import WebhookConnection, WebhookCoverage, WebhookObjects, WebhookTarget
from muster.providers.contract import ProviderPermissionError
from muster.simulator import FleetSpec, SimulatorServer
from tests.support.opening import opened

TARGET = WebhookTarget(url="https://muster.example.com/w", secret="secret", label="Muster webhook 1")


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(FleetSpec(agents=40, seed=3), frozen=True) as running:
        for agent in running.fleet:
            running.fleet.edit(agent, maintenance_mode=False)
        yield running


@asynccontextmanager
async def connected(server: SimulatorServer, user: str = "admin") -> AsyncIterator[WebhookConnection]:
    async with opened(server.url, {"api_key": server.users[user].api_key}) as connection:
        assert isinstance(connection, WebhookConnection)
        yield connection


async def set_up(server: SimulatorServer) -> WebhookObjects:
    async with connected(server) as connection:
        objects = await connection.set_up_webhook(TARGET, WebhookObjects())
    settle(server)
    return objects


async def covered(server: SimulatorServer, objects: WebhookObjects, user: str = "admin") -> WebhookCoverage:
    async with connected(server, user) as connection:
        return await connection.webhook_coverage(objects)


def settle(server: SimulatorServer) -> None:
    server.state.alert_settings.recache()
    server.clock.advance(timedelta(minutes=11))


def change(server: SimulatorServer, objects: WebhookObjects, **values: Any) -> None:
    pk = int(objects.template or 0)
    server.state.alert_settings.templates.change(pk, values, who="owner", now=server.clock.now_us())
    settle(server)


def add_template(server: SimulatorServer, **values: Any) -> int:
    settings = server.state.alert_settings
    given = {"name": "Night shift", **values}
    return settings.templates.add(given, who="owner", now=server.clock.now_us()).pk


def reasons(found: WebhookCoverage) -> dict[str, set[str]]:
    by_reason: dict[str, set[str]] = {}
    for device in found.uncovered:
        by_reason.setdefault(device.reason, set()).add(device.device_id)
    return by_reason


async def test_set_up_covers_everybody_in_three_requests(server: SimulatorServer) -> None:
    objects = await set_up(server)
    began = len(server.requests)
    found = await covered(server, objects)
    assert (found.devices, found.covered, found.uncovered) == (40, 40, ())
    assert [seen.path for seen in server.requests[began:]] == [
        "/alerts/templates/",
        "/core/settings/",
        "/agents/",
    ]
    assert len(found.notes) == 1
    assert "severity info" in found.notes[0]


async def test_before_it_is_set_up_nobody_is_covered(server: SimulatorServer) -> None:
    found = await covered(server, WebhookObjects())
    assert (found.covered, len(found.uncovered)) == (0, 40)
    assert reasons(found).keys() == {"not_set_up"}


async def test_agents_in_maintenance_are_named(server: SimulatorServer) -> None:
    objects = await set_up(server)
    server.fleet.edit(7, maintenance_mode=True)
    found = await covered(server, objects)
    assert reasons(found) == {"maintenance": {server.fleet.agent(7).agent_id}}
    assert found.covered == 39


async def test_another_template_nearer_to_the_agent_hides_ours(server: SimulatorServer) -> None:
    objects = await set_up(server)
    server.fleet.clients[1].alert_template = add_template(server)
    settle(server)
    found = await covered(server, objects)
    theirs = {agent.agent_id for agent in server.fleet.agents_of_client(1)}
    assert theirs
    assert reasons(found) == {"other_template": theirs}
    assert "Night shift" in found.uncovered[0].explanation


async def test_another_template_that_calls_muster_covers_too(server: SimulatorServer) -> None:
    objects = await set_up(server)
    action = int(objects.trigger_action or 0)
    server.fleet.clients[1].alert_template = add_template(server, action_type="rest", action_rest=action)
    settle(server)
    found = await covered(server, objects)
    assert found.uncovered == ()
    assert any("Night shift does not tell when an alert is resolved" in note for note in found.notes)
    # Of two templates of one name, nobody can tell which an agent has.
    add_template(server)
    assert reasons(await covered(server, objects)).keys() == {"other_template"}


@pytest.mark.parametrize("kind", ["sites", "clients", "agents", "workstations"])
async def test_excluded_agents_are_named(kind: str, server: SimulatorServer) -> None:
    objects = await set_up(server)
    fleet = server.fleet
    wanted = {
        "sites": {agent.agent_id for agent in fleet if agent.site_id == 1},
        "clients": {agent.agent_id for agent in fleet.agents_of_client(2)},
        "agents": {fleet.agent(3).agent_id, fleet.agent(9).agent_id},
        "workstations": {a.agent_id for a in fleet if a.monitoring_type == "workstation"},
    }[kind]
    values: dict[str, dict[str, Any]] = {
        "sites": {"excluded_sites": [1]},
        "clients": {"excluded_clients": [2]},
        "agents": {"excluded_agents": [3, 9]},
        "workstations": {"exclude_workstations": True},
    }
    change(server, objects, **values[kind])
    found = await covered(server, objects)
    assert wanted
    assert reasons(found) == {"excluded": wanted}


async def test_agents_without_any_template_are_told_apart(server: SimulatorServer) -> None:
    objects = await set_up(server)
    server.state.alert_settings.put_core({"alert_template": None})
    settle(server)
    assert reasons(await covered(server, objects)).keys() == {"no_template"}
    server.state.alert_settings.put_core({"alert_template": int(objects.template or 0)})
    assert reasons(await covered(server, objects)).keys() == {"not_handed_out"}


async def test_what_the_server_tells_nobody_of_is_a_note(server: SimulatorServer) -> None:
    objects = await set_up(server)
    server.state.alert_settings.put_core({"notify_on_warning_alerts": False, "notify_on_info_alerts": True})
    change(server, objects, task_script_actions=False)
    found = await covered(server, objects)
    assert found.uncovered == ()
    assert any("severity warning" in note for note in found.notes)
    assert any("for tasks" in note for note in found.notes)
    assert len(found.notes) == 2
    change(server, objects, agent_script_actions=False, check_script_actions=False)
    assert reasons(await covered(server, objects)).keys() == {"silent"}


async def test_a_restricted_key_tells_of_what_it_sees(server: SimulatorServer) -> None:
    objects = await set_up(server)
    found = await covered(server, objects, "limited")
    assert found.devices == len(server.fleet.agents_of_client(1)) < 40
    role = server.users["limited"].role
    assert role is not None
    role.permissions -= {"can_view_core_settings"}
    found = await covered(server, objects, "limited")
    assert found.uncovered == ()
    assert any("can_view_core_settings" in note for note in found.notes)
    role.permissions -= {"can_list_alerttemplates"}
    with pytest.raises(ProviderPermissionError, match="can_list_alerttemplates"):
        await covered(server, objects, "limited")
