"""`muster webhook provision`, `check`, `test`, `coverage` and `remove`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from muster.errors import Conflict, InvalidInput
from muster.inbound_webhooks.provisioning import rules
from muster.inbound_webhooks.provisioning.schemas import SetupState, StepView
from muster.inbound_webhooks.provisioning.service import WebhookSetup
from muster.integrations.connections import Connector
from muster.terminal import FAILED, Terminal, command

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The integration, by name or id.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="ADDRESS",
        help="Where the server reaches Muster, such as https://muster.example.com; else MUSTER_PUBLIC_URL.",
    ),
]
_STEPS = {"kind": "Step", "what": "What", "detail": "Detail", "replaces": "Takes the place of"}


def add_to(commands: typer.Typer) -> None:
    """Mount these verbs among those of webhooks."""
    commands.command("provision", epilog="Example: muster webhook provision Main")(provision)
    commands.command("check", epilog="Example: muster webhook check Main --json")(check)
    commands.command("test", epilog="Example: muster webhook test Main")(send_test)
    commands.command("coverage", epilog="Example: muster webhook coverage Main --json")(coverage)
    commands.command("remove", epilog="Example: muster webhook remove Main --yes")(remove)


@command
async def provision(
    terminal: Terminal,
    *,
    name: NameArgument,
    url: UrlOption = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of a default that is there; it is kept.")
    ] = False,
    yes: YesOption = False,
) -> None:
    """Set the webhook up on the server, or repair it. The plan is shown first."""
    scope, setup = await terminal.scope(), _setup(terminal)
    plan = await setup.plan(scope, name, address=url)
    if not terminal.output.as_json:
        _show(terminal, plan.steps, "The server is set up as it should be.")
        for note in plan.notes:
            terminal.output.note(note)
    if plan.steps:
        if plan.replaces and not replace:
            raise Conflict(
                f"This takes the place of {', '.join(plan.replaces)}. Nothing was changed.",
                remedy="To agree to it, add --replace.",
                code="would_replace",
            )
        _agreed(terminal, "Do this on the server?", yes=yes)
    state = await setup.set_up(scope, name, address=url, replace=replace)
    terminal.output.thing(state)


@command
async def check(terminal: Terminal, name: NameArgument) -> None:
    """Compare the server with what was made there; 1 when something is to be repaired."""
    state = await _setup(terminal).check(await terminal.scope(), name)
    if not terminal.output.json(state):
        _tell(terminal, name, state)
    if state.drift.steps or state.drift.problem:
        raise typer.Exit(FAILED)


@command
async def send_test(terminal: Terminal, *, name: NameArgument, url: UrlOption = None) -> None:
    """Have the server send its own test; 1 when it does not arrive."""
    result = await _setup(terminal).test(await terminal.scope(), name, address=url)
    terminal.output.thing(result)
    if not result.arrived:
        raise typer.Exit(FAILED)


@command
async def coverage(terminal: Terminal, name: NameArgument) -> None:
    """Tell which devices' alerts cannot reach Muster, and why."""
    found = await _setup(terminal).coverage(await terminal.scope(), name)
    if terminal.output.json(found):
        return
    terminal.output.say(f"{found.covered} of {found.devices} devices are covered.")
    for note in found.notes:
        terminal.output.note(note)
    rows = [
        {"reason": group.reason, "name": device.name or device.device_id, "why": device.explanation}
        for group in found.groups
        for device in group.devices
    ]
    columns = {"reason": "Reason", "name": "Device", "why": "Why"}
    terminal.output.items(rows, columns, empty="No device is left out.")
    hidden = sum(group.count - len(group.devices) for group in found.groups)
    if hidden:
        terminal.output.note(
            f"{hidden} more are not listed: of each reason the first {rules.MOST_SHOWN} are."
        )


@command
async def remove(terminal: Terminal, name: NameArgument, yes: YesOption = False) -> None:
    """Take away from the server what was made there, and put back what was there before."""
    scope, setup = await terminal.scope(), _setup(terminal)
    plan = await setup.plan_removal(scope, name)
    if not terminal.output.as_json:
        _show(terminal, plan.steps, "The server has nothing of Muster's.")
    if plan.steps:
        _agreed(terminal, "Remove this from the server?", yes=yes)
    terminal.output.thing(await setup.remove(scope, name))


def _setup(terminal: Terminal) -> WebhookSetup:
    connector = Connector(terminal.database, terminal.secrets, terminal.egress)
    return WebhookSetup(terminal.database, terminal.secrets, connector, terminal.settings.public_url)


def _show(terminal: Terminal, steps: Sequence[StepView], empty: str) -> None:
    terminal.output.items(steps, _STEPS, empty=empty)


def _agreed(terminal: Terminal, question: str, *, yes: bool) -> None:
    if yes:
        return
    if terminal.output.as_json:
        raise InvalidInput("With --json nothing is asked.", remedy="Add --yes.")
    typer.confirm(question, abort=True, err=True)


def _tell(terminal: Terminal, name: str, state: SetupState) -> None:
    if not state.is_set_up:
        terminal.output.say(f"Muster has not set the webhook up. To do so: muster webhook provision {name!r}")
    elif state.drift.problem is not None:
        problem = state.drift.problem
        said = f"The server could not be looked at: {problem.message} {problem.remedy or ''}"
        terminal.output.say(said.strip())
    else:
        _show(terminal, state.drift.steps, "All is as it was made.")
        if state.drift.steps:
            terminal.output.note(f"To repair it: muster webhook provision {name!r}")
