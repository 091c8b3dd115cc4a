"""Whatever arrives with the right secret ends as a receipt; what was captured of a real server ends right."""

import ast
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muster.db import Database
from muster.inbound_webhooks.types import ReceiptState
from tests.inbound_webhooks.test_door import AGENT
from tests.support.hook import Hook
from tests.support.recordings import Recordings
from tests.support.site import Site
from tests.support.world import World

SEVERITIES = {"error": "critical", "warning": "moderate", "info": "minor"}
PIECES = st.sampled_from(
    [
        *(
            '{"agent_id": "',
            AGENT,
            '", "alert_id": "',
            "214",
            '"',
            "}",
            "{",
            ",",
            ":",
            "\\",
            "[",
            "]",
            "null",
        ),
        *(
            '"event": "trigger"',
            '"event": "resolve"',
            "None",
            "{{alert.id}}",
            "\\u0000",
            "\\ud800",
            "\x00",
            "é",
        ),
        *('"severity": "error"', '"message": "', '"alert_time": "2026-11-23 14:46:17+00:00"', "9" * 400),
    ]
)
BODIES = st.one_of(
    st.binary(max_size=400),
    st.lists(PIECES, max_size=25).map(lambda pieces: "".join(pieces).encode()),
    st.dictionaries(
        st.sampled_from(["agent_id", "alert_id", "event", "severity", "message", "alert_time", "client_id"]),
        st.one_of(st.text(max_size=50), st.integers(), st.none(), st.just(AGENT), st.just("\ud800\0")),
    ).map(lambda found: json.dumps(found).encode()),
)


@pytest.fixture
async def hook(database: Database) -> AsyncIterator[Hook]:
    world = await World.make(database)
    integration_id = await world.add(instance_url="https://api.example.com", api_key="K" * 32)
    async with Site.of(world).browser() as browser:
        yield await Hook.of(world, integration_id, browser)


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=BODIES, content_type=st.sampled_from([None, "application/json", "text/html", "multipart/form-data"])
)
async def test_every_body_is_kept_and_comes_to_an_end(
    hook: Hook, body: bytes, content_type: str | None
) -> None:
    before = {receipt.receipt_id for receipt in await hook.receipts()}
    answer = await hook.call(body, headers={} if content_type is None else {"content-type": content_type})
    assert answer.status_code in (200, 400)
    await hook.drain()
    (receipt,) = [each for each in await hook.receipts() if each.receipt_id not in before]
    assert str(receipt.receipt_id) == answer.json()["receipt_id"]
    assert receipt.size == len(body)
    ends = {ReceiptState.UNKNOWN_DEVICE, ReceiptState.TEST} if answer.status_code == 200 else set()
    assert receipt.state in (ends or {ReceiptState.NOT_UNDERSTOOD})
    assert (receipt.alert_id is not None) <= (receipt.state is ReceiptState.UNKNOWN_DEVICE)


def arrived(recordings: Recordings) -> Mapping[str, bytes]:
    """Every body that the real server sent, byte for byte, by the capture's name and place."""
    found = {}
    for name in [*recordings.capture_names("fire_"), *recordings.capture_names("hook_test")]:
        capture = recordings.load_capture(name)
        received = capture.get("received") or [] if isinstance(capture, dict) else capture
        for place, each in enumerate(received if isinstance(received, list) else []):
            if isinstance(each, dict) and each.get("body_bytes_repr"):
                found[f"{name}/{place}"] = ast.literal_eval(each["body_bytes_repr"])
    return found


def plain(body: bytes) -> dict[str, Any] | None:
    """A body that is whole JSON and names an alert's severity as the server has it; else None."""
    try:
        found = json.loads(body)
    except ValueError:
        return None
    whole = isinstance(found, dict) and found.get("severity") in SEVERITIES and found.get("agent_id")
    return found if whole and str(found.get("alert_id", "")).isdigit() else None


@pytest.mark.slow
@pytest.mark.recordings
async def test_every_captured_body_ends_as_the_right_alert(hook: Hook, recordings: Recordings) -> None:
    bodies = arrived(recordings)
    assert len(bodies) > 30
    expected: dict[str, tuple[str, str]] = {}
    for name, body in bodies.items():
        answer = await hook.call(body)
        assert answer.status_code in (200, 400), name
        fields = plain(body)
        if answer.status_code == 200 and fields is not None:
            alert_id = str(fields["alert_id"])
            ended = "resolve" in str(fields.get("event")) or expected.get(alert_id, ("",))[0] == "resolved"
            severity = expected.get(alert_id, ("", SEVERITIES[str(fields["severity"])]))[1]
            expected[alert_id] = ("resolved" if ended else "active", severity)
    await hook.drain()
    receipts = await hook.receipts()
    assert len(receipts) == len(bodies)
    assert {receipt.state for receipt in receipts} <= {
        ReceiptState.UNKNOWN_DEVICE,
        ReceiptState.NOT_UNDERSTOOD,
        ReceiptState.TEST,
    }
    alerts = await hook.alerts()
    assert len(expected) > 10
    found = {key: (alerts[key].status, alerts[key].severity) for key in expected}
    assert found == expected
