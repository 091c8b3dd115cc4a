"""The alerts a fleet starts with, how they come and go, and their URLs' odd cases."""

import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.simulator import AlertRow, FleetSpec, Settings, SimulatorServer
from tests.simulator.conftest import AT

Ask = Callable[..., httpx2.Response]
DAY = timedelta(days=1)
CYCLE = timedelta(seconds=150)


def _started(agents: int = 40, seed: int = 3, **spec: Any) -> list[AlertRow]:
    server = SimulatorServer(FleetSpec(agents, seed, **spec), at=AT, frozen=True)
    return server.alerts.rows()


def test_equal_seeds_give_equal_alerts_and_others_do_not() -> None:
    assert _started() == _started()
    assert _started() != _started(seed=4)


def test_every_fleet_has_what_trips_clients_up() -> None:
    rows = _started(20)
    assert {row.alert_type for row in rows} == {"availability", "check", "task", "custom"}
    assert {row.severity for row in rows} == {"info", "warning", "error"}
    oddities: tuple[Callable[[AlertRow], object], ...] = (
        lambda row: row.agent is None and not row.resolved,
        lambda row: row.message is None,
        lambda row: row.message == "",
        lambda row: '"' in (row.message or ""),
        lambda row: "\\" in (row.message or ""),
        lambda row: "ü" in (row.message or ""),
        lambda row: "\x1b" in (row.message or ""),
        lambda row: row.snoozed and not row.resolved,
        lambda row: row.hidden and not row.resolved,
        lambda row: row.resolved and row.hidden,
        lambda row: not row.resolved and row.alert_time < rows[-1].alert_time - 30 * 86_400_000_000,
    )
    for wanted in oddities:
        assert any(wanted(row) for row in rows)
    assert [row.pk for row in rows] == list(range(1, len(rows) + 1))
    assert [row.alert_time for row in rows] == sorted(row.alert_time for row in rows)


@pytest.mark.parametrize(("agents", "alerts"), [(0, 0), (0, 5), (1, 30), (40, 0), (40, 5), (250, 2000)])
def test_a_fleet_has_as_many_alerts_as_asked_for(agents: int, alerts: int) -> None:
    server = SimulatorServer(FleetSpec(agents, alerts=alerts), at=AT, frozen=True)
    rows = server.alerts.rows()
    assert len(rows) == (alerts if agents else min(alerts, 2))
    server.clock.advance(CYCLE)
    open_now = [row for row in server.alerts.rows() if not row.resolved]
    assert len(open_now) <= len([row for row in rows if not row.resolved]) + agents // 10


def test_two_thousand_alerts_are_mostly_history() -> None:
    counts = Counter((row.resolved, row.alert_type) for row in _started(250, alerts=2000))
    assert sum(number for (resolved, _), number in counts.items() if resolved) > 1000
    assert min(counts[False, kind] for kind in ("availability", "check", "task")) > 10


@pytest.mark.parametrize("alerts", [-1, 100_001])
def test_a_senseless_number_of_alerts_is_refused(alerts: int) -> None:
    with pytest.raises(ValueError, match="alerts must be from 0 to 100,000"):
        FleetSpec(alerts=alerts)


def test_nobody_asks_and_nothing_is_made() -> None:
    server = SimulatorServer(FleetSpec(100_000), frozen=True)
    assert len(server.state.alerts.book) == 0
    assert not server.fleet._built


@given(seed=st.integers(0, 2**31), agents=st.integers(1, 60))
def test_open_alerts_of_availability_are_those_of_overdue_agents(seed: int, agents: int) -> None:
    server = SimulatorServer(FleetSpec(agents, seed), at=AT, frozen=True)
    for row in server.alerts.rows():
        if row.alert_type == "availability" and not row.resolved:
            seen = server.fleet.last_seen(row.agent or 0)
            assert seen is not None
            assert AT - seen > timedelta(minutes=29)
        assert not (row.resolved and row.snoozed)
        assert (row.resolved_on is not None) == row.resolved


def test_an_agent_that_falls_silent_raises_one_alert_until_it_is_back() -> None:
    server = SimulatorServer(FleetSpec(40, seed=3, alerts=0), at=AT, frozen=True)
    server.alerts.rows()
    agent = next(agent for agent in server.fleet if agent.monitoring_type == "server" and agent.pk > 20)
    server.fleet.silence(server.fleet.wake(agent))

    def about() -> list[AlertRow]:
        return [row for row in server.alerts.rows() if row.agent == agent.pk]

    server.clock.advance(timedelta(minutes=20))
    assert about() == []
    server.clock.advance(timedelta(minutes=45))
    assert [(row.alert_type, row.severity, row.hidden) for row in about()] == [
        ("availability", "error", False)
    ]
    server.clock.advance(DAY)
    assert len(about()) == 1
    server.fleet.wake(agent)
    server.clock.advance(CYCLE)
    assert [row.resolved for row in about()] == [True]


def test_an_agents_alerts_go_with_the_agent(server: SimulatorServer, ask: Ask) -> None:
    alert = server.alerts.raise_alert(20)
    server.fleet.remove_agent(20)
    assert ask(f"/alerts/{alert}/").status_code == 404
    assert alert not in [row["id"] for row in ask("/alerts/", "PATCH", json={}).json()]
    server.alerts.cycle()


def test_snoozes_end_ten_minutes_past_the_hour(server: SimulatorServer, ask: Ask) -> None:
    alert = server.alerts.raise_alert(2, "custom")
    body = {"type": "snooze", "snooze_days": 1}
    assert ask(f"/alerts/{alert}/", "PUT", json=body).json() == "ok"
    server.clock.advance(DAY - timedelta(minutes=1))
    assert ask(f"/alerts/{alert}/").json()["snoozed"] is True
    # 07:08 plus a day: the task of 07:10 ends it.
    server.clock.advance(timedelta(minutes=4))
    found = ask(f"/alerts/{alert}/").json()
    assert (found["snoozed"], found["snooze_until"]) == (False, None)


def test_alerts_come_and_go_by_themselves_the_same_on_equal_servers() -> None:
    def lived() -> list[AlertRow]:
        spec = FleetSpec(40, seed=3, alerts=0)
        server = SimulatorServer(spec, at=AT, frozen=True, alert_every=30)
        for _ in range(40):
            server.clock.advance(timedelta(seconds=30))
            server.alerts.rows()
        return server.alerts.rows()

    rows = lived()
    ended = [row for row in rows if row.resolved]
    assert len(rows) > 10 < len(ended) + 6
    assert 0 < len(rows) - len(ended) < 15
    assert rows == lived()


def test_alerts_come_by_themselves_while_nobody_asks() -> None:
    with SimulatorServer(FleetSpec(10, alerts=0), alert_every=0.05) as server:
        for _ in range(200):
            with server.fleet.lock:
                if len(server.state.alerts.book):
                    break
            time.sleep(0.05)
        assert server.alerts.rows()


@pytest.mark.parametrize("setting", ["alert_every", "outages_every"])
def test_a_senseless_time_is_refused(setting: str) -> None:
    with pytest.raises(ValueError, match="more than 0 seconds"):
        SimulatorServer(FleetSpec(1), settings=Settings(**{setting: 0.0}))  # type: ignore[arg-type]


def test_of_several_open_alerts_about_one_thing_only_the_newest_stays(
    server: SimulatorServer, ask: Ask
) -> None:
    first = server.alerts.raise_alert(2, cause=77)
    ask(f"/alerts/{first}/", "PUT", json={"type": "resolve"})
    second = server.alerts.raise_alert(2, cause=77)
    # A raw write opens the first one again.
    ask(f"/alerts/{first}/", "PUT", json={"resolved": False})
    assert second > first
    server.alerts.cycle()
    assert ask(f"/alerts/{first}/").json()["resolved"] is True
    assert ask(f"/alerts/{second}/").json()["resolved"] is False


# ---- the hands


def test_raised_alerts_are_what_was_asked_for(server: SimulatorServer, ask: Ask) -> None:
    agent = server.fleet.agent(2)
    alert = server.alerts.raise_alert(agent, "task", "warning", label='Nightly "backup"', cause=5)
    found = ask(f"/alerts/{alert}/").json()
    assert found["message"] == f'{agent.hostname} has task: Nightly "backup" that failed.'
    assert (found["alert_type"], found["severity"], found["assigned_task"]) == ("task", "warning", 5)
    assert (found["agent"], found["agent_id"], found["hostname"]) == (2, agent.agent_id, agent.hostname)
    assert found["alert_time"] == "2030-05-06T07:08:09Z"
    odd = server.alerts.raise_alert(agent.agent_id, "check", message='C:\\temp "x"', hidden=True)
    found = ask(f"/alerts/{odd}/").json()
    assert (found["message"], found["hidden"]) == ('C:\\temp "x"', True)
    silent = server.alerts.raise_alert(2, "availability")
    assert ask("/agents/").json()[0].keys() >= {"status"}
    assert {row["status"] for row in ask("/agents/").json() if row["agent_id"] == agent.agent_id} == {
        "overdue"
    }
    server.alerts.recover(silent)
    assert ask(f"/alerts/{silent}/").json()["resolved"] is True


def test_hands_refuse_what_makes_no_sense(server: SimulatorServer) -> None:
    custom = server.alerts.raise_alert(2, "custom")
    with pytest.raises(ValueError, match="nothing stands behind"):
        server.alerts.recover(custom)
    with pytest.raises(KeyError):
        server.alerts.recover(999_999)
    with pytest.raises(KeyError):
        server.alerts.raise_alert(4711)
    with pytest.raises(ValueError, match="always an error"):
        server.alerts.raise_alert(2, "availability", "warning")
    with pytest.raises(ValueError, match="a severity is one of"):
        server.alerts.raise_alert(2, "check", "critical")


# ---- the URLs


def _put(ask: Ask, alert: int, user: str = "admin", **body: Any) -> httpx2.Response:
    return ask(f"/alerts/{alert}/", "PUT", user=user, json=body)


def test_resolving_twice_moves_the_time_and_ends_the_snooze(server: SimulatorServer, ask: Ask) -> None:
    alert = server.alerts.raise_alert(2, "custom")
    _put(ask, alert, type="snooze", snooze_days="2")
    assert _put(ask, alert, type="resolve").json() == "ok"
    first = ask(f"/alerts/{alert}/").json()
    assert (first["resolved"], first["snoozed"], first["snooze_until"]) == (True, False, None)
    server.clock.advance(timedelta(seconds=5))
    _put(ask, alert, type="resolve")
    assert ask(f"/alerts/{alert}/").json()["resolved_on"] > first["resolved_on"]


def test_any_column_can_be_written_raw(server: SimulatorServer, ask: Ask) -> None:
    alert = server.alerts.raise_alert(2, "custom")
    _put(ask, alert, type="resolve")
    written: dict[str, Any] = {
        "resolved": "no", "resolved_on": None, "message": "  edited ", "severity": "warning", "agent": "3",
        "snooze_until": "2031-01-01T00:00:00Z", "action_retcode": -5, "hidden": 1, "alert_time": "2000-01-01",
        "hostname": "ignored", "id": 5,
    }  # fmt: skip
    assert _put(ask, alert, **written).json() == "ok"
    found = ask(f"/alerts/{alert}/").json()
    assert (found["resolved"], found["resolved_on"], found["message"]) == (False, None, "edited")
    assert (found["agent"], found["snooze_until"]) == (3, "2031-01-01T00:00:00Z")
    assert (found["action_retcode"], found["hidden"], found["id"]) == (-5, True, alert)
    assert found["alert_time"].startswith("2030")


@pytest.mark.parametrize(
    ("body", "field", "told"),
    [
        ({"snoozed": "perhaps"}, "snoozed", "Must be a valid boolean."),
        ({"resolved": None}, "resolved", "This field may not be null."),
        ({"agent": 999_999}, "agent", 'Invalid pk "999999" - object does not exist.'),
        ({"alert_type": "x"}, "alert_type", '"x" is not a valid choice.'),
        ({"message": ["x"]}, "message", "Not a valid string."),
        ({"action_retcode": "x"}, "action_retcode", "A valid integer is required."),
        ({"resolved_on": "noon"}, "resolved_on", "Datetime has wrong format."),
    ],
)
def test_a_raw_write_of_a_bad_value(
    server: SimulatorServer, ask: Ask, body: dict[str, Any], field: str, told: str
) -> None:
    alert = server.alerts.raise_alert(2, "custom")
    answer = _put(ask, alert, **body)
    assert answer.status_code == 400
    assert answer.json()[field][0].startswith(told)


@pytest.mark.parametrize(
    "body",
    [
        {"top": None}, {"top": [1]}, {"timeFilter": 10**9}, {"clientFilter": "abc"}, {"clientFilter": [[]]},
        {"severityFilter": 5}, {"severityFilter": None}, {"resolvedFilter": ""}, {"snoozedFilter": {}},
        [], "x",
    ],
)  # fmt: skip
def test_questions_that_break_the_server(ask: Ask, body: Any) -> None:
    answer = ask("/alerts/", "PATCH", json=body)
    assert (answer.status_code, len(answer.content)) == (500, 145)


def test_flags_that_are_none(server: SimulatorServer, ask: Ask) -> None:
    every = {row.pk for row in server.alerts.rows()}

    def found(body: dict[str, Any]) -> set[int]:
        return {row["id"] for row in ask("/alerts/", "PATCH", json=body).json()}

    opened = {row.pk for row in server.alerts.rows() if not row.resolved}
    assert found({"resolvedFilter": 0}) == opened < every
    assert found({"resolvedFilter": None}) == set()
    assert found({"resolvedFilter": "false", "hidden": False, "status": "active"}) == every


def test_a_list_comes_in_another_order_each_time(ask: Ask) -> None:
    orders = [[row["id"] for row in ask("/alerts/", "PATCH").json()] for _ in range(3)]
    assert sorted(orders[0]) == sorted(orders[1])
    assert len({tuple(order) for order in orders}) == 3


def test_many_at_once(server: SimulatorServer, ask: Ask) -> None:
    alerts = [server.alerts.raise_alert(pk, "custom") for pk in (2, 3, 4)]
    body = {"bulk_action": "snooze", "alerts": [str(alerts[0]), 999_999], "snooze_days": 3}
    assert ask("/alerts/bulk/", "POST", json=body).json() == "ok"
    assert ask(f"/alerts/{alerts[0]}/").json()["snooze_until"] == "2030-05-09T07:08:09Z"
    body = {"bulk_action": "resolve", "alerts": alerts[:2]}
    assert ask("/alerts/bulk/", "POST", json=body).json() == "ok"
    assert [ask(f"/alerts/{alert}/").json()["resolved"] for alert in alerts] == [True, True, False]
    breaking: tuple[Any, ...] = (
        {"bulk_action": "resolve", "alerts": 5},
        {"bulk_action": "resolve", "alerts": ["x"]},
        [],
    )
    for broken in breaking:
        assert ask("/alerts/bulk/", "POST", json=broken).status_code == 500


def test_an_alert_without_anything_can_be_made(server: SimulatorServer, ask: Ask) -> None:
    assert ask("/alerts/", "POST", json={}).json() == "ok"
    last = max(server.alerts.rows(), key=lambda row: row.pk)
    found = ask(f"/alerts/{last.pk}/").json()
    assert found.keys().isdisjoint({"hostname", "agent_id", "client", "site"})
    assert len(found) == 27
    assert (found["alert_type"], found["severity"], found["message"]) == ("availability", "info", None)
    assert ask("/alerts/", "POST", json=[]).status_code == 400


def test_a_role_of_one_client_sees_and_changes_only_its_own(server: SimulatorServer, ask: Ask) -> None:
    foreign = server.fleet.agents_of_client(2)[0]
    own = server.fleet.agents_of_client(1)[0]
    theirs, ours = (server.alerts.raise_alert(agent, "custom") for agent in (foreign, own))
    nobodys = next(row.pk for row in server.alerts.rows() if row.agent is None and not row.resolved)
    listed = {row["id"] for row in ask("/alerts/", "PATCH", user="limited", json={}).json()}
    assert listed >= {ours, nobodys}
    assert theirs not in listed
    assert _put(ask, theirs, "limited", type="resolve").status_code == 403
    assert ask(f"/alerts/{theirs}/", "DELETE", user="limited").status_code == 403
    assert ask("/alerts/999999/", "DELETE", user="limited").status_code == 404
    body = {"bulk_action": "resolve", "alerts": [theirs, ours]}
    assert ask("/alerts/bulk/", "POST", user="limited", json=body).json() == "ok"
    found = {row.pk: row.resolved for row in server.alerts.rows()}
    assert (found[ours], found[theirs]) == (True, False)
    assert _put(ask, nobodys, "limited", type="resolve").json() == "ok"


def test_reading_is_not_managing(server: SimulatorServer, ask: Ask) -> None:
    alert = server.alerts.raise_alert(2, "custom")
    assert ask(f"/alerts/{alert}/", user="nototp").status_code == 200
    for method, path in (("PUT", f"/alerts/{alert}/"), ("DELETE", f"/alerts/{alert}/"), ("POST", "/alerts/")):
        assert ask(path, method, user="nototp", json={"type": "resolve"}).status_code == 403
    assert ask(f"/alerts/{alert}/", "HEAD", user="nototp").status_code == 403
    assert ask("/alerts/", "PATCH", user="noperm", json={}).status_code == 403
    assert ask(f"/alerts/{alert}/", "PATCH", json={}).status_code == 405
