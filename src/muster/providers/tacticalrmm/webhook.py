"""Tactical's webhook: what to set up for it, and what the bodies that arrive say (CONTRACT 5).

Whom to believe in a body is decided in `bodies`. What is made of it here is a hint: who processes it reads
the alert from the server, which knows better.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from muster.providers.alerting import (
    AlertSeverity,
    AlertType,
    WebhookFormat,
    WebhookMessage,
    WebhookTemplate,
)
from muster.providers.tacticalrmm import alert_words, bodies, cleaning
from muster.providers.tacticalrmm.bodies import Body

Event = Literal["trigger", "resolve"]

HEADER = "X-Alga-Webhook-Secret"
_FIELDS = (
    ("agent_id", "{{agent.agent_id}}"),
    ("alert_id", "{{alert.id}}"),
    ("event", None),
    ("severity", "{{alert.severity}}"),
    ("alert_type", "{{alert.alert_type}}"),
    ("alert_time", "{{alert.alert_time}}"),
    ("client_id", "{{client.id}}"),
    ("site_id", "{{site.id}}"),
)
# First, because what a message brings in is then overridden by what follows.
_MESSAGE = ("message", "{{alert.message}}")


def _template(key: Event, label: str, *, with_message: bool) -> WebhookTemplate:
    fields = (_MESSAGE, *_FIELDS) if with_message else _FIELDS
    body = ",".join(f'"{name}":"{value if value is not None else key}"' for name, value in fields)
    return WebhookTemplate(key=key, label=label, body=f"{{{body}}}", with_message=with_message)


WEBHOOK = WebhookFormat(
    header=HEADER,
    templates=(
        _template("trigger", "When an alert is raised", with_message=False),
        _template("resolve", "When an alert is resolved", with_message=False),
        _template("trigger", "When an alert is raised, with its message", with_message=True),
        _template("resolve", "When an alert is resolved, with its message", with_message=True),
    ),
)

_PLACEHOLDER = re.compile(r"\{\{[^{}]{0,200}\}\}")
# Filled in for every alert and agent; left as it is only where there is neither.
_NEVER_LEFT = re.compile(r"\{\{[ ]{0,20}agent\.agent_id[ ]{0,20}\}\}")
# The server makes 40 letters. What has no letter is another number.
_DEVICE = re.compile(r"(?=[0-9._:-]{0,199}[A-Za-z])[A-Za-z0-9][A-Za-z0-9._:-]{0,199}")
_NOTHING = frozenset({"", "none", "null"})
_TYPES = frozenset(AlertType)
_WORD = re.compile(r"[a-z]+")
_RAISED = frozenset({"failed", "failure", "firing", "open", "opened", "raised"})
_DENIED = frozenset({"false", "never", "no", "not", "un"})
_LONGEST_EVENT = 100
_SHORT = 100

# Every problem code with what it means and what to do.
PROBLEMS = {
    "empty_body": "The body is empty. Enter the body that Muster shows into the URL action, and use POST.",
    "not_an_object": "The body is JSON, but no object with agent_id in it. Use the body that Muster shows.",
    "not_json": "The body is no JSON, and nothing could be picked out of it. Use the body that Muster shows.",
    "no_device": "The body names no device: agent_id is missing or empty. Add"
    ' "agent_id":"{{agent.agent_id}}" to the body of the URL action.',
    "bad_device": "What agent_id holds is no agent's id. Use {{agent.agent_id}} in the body of the URL"
    " action; {{alert.agent_id}} and {{agent.id}} are numbers that mean something else.",
    "placeholders_left": "agent_id still holds a placeholder that the server does not know. Write it as"
    " {{agent.agent_id}}, in lower case.",
    "contradictory": "The body says agent_id more than once and differently, so that none can be believed."
    " Use the body that Muster shows; a message can bring in what looks like a value.",
}


def parse_webhook(body: bytes) -> WebhookMessage:
    """What a body says; never raises. The problem codes are the keys of PROBLEMS.

    Values are kept beside a problem: who has the alert's id can still read it.
    """
    found = bodies.read(body)
    values = _meant(found)
    if found.kind != "object":
        kinds = {"empty": "empty_body", "other": "not_an_object", "text": "not_json"}
        message, problem = WebhookMessage(salvaged=found.broken), kinds.get(found.kind)
    elif _is_test(found, values):
        message, problem = _test(found, values), None
    else:
        message, problem = _message(found, values), _problem(found, values)
    if problem is None:
        return message
    return msgspec.structs.replace(message, problem=problem, explanation=PROBLEMS[problem])


def _message(found: Body, values: dict[str, str]) -> WebhookMessage:
    device_id = _device(values)
    number = {name: alert_words.pk(values.get(name, "")) for name in ("alert_id", "client_id", "site_id")}
    severity = values.get("severity")
    return WebhookMessage(
        device_id=device_id,
        external_alert_id=number["alert_id"],
        event=_event(values.get("event", "")),
        alert_type=alert_words.alert_type(values.get("alert_type", "")),
        severity=None if severity is None else alert_words.severity(severity),
        original_severity=None if severity is None else cleaning.label(severity, _SHORT),
        message=cleaning.prose(values.get(bodies.MESSAGE, "")),
        opened_at=alert_words.moment(values.get("alert_time", "")),
        # For an alert without an agent the server puts the alert's id into both (CONTRACT 5).
        organization_id=number["client_id"] if device_id is not None else None,
        site_id=number["site_id"] if device_id is not None else None,
        device_name=cleaning.label(values.get(bodies.HOST, "")),
        salvaged=found.broken,
    )


def _problem(found: Body, values: dict[str, str]) -> str | None:
    if "agent_id" in found.contradictory:
        return "contradictory"
    stated = found.values.get("agent_id", "")
    if "{{" in stated or "}}" in stated:
        return "placeholders_left"
    if "agent_id" not in values:
        return "no_device"
    return "bad_device" if _device(values) is None else None


def _device(values: dict[str, str]) -> str | None:
    text = values.get("agent_id", "")
    return text if _DEVICE.fullmatch(text) else None


def _meant(found: Body) -> dict[str, str]:
    """The values without those that stand for nothing, such as "None" or a placeholder that was left."""
    stated = {name: text.strip() for name, text in found.values.items()}
    return {
        name: text
        for name, text in stated.items()
        # Small "none" is one of our severities; the server's own nothing is "None".
        if not (text.lower() in _NOTHING or _PLACEHOLDER.fullmatch(text))
        or (name == "severity" and text == AlertSeverity.NONE)
    }


def _event(text: str) -> Event | None:
    """What happened, if the word says one thing: `trigger|resolve` and "unresolved" do not."""
    text = text.lower()
    if len(text) > _LONGEST_EVENT or not text.isascii() or any(mark in text for mark in "{}|<>"):
        return None
    words = set(_WORD.findall(text))
    raised = "trigger" in text or bool(words & _RAISED)
    resolved = "resolve" in text
    if raised == resolved or words & _DENIED or "unresolve" in text:
        return None
    return "trigger" if raised else "resolve"


def _is_test(found: Body, values: dict[str, str]) -> bool:
    """Whether the server's test button sent it, which knows no alert.

    It fills what belongs to an alert with the name of the agent, client or site that it is run for, and
    `alert_id` with that one's number; run for nothing, it leaves all as it is. No two of an alert's severity,
    type and time are ever the same.
    """
    if _NEVER_LEFT.fullmatch(found.values.get("agent_id", "").strip()):
        return True
    stated = [values[name] for name in ("severity", "alert_type", "alert_time") if name in values]
    if len(set(stated)) != 1:
        return False
    name = stated[0]
    known = alert_words.severity(name) or alert_words.moment(name) or name.lower() in _TYPES
    alike = {values.get(bodies.HOST), values.get(bodies.MESSAGE)}
    return len(stated) > 1 or (not known and name in alike)


def _test(found: Body, values: dict[str, str]) -> WebhookMessage:
    name = values.get("severity") or values.get("alert_type") or values.get("alert_time")
    return WebhookMessage(
        device_id=_device(values) if values.get("agent_id") != name else None,
        event=_event(values.get("event", "")),
        device_name=cleaning.label(values.get(bodies.HOST, "")),
        salvaged=found.broken,
        test=True,
    )
