"""The recorded server's own 210 alerts, asked as they were asked: the same ones come back."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from muster.simulator import FleetSpec, SimulatorServer
from muster.simulator.alert_rows import COLUMNS, MOMENTS
from muster.simulator.clock import to_microseconds
from tests.support.recordings import Recordings

pytestmark = pytest.mark.recordings

# The moment of the recordings, to the minute: nothing they ask depends on less.
AT = datetime(2026, 11, 23, 14, 33, tzinfo=UTC)
_CLIENTS = {"Acme Corp": 1, "Contoso Ltd": 2, 'O\'Brien "Dental" & Partners': 3, "Übermut & Söhne GmbH": 4}
_LISTS = (
    *("alerts_patch_client", "alerts_patch_client_empty_list", "alerts_patch_client_missing"),
    *("alerts_patch_combo", "alerts_patch_empty", "alerts_patch_hidden_filter_ignored"),
    *("alerts_patch_limited_empty", "alerts_patch_limited_foreign_client", "alerts_patch_nobody"),
    *("alerts_patch_resolvedFilter_false", "alerts_patch_resolvedFilter_true"),
    *("alerts_patch_resolved_snoozed_false", "alerts_patch_resolved_string_false", "alerts_patch_sev_bad"),
    *("alerts_patch_sev_empty", "alerts_patch_sev_error", "alerts_patch_sev_str"),
    *("alerts_patch_snoozedFilter_false", "alerts_patch_status_active", "alerts_patch_status_resolved"),
    *("alerts_patch_time0", "alerts_patch_time1", "alerts_patch_time30", "alerts_patch_time30_open"),
)
_TOPS = ("alerts_patch_top10", "alerts_patch_top_0", "alerts_patch_top_1000", "alerts_patch_top_10_str")


def _columns(recorded: dict[str, Any]) -> dict[str, Any]:
    found = {name: recorded[name] for name in COLUMNS}
    for name in MOMENTS:
        if found[name] is not None:
            found[name] = to_microseconds(datetime.fromisoformat(found[name]))
    return found


@pytest.fixture(scope="module")
def server(recordings: Recordings) -> Iterator[SimulatorServer]:
    """The recorded alerts in a fleet whose agents stand under the recorded clients."""
    rows = json.loads(recordings.full_body("alerts_patch_empty"))
    with SimulatorServer(FleetSpec(250, clients=6, alerts=0), frozen=True, at=AT) as running:
        running.alerts.rows()
        for client, pk in _CLIENTS.items():
            running.fleet.rename_client(pk, client)
        for row in sorted(rows, key=lambda row: int(row["id"])):
            if row["agent"] is not None:
                site = running.fleet.sites_of_client(_CLIENTS[row["client"]])[0]
                running.fleet.move_agent(row["agent"], site.pk)
            made = running.state.alerts.book.add(**_columns(row))
            assert made.pk == row["id"]
        yield running


def _ask(server: SimulatorServer, capture: dict[str, Any]) -> Any:
    user = {"superadmin": "admin", "limited": "limited"}[capture["request"]["as_user"]]
    headers = {"X-API-KEY": server.users[user].api_key}
    answer = httpx2.request(
        "PATCH", f"{server.url}/alerts/", headers=headers, json=capture["request"]["body"]
    )
    return answer.json()


@pytest.mark.parametrize("name", _LISTS)
def test_a_list_has_the_recorded_alerts(name: str, recordings: Recordings, server: SimulatorServer) -> None:
    capture = recordings.load_capture(name)
    found = {row["id"]: row for row in _ask(server, capture)}
    assert len(found) == capture["response"]["count"]
    for row in capture["response"]["body"]:
        if isinstance(row, dict):
            assert found[row["id"]].keys() == row.keys()
            for key in row.keys() - {"hostname", "agent_id", "site"}:
                assert found[row["id"]][key] == row[key], key


@pytest.mark.parametrize("name", [*_TOPS, "alerts_patch_limited_top"])
def test_the_short_list_has_the_oldest_open_ones(
    name: str, recordings: Recordings, server: SimulatorServer
) -> None:
    capture = recordings.load_capture(name)
    recorded, found = capture["response"]["body"], _ask(server, capture)
    assert found["alerts_count"] == recorded["alerts_count"]
    pks = [row["id"] for row in recorded["alerts"] if isinstance(row, dict)]
    assert [row["id"] for row in found["alerts"]][: len(pks)] == pks
    asked = int(capture["request"]["body"]["top"])
    assert len(found["alerts"]) == min(asked, recorded["alerts_count"])


def test_every_recorded_question_with_an_answer_is_asked(recordings: Recordings) -> None:
    answered = {
        name
        for name in recordings.capture_names("alerts_patch_")
        if recordings.load_capture(name)["response"]["status"] == 200
    }
    assert answered == {*_LISTS, *_TOPS, "alerts_patch_limited_top"}
