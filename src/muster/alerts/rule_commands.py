"""`muster rule`."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import msgspec
import typer

from muster.alerts.rule_service import RuleService
from muster.alerts.rule_words import CONDITION_NAMES
from muster.alerts.rules import AlertFacts, RuleView, Trial
from muster.errors import InvalidInput
from muster.integrations.service import IntegrationService
from muster.naming import as_id
from muster.providers.alerting import AlertSeverity, AlertType
from muster.terminal import Terminal, command, group

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The integration, by name or id.")]
AlertOption = Annotated[str | None, typer.Option("--alert", metavar="ID", help="An alert as it was.")]


def rule_commands() -> typer.Typer:
    """The group of commands."""
    commands = group("rule", "What is done about the alerts of an integration.")
    commands.command("list", epilog="Example: muster rule list Main --json")(command(_list))
    commands.command(
        "test",
        epilog="Examples: muster rule test Main --severity critical --message 'Disk C: is full'\n\n"
        "muster rule test Main --alert 0197a0c2-7c1e-7d5b-a5f0-0e6f3c1b9f10",
    )(command(_test))
    return commands


async def _list(terminal: Terminal, name: NameArgument) -> None:
    """List an integration's rules in their order; the first that an alert meets decides."""
    scope = await terminal.scope()
    async with terminal.database.read(scope) as session:
        integration = await IntegrationService(session, scope, terminal.secrets).get(name)
        service = RuleService(session, scope)
        rules = await service.list(integration.integration_id)
        names = await service.target_names()
    terminal.output.items(
        [_shown(rule, names) for rule in rules],
        {
            "position": "Nr",
            "name": "Name",
            "is_active": "On",
            "conditions": "Conditions",
            "action": "Action",
            "target_names": "To",
        },
        empty="There is no rule: alerts are listed, and nobody is told.",
    )


async def _test(
    terminal: Terminal,
    *,
    name: NameArgument,
    alert: AlertOption = None,
    severity: Annotated[AlertSeverity, typer.Option(help="How bad it is.")] = AlertSeverity.CRITICAL,
    kind: Annotated[AlertType, typer.Option("--type", help="What raised it.")] = AlertType.CHECK,
    message: Annotated[str | None, typer.Option(help="What it says.")] = None,
    device: Annotated[str | None, typer.Option(help="The device's name.")] = None,
    organization: Annotated[
        str | None, typer.Option(metavar="ID", help="The organization's id on the server.")
    ] = None,
) -> None:
    """Show which rule an alert would meet, and why not the ones before it: one that was, or one to
    imagine.
    """
    scope = await terminal.scope()
    async with terminal.database.read(scope) as session:
        integration = await IntegrationService(session, scope, terminal.secrets).get(name)
        service = RuleService(session, scope)
        facts = (
            AlertFacts(
                severity=severity,
                alert_type=kind,
                message=message,
                device_name=device,
                organization_id=organization,
            )
            if alert is None
            else await service.facts_of(_alert_id(alert))
        )
        trials = await service.explain(integration.integration_id, facts)
        names = await service.target_names()
    decided = next((trial.rule for trial in trials if trial.decides), None)
    terminal.output.items(
        [_tried(trial) for trial in trials],
        {"position": "Nr", "name": "Name", "verdict": "Verdict"},
        empty="There is no rule.",
        extra={"rule": None if decided is None else _shown(decided, names)},
    )
    if decided is None:
        terminal.output.note("No rule decides: the alert is listed, and nobody is told.")


def _alert_id(text: str) -> UUID:
    found = as_id(text)
    if found is None:
        raise InvalidInput(f"{text[:50]} is no id of an alert.", remedy="See: muster alert list")
    return found


def _shown(rule: RuleView, names: Any) -> dict[str, Any]:
    conditions = {name: value for name, value in msgspec.to_builtins(rule.conditions).items() if value}
    targets = [names.get(target, "gone") for target in rule.targets]
    return {**msgspec.to_builtins(rule), "conditions": conditions, "target_names": targets}


def _tried(trial: Trial) -> dict[str, Any]:
    verdict = (
        "decides"
        if trial.decides
        else "switched off"
        if trial.passed_over
        else f"not met: {', '.join(CONDITION_NAMES[name] for name in trial.unmet)}"
        if trial.unmet
        else "an earlier rule decided"
    )
    return {
        "position": trial.rule.position,
        "name": trial.rule.name,
        "rule_id": str(trial.rule.rule_id),
        "unmet": list(trial.unmet),
        "verdict": verdict,
    }
