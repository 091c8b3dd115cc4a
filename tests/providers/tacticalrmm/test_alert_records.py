"""An item of the server's alerts as a record, on any input."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.providers.alerting import AlertRecord, AlertSeverity, AlertType
from muster.providers.tacticalrmm import alert_records
from muster.providers.tacticalrmm.translate import RowRefused
from tests.providers.tacticalrmm.alert_rows import MOMENT, ROW


def record(**fields: Any) -> AlertRecord:
    return alert_records.record(json.dumps({**ROW, **fields}).encode(), MOMENT)


def test_severities_keep_their_own_word() -> None:
    assert record(severity="high").severity is AlertSeverity.MAJOR
    odd = record(severity="apocalyptic")
    assert (odd.severity, odd.original_severity) == (AlertSeverity.NONE, "apocalyptic")


def test_texts_that_say_nothing() -> None:
    empty = record(message="", hostname="", client=" ", site=None, alert_type="new kind")
    assert empty.message is empty.device_name is empty.organization_name is empty.site_name is None
    assert empty.alert_type is AlertType.UNKNOWN


def test_causes_tell_problems_apart() -> None:
    assert record().cause == "check:12"
    assert record(assigned_check=None, assigned_task=12).cause == "task:12"
    assert record(assigned_check=None).cause is None


def test_moments_out_of_reason() -> None:
    for text in ("1969-12-31T23:59:59Z", "2026-11-25T15:20:12Z"):
        with pytest.raises(RowRefused, match="alert_time"):
            record(alert_time=text)
    ended = record(resolved=True, resolved_on="2026-11-23T15:00:00Z", snooze_until="2026-12-01T00:00:00Z")
    assert ended.resolved_at == datetime(2026, 11, 23, 15, tzinfo=UTC)
    assert ended.snoozed_until is None
    assert record(resolved_on="2026-11-23T15:00:00Z").resolved_at is None
    snoozed = record(snoozed=True, snooze_until="2036-11-01T00:00:00+02:00")
    assert snoozed.snoozed_until == datetime(2036, 10, 31, 22, tzinfo=UTC)
    assert record(snoozed=True, snooze_until="9999-12-31T23:59:59-14:00").snoozed_until is None


def test_exit_codes_of_scripts_are_no_answers() -> None:
    assert record(action_retcode=500).delivery_code == 500
    assert record(action_retcode=3221225477).delivery_code is None


def test_the_whole_item_is_kept_fit_for_any_database() -> None:
    item = {
        "new": {"nested": ["é", 1]},
        "action_stdout": "a\x00b" + "x" * 100_000,
        "action_execution_time": 10**30,
        **{f"key{number}": number for number in range(200)},
    }
    raw = record(**item).raw
    assert raw["id"] == 214
    assert json.loads(raw["new"]) == {"nested": ["é", 1]}
    assert raw["action_stdout"].startswith("a b")
    assert len(raw["action_stdout"]) == 10_000
    assert raw["action_execution_time"] == str(10**30)
    assert len(raw) == 100
    assert msgspec.json.decode(msgspec.json.encode(raw)) == raw


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=20), st.just([]),
    st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat), st.datetimes().map(datetime.isoformat),
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(list(ROW)), VALUES), st.sets(st.sampled_from(list(ROW))))
def test_any_item_is_a_sound_record_or_refused_by_name(changed: dict[str, Any], missing: set[str]) -> None:
    item = {name: value for name, value in {**ROW, **changed}.items() if name not in missing}
    try:
        made = alert_records.record(json.dumps(item).encode(), MOMENT)
    except RowRefused:
        return
    assert made.external_id == str(item["id"])
    assert made.opened_at.tzinfo is UTC
    assert made.resolved or made.resolved_at is None
    assert made.snoozed or made.snoozed_until is None
    assert "\x00" not in str(made.raw.values()) + (made.message or "")
    assert msgspec.json.decode(msgspec.json.encode(made), type=AlertRecord) == made
