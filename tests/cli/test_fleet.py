"""From an address and a key to assets, by the command line alone."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from muster.simulator import FleetSpec, SimulatorServer
from tests.support.cli import Muster

AGENTS = 40


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(FleetSpec(agents=AGENTS, seed=11), frozen=True) as running:
        yield running


@pytest.fixture
def connected(muster_on: Muster, server: SimulatorServer, tmp_path: Path) -> Muster:
    """A tenant whose integration "Tactical" is checked and mapped."""
    key = tmp_path / "key.txt"
    key.write_text(server.api_key + "\n")
    muster_on.done("tenant", "create", "Acme IT")
    added = muster_on.done(
        "integration", "add", "tacticalrmm", "--name", "Tactical", "--url", server.url, "--api-key-file", key
    )
    assert added["is_active"] is False
    assert muster_on.done("integration", "check", "Tactical")["ok"] is True
    assert muster_on.done("sync", "organizations", "Tactical")["status"] == "succeeded"
    muster_on.done("mapping", "automatch", "Tactical", "--apply", "--create-missing")
    return muster_on


def test_a_fleet_by_the_command_line(connected: Muster, server: SimulatorServer) -> None:
    plan = connected.done("sync", "devices", "Tactical", "--plan")
    assert (plan["created"], len(plan["entries"])) == (AGENTS, AGENTS)
    assert connected.done("asset", "list")["items"] == []

    run = connected.done("sync", "devices", "Tactical")
    assert {name: run[name] for name in ("status", "processed", "created", "deleted", "failed")} == {
        "status": "succeeded",
        "processed": AGENTS,
        "created": AGENTS,
        "deleted": 0,
        "failed": 0,
    }
    assert run["requests"] > 0
    assert run["bytes_received"] > 1000

    everything = connected.done("asset", "list")
    assert everything["total"] == len(everything["items"]) == AGENTS
    assert {item["rmm_device_id"] for item in everything["items"]} == {a.agent_id for a in server.fleet}
    shown = connected.done("integration", "show", "Tactical")
    counts = shown["counts"]
    by_status = {name: number for name, number in counts["devices"].items() if name != "total"}
    assert sum(by_status.values()) == AGENTS
    assert counts["mapped_organizations"] == counts["organizations"]
    assert shown["provider_name"] == "Tactical RMM"
    assert server.api_key not in json.dumps(shown)

    again = connected.done("sync", "devices", "Tactical", "--incremental")
    assert (again["created"], again["updated"], again["unchanged"]) == (0, 0, AGENTS)
    runs = connected.done("run", "list")["items"]
    assert [item["sync_type"] for item in runs] == ["devices", "devices", "organizations"]
    entries = connected.done("run", "show", run["id"])["entries"]
    assert {entry["action"] for entry in entries} == {"created"}


def test_assets_are_filtered(connected: Muster) -> None:
    connected.done("sync", "devices", "Tactical")
    everything = connected.done("asset", "list")["items"]
    for status in ("online", "offline", "overdue", "unknown"):
        found = connected.done("asset", "list", "--status", status)["items"]
        assert {i["id"] for i in found} == {i["id"] for i in everything if i["agent_status"] == status}
    for kind in ("server", "workstation"):
        found = connected.done("asset", "list", "--type", kind)["items"]
        assert {i["id"] for i in found} == {i["id"] for i in everything if i["asset_type"] == kind}
    client = everything[0]["client_name"]
    found = connected.done("asset", "list", "--client", client)["items"]
    assert {i["id"] for i in found} == {i["id"] for i in everything if i["client_name"] == client}
    one = next(item for item in everything if item["serial_number"] and item["lan_ip"])
    for text in (one["name"].lower(), one["serial_number"], one["lan_ip"]):
        assert one["id"] in {i["id"] for i in connected.done("asset", "list", "--search", text)["items"]}
    limited = connected.done("asset", "list", "--limit", 3)
    assert (len(limited["items"]), limited["total"]) == (3, AGENTS)

    detail = connected.done("asset", "show", one["id"])
    assert detail["serial_number"] == one["serial_number"]
    assert detail["history"] == []
    assert detail["external_realm_id"] == one["rmm_organization_id"]


def test_one_agent_and_its_history(connected: Muster, server: SimulatorServer) -> None:
    connected.done("sync", "devices", "Tactical")
    agent = next(iter(server.fleet))
    server.fleet.rename_agent(agent, "NEW-NAME")
    run = connected.done("sync", "devices", "Tactical", "--agent", agent.agent_id)
    assert (run["mode"], run["updated"]) == ("single", 1)
    (item,) = connected.done("asset", "list", "--search", "new-name")["items"]
    (change,) = connected.done("asset", "show", item["id"])["history"]
    assert (change["field"], change["old_value"], change["new_value"]) == ("name", agent.hostname, "NEW-NAME")
    assert change["cause"] == run["id"]


def test_what_fails_says_so_by_code_and_exit(connected: Muster, server: SimulatorServer) -> None:
    unknown = connected("sync", "devices", "Tactical", "--agent", "x" * 40, "--json")
    assert (unknown.code, unknown.json["error"]["code"]) == (1, "not_found")
    both = connected("sync", "devices", "Tactical", "--agent", "x" * 40, "--incremental", "--json")
    assert (both.code, both.error["code"]) == (2, "invalid_input")
    server.users["admin"].api_key_expired = True
    failed = connected("sync", "devices", "Tactical", "--json")
    assert (failed.code, failed.json["status"], failed.json["error"]["code"]) == (1, "failed", "key_expired")
    for person in (connected("sync", "devices", "Tactical"), connected("sync", "devices", "Nobody")):
        assert person.code == 1
        assert person.err.startswith("Error: ")
        assert len(person.err.splitlines()) <= 2
    for command in (("asset", "show"), ("run", "show")):
        for reference in ("nonsense", "01a209f3-0f66-77c5-a49a-3c06a0a18a18"):
            assert connected(*command, reference, "--json").error["code"] == "not_found"


def test_another_tenant_sees_nothing(connected: Muster) -> None:
    connected.done("sync", "devices", "Tactical")
    asset = connected.done("asset", "list", "--limit", 1)["items"][0]["id"]
    run = connected.done("run", "list")["items"][0]["id"]
    connected.done("tenant", "create", "Other MSP")
    stranger = ("--tenant", "Other MSP", "--json")
    assert connected("asset", "list", *stranger).json["items"] == []
    assert connected("run", "list", *stranger).json["items"] == []
    for command in (("asset", "show", asset), ("run", "show", run), ("sync", "devices", "Tactical")):
        ended = connected(*command, *stranger)
        assert (ended.code, ended.error["code"]) == (1, "not_found"), command


def test_a_type_by_hand(connected: Muster) -> None:
    connected.done("sync", "devices", "Tactical")
    item = connected.done("asset", "list", "--type", "workstation", "--limit", 1)["items"][0]
    changed = connected.done("asset", "set-type", item["id"], "server")
    assert (changed["asset_type"], changed["asset_type_overridden"]) == ("server", True)
    connected.done("sync", "devices", "Tactical")
    assert connected.done("asset", "show", item["id"])["asset_type"] == "server"
