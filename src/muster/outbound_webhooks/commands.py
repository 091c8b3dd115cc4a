"""`muster subscription`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from muster import clock
from muster.notifications.types import UserSource
from muster.outbound_webhooks.delivery_service import DeliveryService
from muster.outbound_webhooks.schemas import SubscriptionInput
from muster.outbound_webhooks.service import SubscriptionService
from muster.terminal import LimitOption, Terminal, command, group

ReferenceArgument = Annotated[str, typer.Argument(metavar="NAME", help="The subscription, by name or id.")]


def subscription_commands(users: UserSource) -> typer.Typer:
    """The group of commands. `users` tells which rules have a subscription as target."""
    commands = group("subscription", "Who is told of events by webhook.")
    for name, verb, epilog in _VERBS:
        commands.command(name, epilog=epilog)(command(verb))

    @commands.command("remove", epilog="Example: muster subscription remove Ticketing")
    @command
    async def remove(terminal: Terminal, reference: ReferenceArgument) -> None:
        """Remove a subscription that no rule uses, and the log of its deliveries with it."""
        scope = await terminal.scope()
        async with terminal.database.write(scope) as session:
            service = SubscriptionService(session, scope, terminal.secrets)
            view = await service.get(reference)
            await service.remove(view.subscription_id, users)
        terminal.output.thing(view)

    return commands


async def _list(terminal: Terminal) -> None:
    """List the subscriptions."""
    scope = await terminal.scope()
    async with terminal.database.read(scope) as session:
        found = await SubscriptionService(session, scope, terminal.secrets).list()
    terminal.output.items(
        found,
        {
            "name": "Name",
            "url": "Address",
            "event_types": "Events",
            "last_success_at": "Last success",
            "failing_since": "Failing since",
            "disabled_reason": "Switched off by",
        },
        empty="There is no subscription yet.",
    )


async def _add(
    terminal: Terminal,
    name: Annotated[str, typer.Argument(help="What to call it.")],
    url: Annotated[
        str, typer.Option("--url", help="Where to send, such as https://hooks.example.com/muster.")
    ],
    events: Annotated[
        list[str] | None,
        typer.Option(
            "--event", metavar="TYPE", help="Event to send, such as RMM_ALERT_TRIGGERED; repeatable."
        ),
    ] = None,
) -> None:
    """Add a subscription, and show the secret that signs what it gets; it is never shown again.

    Without --event it gets those alerts only that a rule sends to it.
    """
    scope = await terminal.scope()
    plain = bool(terminal.settings.outbound_allow)
    async with terminal.database.write(scope) as session:
        service = SubscriptionService(session, scope, terminal.secrets, plain_allowed=plain)
        made = await service.add(SubscriptionInput(name=name, url=url, event_types=events or []))
    terminal.output.thing(
        {
            "subscription_id": made.subscription.subscription_id,
            "name": made.subscription.name,
            "url": made.subscription.url,
            "event_types": made.subscription.event_types,
            "secret": made.secret,
        }
    )


async def _test(terminal: Terminal, reference: ReferenceArgument) -> None:
    """Have a test event sent; `muster subscription log` shows what became of it."""
    scope = await terminal.scope()
    async with terminal.database.write(scope) as session:
        view = await SubscriptionService(session, scope, terminal.secrets).get(reference)
        delivery_id = await DeliveryService(session, scope).test(view.subscription_id)
    terminal.output.thing({"subscription": view.name, "delivery_id": delivery_id})


async def _log(terminal: Terminal, reference: ReferenceArgument, limit: LimitOption = 50) -> None:
    """Show the latest deliveries of a subscription."""
    scope = await terminal.scope()
    async with terminal.database.read(scope) as session:
        view = await SubscriptionService(session, scope, terminal.secrets).get(reference)
        deliveries, total = await DeliveryService(session, scope).list(view.subscription_id, limit=limit)
    terminal.output.items(
        deliveries,
        {
            "created_at": "Made",
            "event_type": "Event",
            "state": "State",
            "attempts": "Tries",
            "status_code": "Status",
            "error": "Error",
            "next_attempt_at": "Next try",
        },
        empty="Nothing was sent to it yet.",
        extra={"total": total},
    )


async def _redeliver(
    terminal: Terminal,
    reference: ReferenceArgument,
    days: Annotated[
        int, typer.Option("--days", min=1, max=3650, help="Days to look back for what failed.")
    ] = 7,
) -> None:
    """Send everything again that failed or was dropped in the last days."""
    scope = await terminal.scope()
    async with terminal.database.write(scope) as session:
        view = await SubscriptionService(session, scope, terminal.secrets).get(reference)
        service = DeliveryService(session, scope)
        failed = await service.failed_since(view.subscription_id, clock.now() - timedelta(days=days))
        count = await service.again(view.subscription_id, failed)
    terminal.output.thing({"subscription": view.name, "deliveries": count})


_ADD = (
    "Example: muster subscription add Ticketing --url https://hooks.example.com/muster "
    "--event RMM_ALERT_TRIGGERED"
)
_VERBS = (
    ("list", _list, "Example: muster subscription list --json"),
    ("add", _add, _ADD),
    ("test", _test, "Example: muster subscription test Ticketing"),
    ("log", _log, "Example: muster subscription log Ticketing --limit 20"),
    ("redeliver", _redeliver, "Example: muster subscription redeliver Ticketing --days 2"),
)
