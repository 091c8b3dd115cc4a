"""`muster mapping`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import msgspec
import typer
from sqlalchemy.ext.asyncio import AsyncSession

from muster.clients.service import ClientService
from muster.errors import InvalidInput
from muster.integrations.service import IntegrationService
from muster.mappings.listing import open_organizations, taken_clients
from muster.mappings.matching import Match, Proposal, plan_matches, propose
from muster.mappings.schemas import MappingRow, MappingView
from muster.mappings.service import MappingService
from muster.tenancy import TenantScope
from muster.terminal import LimitOption, Terminal, command, group

commands = group("mapping", "Which client an organization of an integration stands for.")

IntegrationArgument = Annotated[str, typer.Argument(metavar="NAME", help="The integration, by name or id.")]
OrganizationArgument = Annotated[str, typer.Argument(metavar="ORG", help="The organization, by id or name.")]


class Switch(StrEnum):
    """On or off."""

    ON = "on"
    OFF = "off"


@commands.command("list", epilog="Example: muster mapping list Main --json")
@command
async def list_(terminal: Terminal, integration: IntegrationArgument, limit: LimitOption = 1000) -> None:
    """List the organizations of an integration, their clients, and proposals where there is none."""
    scope = await terminal.scope()
    async with terminal.database.read() as session:
        mappings = await _mappings(terminal, session, scope, integration)
        clients = await _clients(session, scope)
    proposals = propose(open_organizations(mappings), clients.items(), taken_clients(mappings))
    rows = [
        _row(view, clients, None if view.client_id else proposals.get(view.external_organization_id))
        for view in mappings
    ]
    shown = rows[:limit]
    terminal.output.items(
        shown if terminal.output.as_json else [_for_people(row) for row in shown],
        {
            "external_organization_name": "Organization",
            "external_organization_id": "Id",
            "client_name": "Client",
            "auto_sync_assets": "Auto-sync",
            "device_count": "Devices",
            "missing_since": "Missing since",
            "proposal": "Proposal",
        },
        empty="No organization is known yet. Fetch them: muster sync organizations NAME",
    )


@commands.command(
    "assign", epilog="Examples: muster mapping assign Main 7 Contoso\n\nmuster mapping assign Main 7 --none"
)
@command
async def assign(
    terminal: Terminal,
    *,
    integration: IntegrationArgument,
    organization: OrganizationArgument,
    client: Annotated[str | None, typer.Argument(help="The client, by id or name.")] = None,
    create_client: Annotated[
        bool,
        typer.Option(
            "--create-client", help="Make the client first, called CLIENT or else like the organization."
        ),
    ] = False,
    none: Annotated[bool, typer.Option("--none", help="It stands for no client any more.")] = False,
) -> None:
    """Say which client an organization stands for. Assets that are there already stay where they are."""
    if none and (client is not None or create_client):
        raise InvalidInput("--none goes without a client.")
    if not none and client is None and not create_client:
        raise InvalidInput("Which client?", remedy="Name it, or give --create-client or --none.")
    scope = await terminal.scope()
    async with terminal.database.write() as session:
        integration_id = await _integration_id(terminal, session, scope, integration)
        mappings, clients = MappingService(session, scope), ClientService(session, scope)
        found = await mappings.find(integration_id, organization)
        chosen: UUID | None = None
        if create_client:
            chosen = (await clients.create(client or found.external_organization_name)).client_id
        elif client is not None:
            chosen = (await clients.get(client)).client_id
        await mappings.assign(integration_id, found.external_organization_id, chosen)
        row = await _one_row(session, scope, integration_id, found.external_organization_id)
    terminal.output.thing(row)


@commands.command("automatch", epilog="Example: muster mapping automatch Main --apply --create-missing")
@command
async def automatch(
    terminal: Terminal,
    integration: IntegrationArgument,
    apply: Annotated[
        bool, typer.Option("--apply", help="Map the organizations whose name is the client's.")
    ] = False,
    create_missing: Annotated[
        bool, typer.Option("--create-missing", help="Make clients for organizations that nothing fits.")
    ] = False,
) -> None:
    """Propose clients for unmapped organizations by name. Without --apply nothing is written.

    Only names that say the same (100 %) are mapped; the others are for a person: muster mapping assign.
    """
    scope = await terminal.scope()
    database = terminal.database
    async with database.write() if apply else database.read() as session:
        integration_id = await _integration_id(terminal, session, scope, integration)
        mappings = await MappingService(session, scope).list(integration_id)
        clients = await _clients(session, scope)
        matches = plan_matches(
            open_organizations(mappings),
            clients.items(),
            taken_clients(mappings),
            create_missing=create_missing,
        )
        if apply:
            await _apply(session, scope, integration_id, matches)
    _show_matches(terminal, matches, apply=apply)


@commands.command("auto-sync", epilog="Example: muster mapping auto-sync Main 7 off")
@command
async def auto_sync(
    terminal: Terminal,
    integration: IntegrationArgument,
    organization: OrganizationArgument,
    switch: Annotated[Switch, typer.Argument(metavar="on|off", help="Whether syncs bring its devices in.")],
) -> None:
    """Say whether syncs bring an organization's devices in. Assets that are there already stay."""
    scope = await terminal.scope()
    async with terminal.database.write() as session:
        integration_id = await _integration_id(terminal, session, scope, integration)
        mappings = MappingService(session, scope)
        found = await mappings.find(integration_id, organization)
        await mappings.set_auto_sync(integration_id, found.external_organization_id, switch is Switch.ON)
        row = await _one_row(session, scope, integration_id, found.external_organization_id)
    terminal.output.thing(row)


# --- inside -------------------------------------------------------------------------------------------------


async def _integration_id(
    terminal: Terminal, session: AsyncSession, scope: TenantScope, reference: str
) -> UUID:
    return (await IntegrationService(session, scope, terminal.secrets).get(reference)).integration_id


async def _mappings(
    terminal: Terminal, session: AsyncSession, scope: TenantScope, reference: str
) -> Sequence[MappingView]:
    integration_id = await _integration_id(terminal, session, scope, reference)
    return await MappingService(session, scope).list(integration_id)


async def _clients(session: AsyncSession, scope: TenantScope) -> dict[UUID, str]:
    return {client.client_id: client.name for client in await ClientService(session, scope).list()}


async def _apply(
    session: AsyncSession, scope: TenantScope, integration_id: UUID, matches: Sequence[Match]
) -> None:
    mappings, clients = MappingService(session, scope), ClientService(session, scope)
    for match in matches:
        if match.action == "map" and match.proposal is not None:
            client_id = match.proposal.client_id
        elif match.action == "create":
            client_id = (await clients.create(match.external_organization_name)).client_id
        else:
            continue
        await mappings.assign(integration_id, match.external_organization_id, client_id)


def _row(view: MappingView, clients: Mapping[UUID, str], proposal: Proposal | None = None) -> MappingRow:
    return MappingRow(
        external_organization_id=view.external_organization_id,
        external_organization_name=view.external_organization_name,
        client_id=view.client_id,
        client_name=None if view.client_id is None else clients.get(view.client_id),
        auto_sync_assets=view.auto_sync_assets,
        device_count=view.device_count,
        missing_since=view.missing_since,
        proposal=proposal,
    )


async def _one_row(
    session: AsyncSession, scope: TenantScope, integration_id: UUID, external_organization_id: str
) -> MappingRow:
    view = await MappingService(session, scope).find(integration_id, external_organization_id)
    names = await ClientService(session, scope).names([view.client_id] if view.client_id else [])
    return _row(view, names)


def _for_people(row: MappingRow | Match) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(row, builtin_types=(datetime,))
    if row.proposal is not None:
        fields["proposal"] = f"{row.proposal.client_name} ({row.proposal.confidence:.0%})"
    return fields


def _show_matches(terminal: Terminal, matches: Sequence[Match], *, apply: bool) -> None:
    totals = Counter(match.action for match in matches)
    counts = {action: totals[action] for action in ("map", "create", "review", "none")}
    terminal.output.items(
        matches if terminal.output.as_json else [_for_people(match) for match in matches],
        {
            "external_organization_name": "Organization",
            "external_organization_id": "Id",
            "proposal": "Proposal",
            "action": "Done" if apply else "Would be done",
        },
        empty="No listed organization is without a client.",
        extra={"applied": apply, "counts": counts},
    )
    if not apply and (totals["map"] or totals["create"]):
        terminal.output.note("Nothing was written. Add --apply to do it.")
