"""How rules read for a person. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from muster.alerts import words
from muster.alerts.rules import RuleAction, RuleConditions, RuleView

ACTION_NAMES: Mapping[RuleAction, str] = {
    RuleAction.NOTIFY: "Notify",
    RuleAction.WEBHOOK: "Send webhook",
    RuleAction.SUPPRESS: "Suppress",
}
ACTION_TEXTS: Mapping[RuleAction, str] = {
    RuleAction.NOTIFY: "Tell the chosen channels.",
    RuleAction.WEBHOOK: "Send the alert's events to the chosen webhooks, whatever else they get.",
    RuleAction.SUPPRESS: "Tell nobody. The alert is still listed.",
}
CONDITION_NAMES: Mapping[str, str] = {
    "severities": "severity",
    "types": "type",
    "organizations": "organization",
    "devices": "device",
    "messages": "message",
}
GONE = "one that was removed"


def conditions_text(
    conditions: RuleConditions, organizations: Mapping[str, str], clients: Mapping[UUID, str]
) -> Sequence[str]:
    """One phrase for each condition; of a list of many the first few."""
    if conditions.is_empty:
        return ["Every alert"]
    who = [organizations.get(each, f"organization {each}") for each in conditions.organizations]
    who += [clients.get(each, GONE) for each in conditions.clients]
    phrases = [
        ("Severity", [words.SEVERITIES[each] for each in conditions.severities]),
        ("Type", [words.TYPES[each] for each in conditions.types]),
        ("Of", who),
        ("Device", list(conditions.devices)),
        ("Message has", list(conditions.messages)),
    ]
    return [f"{word} {_listed(values)}" for word, values in phrases if values]


def action_text(rule: RuleView, names: Mapping[UUID, str]) -> str:
    """What a rule does, with whom."""
    if rule.action is RuleAction.SUPPRESS:
        return ACTION_NAMES[rule.action]
    return (
        f"{ACTION_NAMES[rule.action]}: {_listed([names.get(target, GONE) for target in rule.targets], 'and')}"
    )


def _listed(values: Sequence[str], last: str = "or") -> str:
    shown = list(values[:3])
    if len(values) > 3:
        shown.append(f"{len(values) - 3} more")
    return f" {last} ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]
