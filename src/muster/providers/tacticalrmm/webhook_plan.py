"""What Muster's webhook is on a Tactical server, compared with what is there (CONTRACT 5). Pure.

Two URL actions, an alert template that runs them, and that template as the server's default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import msgspec

from muster.providers.alerting import WebhookObjects, WebhookStep, WebhookTarget
from muster.providers.tacticalrmm.payloads import Key
from muster.providers.tacticalrmm.webhook import WEBHOOK

Part = Literal["trigger", "resolve"]
PARTS: tuple[Part, ...] = ("trigger", "resolve")
REST = "rest"
_BODIES: Mapping[str, str] = {t.key: t.body for t in WEBHOOK.templates if not t.with_message}
_OCCASIONS: Mapping[Part, str] = {"trigger": "when an alert is raised", "resolve": "when it is resolved"}
_KINDS = ("agent", "check", "task")
_Row = TypeVar("_Row", "ActionRow", "AlertTemplateRow")


class ActionRow(msgspec.Struct, kw_only=True):
    """An item of `GET /core/urlaction/`."""

    id: Key
    name: str
    desc: str | None = None
    pattern: str = ""
    action_type: str = ""
    rest_method: str = ""
    rest_body: str | None = None
    rest_headers: str | None = None


class AlertTemplateRow(msgspec.Struct, kw_only=True):
    """An item of `GET /alerts/templates/`. `applied_count`: to how many clients, sites and policies it is
    assigned.
    """

    id: Key
    name: str
    is_active: bool = True
    action_type: str | None = None
    action_rest: Key | None = None
    resolved_action_type: str | None = None
    resolved_action_rest: Key | None = None
    agent_script_actions: bool | None = None
    check_script_actions: bool | None = None
    task_script_actions: bool | None = None
    exclude_workstations: bool | None = None
    exclude_servers: bool | None = None
    excluded_sites: list[Key] = []
    excluded_clients: list[Key] = []
    excluded_agents: list[Key] = []
    applied_count: int = 0


class CoreRow(msgspec.Struct, kw_only=True):
    """`GET /core/settings/`, as far as alerts go."""

    alert_template: Key | None = None
    notify_on_info_alerts: bool = False
    notify_on_warning_alerts: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """What is on the server."""

    actions: Sequence[ActionRow]
    templates: Sequence[AlertTemplateRow]
    core: CoreRow

    def template(self, pk: int | None) -> AlertTemplateRow | None:
        """The template of an id."""
        return next((row for row in self.templates if row.id == pk), None)


@dataclass(frozen=True, slots=True)
class Own:
    """What of that is Muster's: one of each to keep, and doubles that an interrupted try left."""

    trigger: ActionRow | None
    resolve: ActionRow | None
    template: AlertTemplateRow | None
    double_actions: tuple[ActionRow, ...]
    double_templates: tuple[AlertTemplateRow, ...]

    def action(self, part: Part) -> ActionRow | None:
        """The URL action of a part."""
        return self.trigger if part == "trigger" else self.resolve

    @property
    def template_ids(self) -> set[int]:
        """The ids of all templates that are Muster's."""
        kept = () if self.template is None else (self.template,)
        return {row.id for row in (*kept, *self.double_templates)}


def action_name(label: str, part: Part) -> str:
    """What a part's URL action is called; what is made is found by it, for the server tells no ids."""
    return f"{label} ({part})"


def own(found: Found, label: str, objects: WebhookObjects) -> Own:
    """Find what is Muster's: by its name, or by its recorded id when what it says shows that it is ours (its
    owner may have renamed it). An id alone proves nothing: the integration may lead to another server now.
    """
    kept: dict[Part, ActionRow | None] = {}
    double_actions: list[ActionRow] = []
    for part in PARTS:
        name, recorded = action_name(label, part), _recorded(objects, part)
        ours = [row for row in found.actions if row.name == name or _marked(row, recorded, label, part)]
        kept[part] = _kept(ours, recorded)
        double_actions += [row for row in ours if row is not kept[part]]
    ids = {row.id for row in (*filter(None, kept.values()), *double_actions)}
    template_id = objects.template
    ours_too = [
        row
        for row in found.templates
        if row.name == label
        or (str(row.id) == template_id and {row.action_rest, row.resolved_action_rest} & ids)
    ]
    template = _kept(ours_too, template_id)
    return Own(
        trigger=kept["trigger"],
        resolve=kept["resolve"],
        template=template,
        double_actions=tuple(double_actions),
        double_templates=tuple(row for row in ours_too if row is not template),
    )


def _recorded(objects: WebhookObjects, part: Part) -> str | None:
    return objects.trigger_action if part == "trigger" else objects.resolve_action


def _mark(label: str, part: Part) -> str:
    return f"({label}, {part})"


def _marked(row: ActionRow, recorded: str | None, label: str, part: Part) -> bool:
    return str(row.id) == recorded and _mark(label, part) in (row.desc or "")


def _kept(rows: Sequence[_Row], recorded: str | None) -> _Row | None:
    """The recorded one, else the oldest."""
    return min(rows, key=lambda row: (str(row.id) != recorded, row.id), default=None)


# --- what it has to be ----------------------------------------------------------------------------------


def wanted_action(target: WebhookTarget, part: Part) -> dict[str, Any]:
    """The fields of a part's URL action. The server sends no Content-Type of its own."""
    headers = {"Content-Type": "application/json", WEBHOOK.header: target.secret}
    return {
        "name": action_name(target.label, part),
        "pattern": target.url,
        "action_type": REST,
        "rest_method": "post",
        "rest_body": _BODIES[part],
        "rest_headers": msgspec.json.encode(headers).decode(),
    }


def new_action(target: WebhookTarget, part: Part) -> dict[str, Any]:
    """What a part's URL action is made with; its description says whose it is."""
    said = f"Made by Muster {_mark(target.label, part)}. Muster keeps it up; have it removed there."
    return {**wanted_action(target, part), "desc": said}


def wanted_template(label: str, trigger: int, resolve: int) -> dict[str, Any]:
    """The fields of the alert template without which nothing is sent. Its owner may exclude agents and set
    who gets mails.
    """
    return {
        "name": label,
        "is_active": True,
        # "script", the default, never runs a URL action.
        "action_type": REST,
        "action_rest": trigger,
        "resolved_action_type": REST,
        "resolved_action_rest": resolve,
        **{f"{kind}_script_actions": True for kind in _KINDS},
    }


def new_template(label: str, trigger: int, resolve: int) -> dict[str, Any]:
    """What the template is made with: the alerts that it brings about are shown on the dashboard too."""
    shown = {f"{kind}_always_alert": True for kind in _KINDS}
    return {**wanted_template(label, trigger, resolve), **shown}


def differing(row: ActionRow | AlertTemplateRow, wanted: Mapping[str, Any]) -> list[str]:
    """The fields in which a row is not what it has to be."""
    return [name for name, value in wanted.items() if not _same(name, getattr(row, name), value)]


def _same(name: str, there: Any, wanted: Any) -> bool:
    if name == "rest_headers":
        there, wanted = _headers(there), _headers(wanted)
    return bool(there == wanted)


def _headers(text: str | None) -> object:
    try:
        return msgspec.json.decode(text or "")
    except (msgspec.DecodeError, RecursionError):
        return text


# --- what would be done -----------------------------------------------------------------------------------

_FIELD_WORDS = {
    "pattern": "address",
    "rest_body": "body",
    "rest_headers": "headers, the secret among them",
    "rest_method": "method",
    "is_active": "switched off",
    **{f"{kind}_script_actions": f"no webhooks for {kind}s" for kind in _KINDS},
}


def steps(found: Found, mine: Own, target: WebhookTarget) -> tuple[WebhookStep, ...]:
    """What is to be done so that the target is called, in this order."""
    listed: list[WebhookStep] = []
    for part in PARTS:
        row, name = mine.action(part), action_name(target.label, part)
        what = f"URL action {name}"
        if row is None:
            sent = f"POST to {target.url} {_OCCASIONS[part]}, with the secret in the header {WEBHOOK.header}"
            listed.append(WebhookStep(kind="make_action", what=what, detail=sent))
        elif fields := differing(row, wanted_action(target, part)):
            listed.append(WebhookStep(kind="mend_action", what=what, detail=_said(fields)))
    listed += [*_template_steps(mine, target.label), *_default_steps(found, mine, target.label)]
    doubled = len(mine.double_actions) + len(mine.double_templates)
    if doubled:
        said = "left by a set-up that was interrupted"
        listed.append(WebhookStep(kind="remove_doubles", what=f"{doubled} doubles", detail=said))
    return tuple(listed)


def _template_steps(mine: Own, label: str) -> Sequence[WebhookStep]:
    what = f"Alert template {label}"
    if mine.template is None:
        sent = (
            "runs the two URL actions for agents, checks and tasks; their alerts are shown on the dashboard"
        )
        return [WebhookStep(kind="make_template", what=what, detail=sent)]
    if mine.trigger is None or mine.resolve is None:
        return [WebhookStep(kind="mend_template", what=what, detail="a URL action is missing")]
    fields = differing(mine.template, wanted_template(label, mine.trigger.id, mine.resolve.id))
    return [WebhookStep(kind="mend_template", what=what, detail=_said(fields))] if fields else []


def _default_steps(found: Found, mine: Own, label: str) -> Sequence[WebhookStep]:
    pk = found.core.alert_template
    if mine.template is not None and pk == mine.template.id:
        return []
    what = "Default alert template"
    if pk is None or pk in mine.template_ids:
        return [WebhookStep(kind="assign", what=what, detail=f"becomes {label}; there is none now")]
    other = template_name(found, pk)
    said = f"becomes {label} in place of {other}, which stays and is put back when this is removed"
    return [WebhookStep(kind="assign", what=what, detail=said, replaces=other)]


def template_name(found: Found, pk: int) -> str:
    """What a person knows a template by."""
    row = found.template(pk)
    return row.name if row is not None else f"template {pk}"


def _said(fields: Sequence[str]) -> str:
    words = dict.fromkeys(_FIELD_WORDS.get(name, name.replace("_", " ")) for name in fields)
    return f"not as Muster made it: {', '.join(words)}"


def removal_steps(found: Found, mine: Own, objects: WebhookObjects) -> tuple[WebhookStep, ...]:
    """What removing does, in this order."""
    listed: list[WebhookStep] = []
    if found.core.alert_template in mine.template_ids:
        back = put_back(found, mine, objects)
        said = f"becomes {template_name(found, back)} again" if back is not None else "there is none any more"
        listed.append(WebhookStep(kind="unassign", what="Default alert template", detail=said))
    for template in (mine.template, *mine.double_templates):
        if template is not None:
            what, told = f"Alert template {template.name}", _losers(template.applied_count)
            listed.append(WebhookStep(kind="remove_template", what=what, detail=told))
    for action in (mine.trigger, mine.resolve, *mine.double_actions):
        if action is not None:
            users = [row.name for row in _using(found, action.id) if row.id not in mine.template_ids]
            told = f"{', '.join(users)} can no longer run it" if users else None
            listed.append(WebhookStep(kind="remove_action", what=f"URL action {action.name}", detail=told))
    return tuple(listed)


def _losers(count: int) -> str | None:
    if count == 1:
        return "1 client, site or policy has it and loses it"
    return f"{count} clients, sites or policies have it and lose it" if count else None


def _using(found: Found, action: int) -> Sequence[AlertTemplateRow]:
    return [row for row in found.templates if action in (row.action_rest, row.resolved_action_rest)]


def put_back(found: Found, mine: Own, objects: WebhookObjects) -> int | None:
    """The template that was the default before ours, if it is still there."""
    row = next((row for row in found.templates if str(row.id) == objects.previous), None)
    return None if row is None or row.id in mine.template_ids else row.id


def begun(found: Found, mine: Own, objects: WebhookObjects) -> WebhookObjects:
    """What is there of ours, and what our template takes (or took) the place of."""
    default = found.core.alert_template
    previous = objects.previous
    if default not in mine.template_ids:
        previous = None if default is None else str(default)
    return WebhookObjects(
        trigger_action=_text(mine.trigger),
        resolve_action=_text(mine.resolve),
        template=_text(mine.template),
        previous=previous,
    )


def _text(row: ActionRow | AlertTemplateRow | None) -> str | None:
    return None if row is None else str(row.id)
