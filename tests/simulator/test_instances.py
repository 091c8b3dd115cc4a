"""What templates read of simulated alerts, held against what they read of recorded ones."""

import json
from datetime import datetime
from typing import Any

import pytest

from muster.simulator import FleetSpec, SimulatorServer
from muster.simulator.alert_rows import AlertRow
from muster.simulator.causes import failing_check
from muster.simulator.clock import to_microseconds
from muster.simulator.instances import AgentInstance, AlertInstance, ClientInstance, SiteInstance
from muster.simulator.rendering import RestCall, fill, render
from tests.simulator.conftest import AT
from tests.simulator.sink import TEMPLATE
from tests.support.recordings import Recordings

# The recorded fleet's custom fields, and those of the simulated one of the same kinds.
FIELDS = {
    "agent.AssetTag": "agent.Inventory tag",
    "agent.Billable": "agent.Under contract",
    "client.PSA ID": "client.Customer number",
    "site.PSA Location": "site.Location code",
}
KEYS = {"psa_secret": "kv-secret-1"}


@pytest.fixture(scope="module")
def server() -> SimulatorServer:
    return SimulatorServer(FleetSpec(agents=40, seed=3), at=AT, frozen=True)


def _recorded(recordings: Recordings, kind: str) -> dict[str, str]:
    found: dict[str, str] = recordings.load_capture(f"fire_ph_{kind}.resolved")
    return found


def _filled(name: str, instance: Any) -> str:
    return fill(f"{{{{{FIELDS.get(name, name)}}}}}", instance, KEYS)


@pytest.mark.recordings
def test_an_alert_without_an_agent_reads_as_recorded(server: SimulatorServer, recordings: Recordings) -> None:
    recorded = _recorded(recordings, "nullagent")
    time = to_microseconds(datetime.fromisoformat(recorded["alert.alert_time"]))
    row = AlertRow(248, time, alert_type="custom", severity="info", message="null agent")
    alert = AlertInstance(server.fleet, row, None)
    assert {name: _filled(name, alert) for name in recorded} == recorded


@pytest.mark.recordings
@pytest.mark.parametrize("kind", ["availability", "check"])
def test_an_alert_of_an_agent_knows_every_recorded_placeholder(
    server: SimulatorServer, recordings: Recordings, kind: str
) -> None:
    recorded = _recorded(recordings, kind)
    agent = server.fleet.edit(1, needs_reboot=True, description=None, maintenance_mode=False)
    row = AlertRow(1, to_microseconds(AT), alert_type=kind, message="m", severity="error", agent=1)
    cause = None
    if kind == "check":
        result = {"more_info": "Total", "stdout": None, "stderr": None, "retcode": None}
        cause, row.assigned_check = failing_check(agent, 12, "error", label="Disk C:", result=result), 12
    alert = AlertInstance(server.fleet, row, cause)
    filled = {name: _filled(name, alert) for name in recorded}
    for name, text in filled.items():
        was = recorded[name]
        literal = was.startswith("{{")
        assert text.startswith("{{") == literal, name
        if was == "None" or literal:
            assert text == was, name
        if name in ("alert.nope", "alert.alert_severity"):
            assert text == f"{kind} - m"
        elif was not in ("None", recorded["agent.hostname"]):
            # Known by name: nothing else stood in for it.
            assert text not in ("None", agent.hostname, f"{kind} - m"), name


def test_the_test_button_fills_from_an_agent_a_client_or_a_site(server: SimulatorServer) -> None:
    fleet = server.fleet
    agent = fleet.agent(1)
    site = fleet.sites[agent.site_id]
    client = fleet.clients[site.client]

    def sent(instance: Any) -> dict[str, str]:
        body = render(RestCall("http://x/", "post", TEMPLATE, "{}"), instance, KEYS).body
        found: dict[str, str] = json.loads(body or "")
        return found

    of_agent = sent(AgentInstance(fleet, agent))
    assert of_agent["agent_id"] == agent.agent_id
    assert (of_agent["alert_id"], of_agent["severity"]) == ("1", agent.hostname)
    assert (of_agent["client_id"], of_agent["site_id"]) == (str(client.pk), str(site.pk))
    of_client = sent(ClientInstance(fleet, client))
    assert (of_client["client_id"], of_client["hostname"]) == (str(client.pk), client.name)
    assert sent(SiteInstance(fleet, site))["client_id"] == str(client.pk)


def test_custom_fields_are_read_by_their_names(server: SimulatorServer) -> None:
    alert = AlertInstance(server.fleet, AlertRow(1, 0, agent=1), None)
    agent = server.fleet.agent(1)
    assert fill("{{agent.Inventory tag}}", alert, {}) == "INV-00001"
    assert fill("{{agent.Under contract}}", alert, {}) == str(agent.roll % 2 == 0)
    assert fill("{{agent.Labels}}", alert, {}) == str(["gold", "lab"][: 1 + agent.roll % 2])
    bare = AlertInstance(server.fleet, AlertRow(1, 0, agent=2), None)
    assert server.fleet.agent(2).roll % 7
    assert [
        fill(f"{{{{agent.{name}}}}}", bare, {}) for name in ("Inventory tag", "Under contract", "Labels")
    ] == [*("None", "False", "[]")]
