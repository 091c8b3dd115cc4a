"""Muster's webhook on a simulated server: planned, set up, mended, tested and removed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from muster.providers.alerting import WebhookConnection, WebhookObjects, WebhookTarget
from muster.providers.contract import (
    ProviderConfigurationError,
    ProviderError,
    ProviderPermissionError,
    ProviderUnavailable,
)
from muster.simulator import FleetSpec, SimulatorServer
from tests.support.opening import opened
from tests.support.recordings import Recordings

TARGET = WebhookTarget(
    url="https://muster.example.com/api/webhooks/tacticalrmm/t.i",
    secret="a-secret-of-forty-letters",
    label="Muster webhook 0193f2a4",
)
NOTHING = WebhookObjects()
PARTS = ("trigger", "resolve")
# What recorded rows have that no request has set.
_SERVERS_OWN = {"id", "created_by", "created_time", "modified_by", "modified_time"}
OTHER = {"name": "Night shift", "is_active": True, "email_recipients": ["night@example.com"]}


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(FleetSpec(agents=40, seed=3), frozen=True) as running:
        yield running


@asynccontextmanager
async def connected(server: SimulatorServer, user: str = "technician") -> AsyncIterator[WebhookConnection]:
    async with opened(server.url, {"api_key": server.users[user].api_key}) as connection:
        assert isinstance(connection, WebhookConnection)
        yield connection


@dataclass(frozen=True)
class Held:
    """What is on the server."""

    actions: list[dict[str, Any]]
    templates: list[dict[str, Any]]
    default: int | None


def held(server: SimulatorServer) -> Held:
    settings = server.state.alert_settings
    return Held(
        [{"id": a.pk, **a.values} for a in settings.actions],
        [{"id": t.pk, **t.values} for t in settings.templates],
        settings.core["alert_template"],
    )


def writes(server: SimulatorServer) -> list[str]:
    """What was really changed: probes are writes that meet nothing."""
    return [
        f"{seen.method} {seen.path}"
        for seen in server.requests
        if seen.method not in ("GET", "HEAD") and seen.status == 200
    ]


def add_template(server: SimulatorServer, **values: Any) -> int:
    settings = server.state.alert_settings
    return settings.templates.add({**OTHER, **values}, who="owner", now=server.clock.now_us()).pk


def make_default(server: SimulatorServer, template: int | None) -> None:
    server.state.alert_settings.put_core({"alert_template": template})
    settle(server)


def settle(server: SimulatorServer) -> None:
    """Let the server's background task come to its end."""
    server.clock.advance(timedelta(minutes=5))


def on_agents(server: SimulatorServer) -> set[str | None]:
    settings = server.state.alert_settings
    found = (settings.effective_template(agent) for agent in server.fleet)
    return {None if template is None else template["name"] for template in found}


# --- setting up ------------------------------------------------------------------------------------------


async def test_a_bare_server_is_planned_and_nothing_is_changed(server: SimulatorServer) -> None:
    async with connected(server) as connection:
        plan = await connection.plan_webhook(TARGET, NOTHING)
    kinds = [step.kind for step in plan.steps]
    assert kinds == ["make_action", "make_action", "make_template", "assign"]
    assert all(step.replaces is None for step in plan.steps)
    assert (plan.objects, plan.lacking) == (NOTHING, ())
    assert TARGET.url in (plan.steps[0].detail or "")
    assert TARGET.secret not in repr(plan)
    assert writes(server) == []


async def test_setting_up_makes_two_actions_and_one_template_that_reach_every_agent(
    server: SimulatorServer,
) -> None:
    async with connected(server) as connection:
        objects = await connection.set_up_webhook(TARGET, NOTHING)
    found = held(server)
    by_name = {row["name"]: row for row in found.actions}
    assert sorted(by_name) == [f"{TARGET.label} ({part})" for part in ("resolve", "trigger")]
    for part in PARTS:
        row = by_name[f"{TARGET.label} ({part})"]
        assert json.loads(row["rest_body"])["event"] == part
        assert "alert.message" not in row["rest_body"]
        headers = {"Content-Type": "application/json", "X-Alga-Webhook-Secret": TARGET.secret}
        assert json.loads(row["rest_headers"]) == headers
        assert (row["pattern"], row["rest_method"], row["action_type"]) == (TARGET.url, "post", "rest")
    (template,) = found.templates
    assert found.default == template["id"]
    assert objects == WebhookObjects(
        trigger_action=str(template["action_rest"]),
        resolve_action=str(template["resolved_action_rest"]),
        template=str(template["id"]),
    )
    # The server was still busy with the new template when it became the default: the race of CONTRACT 5.
    settle(server)
    assert on_agents(server) == {TARGET.label}


@pytest.mark.recordings
async def test_what_is_made_is_of_the_recorded_kind(server: SimulatorServer, recordings: Recordings) -> None:
    async with connected(server) as connection:
        await connection.set_up_webhook(TARGET, NOTHING)
    found = held(server)
    recorded = recordings.load_capture("hook_2_get_urlaction")["response"]["body"][:2]
    for ours, theirs in zip(found.actions, recorded, strict=True):
        assert ours.keys() == (theirs.keys() - _SERVERS_OWN) | {"id"}
        for name in ("action_type", "rest_method"):
            assert ours[name] == theirs[name]
    made = recordings.load_capture("hook_3_post_template")["request"]["body"]
    (template,) = found.templates
    free = {"name", "action_rest", "resolved_action_rest"}
    assert {name: template[name] for name in made.keys() - free} == {n: made[n] for n in made.keys() - free}


async def test_what_is_right_already_is_left_alone(server: SimulatorServer) -> None:
    async with connected(server) as connection:
        objects = await connection.set_up_webhook(TARGET, NOTHING)
        settle(server)
        before = held(server)
        plan = await connection.plan_webhook(TARGET, objects)
        assert (plan.steps, plan.objects) == ((), objects)
        assert await connection.set_up_webhook(TARGET, objects) == objects
    assert held(server) == before


async def test_an_existing_default_is_replaced_only_when_a_person_agrees(server: SimulatorServer) -> None:
    other = add_template(server)
    make_default(server, other)
    async with connected(server) as connection:
        plan = await connection.plan_webhook(TARGET, NOTHING)
        assert [step.replaces for step in plan.steps if step.kind == "assign"] == ["Night shift"]
        assert plan.objects.previous == str(other)
        with pytest.raises(ProviderConfigurationError) as refused:
            await connection.set_up_webhook(TARGET, NOTHING)
        assert refused.value.code == "would_replace"
        assert "Night shift" in refused.value.message
        assert writes(server) == []
        objects = await connection.set_up_webhook(TARGET, NOTHING, replace=True)
    assert objects.previous == str(other)
    assert held(server).default == int(objects.template or 0)
    assert len(held(server).templates) == 2


async def test_without_permission_nothing_is_half_made(server: SimulatorServer) -> None:
    role = server.users["technician"].role
    assert role is not None
    for lacking in ("can_edit_core_settings", "can_manage_alerttemplates"):
        permissions, role.permissions = role.permissions, role.permissions - {lacking}
        async with connected(server) as connection:
            assert (await connection.plan_webhook(TARGET, NOTHING)).lacking == (lacking,)
            with pytest.raises(ProviderPermissionError, match=lacking):
                await connection.set_up_webhook(TARGET, NOTHING)
        role.permissions = permissions
        assert held(server) == Held([], [], None)
    assert writes(server) == []


async def test_a_reader_is_told_what_the_key_lacks(server: SimulatorServer) -> None:
    async with connected(server, "nototp") as connection:
        with pytest.raises(ProviderPermissionError, match="can_run_urlactions"):
            await connection.plan_webhook(TARGET, NOTHING)
        with pytest.raises(ProviderPermissionError, match="can_run_urlactions"):
            await connection.set_up_webhook(TARGET, NOTHING)
    assert held(server) == Held([], [], None)


@pytest.mark.parametrize("fault", ["drop", "cut-body", "error500"])
@pytest.mark.parametrize("replace", [False, True])
async def test_a_break_between_any_two_requests_leaves_nothing_doubled(
    fault: str, replace: bool, server: SimulatorServer
) -> None:
    other = add_template(server) if replace else None
    broken = 0
    # More than setting up sends; then the fault strikes nothing any more.
    for after in range(16):
        make_default(server, other)
        began = len(server.requests)
        server.add_fault(f"{fault}@/,after={after},times=1")
        async with connected(server) as connection:
            objects = (await plan_kept(connection)).objects
            try:
                await connection.set_up_webhook(TARGET, objects, replace=replace)
            except ProviderUnavailable:
                broken += 1
            server.faults.clear()
            objects = (await plan_kept(connection, objects)).objects
            objects = await connection.set_up_webhook(TARGET, objects, replace=replace)
            found = held(server)
            assert len(found.actions) == 2
            assert len(found.templates) == (2 if replace else 1)
            assert found.default == int(objects.template or 0)
            assert objects.previous == (None if other is None else str(other))
            settle(server)
            assert on_agents(server) == {TARGET.label}
            await connection.remove_webhook(TARGET.label, objects)
        assert held(server).actions == []
        assert held(server).default == other
        assert len(server.requests) - began > after or after > 12
    assert broken >= 5


async def plan_kept(connection: WebhookConnection, objects: WebhookObjects = NOTHING) -> Any:
    """What a caller keeps before it begins; a read that breaks is simply asked again."""
    for _ in range(3):
        try:
            return await connection.plan_webhook(TARGET, objects)
        except ProviderError:
            continue
    raise AssertionError("the plan cannot be read")


async def test_doubles_of_an_earlier_try_are_taken_over_and_removed(server: SimulatorServer) -> None:
    async with connected(server) as connection:
        objects = await connection.set_up_webhook(TARGET, NOTHING)
        settings, now = server.state.alert_settings, server.clock.now_us()
        (first, second) = settings.actions
        settings.actions.add(first.values, who="technician", now=now)
        settings.templates.add({"name": TARGET.label}, who="technician", now=now)
        # Nothing was recorded, as after a crash before it could be.
        plan = await connection.plan_webhook(TARGET, NOTHING)
        assert "remove_doubles" in [step.kind for step in plan.steps]
        assert plan.objects == objects
        assert await connection.set_up_webhook(TARGET, NOTHING) == objects
    assert {row["id"] for row in held(server).actions} == {first.pk, second.pk}
    assert len(held(server).templates) == 1


# --- drift -------------------------------------------------------------------------------------------------


def _change_action(server: SimulatorServer, objects: WebhookObjects, **values: Any) -> None:
    pk = int(objects.trigger_action or 0)
    server.state.alert_settings.actions.change(pk, values, who="owner", now=server.clock.now_us())


def _change_template(server: SimulatorServer, objects: WebhookObjects, **values: Any) -> None:
    pk = int(objects.template or 0)
    settings = server.state.alert_settings
    settings.templates.change(pk, values, who="owner", now=server.clock.now_us())
    settings.recache()
    settle(server)


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ("action_url", ["mend_action"]),
        ("action_body", ["mend_action"]),
        ("action_secret", ["mend_action"]),
        ("action_name", ["mend_action"]),
        ("action_gone", ["make_action", "mend_template"]),
        ("template_off", ["mend_template"]),
        ("template_type", ["mend_template"]),
        ("template_silent_for_checks", ["mend_template"]),
        ("template_name", ["mend_template"]),
        ("template_gone", ["make_template", "assign"]),
        ("default_none", ["assign"]),
    ],
)
async def test_each_drift_is_found_and_repaired(
    change: str, kinds: list[str], server: SimulatorServer
) -> None:
    settings = server.state.alert_settings
    async with connected(server) as connection:
        objects = await connection.set_up_webhook(TARGET, NOTHING)
        settle(server)
        match change:
            case "action_url":
                _change_action(server, objects, pattern="https://elsewhere.example.com/")
            case "action_body":
                _change_action(server, objects, rest_body='{"agent_id":"{{agent.id}}"}')
            case "action_secret":
                _change_action(server, objects, rest_headers='{"X-Alga-Webhook-Secret":"old"}')
            case "action_name":
                _change_action(server, objects, name="renamed by somebody")
            case "action_gone":
                settings.remove_action(int(objects.trigger_action or 0))
            case "template_off":
                _change_template(server, objects, is_active=False)
            case "template_type":
                _change_template(server, objects, action_type="script")
            case "template_silent_for_checks":
                _change_template(server, objects, check_script_actions=False)
            case "template_name":
                _change_template(server, objects, name="renamed by somebody")
            case "template_gone":
                settings.remove_template(int(objects.template or 0))
                server.clock.advance(timedelta(minutes=11))
            case "default_none":
                make_default(server, None)
        plan = await connection.plan_webhook(TARGET, objects)
        assert [step.kind for step in plan.steps] == kinds
        mended = await connection.set_up_webhook(TARGET, objects)
        settle(server)
        assert (await connection.plan_webhook(TARGET, mended)).steps == ()
    assert on_agents(server) == {TARGET.label}
    assert (len(held(server).actions), len(held(server).templates)) == (2, 1)


async def test_what_the_owner_may_set_is_no_drift(server: SimulatorServer) -> None:
    async with connected(server) as connection:
        objects = await connection.set_up_webhook(TARGET, NOTHING)
        _change_action(server, objects, desc="ours, do not touch")
        own = {"email_recipients": ["x@example.com"], "agent_always_alert": False, "exclude_servers": True}
        _change_template(server, objects, **own)
        assert (await connection.plan_webhook(TARGET, objects)).steps == ()


def _lose_a_race(server: SimulatorServer, template: int) -> None:
    """Make a template the default while the server is busy, until it goes by the old settings."""
    settings = server.state.alert_settings
    while on_agents(server) != {None}:
        make_default(server, None)
        settings.recache()
        settings.put_core({"alert_template": template})
        settle(server)


async def test_agents_that_the_server_forgot_are_found_and_handed_the_template(
    server: SimulatorServer,
) -> None:
    async with connected(server) as connection:
        objects = await connection.set_up_webhook(TARGET, NOTHING)
        settle(server)
        _lose_a_race(server, int(objects.template or 0))
        assert held(server).default == int(objects.template or 0)
        (step,) = (await connection.plan_webhook(TARGET, objects)).steps
        assert step.kind == "hand_out"
        await connection.set_up_webhook(TARGET, objects)
        settle(server)
        assert (await connection.plan_webhook(TARGET, objects)).steps == ()
    assert on_agents(server) == {TARGET.label}


async def test_a_check_right_after_the_set_up_waits_for_the_server(server: SimulatorServer) -> None:
    async with connected(server) as connection:
        objects = await connection.set_up_webhook(TARGET, NOTHING)
        assert None in on_agents(server)
        waiting = asyncio.create_task(connection.plan_webhook(TARGET, objects))
        asked = len(server.requests)
        while not any(seen.path.startswith("/agents/") for seen in server.requests[asked:]):
            await asyncio.sleep(0.01)
        settle(server)
        assert (await waiting).steps == ()


async def test_a_look_at_a_fleet_costs_a_few_kilobytes(server: SimulatorServer) -> None:
    async with connected(server) as connection:
        objects = await connection.set_up_webhook(TARGET, NOTHING)
        settle(server)
        began = len(server.requests)
        await connection.plan_webhook(TARGET, objects)
    asked = server.requests[began:]
    assert [seen.method for seen in asked] == ["GET"] * 5
    (agents,) = (seen for seen in asked if seen.path.startswith("/agents/"))
    counts = server.fleet.agents_per_site()
    assert agents.path == f"/agents/?site={min(counts, key=lambda site: (counts[site], site))}"


async def test_a_default_that_another_person_changed_is_asked_about_again(server: SimulatorServer) -> None:
    other = add_template(server)
    async with connected(server) as connection:
        objects = await connection.set_up_webhook(TARGET, NOTHING)
        make_default(server, other)
        plan = await connection.plan_webhook(TARGET, objects)
        assert [step.replaces for step in plan.steps] == ["Night shift"]
        with pytest.raises(ProviderConfigurationError):
            await connection.set_up_webhook(TARGET, objects)
        objects = await connection.set_up_webhook(TARGET, objects, replace=True)
        assert objects.previous == str(other)


async def test_ids_of_another_server_name_nothing_there(server: SimulatorServer) -> None:
    settings, now = server.state.alert_settings, server.clock.now_us()
    action = settings.actions.add({"name": "Ticket system"}, who="owner", now=now).pk
    template = add_template(server)
    foreign = WebhookObjects(trigger_action=str(action), resolve_action=str(action), template=str(template))
    before = held(server)
    async with connected(server) as connection:
        await connection.remove_webhook(TARGET.label, foreign)
        assert held(server) == before
        objects = await connection.set_up_webhook(TARGET, foreign)
        assert str(action) not in (objects.trigger_action, objects.resolve_action)
        assert objects.template != str(template)
        await connection.remove_webhook(TARGET.label, objects)
    assert held(server) == before


# --- removing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize("replaced", [True, False])
async def test_removal_leaves_nothing_behind_and_puts_back_what_was_there(
    recorded: bool, replaced: bool, server: SimulatorServer
) -> None:
    other = add_template(server)
    if replaced:
        make_default(server, other)
    before = held(server)
    async with connected(server) as connection:
        objects = await connection.set_up_webhook(TARGET, NOTHING, replace=True)
        known = objects if recorded else WebhookObjects(previous=objects.previous)
        steps = await connection.plan_webhook_removal(TARGET.label, known)
        assert [step.kind for step in steps] == [
            "unassign",
            "remove_template",
            "remove_action",
            "remove_action",
        ]
        assert ("Night shift" in (steps[0].detail or "")) is replaced
        await connection.remove_webhook(TARGET.label, known)
        assert held(server) == before
        settle(server)
        assert on_agents(server) == ({"Night shift"} if replaced else {None})
        # Once more finds nothing and changes nothing.
        done = len(writes(server))
        assert list(await connection.plan_webhook_removal(TARGET.label, known)) == []
        await connection.remove_webhook(TARGET.label, known)
        assert len(writes(server)) == done


async def test_a_default_that_is_not_ours_any_more_is_left(server: SimulatorServer) -> None:
    first, second = add_template(server), add_template(server, name="Second")
    make_default(server, first)
    async with connected(server) as connection:
        objects = await connection.set_up_webhook(TARGET, NOTHING, replace=True)
        make_default(server, second)
        await connection.remove_webhook(TARGET.label, objects)
    assert held(server).default == second


async def test_a_default_that_was_deleted_meanwhile_cannot_be_put_back(server: SimulatorServer) -> None:
    other = add_template(server)
    make_default(server, other)
    async with connected(server) as connection:
        objects = await connection.set_up_webhook(TARGET, NOTHING, replace=True)
        server.state.alert_settings.remove_template(other)
        await connection.remove_webhook(TARGET.label, objects)
    assert held(server) == Held([], [], None)


async def test_removal_without_permission_removes_nothing(server: SimulatorServer) -> None:
    async with connected(server) as connection:
        objects = await connection.set_up_webhook(TARGET, NOTHING)
    before = held(server)
    role = server.users["technician"].role
    assert role is not None
    role.permissions -= {"can_manage_alerttemplates"}
    async with connected(server) as connection:
        with pytest.raises(ProviderPermissionError, match="can_manage_alerttemplates"):
            await connection.remove_webhook(TARGET.label, objects)
    assert held(server) == before


async def test_removal_says_what_others_lose(server: SimulatorServer) -> None:
    async with connected(server) as connection:
        objects = await connection.set_up_webhook(TARGET, NOTHING)
        server.fleet.clients[1].alert_template = int(objects.template or 0)
        add_template(server, action_type="rest", action_rest=int(objects.trigger_action or 0))
        steps = await connection.plan_webhook_removal(TARGET.label, objects)
        told = {step.kind: step.detail for step in reversed(steps)}
        assert "1 client" in (told["remove_template"] or "")
        assert "Night shift" in (told["remove_action"] or "")
        await connection.remove_webhook(TARGET.label, objects)
    assert server.fleet.clients[1].alert_template is None


def test_the_target_shows_no_secret() -> None:
    assert TARGET.secret not in repr(TARGET)
    assert msgspec.structs.asdict(TARGET)["secret"] == TARGET.secret
