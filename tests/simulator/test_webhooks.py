"""How webhooks are sent: once, one after the other; and what the server's save after our answer does."""

import threading
from collections.abc import Iterator

import httpx2
import pytest

from muster.simulator import FleetSpec, SimulatorServer
from tests.simulator.conftest import AT, Provision, events
from tests.simulator.sink import Arrived, Sink


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    """Forty agents, no alerts, time standing still."""
    with SimulatorServer(FleetSpec(40, seed=3, alerts=0), at=AT, frozen=True) as running:
        yield running


def test_what_failed_is_noted_and_never_sent_again(
    server: SimulatorServer, sink: Sink, provision: Provision
) -> None:
    provision()
    sink.answer = lambda _: "404 Not Found"
    alert = server.alerts.raise_alert(2)
    server.webhooks.wait(10)
    server.alerts.cycle()
    assert len(events(server, sink)) == 1
    row = server.alerts.get(alert)
    assert row is not None
    assert (row.action_retcode, row.action_stdout) == (404, '{"ok":true}')


def test_a_receiver_that_is_down_or_foreign_is_noted_as_500(
    server: SimulatorServer, provision: Provision
) -> None:
    provision("http://127.0.0.1:9/x")
    alert = server.alerts.raise_alert(2)
    server.webhooks.wait(10)
    row = server.alerts.get(alert)
    assert row is not None
    assert row.action_retcode == 500
    assert "Connection refused" in (row.action_stdout or "")


def test_headers_that_are_none_send_nothing(
    server: SimulatorServer, sink: Sink, provision: Provision
) -> None:
    provision()
    for action in server.state.alert_settings.actions:
        action.values["rest_headers"] = "X-A: b"
    alert = server.alerts.raise_alert(2)
    server.webhooks.wait(10)
    row = server.alerts.get(alert)
    assert row is not None
    assert (row.action_retcode, row.action_stdout) == (500, "'str' object has no attribute 'items'")
    assert sink.arrived == []
    assert server.webhooks.counts["failed"] == 1


def test_a_webhook_can_be_lost_on_purpose(server: SimulatorServer, sink: Sink, provision: Provision) -> None:
    provision()
    server.webhooks.lose(2, every=2)
    alerts = [server.alerts.raise_alert(pk) for pk in (2, 3, 4, 5, 6)]
    told = [int(alert) for _, alert, _ in events(server, sink)]
    assert told == [alerts[0], alerts[2], alerts[4]]
    assert [sent.alert for sent in server.webhooks.sent if sent.lost] == [alerts[1], alerts[3]]
    assert server.alerts.get(alerts[1]).action_retcode == 500  # type: ignore[union-attr]
    assert server.webhooks.counts == {"trigger": 5, "lost": 2, "failed": 2}


def test_what_the_api_writes_before_the_save_is_overwritten_by_it(
    server: SimulatorServer, sink: Sink, provision: Provision
) -> None:
    provision()
    url, headers, answers = f"{server.url}/alerts", {"X-API-KEY": server.api_key}, []

    def resolving(seen: Arrived) -> str:
        found = httpx2.put(f"{url}/{seen.json['alert_id']}/", headers=headers, json={"type": "resolve"})
        answers.append(httpx2.get(f"{url}/{seen.json['alert_id']}/", headers=headers).json()["resolved"])
        return f"{found.status_code} OK"

    sink.answer = resolving
    alert = server.alerts.raise_alert(2)
    server.webhooks.wait(10)
    row = server.alerts.get(alert)
    assert row is not None
    # The write was there, and it is gone.
    assert answers == [True]
    assert (row.resolved, row.resolved_on, row.action_retcode) == (False, None, 200)
    # Written once its action has run, it stays.
    httpx2.put(f"{url}/{alert}/", headers=headers, json={"type": "resolve"})
    assert server.alerts.get(alert).resolved  # type: ignore[union-attr]


def test_an_alert_deleted_before_the_save_is_back_after_it(
    server: SimulatorServer, sink: Sink, provision: Provision
) -> None:
    provision()

    def deleting(seen: Arrived) -> str:
        url = f"{server.url}/alerts/{seen.json['alert_id']}/"
        return f"{httpx2.delete(url, headers={'X-API-KEY': server.api_key}).status_code} OK"

    sink.answer = deleting
    alert = server.alerts.raise_alert(2)
    server.webhooks.wait(10)
    row = server.alerts.get(alert)
    assert row is not None
    assert (row.action_retcode, row.resolved) == (200, False)


def test_a_slow_receiver_holds_up_the_others_but_not_the_api(
    server: SimulatorServer, sink: Sink, provision: Provision
) -> None:
    provision()
    go_on = threading.Event()

    def slow(_: Arrived) -> str:
        go_on.wait(20)
        return "200 OK"

    sink.answer = slow
    first, second = server.alerts.raise_alert(2), server.alerts.raise_alert(3)
    rows = httpx2.patch(f"{server.url}/alerts/", headers={"X-API-KEY": server.api_key}, json={}).json()
    assert {row["id"]: row["action_run"] for row in rows} == {first: None, second: None}
    assert len(sink.arrived) <= 1
    with pytest.raises(TimeoutError, match="2 webhooks are still to be sent"):
        server.webhooks.wait(0.01)
    go_on.set()
    server.webhooks.wait(10)
    assert len(sink.arrived) == 2


def test_templates_read_what_the_check_said_and_the_key_store(
    server: SimulatorServer, sink: Sink, provision: Provision
) -> None:
    provision()
    names = (
        *("alert.assigned_check", "alert.assigned_check.id", "alert.get_result.stdout", "alert.client.name"),
        *("alert.agent_id", "agent.id", "agent.status", "agent.Under contract", "client.Customer number"),
        *("global.secret", "alert.resolved", "alert.nope", "agent.nope", "agent.serial_number"),
    )
    server.webhooks.key_store["secret"] = "s3cret"
    for action in server.state.alert_settings.actions:
        action.values["rest_body"] = "|".join(f"{{{{{name}}}}}" for name in names)
    server.alerts.raise_alert(
        1, "check", "error", "m", cause=12, label="Disk C:", result={"stdout": "C:\\Users"}
    )
    server.webhooks.wait(10)
    client = server.fleet.clients[server.fleet.sites[server.fleet.agent(1).site_id].client]
    contract = str(server.fleet.agent(1).roll % 2 == 0)
    number = f"K-{client.pk:04d}" if client.pk % 3 == 1 else "None"
    assert sink.arrived[0].json.split("|") == [
        *("Disk C:", "12", "C:\\\\Users", client.name, "1", "1", "online", contract, number),
        *("s3cret", "None", "check - m", "DC-01", server.fleet.agent(1).hardware.serial),  # type: ignore[union-attr]
    ]


def test_a_stopped_server_sends_no_more(sink: Sink, server: SimulatorServer, provision: Provision) -> None:
    provision()
    server.stop()
    alert = server.alerts.raise_alert(2)
    server.webhooks.wait(1)
    assert sink.arrived == []
    server.start()
    server.alerts.cycle()
    assert events(server, sink) == [("trigger", str(alert), "error")]


def test_a_storm_comes_over_many_connections_doubled_and_in_the_wrong_order(
    server: SimulatorServer, sink: Sink, provision: Provision
) -> None:
    provision()
    server.webhooks.connections = 8
    burst = server.alerts.burst(200, recovering=0.5, doubled=0.1, reversed_=0.2)
    server.webhooks.wait(60)
    assert len(burst.raised) == len(set(burst.raised)) == 200
    assert 60 < len(burst.recovered) < 140
    assert burst.doubled
    assert set(burst.reversed) < set(burst.recovered)
    arrived: dict[int, list[str]] = {}
    for sent in server.webhooks.sent:
        arrived.setdefault(sent.alert, []).append(sent.event)
    assert sum(map(len, arrived.values())) == len(sink.arrived)
    for alert in burst.raised:
        copies = 2 if alert in burst.doubled else 1
        events = ["trigger"] * copies + ["resolve"] * (copies * (alert in burst.recovered))
        assert arrived[alert] == (events[::-1] if alert in burst.reversed else events)
    rows = {row.pk: row for row in server.alerts.rows()}
    for alert in burst.raised:
        assert rows[alert].resolved == (alert in burst.recovered)
        assert rows[alert].action_retcode == 200
    agents = {rows[alert].agent for alert in burst.raised}
    assert len(agents) == 39
    again = SimulatorServer(FleetSpec(40, seed=3, alerts=0), at=AT, frozen=True)
    assert again.alerts.burst(200, recovering=0.5, doubled=0.1, reversed_=0.2) == burst
