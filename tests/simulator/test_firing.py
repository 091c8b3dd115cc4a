"""When a webhook is sent: what fails and recovers, which severities, under which template."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from muster.simulator import FleetSpec, SimulatorServer
from tests.simulator.conftest import AT, Provision, events
from tests.simulator.sink import Sink
from tests.support.recordings import Recordings

CYCLE = timedelta(seconds=150)


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    """Forty agents, no alerts, time standing still."""
    with SimulatorServer(FleetSpec(40, seed=3, alerts=0), at=AT, frozen=True) as running:
        yield running


def test_a_failure_and_its_end_are_told_once_each(
    server: SimulatorServer, sink: Sink, provision: Provision
) -> None:
    provision()
    alert = server.alerts.raise_alert(2, "check", "error")
    assert events(server, sink) == [("trigger", str(alert), "error")]
    server.alerts.cycle()
    server.clock.advance(CYCLE)
    server.alerts.recover(alert)
    server.alerts.cycle()
    assert events(server, sink) == [("trigger", str(alert), "error"), ("resolve", str(alert), "error")]
    row = server.alerts.get(alert)
    assert row is not None
    assert (row.resolved, row.action_retcode, row.resolved_action_retcode) == (True, 200, 200)
    assert (row.action_stdout, row.action_stderr, row.action_execution_time) == ('{"ok":true}', "", "0.0000")
    assert row.resolved_action_run == row.resolved_on
    assert server.webhooks.counts == {"trigger": 1, "resolve": 1}


def test_an_agent_that_is_overdue_is_told_with_the_servers_words(
    server: SimulatorServer, sink: Sink, provision: Provision
) -> None:
    provision()
    before = {row.pk for row in server.alerts.rows()}
    # Of a client without quotes in its name.
    agent = server.fleet.wake(server.fleet.agents_of_client(1)[-1])
    server.fleet.silence(agent)
    server.clock.advance(timedelta(minutes=40))
    # The server's task looks by itself; asking for alerts brings it to the present moment.
    alert = next(row for row in server.alerts.rows() if row.pk not in before and row.agent == agent.pk)
    server.webhooks.wait(10)
    body = next(seen.json for seen in sink.arrived if f'"alert_id": "{alert.pk}"'.encode() in seen.body)
    site = server.fleet.sites[agent.site_id]
    message = f"{agent.hostname} in {server.fleet.clients[site.client].name}, {site.name} is overdue."
    time = str(server.fleet.clock.now()).replace("+00:00", "")
    assert body == {
        "agent_id": agent.agent_id, "alert_id": str(alert.pk), "event": "trigger", "severity": "error",
        "message": message, "alert_time": f"{time}+00:00", "client_id": str(site.client),
        "site_id": str(site.pk), "hostname": agent.hostname, "alert_type": "availability",
    }  # fmt: skip
    server.fleet.wake(agent)
    server.clock.advance(CYCLE)
    assert server.alerts.get(alert.pk).resolved  # type: ignore[union-attr]
    server.webhooks.wait(10)
    assert ("resolve", alert.pk) in [(sent.event, sent.alert) for sent in server.webhooks.sent]


def test_info_is_not_told_and_warning_is_until_the_settings_say_otherwise(
    server: SimulatorServer, sink: Sink, provision: Provision
) -> None:
    provision()
    info = server.alerts.raise_alert(2, "check", "info")
    warning = server.alerts.raise_alert(3, "task", "warning")
    assert events(server, sink) == [("trigger", str(warning), "warning")]
    server.state.alert_settings.core |= {"notify_on_info_alerts": True, "notify_on_warning_alerts": False}
    late = server.alerts.raise_alert(4, "check", "warning")
    # It fails again: now it is told, late.
    server.alerts.cycle()
    assert events(server, sink)[1:] == [("trigger", str(info), "info")]
    server.state.alert_settings.core["notify_on_warning_alerts"] = True
    server.alerts.cycle()
    assert events(server, sink)[2:] == [("trigger", str(late), "warning")]


def test_a_severity_that_rises_is_not_told_again(
    server: SimulatorServer, sink: Sink, provision: Provision
) -> None:
    provision()
    alert = server.alerts.raise_alert(2, "check", "warning", cause=77)
    server.webhooks.wait(10)
    assert server.alerts.raise_alert(2, "check", "error", cause=77) == alert
    server.alerts.recover(alert)
    assert events(server, sink) == [("trigger", str(alert), "warning"), ("resolve", str(alert), "error")]


def test_nothing_of_an_agent_in_maintenance_is_told(
    server: SimulatorServer, sink: Sink, provision: Provision
) -> None:
    provision()
    with pytest.raises(ValueError, match="in maintenance"):
        server.alerts.raise_alert(7)
    alert = server.alerts.raise_alert(2)
    server.fleet.edit(2, maintenance_mode=True)
    server.alerts.recover(alert)
    assert not server.alerts.get(alert).resolved  # type: ignore[union-attr]
    assert len(events(server, sink)) == 1


def test_what_was_resolved_by_hand_is_told_anew_under_another_id(
    server: SimulatorServer, sink: Sink, provision: Provision
) -> None:
    provision()
    first = server.alerts.raise_alert(2)
    server.webhooks.wait(10)
    headers = {"X-API-KEY": server.api_key}
    httpx2.put(f"{server.url}/alerts/{first}/", headers=headers, json={"type": "resolve"})
    assert events(server, sink) == [("trigger", str(first), "error")]
    server.clock.advance(CYCLE)
    second = max(row.pk for row in server.alerts.rows())
    assert second > first
    assert events(server, sink)[1:] == [("trigger", str(second), "error")]
    assert server.alerts.get(first).resolved  # type: ignore[union-attr]


def test_a_snoozed_alert_that_was_told_is_not_told_again(
    server: SimulatorServer, sink: Sink, provision: Provision
) -> None:
    provision()
    alert = server.alerts.raise_alert(2)
    server.webhooks.wait(10)
    headers = {"X-API-KEY": server.api_key}
    httpx2.put(f"{server.url}/alerts/{alert}/", headers=headers, json={"type": "snooze", "snooze_days": 1})
    server.alerts.cycle()
    assert len(events(server, sink)) == 1
    server.clock.advance(timedelta(days=1, hours=2))
    assert not server.alerts.get(alert).snoozed  # type: ignore[union-attr]


def test_without_a_template_nothing_is_sent_and_alerts_of_before_are_told_late(
    server: SimulatorServer, sink: Sink, provision: Provision
) -> None:
    alert = server.alerts.raise_alert(2)
    custom = server.alerts.raise_alert(3, "custom", "error", "by hand")
    assert events(server, sink) == []
    provision()
    server.alerts.cycle()
    assert events(server, sink) == [("trigger", str(alert), "error")]
    assert server.alerts.get(custom).action_run is None  # type: ignore[union-attr]


VARIANTS: dict[str, dict[str, Any]] = {
    "rest_no_always_alert": {},
    "default_action_type_script_with_action_rest": {"action_type": "script", "resolved_action_rest": False},
    "only_resolved_rest": {"action_rest": False},
    "only_trigger_rest": {"resolved_action_type": "script", "resolved_action_rest": False},
    "only_trigger_rest_resolved_type_rest": {"resolved_action_rest": False},
    "script_actions_off": {"agent_script_actions": False, "resolved_action_rest": False},
    "script_actions_off_always_alert": {
        "agent_script_actions": False,
        "agent_always_alert": True,
        "resolved_action_rest": False,
    },
    # Its flag goes when agents have it already: it is looked at only when it is given to them.
    "exclude_or_inactive_flag_direct": {"resolved_action_rest": False},
    "urlaction_type_web_still_posts": {"resolved_action_rest": False},
}


@pytest.mark.recordings
@pytest.mark.parametrize("name", VARIANTS)
def test_templates_act_as_recorded(
    name: str, server: SimulatorServer, sink: Sink, provision: Provision, recordings: Recordings
) -> None:
    recorded = recordings.load_capture("fire_template_variants")[name]
    template = server.state.alert_settings.templates.get(provision(**VARIANTS[name]))
    assert template is not None
    assert server.state.alert_settings.effective_template(server.fleet.agent(3)) is template
    template.values["is_active"] = name != "exclude_or_inactive_flag_direct"
    server.fleet.edit(3, overdue_dashboard_alert=False, overdue_email_alert=False)
    server.fleet.silence(server.fleet.wake(3))
    server.clock.advance(timedelta(minutes=40))
    rows = [row for row in server.alerts.rows() if row.agent == 3]
    server.webhooks.wait(10)

    def received() -> int:
        ours = {row.pk for row in server.alerts.rows() if row.agent == 3}
        sent = server.webhooks.sent
        assert len(sent) == len(sink.arrived)
        return sum(each.alert in ours for each in sent)

    assert received() == recorded["webhooks_on_failure"]
    assert bool(rows) == (recorded["alert_row"] != "None")
    for row in rows:
        assert f"'hidden': {row.hidden}," in recorded["alert_row"]
        told = server.alerts.get(row.pk).action_run  # type: ignore[union-attr]
        assert (told is None) == ("'action_run': None" in recorded["alert_row"])
    server.fleet.wake(3)
    server.clock.advance(CYCLE)
    server.alerts.rows()
    server.webhooks.wait(10)
    assert received() == recorded["webhooks_on_failure_and_resolve"]


@pytest.mark.recordings
def test_every_recorded_template_is_tried(recordings: Recordings) -> None:
    assert recordings.load_capture("fire_template_variants").keys() == VARIANTS.keys()


def test_a_template_always_shows_what_would_be_hidden(server: SimulatorServer, provision: Provision) -> None:
    provision(check_always_alert=True, task_always_alert=True, task_dashboard_alert_severity=["warning"])
    shown = server.alerts.raise_alert(2, "check", "info", hidden=True)
    not_shown = server.alerts.raise_alert(2, "task", "error", hidden=True)
    rows = {row.pk: row.hidden for row in server.alerts.rows()}
    assert (rows[shown], rows[not_shown]) == (False, True)
