"""Ids of Muster's own: the same for one alert however it is told, never the same for two."""

from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from muster.alerts.identity import Span, content_hash, dedup_key, derived_id, message_key, real_one
from muster.alerts.types import AlertState, AlertStatus, Identity
from muster.db.types import new_id
from muster.providers.alerting import AlertSeverity, AlertType
from tests.alerts.saying import START, after, record

TEXTS = st.text(min_size=1, max_size=8)
MOMENTS = st.timedeltas(timedelta(days=-2000), timedelta(days=2000)).map(lambda span: START + span)
PROBLEMS = st.tuples(TEXTS, st.sampled_from(AlertType), TEXTS)


@given(TEXTS, MOMENTS, st.integers(-12, 14))
def test_a_moment_is_the_same_in_every_zone(device: str, moment: datetime, hours: int) -> None:
    elsewhere = moment.astimezone(timezone(timedelta(hours=hours)))
    assert derived_id(device, moment) == derived_id(device, elsewhere)
    assert derived_id(device, moment) != derived_id(device, moment + timedelta(microseconds=1))


@given(PROBLEMS, PROBLEMS)
def test_two_problems_never_share_a_key(
    one: tuple[str, AlertType, str], other: tuple[str, AlertType, str]
) -> None:
    keys = [dedup_key(device, kind.value, cause, None) for device, kind, cause in (one, other)]
    for (_, kind, _), key in zip((one, other), keys, strict=True):
        assert bool(key) == (kind is not AlertType.UNKNOWN)
    with_cause = all(kind in (AlertType.CHECK, AlertType.TASK) for _, kind, _ in (one, other))
    if with_cause and one != other:
        assert keys[0] != keys[1]


def test_what_is_not_known_is_no_key() -> None:
    assert dedup_key("device", AlertType.CHECK.value, None, "The disk is full.") == ""
    assert dedup_key(None, AlertType.AVAILABILITY.value, None, None) == ""
    # Raised by hand: the same words are the same problem, however they are written.
    keys = {
        dedup_key("device", AlertType.CUSTOM.value, None, text) for text in ("The disk", "THE DISK", "Other")
    }
    assert len(keys) == 2


def test_noise_is_no_other_content() -> None:
    noisy = record(raw={"action_stdout": "words"}, resolve_delivered_at=after(9))
    assert content_hash(record()) == content_hash(noisy)
    for change in (
        {"severity": AlertSeverity.MINOR},
        {"message": None},
        {"hidden": True},
        {"delivered_at": after(1)},
        {"snoozed": True},
    ):
        assert content_hash(record()) != content_hash(record(**change))


@given(st.text())
def test_messages_are_compared_without_case_and_to_a_bound(message: str) -> None:
    assert message_key(message.lower()) == message_key(message_key(message.lower()))
    assert len(message_key(message * 500)) <= 1000


@given(
    st.lists(st.tuples(st.integers(-60, 60), st.none() | st.integers(0, 60)), max_size=6),
)
def test_a_webhook_was_about_the_last_alert_that_was_open_when_it_came(
    alerts: list[tuple[int, int | None]],
) -> None:
    heard = AlertState(
        alert_id=new_id(),
        integration_id=new_id(),
        external_alert_id="device:1",
        identity=Identity.DEVICE,
        alert_type="unknown",
        severity="none",
        status=AlertStatus.ACTIVE,
        first_seen_at=START,
        created_at=START,
    )
    spans = [
        Span(
            external_id=str(n),
            opened_at=after(opened),
            resolved_at=None if lasted is None else after(opened + lasted),
        )
        for n, (opened, lasted) in enumerate(alerts)
    ]
    found = real_one(heard, spans)
    fitting = {
        str(n): opened
        for n, (opened, lasted) in enumerate(alerts)
        if opened <= 2 and (lasted is None or opened + lasted >= -2)
    }
    assert (found is None) == (not fitting)
    if found is not None:
        assert fitting[found] == max(fitting.values())
