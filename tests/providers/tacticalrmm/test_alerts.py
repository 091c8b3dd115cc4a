"""Reading and changing alerts: as recorded, on the simulator, and when answers are not as they should be."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import pytest

from muster.egress import EgressPolicy
from muster.providers.alerting import AlertConnection, AlertSeverity, AlertType
from muster.providers.contract import (
    ProviderAuthError,
    ProviderConfigurationError,
    ProviderError,
    ProviderNotFound,
    ProviderPayloadError,
    ProviderPermissionError,
    ProviderUnavailable,
)
from muster.simulator import FleetSpec, SimulatorServer
from tests.providers.tacticalrmm.alert_rows import MOMENT, ROW
from tests.support.opening import MemorySession, impatient, opened
from tests.support.recordings import Recordings
from tests.support.replay import (
    NOT_FOUND,
    ReplayServer,
    Reply,
    Seen,
    as_html,
    as_json,
    capture_reply,
    serving,
)

ALERTS = "/alerts/"
DATE = "Mon, 23 Nov 2026 15:20:12 GMT"


@asynccontextmanager
async def alerting(url: str, **fields: Any) -> AsyncIterator[AlertConnection]:
    async with opened(url, **fields) as connection:
        assert isinstance(connection, AlertConnection)
        yield connection


def asked(server: ReplayServer) -> list[tuple[str, str, Any]]:
    return [(seen.method, seen.path, json.loads(seen.body) if seen.body else None) for seen in server.seen]


# --- as recorded ----------------------------------------------------------------------------------------


def answering(recordings: Recordings, file: str) -> Reply:
    return Reply(body=recordings.snapshot_bytes(file), headers={"date": DATE})


@pytest.mark.recordings
async def test_open_alerts_of_the_recorded_fleet(recordings: Recordings) -> None:
    with serving(lambda _: answering(recordings, "alerts_open.json.gz")) as server:
        async with alerting(server.url) as connection:
            snapshot = await connection.open_alerts()
    assert asked(server) == [("PATCH", ALERTS, {"resolvedFilter": False})]
    assert snapshot.answered_at == MOMENT
    assert not snapshot.rejected
    records = {record.external_id: record for record in snapshot.records}
    assert len(records) == len(snapshot.records) == 75
    # What a list made for a dashboard leaves out are the snoozed and the hidden ones.
    shown = {str(row["id"]) for row in recordings.load_snapshot("alerts_top.json.gz")["alerts"]}
    assert len(shown) == 68
    assert shown == {key for key, record in records.items() if not (record.snoozed or record.hidden)}


@pytest.mark.recordings
async def test_recent_alerts_are_of_every_state_and_as_recorded(recordings: Recordings) -> None:
    with serving(lambda _: answering(recordings, "alerts_all.json.gz")) as server:
        async with alerting(server.url) as connection:
            snapshot = await connection.recent_alerts(30)
    # Any filter more would leave out states.
    assert asked(server) == [("PATCH", ALERTS, {"timeFilter": 30})]
    rows = {str(row["id"]): row for row in recordings.load_snapshot("alerts_all.json.gz")}
    assert not snapshot.rejected
    assert [record.external_id for record in snapshot.records] == list(rows)
    assert len(rows) == 294
    severities = {"error": "critical", "warning": "moderate", "info": "minor"}
    for record in snapshot.records:
        row = rows[record.external_id]
        assert record.raw == row
        assert record.device_id == row.get("agent_id")
        assert record.device_name == row.get("hostname")
        assert record.organization_name == row.get("client")
        assert record.site_name == row.get("site")
        assert record.alert_type == row["alert_type"]
        assert record.severity == severities[row["severity"]]
        assert record.original_severity == row["severity"]
        assert record.opened_at == moment(row["alert_time"])
        assert record.resolved == row["resolved"]
        assert record.resolved_at == moment(row["resolved_on"])
        assert record.snoozed == row["snoozed"]
        assert record.snoozed_until == moment(row["snooze_until"])
        assert record.hidden == row["hidden"]
        assert record.delivered_at == moment(row["action_run"])
        assert record.delivery_code == row["action_retcode"]
        assert record.resolve_delivered_at == moment(row["resolved_action_run"])
        check, task = row["assigned_check"], row["assigned_task"]
        assert record.cause == (f"check:{check}" if check else f"task:{task}" if task else None)
    assert {record.resolved for record in snapshot.records} == {True, False}
    assert {record.cause is None for record in snapshot.records} == {True, False}
    assert sum(record.device_id is None for record in snapshot.records) > 1


def moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


@pytest.mark.recordings
async def test_the_dashboards_form_of_the_list_is_understood(recordings: Recordings) -> None:
    with serving(lambda _: answering(recordings, "alerts_top.json.gz")) as server:
        async with alerting(server.url) as connection:
            assert len((await connection.open_alerts()).records) == 68


@pytest.mark.recordings
@pytest.mark.parametrize("name", ["alerts_one", "alerts_one_unicode", "fire_alert_row_after_webhook"])
async def test_one_alert(recordings: Recordings, name: str) -> None:
    recorded = recordings.load_capture(name)
    row = recorded["response"]["body"]
    with serving(lambda _: capture_reply(recordings, name)) as server:
        async with alerting(server.url) as connection:
            record = await connection.alert(str(row["id"]))
    assert asked(server) == [("GET", recorded["request"]["path"], None)]
    assert record.raw == row
    assert record.message == row["message"]
    if name == "fire_alert_row_after_webhook":
        assert (record.delivered_at, record.delivery_code) == (moment(row["action_run"]), 200)


@pytest.mark.recordings
async def test_an_alert_without_an_agent(recordings: Recordings) -> None:
    with serving(lambda _: capture_reply(recordings, "alerts_one_limited_null_agent")) as server:
        async with alerting(server.url) as connection:
            record = await connection.alert("59")
    assert record.device_id is record.device_name is record.organization_name is record.site_name is None
    assert (record.alert_type, record.severity) == (AlertType.CUSTOM, AlertSeverity.MINOR)


@pytest.mark.recordings
@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("alerts_one_404", ProviderNotFound, "nothing at /alerts/4/"),
        ("alerts_one_limited_foreign", ProviderPermissionError, "can_list_alerts, or a role that sees"),
        ("auth_apikey_invalid", ProviderAuthError, "credentials"),
        ("auth_unknown_path", ProviderConfigurationError, "not Tactical RMM"),
    ],
)
async def test_reading_one_fails_as_it_should(
    recordings: Recordings, name: str, kind: type[ProviderError], said: str
) -> None:
    with serving(lambda _: capture_reply(recordings, name)) as server:
        async with alerting(server.url) as connection:
            with pytest.raises(kind, match=said):
                await connection.alert("4")
    assert len(server.seen) == 1


@pytest.mark.recordings
async def test_changes_are_asked_for_as_recorded(recordings: Recordings) -> None:
    names = ["alerts_put_resolve", "alerts_put_resolve_again", "alerts_put_snooze", "alerts_put_unsnooze"]
    recorded = [recordings.load_capture(name) for name in names]
    with serving(lambda _: capture_reply(recordings, "alerts_put_resolve")) as server:
        async with alerting(server.url) as connection:
            await connection.resolve_alert("1")
            await connection.resolve_alert("1")
            await connection.snooze_alert("1", recorded[2]["request"]["body"]["snooze_days"])
            await connection.unsnooze_alert("1")
    requests = [capture["request"] for capture in recorded]
    assert asked(server) == [(one["method"], one["path"], one["body"]) for one in requests]


@pytest.mark.recordings
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("alerts_put_404", ProviderNotFound),
        ("alerts_put_resolve_limited_foreign", ProviderPermissionError),
        ("alerts_put_resolve_reader_403", ProviderPermissionError),
        ("alerts_put_bad_type", ProviderPayloadError),
    ],
)
async def test_changing_fails_as_it_should(
    recordings: Recordings, name: str, kind: type[ProviderError]
) -> None:
    with serving(lambda _: capture_reply(recordings, name)) as server:
        async with alerting(server.url) as connection:
            for change in (
                connection.resolve_alert("4"),
                connection.snooze_alert("4", 2),
                connection.unsnooze_alert("4"),
            ):
                with pytest.raises(kind) as caught:
                    await change
                if kind is ProviderPermissionError:
                    assert "can_manage_alerts" in str(caught.value)


@pytest.mark.recordings
@pytest.mark.parametrize("name", ["alerts_patch_noperm", "alerts_patch_norole"])
async def test_a_list_that_the_role_may_not_read(recordings: Recordings, name: str) -> None:
    with serving(lambda _: capture_reply(recordings, name)) as server:
        async with alerting(server.url) as connection:
            for listing in (connection.open_alerts(), connection.recent_alerts(1)):
                with pytest.raises(ProviderPermissionError, match="can_list_alerts"):
                    await listing


# --- other answers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "external_id", ["", "abc", "0", "007", "-1", "1.0", " 1", "٣", "9" * 19, "1/../2", "d:1:2"]
)
async def test_an_id_that_fits_no_url_is_not_asked_for(external_id: str) -> None:
    with serving(lambda _: as_json(ROW)) as server:
        async with alerting(server.url) as connection:
            for verb in (connection.alert, connection.resolve_alert, connection.unsnooze_alert):
                with pytest.raises(ProviderNotFound):
                    await verb(external_id)
    assert not server.seen


@pytest.mark.parametrize(
    "reply", [NOT_FOUND, as_json({"message": "no Route matched"}, 404), as_json([], 404)]
)
async def test_only_the_server_itself_says_that_an_alert_is_gone(reply: Reply) -> None:
    with serving(lambda _: reply) as server:
        async with alerting(server.url) as connection:
            for asking in (connection.alert("4"), connection.resolve_alert("4"), connection.open_alerts()):
                with pytest.raises(ProviderConfigurationError) as caught:
                    await asking
                assert caught.value.code == "not_tactical"


async def test_another_alert_than_was_asked_for() -> None:
    with serving(lambda _: as_json(ROW)) as server:
        async with alerting(server.url) as connection:
            assert (await connection.alert("214")).external_id == "214"
            with pytest.raises(ProviderPayloadError, match="another alert"):
                await connection.alert("215")


@pytest.mark.parametrize(
    "reply",
    [
        as_json("ok"),
        as_json([ROW]),
        as_json({**ROW, "alert_time": None}),
        Reply(body=json.dumps(ROW).encode()[:-5]),
        Reply(body=b"[" * 100_000),
        Reply(body=json.dumps(ROW).encode(), content_type="text/plain"),
    ],
)
async def test_an_answer_that_is_no_alert(reply: Reply) -> None:
    with serving(lambda _: reply) as server:
        async with alerting(server.url) as connection:
            with pytest.raises(ProviderPayloadError):
                await connection.alert("214")


@pytest.mark.parametrize(
    "reply",
    [
        as_json("ok"),
        as_json(ROW),
        as_json({"alerts": 5}),
        as_json({"alerts": None}),
        as_json(None),
        Reply(body=json.dumps([ROW]).encode()[:-5]),
        Reply(body=b"[" * 100_000),
        Reply(body=b"\xff[]"),
        Reply(body=json.dumps([ROW]).encode(), content_type="text/plain"),
    ],
)
async def test_an_answer_that_is_no_list_of_alerts(reply: Reply) -> None:
    with serving(lambda _: reply) as server:
        async with alerting(server.url) as connection:
            with pytest.raises(ProviderPayloadError):
                await connection.open_alerts()


async def test_a_page_instead_of_a_list() -> None:
    with serving(lambda _: as_html()) as server:
        async with alerting(server.url) as connection:
            with pytest.raises(ProviderConfigurationError):
                await connection.open_alerts()


BAD = {
    "alert_time": {**ROW, "id": 1, "alert_time": "yesterday"},
    "id": {**ROW, "id": "x"},
    "resolved": {**ROW, "id": 3, "resolved": "no"},
    "severity": {name: value for name, value in {**ROW, "id": 4}.items() if name != "severity"},
    "agent_id": {**ROW, "id": 5, "agent_id": "a b/c"},
    None: 17,
}


async def test_a_row_that_cannot_be_understood_is_named_and_the_rest_stands() -> None:
    rows = [*BAD.values(), ROW, ROW, {**ROW, "id": 215}]
    with serving(lambda _: as_json(rows, date=DATE)) as server:
        async with alerting(server.url) as connection:
            snapshot = await connection.recent_alerts(7)
    # The same alert twice is one.
    assert [record.external_id for record in snapshot.records] == ["214", "215"]
    assert [(row.position, row.field) for row in snapshot.rejected] == list(enumerate(BAD))
    assert [row.external_id for row in snapshot.rejected] == ["1", "x", "3", "4", "5", None]
    assert all(row.reason for row in snapshot.rejected)


async def test_a_list_of_something_else_is_no_list_without_alerts() -> None:
    with serving(lambda _: as_json([{"name": f"row {number}"} for number in range(200)])) as server:
        async with alerting(server.url) as connection:
            with pytest.raises(ProviderPayloadError, match="id"):
                await connection.open_alerts()
    with serving(lambda _: as_json([])) as server:
        async with alerting(server.url) as connection:
            assert (await connection.open_alerts()).records == ()


async def test_a_list_of_thousands() -> None:
    rows = [{**ROW, "id": number} for number in range(1, 5_001)]
    with serving(lambda _: as_json(rows)) as server:
        async with alerting(server.url) as connection:
            records = (await connection.recent_alerts(3650)).records
    assert [record.external_id for record in records] == [str(row["id"]) for row in rows]


async def test_a_server_that_ignores_the_filter_opens_nothing() -> None:
    rows = [ROW, {**ROW, "id": 215, "resolved": True, "resolved_on": "2026-11-23T15:00:00Z"}]
    with serving(lambda _: as_json(rows)) as server:
        async with alerting(server.url) as connection:
            assert [record.external_id for record in (await connection.open_alerts()).records] == ["214"]
            assert len((await connection.recent_alerts(1)).records) == 2


@pytest.mark.parametrize("days", [0, -1, 3651])
async def test_days_have_bounds(days: int) -> None:
    with serving(lambda _: as_json([])) as server:
        async with alerting(server.url) as connection:
            for asking in (connection.recent_alerts(days), connection.snooze_alert("1", days)):
                with pytest.raises(ValueError, match="days"):
                    await asking
    assert not server.seen


async def test_asking_is_repeated_and_changing_is_not() -> None:
    failing = [as_html(502), as_json({"detail": "slow down"}, 429)]

    def handler(seen: Seen) -> Reply:
        if seen.method == "PUT":
            return as_html(502)
        return failing.pop() if failing else as_json([ROW])

    with serving(handler) as server:
        async with alerting(server.url) as connection:
            assert len((await connection.open_alerts()).records) == 1
            with pytest.raises(ProviderUnavailable):
                await connection.resolve_alert("214")
    assert len(server.asked(ALERTS, "PATCH")) == 3
    assert len(server.asked("/alerts/214/", "PUT")) == 1


async def test_a_list_of_alerts_has_more_time_than_other_answers() -> None:
    def handler(seen: Seen) -> Reply:
        time.sleep(0.5)
        return as_json([ROW] if seen.path == ALERTS else [])

    with serving(handler) as server:
        async with alerting(server.url, egress=impatient(EgressPolicy(read_timeout=0.1))) as connection:
            assert len((await connection.open_alerts()).records) == 1
            with pytest.raises(ProviderUnavailable):
                await connection.alert("214")


async def test_a_change_is_sent_again_after_a_login() -> None:
    def handler(seen: Seen) -> Reply:
        if seen.path == "/v2/checkcreds/":
            return as_json({"totp": False, "token": "fresh"})
        if seen.headers.get("authorization") != "Token fresh":
            return as_json({"detail": "Invalid token."}, 401)
        return as_json("ok")

    with serving(handler) as server:
        session = MemorySession("stale")
        async with alerting(server.url, username="u", password="p", session=session) as connection:
            await connection.resolve_alert("214")
    assert [seen.method for seen in server.seen] == ["PUT", "POST", "PUT"]
    assert json.loads(server.seen[-1].body) == {"type": "resolve"}


# --- the simulator --------------------------------------------------------------------------------------


@pytest.fixture
def simulator() -> Any:
    with SimulatorServer(FleetSpec(agents=40), frozen=True) as server:
        yield server


async def test_every_verb_on_a_living_server(simulator: SimulatorServer) -> None:
    async with alerting(simulator.url, api_key=simulator.api_key) as connection:
        before = {record.external_id: record for record in (await connection.open_alerts()).records}
        recent = {record.external_id: record for record in (await connection.recent_alerts(3650)).records}
        assert before
        assert before.items() <= recent.items()
        assert any(record.resolved for record in recent.values())
        chosen = next(key for key, record in before.items() if not record.snoozed and record.device_id)
        assert await connection.alert(chosen) == before[chosen]

        await connection.snooze_alert(chosen, 3)
        snoozed = await connection.alert(chosen)
        assert snoozed.snoozed
        assert snoozed.snoozed_until is not None
        await connection.unsnooze_alert(chosen)
        assert await connection.alert(chosen) == before[chosen]

        await connection.resolve_alert(chosen)
        resolved = await connection.alert(chosen)
        assert resolved.resolved
        assert resolved.resolved_at is not None
        await connection.resolve_alert(chosen)
        after = {record.external_id for record in (await connection.open_alerts()).records}
        assert after == before.keys() - {chosen}
        with pytest.raises(ProviderNotFound):
            await connection.alert("999999999")
        with pytest.raises(ProviderNotFound):
            await connection.resolve_alert("999999999")


async def test_a_restricted_role_sees_less_and_may_not_change_it(simulator: SimulatorServer) -> None:
    async with alerting(simulator.url, api_key=simulator.api_key) as connection:
        everything = {record.external_id: record for record in (await connection.open_alerts()).records}
    async with alerting(simulator.url, api_key=simulator.users["limited"].api_key) as connection:
        visible = {record.external_id for record in (await connection.open_alerts()).records}
        assert visible < everything.keys()
        hidden = next(key for key in everything if key not in visible)
        with pytest.raises(ProviderPermissionError):
            await connection.alert(hidden)
        with pytest.raises(ProviderPermissionError):
            await connection.resolve_alert(hidden)
    async with alerting(simulator.url, api_key=simulator.users["nototp"].api_key) as connection:
        with pytest.raises(ProviderPermissionError, match="can_manage_alerts"):
            await connection.resolve_alert(hidden)
        assert not (await connection.alert(hidden)).resolved
    async with alerting(simulator.url, api_key=simulator.users["noperm"].api_key) as connection:
        with pytest.raises(ProviderPermissionError):
            await connection.open_alerts()


async def test_answers_are_dated_by_the_server(simulator: SimulatorServer) -> None:
    async with alerting(simulator.url, api_key=simulator.api_key) as connection:
        snapshot = await connection.open_alerts()
    assert abs((snapshot.answered_at - simulator.clock.now()).total_seconds()) < 5
