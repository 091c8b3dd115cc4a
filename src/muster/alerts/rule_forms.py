"""What is typed into the forms of rules and of their tester, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from muster.alerts import words
from muster.alerts.rule_service import RuleDraft
from muster.alerts.rule_words import ACTION_NAMES, ACTION_TEXTS
from muster.alerts.rules import AlertFacts, RuleAction, RuleConditions, RuleView
from muster.errors import InvalidInput
from muster.naming import as_id
from muster.providers.alerting import AlertSeverity, AlertType
from muster.web.forms import Form

_Word = TypeVar("_Word", bound=StrEnum)


class Choice(NamedTuple):
    """A box or button to tick."""

    value: str
    label: str
    text: str
    chosen: bool


def form_of(rule: RuleView | None) -> Form:
    """The form of a rule as it is, or of a new one."""
    if rule is None:
        return Form({"action": RuleAction.NOTIFY.value, "is_active": "1"})
    conditions = rule.conditions
    several: dict[str, Sequence[str]] = {
        "severities": [each.value for each in conditions.severities],
        "types": [each.value for each in conditions.types],
        "organizations": conditions.organizations,
        "clients": [str(each) for each in conditions.clients],
        "targets": [str(each) for each in rule.targets],
    }
    values = {
        "name": rule.name,
        "action": rule.action.value,
        "messages": "\n".join(conditions.messages),
        "devices": "\n".join(conditions.devices),
        **({"is_active": "1"} if rule.is_active else {}),
    }
    return Form(values, several=several)


def draft_of(form: Form) -> RuleDraft:
    """The rule that a form describes. InvalidInput, with its field, for what no browser of ours sends."""
    action = _word(RuleAction, form.text("action"), "action")
    chosen = "subscriptions" if action is RuleAction.WEBHOOK else "channels"
    return RuleDraft(
        name=form.text("name"),
        action=action,
        conditions=RuleConditions(
            severities=_words(AlertSeverity, form, "severities"),
            types=_words(AlertType, form, "types"),
            organizations=tuple(form.several.get("organizations", ())),
            clients=_ids(form.several.get("clients", ()), "organizations"),
            messages=_lines(form, "messages"),
            devices=_lines(form, "devices"),
        ),
        targets=_ids(form.several.get(chosen, ()), "targets"),
        is_active=form.flag("is_active"),
    )


def facts_of(form: Form) -> AlertFacts:
    """The alert that was typed into the tester."""
    who = form.text("organization")
    return AlertFacts(
        severity=_word(AlertSeverity, form.text("severity") or AlertSeverity.CRITICAL, "severity"),
        alert_type=_word(AlertType, form.text("type") or AlertType.CHECK, "type"),
        organization_id=who or None,
        client_id=form.identity("client"),
        device_name=form.text("device") or None,
        message=form.text("message") or None,
    )


def severity_choices(form: Form) -> Sequence[Choice]:
    """The severities, ticked as the form has them."""
    return _choices(words.SEVERITIES, form, "severities")


def type_choices(form: Form) -> Sequence[Choice]:
    """The types, ticked as the form has them."""
    return _choices(words.TYPES, form, "types")


def action_choices(form: Form) -> Sequence[Choice]:
    """The actions, the form's one chosen."""
    return [
        Choice(action.value, ACTION_NAMES[action], ACTION_TEXTS[action], form.text("action") == action.value)
        for action in RuleAction
    ]


def named_choices(names: Mapping[Any, str], form: Form, fields: Iterable[str]) -> Sequence[Choice]:
    """Things by their names, ticked where one of these fields of the form has their id."""
    ticked = {value for field in fields for value in form.several.get(field, ())}
    return [Choice(str(each), name, "", str(each) in ticked) for each, name in names.items()]


def _choices(names: Mapping[str, str], form: Form, field: str) -> Sequence[Choice]:
    ticked = form.several.get(field, ())
    return [Choice(str(each), name, "", each in ticked) for each, name in names.items()]


def _word(kind: type[_Word], text: str, field: str) -> _Word:
    try:
        return kind(text)
    except ValueError:
        raise InvalidInput("There is no such choice.", remedy="Choose from the list.", field=field) from None


def _words(kind: type[_Word], form: Form, field: str) -> tuple[_Word, ...]:
    return tuple(_word(kind, text, field) for text in form.several.get(field, ()))


def _ids(texts: Sequence[str], field: str) -> tuple[UUID, ...]:
    found = [as_id(text) for text in texts]
    if None in found:
        raise InvalidInput("One of the choices holds no id.", remedy="Choose from the list.", field=field)
    return tuple(each for each in found if each is not None)


def _lines(form: Form, field: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in form.text(field).splitlines() if line.strip())
