"""Webhooks as the server renders them, with any message, then cut, wrapped, permuted and respelled."""

import json
import random
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from muster.providers.alerting import AlertSeverity, WebhookMessage
from muster.providers.tacticalrmm.webhook import PROBLEMS, WEBHOOK, parse_webhook
from muster.simulator.rendering import RestCall, render

EVIL_AGENT = "nwZqvrMSrJaHmfpUAFJWpSEPTFCYbfsozSptQLxE"
EVIL_ALERT, EVIL_CLIENT = "666", "999"
# A form as people write it: the message in the middle, as in the recordings.
FOREIGN = (
    '{"agent_id":"{{agent.agent_id}}","alert_id":"{{alert.id}}","event":"trigger",'
    '"severity":"{{alert.severity}}","message":"{{alert.message}}","alert_time":"{{alert.alert_time}}",'
    '"client_id":"{{client.id}}","site_id":"{{site.id}}","hostname":"{{agent.hostname}}",'
    '"alert_type":"{{alert.alert_type}}"}'
)
OFFERED: dict[tuple[str, bool], str] = {(one.key, one.with_message): one.body for one in WEBHOOK.templates}


@dataclass(frozen=True)
class Thing:
    """An agent, a client or a site."""

    id: int
    agent_id: str = ""
    hostname: str = "WSUS"


@dataclass
class Alert:
    """What the placeholders of the forms are filled from."""

    id: int
    agent: Thing
    client: Thing
    site: Thing
    severity: str
    alert_type: str
    alert_time: str
    message: str
    kind_: str = field(default="alert")

    def custom_field(self, model: str, name: str) -> tuple[bool, Any]:
        return False, None


def sent(form: str, alert: Alert) -> bytes:
    """The body that the server sends."""
    out = render(RestCall("https://muster.example", "post", form, ""), alert, {})
    assert out.body is not None
    return out.body.encode()


AGENT_IDS = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=40, max_size=40)
PKS = st.integers(1, 2**31 - 1)
# Pieces of which an adversary would build a message.
PIECES = st.sampled_from(
    [
        '"', '"', '",', '","', '":"', "{", "}", "[", "]", ",", ":", "\\", "\\\\", "\n", "\t", "\x00", " ",
        "x", "None", "null", "{{alert.id}}", "{{event}}", "|", "resolve", "é東",
        f'"agent_id":"{EVIL_AGENT}"', f'","agent_id":"{EVIL_AGENT}', f',"agent_id":"{EVIL_AGENT}"}}',
        f'","AGENT_ID":"{EVIL_AGENT}', f'","alert_id":"{EVIL_ALERT}', f'"alert_id":{EVIL_ALERT},',
        f'","Alert_Id":{EVIL_ALERT},"y":"', '","event":"resolve', '"event":"resolve"', '","EVENT":"resolve',
        '","severity":"info', f'","client_id":"{EVIL_CLIENT}', f'"client_id":{EVIL_CLIENT}',
        '","message":"', '{"message":"', '","z":{"a":"', '","z":["', '"}', '"]', '\\",\\"agent_id\\":\\"',
    ]
)  # fmt: skip
MESSAGES = st.one_of(st.lists(PIECES, max_size=12).map("".join), st.text(max_size=60))
ALERTS = st.builds(
    Alert,
    id=PKS,
    agent=st.builds(Thing, id=PKS, agent_id=AGENT_IDS),
    client=st.builds(Thing, id=PKS),
    site=st.builds(Thing, id=PKS),
    severity=st.sampled_from(["error", "warning", "info"]),
    alert_type=st.sampled_from(["availability", "check", "task"]),
    alert_time=st.sampled_from(["2026-11-23 14:46:17.238507+00:00", "2026-11-23 14:46:17+00:00"]),
    message=MESSAGES,
)
KEYS = st.sampled_from(["trigger", "resolve"])
NAMES = ("device_id", "external_alert_id", "organization_id", "site_id")


def ids(alert: Alert) -> tuple[str | None, ...]:
    return alert.agent.agent_id, str(alert.id), str(alert.client.id), str(alert.site.id)


def stated(message: WebhookMessage) -> tuple[str | None, ...]:
    return tuple(getattr(message, name) for name in NAMES)


def sound(message: WebhookMessage) -> None:
    """What holds for every message of whatever body."""
    assert (message.problem is None) == (message.explanation is None)
    assert message.problem is None or message.problem in PROBLEMS
    assert message.problem is not None or message.test or message.device_id
    assert message.device_id or not (message.organization_id or message.site_id)
    if message.test:
        assert (message.external_alert_id, message.severity, message.opened_at) == (None, None, None)
    for number in (message.external_alert_id, message.organization_id, message.site_id):
        assert number is None or (number.isascii() and number.isdecimal() and int(number) < 2**63)
    for text, bound in ((message.message, 4000), (message.device_name, 500), (message.device_id, 200)):
        assert text is None or 0 < len(text) <= bound
        assert "\x00" not in (text or "")
    assert message.opened_at is None or message.opened_at.tzinfo is not None
    assert (message.message or "").encode() is not None


@given(ALERTS, KEYS, st.booleans())
def test_no_message_changes_what_the_offered_forms_say(alert: Alert, key: str, with_message: bool) -> None:
    message = parse_webhook(sent(OFFERED[key, with_message], alert))
    sound(message)
    assert message.problem is None
    assert stated(message) == ids(alert)
    assert message.event == key
    assert message.original_severity == alert.severity
    assert message.alert_type == alert.alert_type
    assert not message.test
    assert message.salvaged <= with_message


@given(ALERTS)
def test_in_another_form_a_message_that_breaks_it_changes_no_id(alert: Alert) -> None:
    body = sent(FOREIGN, alert)
    # What keeps the body whole has been settled by the server before it was sent.
    assume(body.startswith(b'"'))
    message = parse_webhook(body)
    sound(message)
    assert message.salvaged
    assert (message.device_id, message.external_alert_id) == ids(alert)[:2]
    assert message.event == "trigger"
    assert message.original_severity == alert.severity
    # What stands behind the message is believed where nothing contradicts it.
    assert message.organization_id in (str(alert.client.id), None)
    assert message.site_id == str(alert.site.id)


@given(ALERTS, KEYS, st.booleans(), st.data())
def test_a_body_that_is_cut_says_nothing_false(
    alert: Alert, key: str, with_message: bool, data: st.DataObject
) -> None:
    body = sent(OFFERED[key, with_message], alert)
    cut = body[: data.draw(st.integers(0, len(body) - 1))]
    message = parse_webhook(cut)
    sound(message)
    for said, true in zip(stated(message), ids(alert), strict=True):
        assert said in (true, None)
    assert message.event in (key, None)
    if not with_message and f'{alert.agent.agent_id}"'.encode() in cut:
        assert message.device_id == alert.agent.agent_id
    if not with_message and f'"alert_id": "{alert.id}"'.encode() in cut:
        assert message.external_alert_id == str(alert.id)


@given(ALERTS, st.data())
def test_another_form_that_is_cut_says_nothing_false(alert: Alert, data: st.DataObject) -> None:
    body = sent(FOREIGN, alert)
    assume(body.startswith(b'"'))
    cut = body[: data.draw(st.integers(0, len(body) - 1))]
    message = parse_webhook(cut)
    sound(message)
    for said, true in zip(stated(message), ids(alert), strict=True):
        assert said in (true, None)
    assert message.event in ("trigger", None)
    if b"message" in cut:
        assert (message.device_id, message.external_alert_id) == ids(alert)[:2]


@given(ALERTS, KEYS, st.booleans(), st.integers(0, 3))
def test_wrapping_changes_nothing(alert: Alert, key: str, with_message: bool, times: int) -> None:
    body = sent(OFFERED[key, with_message], alert)
    # A broken body comes wrapped already, and there is an end to unwrapping.
    assume(times + body.startswith(b'"') <= 3)
    wrapped: Any = body.decode()
    for _ in range(times):
        wrapped = json.dumps(wrapped)
    assert parse_webhook(wrapped.encode()) == parse_webhook(body)


PLAIN = st.fixed_dictionaries(
    {"agent_id": AGENT_IDS},
    optional={
        "alert_id": PKS | PKS.map(str),
        "event": st.sampled_from(["trigger", "resolve", "resolved", "alert_triggered"]),
        "severity": st.sampled_from(["error", "warning", "info", "critical", "low"]),
        "alert_type": st.sampled_from(["check", "availability", "task", "custom"]),
        "alert_time": st.datetimes().map(lambda moment: f"{moment.replace(year=2026, month=1, day=2)}+00:00"),
        "client_id": PKS | PKS.map(str),
        "site_id": PKS | PKS.map(str),
        "hostname": st.just("WSUS"),
        "message": st.just("Disk is full"),
        "more": st.just([1, {"agent_id": EVIL_AGENT}]),
    },
)


@given(PLAIN, st.randoms(use_true_random=False))
def test_the_order_of_an_object_does_not_matter(fields: dict[str, Any], chance: random.Random) -> None:
    names = list(fields)
    chance.shuffle(names)
    message = parse_webhook(json.dumps({name: fields[name] for name in names}).encode())
    assert message == parse_webhook(json.dumps(fields).encode())
    assert message.device_id == fields["agent_id"]
    assert message.external_alert_id == (str(fields["alert_id"]) if "alert_id" in fields else None)
    assert message.problem is None
    assert not message.test


@given(PLAIN, st.randoms(use_true_random=False))
def test_capitals_do_not_matter(fields: dict[str, Any], chance: random.Random) -> None:
    def respelled(text: str) -> str:
        return "".join(chance.choice((letter.upper(), letter.lower())) for letter in text)

    words = {name: respelled(fields[name]) for name in ("event", "severity", "alert_type") if name in fields}
    changed = {respelled(name): value for name, value in (fields | words).items()}
    expected, message = (parse_webhook(json.dumps(one).encode()) for one in (fields, changed))
    assert (message.original_severity or "").lower() == (expected.original_severity or "").lower()
    for name in (*NAMES, "event", "severity", "alert_type", "opened_at", "problem"):
        assert getattr(message, name) == getattr(expected, name)


@given(
    PLAIN,
    st.sampled_from(["event", "severity", "alert_time", "alert_id", "alert_type"]),
    st.text(max_size=40),
)
def test_a_placeholder_that_was_left_is_nothing(fields: dict[str, Any], name: str, text: str) -> None:
    inside = "".join(letter for letter in text if letter not in "{}")
    message = parse_webhook(json.dumps({**fields, name: f"{{{{{inside}}}}}"}).encode())
    expected = parse_webhook(json.dumps({key: fields[key] for key in fields if key != name}).encode())
    assert message == expected


@given(
    st.lists(
        st.sampled_from(
            ["trigger", "resolve", "|", "/", " or ", "{{", "}}", "{", "}", "<", ">", "alert.", "_"]
        ),
        min_size=2,
        max_size=6,
    ).map("".join)
)
def test_what_offers_a_choice_is_no_event(text: str) -> None:
    assume(any(mark in text for mark in "|<>{}") or ("trigger" in text and "resolve" in text))
    assert parse_webhook(json.dumps({"agent_id": "a" * 40, "event": text}).encode()).event is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | PIECES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from([*OFFERED[("trigger", True)].split('"')[1::4], "x"]) | PIECES, inner
        )
    ),
    max_leaves=12,
)


@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(PIECES, max_size=30).map(lambda parts: "".join(parts).encode()),
        JSON.map(lambda value: json.dumps(value).encode()),
        JSON.map(lambda value: json.dumps(json.dumps(value)).encode()),
    )
)
def test_no_body_is_too_much(body: bytes) -> None:
    sound(parse_webhook(body))


@given(ALERTS, st.data())
def test_bytes_changed_on_the_way_do_no_harm(alert: Alert, data: st.DataObject) -> None:
    body = bytearray(sent(FOREIGN, alert))
    for _ in range(data.draw(st.integers(1, 6))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    message = parse_webhook(bytes(body))
    sound(message)
    assert message.severity is None or message.severity in set(AlertSeverity)


@pytest.mark.parametrize("name", ["agent", "client", "site"])
@given(alert=ALERTS, host=st.text("abcdefghijklmnopqrstuvwxyz-0123456789", min_size=1, max_size=15))
def test_the_test_button_is_recognized_whatever_the_name(name: str, alert: Alert, host: str) -> None:
    # Everything that belongs to an alert becomes the name of what the test is run for (CONTRACT 5).
    agent_id = alert.agent.agent_id if name == "agent" else host
    for (key, _), form in OFFERED.items():
        own = {"agent_id": agent_id, "alert_id": str(alert.agent.id), "event": key}
        fields = {**dict.fromkeys(json.loads(form), host), **own, "client_id": "1", "site_id": "1"}
        message = parse_webhook(json.dumps(fields).encode())
        assume(host not in ("none", "null"))
        sound(message)
        assert message.test
        assert message.device_id == (agent_id if name == "agent" else None)
