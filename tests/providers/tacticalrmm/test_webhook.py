"""What is made of a webhook's body: the recorded ones, and those that go wrong in known ways."""

import ast
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from muster.providers.alerting import AlertSeverity, AlertType, WebhookMessage, WebhookProvider
from muster.providers.tacticalrmm.bodies import MOST
from muster.providers.tacticalrmm.provider import PROVIDER
from muster.providers.tacticalrmm.webhook import PROBLEMS, WEBHOOK, parse_webhook
from tests.support.recordings import Recordings

AGENT = "iVgRVIfLBcbfnoGMbJmTPSIAoCLrZaWZkSBvrjnW"
OTHER = "nwZqvrMSrJaHmfpUAFJWpSEPTFCYbfsozSptQLxE"
SEVERITIES = {"error": "critical", "warning": "moderate", "info": "minor"}


def parsed(body: Any) -> WebhookMessage:
    """What a body says: bytes and texts as they are, anything else as JSON."""
    if isinstance(body, bytes):
        return parse_webhook(body)
    return parse_webhook((body if isinstance(body, str) else json.dumps(body)).encode())


# --- as recorded ----------------------------------------------------------------------------------------


def received(value: Any) -> Iterator[dict[str, Any]]:
    """Every recorded request in a recording, wherever it stands."""
    if isinstance(value, dict) and "body_bytes_repr" in value:
        yield value
        return
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from received(part)


def arrived(recordings: Recordings, prefix: str) -> list[tuple[str, bytes]]:
    """Each recorded webhook's body with the name of its recording."""
    return [
        (name, ast.literal_eval(request["body_bytes_repr"]))
        for name in recordings.capture_names(prefix)
        for request in received(recordings.load_capture(name))
    ]


def stated(body: bytes, key: str) -> str:
    """What the template put under a key; of a body that is broken, between the quotes around it."""
    found = json.loads(body)
    if isinstance(found, dict):
        return str(found[key])
    return str(found).partition(f'"{key}":"')[2].partition('"')[0]


PROBLEMATIC = {
    "fire_cfg_body_empty": "empty_body",
    "fire_cfg_body_plaintext": "not_json",
    "fire_cfg_body_spaces": "no_device",
    "fire_cfg_body_unquoted_number": "no_device",
    "fire_cfg_delete": "empty_body",
    "fire_cfg_get": "empty_body",
    "fire_cfg_get_slow12_no_timeout": "empty_body",
    "fire_ph_availability": "no_device",
    "fire_ph_check": "no_device",
    "fire_ph_nullagent": "no_device",
    "fire_ph_scriptcheck": "no_device",
    "fire_ph_task": "no_device",
}


@pytest.mark.recordings
def test_every_recorded_webhook_of_an_alert_says_what_it_says(recordings: Recordings) -> None:
    told = 0
    for name, body in arrived(recordings, "fire_"):
        message = parse_webhook(body)
        if name in PROBLEMATIC or not body:
            # A redirect was followed by a GET without a body.
            assert message.problem == PROBLEMATIC.get(name, "empty_body"), name
            assert message.explanation == PROBLEMS[message.problem]
            continue
        told += 1
        assert message.problem is None, name
        assert not message.test
        assert message.device_id == stated(body, "agent_id")
        assert message.external_alert_id == stated(body, "alert_id")
        assert message.event == stated(body, "event")
        assert message.original_severity == stated(body, "severity")
        assert message.severity == SEVERITIES[stated(body, "severity")]
        assert message.alert_type == stated(body, "alert_type")
        assert str(message.opened_at) == stated(body, "alert_time")
        assert message.organization_id == stated(body, "client_id")
        assert message.site_id == stated(body, "site_id")
        assert message.device_name == stated(body, "hostname")
        assert message.salvaged == body.startswith(b'"')
    assert told > 90


@pytest.mark.recordings
def test_recorded_messages(recordings: Recordings) -> None:
    bodies = dict(arrived(recordings, "fire_msg_"))
    messages = {name.removeprefix("fire_msg_"): parse_webhook(body).message for name, body in bodies.items()}
    assert messages == {
        "plain": "DC-1 is overdue.",
        "apostrophe": "O'Brien's PC",
        "html": "<b>a</b> & c",
        "newline_lf": "one\ntwo",
        "unicode": "Gerät 温度 95°C 🔥",
        "backslash_path": r"C:\Windows\System32\drivers",
        # As the server spoils them: the tab and the line feeds are its own.
        "backslash_tnr": "C: emp\new eadme",
        "unc": r"\server\share",
        "empty": None,
        "null": None,
        "quotes": 'Task "Nightly" failed',
    }


@pytest.mark.recordings
def test_recorded_test_buttons_are_no_alerts(recordings: Recordings) -> None:
    seen = set()
    for name, body in arrived(recordings, "hook_test_"):
        message = parse_webhook(body)
        if not body:
            assert message.problem == "empty_body"
            continue
        seen.add(name)
        assert message.test, name
        assert message.problem is None
        # What it carries as the alert's is the agent's, the client's or the site's.
        assert (message.external_alert_id, message.severity, message.opened_at) == (None, None, None)
        assert message.organization_id is None
        assert message.event == "trigger"
        by_agent = stated(body, "agent_id") == AGENT
        assert message.device_id == (AGENT if by_agent else None)
    assert {f"hook_test_{kind}.sink" for kind in ("agent", "client", "site", "none")} <= seen


@pytest.mark.recordings
@pytest.mark.parametrize("kind", ["availability", "check", "task", "scriptcheck"])
def test_the_offered_bodies_with_the_recorded_values_of_their_placeholders(
    recordings: Recordings, kind: str
) -> None:
    values = recordings.load_capture(f"fire_ph_{kind}.resolved")
    if isinstance(values, str):
        # A task named with quotes broke the recorded body; the values that hold none can still be taken.
        values = dict(re.findall(r'"([\w. ]+)": "([^"]*)"', values))
    assert len(WEBHOOK.templates) == 4
    for template in WEBHOOK.templates:
        body = re.sub(r"\{\{([\w.]+)\}\}", lambda match: values[match[1]], template.body)
        assert "{{" not in body
        message = parsed(json.loads(body))
        assert message.problem is None
        assert message.event == template.key
        assert message.device_id == values["agent.agent_id"]
        assert message.external_alert_id == values["alert.id"]
        assert message.organization_id == values["client.id"]
        assert message.site_id == values["site.id"]
        assert message.alert_type == values["alert.alert_type"]
        assert message.severity == SEVERITIES[values["alert.severity"]]
        assert str(message.opened_at) == values["alert.alert_time"]
        assert message.message == (values["alert.message"] if template.with_message else None)


@pytest.mark.recordings
def test_a_body_with_every_placeholder_and_none_of_ours_names_no_device(recordings: Recordings) -> None:
    for name in recordings.capture_names("fire_ph_"):
        if name.endswith(".resolved"):
            assert parsed(recordings.load_capture(name)).problem == "no_device", name


# --- the form -------------------------------------------------------------------------------------------


def test_the_offered_form() -> None:
    assert isinstance(PROVIDER, WebhookProvider)
    assert PROVIDER.webhook is WEBHOOK
    assert WEBHOOK.header == "X-Alga-Webhook-Secret"
    trigger = next(one for one in WEBHOOK.templates if one.key == "trigger" and not one.with_message)
    assert trigger.body == (
        '{"agent_id":"{{agent.agent_id}}","alert_id":"{{alert.id}}","event":"trigger",'
        '"severity":"{{alert.severity}}","alert_type":"{{alert.alert_type}}",'
        '"alert_time":"{{alert.alert_time}}","client_id":"{{client.id}}","site_id":"{{site.id}}"}'
    )
    for template in WEBHOOK.templates:
        fields = json.loads(template.body)
        assert fields["event"] == template.key
        assert ("message" in fields) == template.with_message
        # What stands before a message can be overridden by it, what follows cannot.
        assert "message" not in list(fields)[1:]
        # Sent as it is, by hand or by the test button, it is about no alert.
        message = parsed(template.body)
        assert message.test
        assert message.external_alert_id is message.device_id is None


def test_problems_are_explained() -> None:
    for code, text in PROBLEMS.items():
        assert re.fullmatch(r"[a-z_]+", code)
        assert text.endswith(".")


# --- bodies ---------------------------------------------------------------------------------------------

WHOLE = {
    "agent_id": AGENT,
    "alert_id": "249",
    "event": "trigger",
    "severity": "error",
    "alert_type": "check",
    "alert_time": "2026-11-23 14:46:19.231733+00:00",
    "client_id": "1",
    "site_id": "2",
}


def test_the_least_that_is_needed() -> None:
    assert parsed({"agent_id": AGENT}) == WebhookMessage(device_id=AGENT)


def test_numbers_as_numbers() -> None:
    message = parsed({"agent_id": AGENT, "alert_id": 249, "client_id": 1, "site_id": 2})
    assert (message.external_alert_id, message.organization_id, message.site_id) == ("249", "1", "2")
    assert parsed(f'{{"agent_id":"{AGENT}","alert_id":249,"resolved":None}}').external_alert_id == "249"
    odds: tuple[Any, ...] = ("1.5", "-3", "0", "007", "1e3", "9" * 25, 2.5, True, None, [], {}, "x", " ")
    for odd in odds:
        assert parsed({**WHOLE, "alert_id": odd}).external_alert_id is None, odd


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "empty_body"),
        (b" \r\n\t", "empty_body"),
        (b'""', "empty_body"),
        (b'"\\"\\""', "empty_body"),
        (b"\xef\xbb\xbf", "empty_body"),
        (b"null", "not_an_object"),
        (b"true", "not_an_object"),
        (b"17", "not_an_object"),
        (b"NaN", "not_an_object"),
        (b"[]", "not_an_object"),
        (f'[{{"agent_id":"{AGENT}"}}]'.encode(), "not_an_object"),
        (b"hello WSUS", "not_json"),
        (b'"hello WSUS"', "not_json"),
        (b"agent_id=" + AGENT.encode(), "not_json"),
        (b"\xff\xfe\x00\x01", "not_json"),
        (b"{", "not_json"),
        (b"[" * 100_000, "not_json"),
        (b'"' * 100_001, "not_json"),
        (b'{"x":' * 100_000, "not_json"),
        (b"{}", "no_device"),
        (b'{"agent_id":null}', "no_device"),
        (b'{"agent_id":"None"}', "no_device"),
        (b'{"agent_id":""}', "no_device"),
        (b'{"agent_id":"  "}', "no_device"),
        (b'{"agent_id":{"agent_id":"x"}}', "no_device"),
        (b'{"agent_id":"18"}', "bad_device"),
        (b'{"agent_id":18}', "bad_device"),
        (b'{"agent_id":"Acme Corp"}', "bad_device"),
        (b'{"agent_id":"../../etc/passwd"}', "bad_device"),
        (b'{"agent_id":"a\\u0000b"}', "bad_device"),
        (b'{"agent_id":"' + b"a" * 201 + b'"}', "bad_device"),
        (b'{"agent_id":"{{Agent.agent_id}}"}', "placeholders_left"),
        (b'{"agent_id":"{{agent.agent_id","alert_id":"3"}', "placeholders_left"),
        (b'{"agent_id":"abc","agent_id":"def"}', "contradictory"),
    ],
)
def test_what_cannot_be_used_has_a_code(body: bytes, code: str) -> None:
    message = parse_webhook(body)
    assert message.problem == code
    assert message.explanation == PROBLEMS[code]
    assert message.device_id is None
    assert not message.test


def test_an_alert_without_an_agent_has_no_place_either() -> None:
    # The server then puts the alert's id where client and site belong.
    message = parsed({**WHOLE, "agent_id": "None", "client_id": "249", "site_id": "249"})
    assert message.problem == "no_device"
    assert message.external_alert_id == "249"
    assert message.organization_id is message.site_id is None


def test_nothing_in_many_words() -> None:
    nothing = {name: "None" for name in WHOLE if name != "agent_id"} | {"message": "None", "hostname": "None"}
    assert parsed({**nothing, "agent_id": AGENT}) == WebhookMessage(device_id=AGENT)
    left = {name: f"{{{{alert.{name}}}}}" for name in nothing}
    assert parsed({**left, "agent_id": AGENT}) == WebhookMessage(device_id=AGENT)


@pytest.mark.parametrize(
    ("word", "event"),
    [
        ("trigger", "trigger"),
        ("TRIGGERED", "trigger"),
        ("alert_triggered", "trigger"),
        ("failure", "trigger"),
        ("resolve", "resolve"),
        ("Resolved", "resolve"),
        ("alert.resolved", "resolve"),
        ("RMM_ALERT_RESOLVED", "resolve"),
        ("trigger|resolve", None),
        ("resolve|trigger", None),
        ("{{event}}", None),
        ("{{alert.resolved}}", None),
        ("{{resolve", None),
        ("<resolve>", None),
        ("trigger or resolve", None),
        ("trigger/resolve", None),
        ("unresolved", None),
        ("not resolved", None),
        ("resolve: false", None),
        ("resolve failed", None),
        ("updated", None),
        ("resolve " + "x" * 200, None),
        ("None", None),
        ("", None),
        (True, None),
        (None, None),
    ],
)
def test_events(word: object, event: str | None) -> None:
    assert parsed({**WHOLE, "event": word}).event == event


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("error", AlertSeverity.CRITICAL),
        ("Warning", AlertSeverity.MODERATE),
        ("INFO", AlertSeverity.MINOR),
        ("critical", AlertSeverity.CRITICAL),
        ("major", AlertSeverity.MAJOR),
        ("moderate", AlertSeverity.MODERATE),
        ("minor", AlertSeverity.MINOR),
        ("none", AlertSeverity.NONE),
        ("high", AlertSeverity.MAJOR),
        ("medium", AlertSeverity.MODERATE),
        ("low", AlertSeverity.MINOR),
        ("urgent", None),
    ],
)
def test_severities(word: str, severity: AlertSeverity | None) -> None:
    message = parsed({**WHOLE, "severity": word})
    assert message.severity is severity
    assert message.original_severity == word
    assert message.problem is None
    assert not message.test


def test_types() -> None:
    for word in ("availability", "check", "task", "custom"):
        assert parsed({**WHOLE, "alert_type": word.title()}).alert_type is AlertType(word)
    for word in ("unknown", "None", "", "other"):
        assert parsed({**WHOLE, "alert_type": word}).alert_type is AlertType.UNKNOWN


MOMENT = datetime(2026, 11, 23, 14, 46, 17, 238507, UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-23 14:46:17.238507+00:00", MOMENT),
        ("2026-11-23T14:46:17.238507Z", MOMENT),
        ("2026-11-23T15:46:17.238507+0100", MOMENT),
        ("2026-11-23 14:46:17+00:00", MOMENT.replace(microsecond=0)),
        ("2026-11-23T14:46:17Z", MOMENT.replace(microsecond=0)),
        ("2026-11-23 14:46:17.238507", MOMENT),
        ("2026-11-23 14:46", MOMENT.replace(second=0, microsecond=0)),
        ("2026-11-23", None),
        ("2026-13-23 14:46:17+00:00", None),
        ("2026-11-23 25:46:17+00:00", None),
        ("0001-01-01 00:00:00+14:00", None),
        ("9999-12-31 23:59:59-14:00", None),
        ("1795445177", None),
        ("yesterday", None),
    ],
)
def test_moments(text: str, moment: datetime | None) -> None:
    assert parsed({**WHOLE, "alert_time": text}).opened_at == moment


def test_texts_are_bounded_and_clean() -> None:
    message = parsed(
        {**WHOLE, "message": "a\x00b\x1b[31m" + "x" * 50_000, "hostname": "h" * 5_000, "severity": "s" * 500}
    )
    assert message.message is not None
    assert message.message.startswith("a b [31mx")
    assert len(message.message) == 4_000
    assert len(message.device_name or "") == 500
    assert len(message.original_severity or "") == 100
    assert message.severity is None


def test_a_message_that_only_mentions_a_placeholder_stays() -> None:
    assert parsed({**WHOLE, "message": "see {{agent.hostname}}"}).message == "see {{agent.hostname}}"


# --- broken bodies and what is put into them ------------------------------------------------------------


def broken(text: str) -> bytes:
    """As the server sends a body that is no JSON."""
    return json.dumps(text).encode()


def test_the_message_of_a_broken_body() -> None:
    text = f'{{"agent_id":"{AGENT}","message":"Task "x" failed","alert_id":"249"}}'
    for body in (broken(text), text.encode()):
        message = parse_webhook(body)
        assert message.salvaged
        assert (message.device_id, message.external_alert_id) == (AGENT, "249")
        assert message.message == 'Task "x" failed'
    last = parse_webhook(broken(f'{{"agent_id":"{AGENT}","message":"Task "x""}}'))
    assert last.message == 'Task "x"'


@pytest.mark.parametrize("wrap", [broken, str.encode])
def test_what_a_message_brings_in_is_not_believed(wrap: Any) -> None:
    # The quote before breaks the body, so that the server's parser does not settle it.
    evil = f'a "b", "agent_id":"{OTHER}","alert_id":"7","event":"resolve","client_id":"999","x":"'
    ours = ",".join(f'"{name}":"{value}"' for name, value in WHOLE.items())
    host = f'"hostname":"H",{ours}'
    for text in (
        f'{{{ours},"message":"{evil}"}}',
        f'{{"message":"{evil}",{ours}}}',
    ):
        message = parse_webhook(wrap(text))
        assert message.salvaged
        assert (message.device_id, message.external_alert_id) == (AGENT, "249")
        assert (message.event, message.organization_id) == ("trigger", "1")
    # Behind something that could be free text nobody can say which of two is meant.
    message = parse_webhook(wrap(f'{{{host},"message":"{evil}"}}'))
    assert message.problem == "contradictory"
    assert message.device_id is message.external_alert_id is message.event is message.organization_id is None
    # Nor is there doubt where nothing was brought in.
    message = parse_webhook(wrap(f'{{{host},"message":"a "b" c"}}'))
    assert (message.device_id, message.external_alert_id, message.device_name) == (AGENT, "249", "H")


def test_the_end_of_a_message_is_not_taken_for_the_end_of_the_body() -> None:
    ours = ",".join(f'"{name}":"{value}"' for name, value in WHOLE.items())
    evil = f'a "b", "agent_id":"{OTHER}"'
    text = f'{{"message":"{evil}}}","x":"",{ours}}}'
    end = text.index(evil) + len(evil)
    assert parse_webhook(broken(text)).device_id == AGENT
    # Cut off in its JSON string, right behind what looks like the end.
    cut = json.dumps(text[: end + 1])[:-1]
    assert parse_webhook(cut.encode()).problem == "no_device"
    # A form without a brace at its end, and a body that lost it.
    for lost in (broken(text[:end]), text[:end].encode()):
        assert parse_webhook(lost).problem == "no_device"
    # A whole body that holds an object of somebody's, cut off behind it.
    whole = json.dumps({"message": "x", "z": {"agent_id": OTHER}, **WHOLE})
    assert parsed(whole).device_id == AGENT
    assert parsed(whole[: whole.index("}") + 1]).problem == "no_device"


def test_a_message_cannot_make_a_body_look_cut_off() -> None:
    ours = ",".join(f'"{name}":"{value}"' for name, value in WHOLE.items())
    # All that is wrong with this is that a brace is missing at its end; it is known to be all that was sent.
    text = f'{{"message":"x","z":{{"a":"",{ours}}}'
    assert parse_webhook(broken(text)).device_id == AGENT
    assert parse_webhook(text.encode()).problem == "no_device"


def test_a_number_that_may_go_on_is_none() -> None:
    assert parsed(f'{{"agent_id":"{AGENT}","alert_id":24').external_alert_id is None
    assert parsed(f'{{"agent_id":"{AGENT}","alert_id":"249').external_alert_id is None
    assert parsed(f'{{"agent_id":"{AGENT}","alert_id":"249"').external_alert_id == "249"
    assert parsed(f'{{"agent_id":"{AGENT}","alert_id":249,').external_alert_id == "249"


def test_the_test_button_with_less_in_the_form() -> None:
    for names in (("severity", "alert_type"), ("severity", "alert_time"), ("alert_type", "alert_time")):
        # A host may be called by any word.
        for host in ("WSUS", "error", "check"):
            body = {"agent_id": AGENT, "alert_id": "1", **dict.fromkeys(names, host)}
            assert parsed(body).test, body
    for name in ("severity", "alert_type", "alert_time"):
        body = {"agent_id": AGENT, "alert_id": "1", name: "WSUS"}
        # One word alone may be somebody's own; beside the same name it is the button's.
        assert not parsed(body).test
        assert parsed({**body, "hostname": "WSUS"}).test
        assert parsed({**body, "message": "WSUS"}).test
    assert not parsed({**WHOLE, "hostname": "error"}).test


def test_another_spelling_does_not_go_before_the_right_one() -> None:
    body = {"message": "x", "agent_id": AGENT, "AGENT_ID": OTHER, "alert_id": "249", "Alert_Id": "7"}
    message = parsed(body)
    assert (message.device_id, message.external_alert_id) == (AGENT, "249")
    assert parsed({"Agent_ID": AGENT, "ALERT_ID": 249}).external_alert_id == "249"


def test_what_is_nested_is_not_believed() -> None:
    evil = {"agent_id": OTHER, "alert_id": "7"}
    message = parsed({"message": "x", "z": evil, "agent_id": AGENT, "alert_id": "249"})
    assert (message.device_id, message.external_alert_id) == (AGENT, "249")
    assert parsed({"z": evil}).problem == "no_device"


def test_an_object_with_trouble_behind_its_head() -> None:
    head = f'{{"agent_id":"{AGENT}","alert_id":"249"'
    for rest in ("}garbage", ',"x":NaN}', ',"x":' + "[" * 100_000 + "}", ',"x":0x1}', ",}", ',"x":tru', ","):
        message = parse_webhook((head + rest).encode())
        assert (message.device_id, message.external_alert_id) == (AGENT, "249"), rest[:20]
        assert message.problem is None


def test_a_body_that_is_not_utf8() -> None:
    message = parse_webhook(json.dumps(WHOLE).encode()[:-1] + b',"message":"Ger\xe4t"}')
    assert message.salvaged
    assert (message.device_id, message.message) == (AGENT, "Ger\N{REPLACEMENT CHARACTER}t")
    assert parse_webhook(b'{"agent_id":"abc\xe4def"}').problem == "bad_device"


@pytest.mark.parametrize("quote", ["", '"'])
def test_of_a_huge_body_both_ends_are_read(quote: str) -> None:
    filling = f"x{quote}" * 5_000_000
    ours = json.dumps(WHOLE)[1:-1]
    for text in (f'{{{ours},"message":"{filling}"}}', f'{{"message":"{filling}",{ours}}}'):
        for body in (text.encode(), broken(text)):
            message = parse_webhook(body)
            assert message.salvaged
            assert (message.device_id, message.external_alert_id, message.event) == (AGENT, "249", "trigger")
            assert len(message.message or "") <= 4_000


def test_what_is_cut_out_of_a_huge_body_joins_no_number() -> None:
    # The middle of the body is in the middle of the number.
    number = "1" * (2 * MOST)
    for text in (
        f'{{"agent_id":"{AGENT}","alert_id":"{number}"}}',
        f'{{"agent_id":"{AGENT}","alert_id":{number}}}',
    ):
        message = parse_webhook(text.encode())
        assert (message.device_id, message.external_alert_id) == (AGENT, None)


def test_a_value_across_what_is_cut_out_is_none() -> None:
    half = MOST // 2
    start, end = f'{{"agent_id":"{AGENT}","alert_id":"12'.encode(), b'34"'
    body = start.rjust(half) + b"x" * 1_000 + end + b"}".rjust(half - len(end))
    message = parse_webhook(body)
    assert (message.device_id, message.external_alert_id) == (AGENT, None)


@pytest.mark.parametrize(
    "part",
    [
        b"{", b"[", b'"', b'\\"', b"{{", b"}", b",", b'{"', b'"agent_id":"', b',"agent_id":', b',"agent_id"',
        b',"message":"', b", ", b'{"a":', b'"\\u00', b"\\", b'","alert_id":"1"', b"1", b" ",
    ],
)  # fmt: skip
@pytest.mark.parametrize("around", [b"", b'"', b"{"])
def test_hostile_repetition_ends(part: bytes, around: bytes) -> None:
    message = parse_webhook(around + part * (3_000_000 // len(part)) + around)
    assert message.device_id is None
    assert message.problem is not None
