"""Templates filled as the recorded server filled them, byte for byte."""

import ast
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.simulator.rendering import Outgoing, RenderingFailed, RestCall, clean, fill, quoted, render
from tests.simulator.sink import TEMPLATE
from tests.support.recordings import Recordings

KEYS = {"psa_secret": "kv-secret-1"}
NAMES = ("id", "severity", "message", "alert_time", "alert_type")
# What was put into the recorded alerts; what arrived of it is in the recordings.
MESSAGES: dict[str, str | None] = {
    "fire_msg_apostrophe": "O'Brien's PC",
    "fire_msg_backslash_path": "C:\\Windows\\System32\\drivers",
    "fire_msg_backslash_tnr": "C:\\temp\\new\\readme",
    "fire_msg_empty": "",
    "fire_msg_html": "<b>a</b> & c",
    "fire_msg_newline_lf": "one\ntwo",
    "fire_msg_null": None,
    "fire_msg_plain": "DC-1 is overdue.",
    "fire_msg_quotes": 'Task "Nightly" failed',
    "fire_msg_unc": "\\\\server\\share",
    "fire_msg_unicode": "Gerät 温度 95°C 🔥",
}
# Of the recorded script check: its output, raw.
STDOUT = 'C:\\Temp\\new "x"\r\nline2'
STDERR = (
    "Get-Item : Cannot find path 'C:\\Users\\tést\\nope' because \"it\" does not exist.\r\n    + CategoryInfo"
)


class Node:
    """An object of the recorded server: its text, and what hangs on it."""

    kind_ = "alert"

    def __init__(self, text: str, **attributes: Any) -> None:
        self._text = text
        self._fields: dict[tuple[str, str], Any] = {}
        self.__dict__.update(attributes)

    def __str__(self) -> str:
        return self._text

    def custom_field(self, model: str, name: str) -> tuple[bool, Any]:
        return (model, name) in self._fields, self._fields.get((model, name))


def _plain(value: str) -> Any:
    return {"None": None, "True": True}.get(value, value)


def _alert(flat: dict[str, str]) -> Node:
    """The recorded alert of a placeholder test, from what its placeholders were resolved to."""
    agentless = flat["agent.hostname"] == "None"
    own = {name: _plain(flat[f"alert.{name}"]) for name in (*NAMES, "pk", "agent_id")}
    alert = Node(f"{own['alert_type']} - {own['message']}", **own, resolved=False, resolved_on=None)
    alert.__dict__ |= {"snoozed": False, "hidden": False, "agent": None}
    if not agentless:
        client = Node(flat["client.name"], id=flat["client.id"], name=flat["client.name"])
        site = Node(flat["site.name"], id=flat["site.id"], name=flat["site.name"], client=client)
        names = [name for name in flat if re.fullmatch(r"agent\.[a-z_]+", name) and name != "agent.nope"]
        of_agent = {name[6:]: _plain(flat[name]) for name in names}
        agent = Node(flat["agent.hostname"], **of_agent, site=site, client=client)
        alert.__dict__ |= {"agent": agent, "client": client, "site": site}
    for kind, inner in (("check", ("readable_desc", "id")), ("task", ())):
        text = flat[f"alert.assigned_{kind}"]
        node = Node(text, **{name: flat[f"alert.assigned_{kind}.{name}"] for name in inner})
        setattr(alert, f"assigned_{kind}", None if text == "None" else node)
    text = flat["alert.get_result"]
    said = {name: _plain(flat[f"alert.get_result.{name}"]) for name in ("stdout", "stderr", "retcode")}
    if "Temp" in (said["stdout"] or ""):
        said |= {"stdout": STDOUT, "stderr": STDERR}
    more = flat["alert.get_result.more_info"]
    result = Node(text, **said, **({} if more == text else {"more_info": _plain(more)}))
    alert.__dict__["get_result"] = None if text == "None" else result
    custom = {"agent": ("AssetTag", "Billable"), "client": ("PSA ID",), "site": ("PSA Location",)}
    for model, names_ in custom.items():
        for name in names_:
            value = {"True": True, "False": False, "None": None}.get(
                flat[f"{model}.{name}"], flat[f"{model}.{name}"]
            )
            alert._fields[model, name] = value
    return alert


def _flat(text: str) -> dict[str, str]:
    """What the placeholders of a recorded body were resolved to, of one that is no JSON object too."""
    found = json.loads(text)
    if isinstance(found, dict):
        return found
    # The parts end where the next key of the template begins.
    ends = r', "(?:alert|agent|client|site|global|check|task|event)|\}$'
    pieces = re.findall(rf'"([\w .]+)": "(.*?)"(?={ends})', found, re.DOTALL)
    return dict(pieces)


def _sent(capture: Any, number: int = 0) -> bytes:
    body = ast.literal_eval(capture["received"][number]["body_bytes_repr"])
    assert isinstance(body, bytes)
    return body


def _rendered(template: str, alert: Node, headers: str | None = "") -> Outgoing:
    return render(RestCall("http://127.0.0.1/", "post", template, headers), alert, KEYS)


@pytest.mark.recordings
@pytest.mark.parametrize("kind", ["availability", "check", "task", "scriptcheck", "nullagent"])
def test_every_placeholder_as_recorded(recordings: Recordings, kind: str) -> None:
    body = _sent(recordings.load_capture(f"fire_ph_{kind}"))
    flat = _flat(body.decode())
    assert len(flat) == 68
    template = json.dumps({name: f"{{{{{name}}}}}" for name in flat})
    assert (_rendered(template, _alert(flat)).body or "").encode() == body


def _alert_of_hook(body: str, message: str | None) -> Node:
    """The alert behind a body of the recorded template."""
    values = dict(re.findall(r'\\?"(\w+)\\?": ?\\?"((?:(?!\\?",\\?"|", ").)*?)\\?"(?=,|\})', body))
    client, site = Node("client", id=values["client_id"]), Node("site", id=values["site_id"])
    agent = Node(values["hostname"], agent_id=values["agent_id"], hostname=values["hostname"])
    own = {"id": values["alert_id"], "message": message}
    own |= {name: values[name] for name in ("severity", "alert_time", "alert_type")}
    return Node("alert", **own, agent=agent, client=client, site=site)


@pytest.mark.recordings
@pytest.mark.parametrize("name", MESSAGES)
def test_every_message_as_recorded(recordings: Recordings, name: str) -> None:
    body = _sent(recordings.load_capture(name))
    alert = _alert_of_hook(body.decode(), MESSAGES[name])
    assert (_rendered(TEMPLATE, alert).body or "").encode() == body


@pytest.mark.recordings
def test_every_recorded_message_has_its_input(recordings: Recordings) -> None:
    assert set(recordings.capture_names("fire_msg_")) == set(MESSAGES)


@pytest.mark.recordings
def test_a_whole_storm_as_recorded(recordings: Recordings) -> None:
    capture = recordings.load_capture("fire_agent_outages_task_burst")
    strings = 0
    for number in range(len(capture["received"])):
        body = _sent(capture, number)
        text = json.loads(body)
        strings += isinstance(text, str)
        message = (
            text["message"]
            if isinstance(text, dict)
            else re.findall('"message":"(.*)","alert_time"', text)[0]
        )
        plain = body.decode() if isinstance(text, dict) else text
        assert (_rendered(TEMPLATE, _alert_of_hook(plain, message)).body or "").encode() == body
    assert (number + 1, strings) == (57, 12)


ALERT = Node(
    "availability - hdr",
    id=249,
    message="hdr",
    resolved=False,
    alert_time="2026-11-23 14:46:19.231733+00:00",
    agent=Node("WSUS", hostname="WSUS"),
    client=Node("Acme Corp", id=1, name="Acme Corp"),
)


@pytest.mark.recordings
@pytest.mark.parametrize(
    ("name", "template"),
    [
        ("fire_cfg_body_empty", ""),
        ("fire_cfg_body_plaintext", "hello {{agent.hostname}}"),
        ("fire_cfg_body_unquoted_number", '{"alert_id":{{alert.id}},"resolved":{{alert.resolved}}}'),
        (
            "fire_cfg_body_spaces",
            '{"a":"{{ agent.hostname }}","b":"{{agent.hostname }}","c":"{{Agent.hostname}}"}',
        ),
    ],
)
def test_every_template_as_recorded(recordings: Recordings, name: str, template: str) -> None:
    assert (_rendered(template, ALERT).body or "").encode() == _sent(recordings.load_capture(name))


@pytest.mark.recordings
def test_placeholders_in_a_url_as_recorded(recordings: Recordings) -> None:
    capture = recordings.load_capture("fire_cfg_url_query_placeholder")
    path = "/hook?client={{client.name}}&t={{alert.alert_time}}&m={{alert.message}}"
    call = RestCall(path, "post", "", "")
    assert render(call, ALERT, KEYS).url == capture["received"][0]["request_line"].split(" ")[1]


@pytest.mark.parametrize(
    ("message", "arrives"),
    [
        ("a\x07b\x1bc\x7fd\x85e", "a b c d e"),
        ("tab\there", "tab\there"),
        ("ends in \\", "ends in \\"),
        ("\\u00e9", "\\u00e9"),
        ("\\\\\\", None),
        ("a\\\\b", "a\\b"),
        (
            "{{alert.id}} {{alert.client.name}} {{site.nope}}",
            "{{alert.id}} {{alert.client.name}} {{site.nope}}",
        ),
        ("{{event}}", "{{event}}"),
    ],
)
def test_what_a_message_becomes(message: str, arrives: str | None) -> None:
    alert = Node("alert", message=message, id=7)
    body = json.loads(_rendered('{"id":"{{alert.id}}","message":"{{alert.message}}"}', alert).body or "")
    assert (body["message"] if arrives is not None else body) == (arrives or body)
    assert isinstance(body, dict) == (arrives is not None)


def test_a_placeholder_in_a_message_is_filled_when_it_comes_later() -> None:
    alert = Node("alert", message="{{alert.id}}", id=7)
    body = _rendered('{"message":"{{alert.message}}","id":"{{alert.id}}"}', alert).body
    assert json.loads(body or "") == {"message": "7", "id": "7"}


def test_a_message_can_override_what_stands_before_it() -> None:
    alert = Node("alert", message='x","severity":"info', severity="error")
    body = _rendered('{"severity":"{{alert.severity}}","message":"{{alert.message}}"}', alert).body
    assert json.loads(body or "") == {"severity": "info", "message": "x"}


@pytest.mark.parametrize(
    ("placeholder", "value"),
    [
        ("{{alert.resolved}}", "None"),
        ("{{alert.nope}}", "the alert"),
        ("{{alert.message.nope}}", "hdr"),
        ("{{alert.message.upper}}", "None"),
        ("{{alert.message.nope.upper}}", "None"),
        ("{{site.id}}", "249"),
        ("{{global.psa_secret}}", "kv-secret-1"),
        ("{{global.nope}}", "None"),
        ("{{global.a.b}}", "the alert"),
        ("{{agent.}}", "{{agent.}}"),
        ("{{agent}}", "{{agent}}"),
        ("{{check.id}}", "{{check.id}}"),
        ("{{agent .hostname}}", "{{agent .hostname}}"),
        ("{{\n agent.hostname \t}}", "WSUS"),
        ("{{agent. hostname}}", "WSUS"),
    ],
)
def test_one_placeholder(placeholder: str, value: str) -> None:
    alert = Node("the alert", id=249, message="hdr", resolved=False, agent=Node("WSUS", hostname="WSUS"))
    assert fill(placeholder, alert, KEYS) == value


def test_a_headers_text_makes_headers_or_nothing_is_sent() -> None:
    def headers(text: str | None) -> Any:
        return _rendered("{}", ALERT, text).headers

    assert headers('{"X-Client":"{{client.name}}"}') == {"X-Client": "Acme Corp"}
    assert (headers("{}"), headers("null")) == ({}, None)
    assert headers("") == headers("[]") == headers("0") == headers("false") == ""
    for bad, kind in (("X-A: b", "str"), ("[1]", "list"), ("5", "int"), ('"x"', "str")):
        with pytest.raises(RenderingFailed, match=f"'{kind}' object has no attribute 'items'"):
            headers(bad)


def test_null_in_place_of_a_body_or_headers_sends_nothing() -> None:
    for call in (RestCall("http://x/", "post", None, ""), RestCall("http://x/", "post", "", None)):
        with pytest.raises(RenderingFailed, match="expected string or bytes-like object, got 'NoneType'"):
            render(call, ALERT, KEYS)


def test_get_and_delete_have_no_body() -> None:
    assert render(RestCall("http://x/", "get", TEMPLATE, "{}"), ALERT, KEYS).body is None
    assert render(RestCall("http://x/", "put", '"a"', "{}"), ALERT, KEYS).body == '"a"'


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("http://x/a b?c=ü", "http://x/a%20b?c=%C3%BC"),
        ("http://x/%41%2f%20", "http://x/A%2f%20"),
        ('http://x/"<>"', "http://x/%22%3C%3E%22"),
    ],
)
def test_a_url_is_quoted_once(url: str, sent: str) -> None:
    assert quoted(url) == quoted(sent) == sent


@given(message=st.text(st.characters(codec="utf-8", exclude_characters='"\\{')))
def test_a_message_without_quotes_arrives_but_for_its_control_characters(message: str) -> None:
    body = json.loads(_rendered('{"m":"{{alert.message}}"}', Node("alert", message=message)).body or "")
    assert body == {"m": clean(message) if message else "None"}
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", body["m"])


@given(message=st.text())
def test_whatever_the_message_is_the_body_is_json(message: str) -> None:
    body = _rendered(TEMPLATE, Node("alert", message=message, agent=None)).body
    assert isinstance(json.loads(body or ""), dict | str)
