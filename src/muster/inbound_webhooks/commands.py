"""`muster receipt` and `muster webhook`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from uuid import UUID

import msgspec
import typer

from muster import clock
from muster.errors import InvalidInput, NotFound
from muster.inbound_webhooks import words
from muster.inbound_webhooks.receipts import ReceiptService
from muster.inbound_webhooks.schemas import ReceiptFilter, SecretView
from muster.inbound_webhooks.service import WebhookService
from muster.inbound_webhooks.types import ReceiptState
from muster.integrations.service import IntegrationService
from muster.naming import as_id
from muster.tenancy import TenantScope
from muster.terminal import LimitOption, Terminal, command, group

receipt_commands = group("receipt", "What RMM servers sent by webhook.")
webhook_commands = group("webhook", "How RMM servers tell Muster of alerts at once.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The integration, by name or id.")]
IntegrationOption = Annotated[str | None, typer.Option(help="Only receipts of this integration.")]
StateOption = Annotated[
    str | None, typer.Option(help=f"Only receipts in this state: {', '.join(words.STATES)}.")
]
DeviceOption = Annotated[str | None, typer.Option(help="Only receipts of this device, by the server's id.")]
HoursOption = Annotated[
    int | None, typer.Option("--hours", min=1, max=100_000, help="Only receipts of the last hours.")
]

_COLUMNS = {
    "received_at": "Received",
    "event": "What",
    "device_id": "Device",
    "external_alert_id": "Alert",
    "state": "State",
    "attempts": "Tries",
    "receipt_id": "Id",
}
# The address of the process that `muster serve` starts, for who sets no other.
_HERE = "http://127.0.0.1:8080"


@receipt_commands.command("list", epilog="Example: muster receipt list --state not_understood")
@command
async def list_(
    terminal: Terminal,
    *,
    integration: IntegrationOption = None,
    state: StateOption = None,
    device: DeviceOption = None,
    hours: HoursOption = None,
    limit: LimitOption = 100,
) -> None:
    """List receipts, newest first."""
    scope = await terminal.scope()
    wanted = await _filter(terminal, scope, integration=integration, state=state, device=device, hours=hours)
    async with terminal.database.read(scope) as session:
        receipts = await ReceiptService(session, scope, terminal.secrets).list(wanted, limit=limit)
    terminal.output.items(receipts, _COLUMNS, empty="There is no such receipt.")


@receipt_commands.command("show", epilog="Example: muster receipt show 0199f0a3-... --json")
@command
async def show_receipt(
    terminal: Terminal, receipt_id: Annotated[str, typer.Argument(metavar="ID", help="The receipt's id.")]
) -> None:
    """Show a receipt: how it came, and what it is understood as."""
    scope = await terminal.scope()
    async with terminal.database.read(scope) as session:
        found = await ReceiptService(session, scope, terminal.secrets).get(_id(receipt_id))
    shown = {**msgspec.structs.asdict(found.receipt), "understood": found.understood, "body": found.body}
    terminal.output.thing(shown)


@receipt_commands.command(
    "replay",
    epilog="Examples: muster receipt replay 0199f0a3-...\n\n"
    "muster receipt replay --integration Main --state not_understood",
)
@command
async def replay(
    terminal: Terminal,
    *,
    receipt_id: Annotated[str | None, typer.Argument(metavar="ID", help="One receipt, by its id.")] = None,
    integration: IntegrationOption = None,
    state: StateOption = None,
    device: DeviceOption = None,
    hours: HoursOption = None,
) -> None:
    """Have a receipt processed again, or all of an integration that match; a worker does it."""
    scope = await terminal.scope()
    if receipt_id is not None:
        if any((integration, state, device, hours)):
            raise InvalidInput("An id and filters exclude each other.")
        async with terminal.database.write(scope) as session:
            receipt = await ReceiptService(session, scope, terminal.secrets).replay(_id(receipt_id))
        terminal.output.thing(receipt)
        return
    if integration is None or not any((state, device, hours)):
        raise InvalidInput(
            "Which receipts?", remedy="Give an id, or --integration with --state, --device or --hours."
        )
    wanted = await _filter(terminal, scope, integration=integration, state=state, device=device, hours=hours)
    if wanted.integration_id is None:
        raise TypeError("an integration was named")
    async with terminal.database.write(scope) as session:
        service = ReceiptService(session, scope, terminal.secrets)
        count = await service.replay_all(wanted.integration_id, wanted)
    if not terminal.output.json({"count": count}):
        terminal.output.say(f"{count} receipts will be processed again.")


@webhook_commands.command("show", epilog="Example: muster webhook show Main --reveal --json")
@command
async def show_webhook(
    terminal: Terminal,
    name: NameArgument,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="The secret in clear; it is put on record.")
    ] = False,
) -> None:
    """Show what the server is set up with: address, header and secret."""
    scope = await terminal.scope()
    base = terminal.settings.public_url or _HERE
    async with terminal.database.write(scope) as session:
        service = WebhookService(session, scope, terminal.secrets)
        endpoint = await service.endpoint(name)
        if reveal:
            shown = await service.reveal(endpoint.integration_id, base)
        else:
            await service.secret(endpoint.integration_id)
            endpoint = await service.endpoint(endpoint.integration_id)
            masked = f"...{endpoint.last_four}"
            shown = SecretView(url=f"{base}{endpoint.path}", header=endpoint.header, secret=masked)
    terminal.output.thing(shown)
    if terminal.settings.public_url is None and not terminal.output.as_json:
        terminal.output.note("Set MUSTER_PUBLIC_URL to the address under which the server reaches Muster.")


@webhook_commands.command("rotate", epilog="Example: muster webhook rotate Main --overlap 48")
@command
async def rotate(
    terminal: Terminal,
    name: NameArgument,
    overlap: Annotated[
        int, typer.Option(min=0, max=720, help="Hours that the old secret holds beside the new one.")
    ] = 24,
) -> None:
    """Make a new secret. The old one holds beside it for a while, so that nothing is lost meanwhile."""
    scope = await terminal.scope()
    async with terminal.database.write(scope) as session:
        service = WebhookService(session, scope, terminal.secrets)
        endpoint = await service.rotate(name, timedelta(hours=overlap))
    terminal.output.thing(
        {
            "integration_id": endpoint.integration_id,
            "last_four": endpoint.last_four,
            "rotated_at": endpoint.rotated_at,
            "previous_until": endpoint.previous_until,
        }
    )


async def _filter(
    terminal: Terminal,
    scope: TenantScope,
    *,
    integration: str | None,
    state: str | None,
    device: str | None,
    hours: int | None,
) -> ReceiptFilter:
    if state is not None and state not in set(ReceiptState):
        raise InvalidInput(
            f"There is no state {state[:40]!r}.", remedy=f"There are: {', '.join(ReceiptState)}."
        )
    integration_id: UUID | None = None
    if integration is not None:
        async with terminal.database.read(scope) as session:
            view = await IntegrationService(session, scope, terminal.secrets).get(integration)
        integration_id = view.integration_id
    return ReceiptFilter(
        integration_id=integration_id,
        state=None if state is None else ReceiptState(state),
        device_id=device,
        since=None if hours is None else clock.now() - timedelta(hours=hours),
    )


def _id(text: str) -> UUID:
    found = as_id(text)
    if found is None:
        raise NotFound(f"There is no receipt {text[:60]!r}.", remedy="See: muster receipt list")
    return found
