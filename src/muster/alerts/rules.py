"""What is done about an alert: ordered rules, of which the first that it meets decides. Pure.

A condition that names nothing is met by every alert. An alert that no rule meets is listed, and nobody is
told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from muster.alerts.patterns import clean_pattern, contains, is_like
from muster.errors import InvalidInput
from muster.providers.alerting import AlertSeverity, AlertType

# Of one condition.
MOST_PATTERNS = 20
MOST_VALUES = 500


class RuleAction(StrEnum):
    """What a rule does. `suppress`: the alert is listed, and nobody is told."""

    NOTIFY = "notify"
    WEBHOOK = "webhook"
    SUPPRESS = "suppress"


class RuleConditions(msgspec.Struct, frozen=True, kw_only=True):
    """What an alert must be, all of it; an empty one asks nothing.

    `organizations` are ids of the provider, `clients` ours: an alert of either is meant. `messages` are
    patterns (see `patterns`) of which the message contains one, `devices` such that the device's name looks
    like.
    """

    severities: tuple[AlertSeverity, ...] = ()
    types: tuple[AlertType, ...] = ()
    organizations: tuple[str, ...] = ()
    clients: tuple[UUID, ...] = ()
    messages: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether every alert meets them."""
        return not any(getattr(self, name) for name in self.__struct_fields__)


class AlertFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What rules look at in an alert."""

    severity: AlertSeverity = AlertSeverity.CRITICAL
    alert_type: AlertType = AlertType.UNKNOWN
    organization_id: str | None = None
    client_id: UUID | None = None
    device_name: str | None = None
    message: str | None = None


class RuleView(msgspec.Struct, frozen=True, kw_only=True):
    """A rule. `position` orders those of an integration, the lowest first; `targets` are the ids of channels
    (notify) or of subscriptions to outbound webhooks (webhook).
    """

    rule_id: UUID
    integration_id: UUID
    position: int
    name: str
    is_active: bool
    conditions: RuleConditions
    action: RuleAction
    targets: tuple[UUID, ...]
    created_at: datetime
    updated_at: datetime


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One rule held against one alert. `unmet` names the conditions that the alert does not meet, as the
    fields of RuleConditions, `organizations` for clients, too; `passed_over`: the rule is switched off.
    `decides` is true for one rule at most.
    """

    rule: RuleView
    unmet: tuple[str, ...]
    passed_over: bool
    decides: bool


def decide(rules: Iterable[RuleView], facts: AlertFacts) -> RuleView | None:
    """The first active rule, in this order, that the alert meets; None when it meets none."""
    return next((rule for rule in rules if rule.is_active and is_met(rule.conditions, facts)), None)


def explain(rules: Sequence[RuleView], facts: AlertFacts) -> Sequence[Trial]:
    """Every rule in order, with what the alert does not meet in it."""
    decided = decide(rules, facts)
    return [
        Trial(
            rule=rule,
            unmet=unmet(rule.conditions, facts),
            passed_over=not rule.is_active,
            decides=rule is decided,
        )
        for rule in rules
    ]


def is_met(conditions: RuleConditions, facts: AlertFacts) -> bool:
    """Whether the alert meets all conditions."""
    return not unmet(conditions, facts)


def unmet(conditions: RuleConditions, facts: AlertFacts) -> tuple[str, ...]:
    """The conditions that the alert does not meet, cheap ones first. What is not known meets none: an alert
    without message has no word in it.
    """
    asked = [
        ("severities", conditions.severities, facts.severity in conditions.severities),
        ("types", conditions.types, facts.alert_type in conditions.types),
        (
            "organizations",
            conditions.organizations or conditions.clients,
            facts.organization_id in conditions.organizations or facts.client_id in conditions.clients,
        ),
        ("devices", conditions.devices, _any_like(conditions.devices, facts.device_name)),
        ("messages", conditions.messages, _any_in(conditions.messages, facts.message)),
    ]
    return tuple(name for name, wanted, met in asked if wanted and not met)


def cleaned(conditions: RuleConditions) -> RuleConditions:
    """The conditions as they are kept: each thing once, patterns in their plain form. InvalidInput, with its
    field, for a pattern that cannot be used, or more of anything than a rule may name.
    """
    for name in conditions.__struct_fields__:
        bound = MOST_PATTERNS if name in ("messages", "devices") else MOST_VALUES
        if len(getattr(conditions, name)) > bound:
            raise InvalidInput("It names too many.", remedy=f"At most {bound}; make two rules.", field=name)
    return RuleConditions(
        severities=tuple(each for each in AlertSeverity if each in conditions.severities),
        types=tuple(each for each in AlertType if each in conditions.types),
        organizations=tuple(dict.fromkeys(conditions.organizations)),
        clients=tuple(dict.fromkeys(conditions.clients)),
        messages=_patterns("messages", conditions.messages),
        devices=_patterns("devices", conditions.devices),
    )


def _patterns(field: str, texts: Sequence[str]) -> tuple[str, ...]:
    try:
        return tuple(dict.fromkeys(clean_pattern(text) for text in texts))
    except InvalidInput as wrong:
        raise InvalidInput(wrong.message, remedy=wrong.remedy, field=field) from wrong


def _any_like(patterns: Sequence[str], name: str | None) -> bool:
    return name is not None and any(is_like(pattern, name) for pattern in patterns)


def _any_in(patterns: Sequence[str], message: str | None) -> bool:
    return message is not None and any(contains(pattern, message) for pattern in patterns)
