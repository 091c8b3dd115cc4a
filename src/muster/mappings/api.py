"""Organizations as JSON: the same verbs as the panel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.db import Database
from muster.mappings.listing import MappingState, OrganizationListing, OrganizationsSummary
from muster.mappings.parts import integration_of
from muster.mappings.schemas import Acceptance, OrganizationRow
from muster.mappings.service import MappingService
from muster.web.paging import Limit, Offset

_READ, _UPDATE = [needs(Permission.SETTINGS_READ)], [needs(Permission.SETTINGS_UPDATE)]
_TAGS = ["Organizations"]
_LIST = "/integrations/{integration_id:uuid}/organizations"
_ONE = _LIST + "/{organization:str}"
_MOST_AT_ONCE = 10_000

Wanted = Annotated[str, QueryParameter(max_length=200)]
# The framework keeps the name `state` for itself.
State = Annotated[MappingState, QueryParameter(name="state")]
Revision = Annotated[str, msgspec.Meta(max_length=64)]


class OrganizationList(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the organizations, how many there are in that state, and what there is in all."""

    items: Sequence[OrganizationRow]
    total: int
    summary: OrganizationsSummary


class ClientChoiceBody(msgspec.Struct, frozen=True, kw_only=True):
    """The client that an organization stands for; null takes that back. With the `revision` that was read,
    409 when somebody changed the mapping meanwhile.
    """

    client_id: UUID | None
    revision: Revision | None = None


class AutoSyncBody(msgspec.Struct, frozen=True, kw_only=True):
    """Whether syncs bring the organization's devices in."""

    auto_sync_assets: bool
    revision: Revision | None = None


class DefaultContactBody(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to tell of what happens there: a contact of the mapped client, or null."""

    contact_id: UUID | None
    revision: Revision | None = None


class AcceptanceBody(msgspec.Struct, frozen=True, kw_only=True):
    """The proposals that a person agreed to, with the clients that were proposed."""

    accepted: Annotated[list[Acceptance], msgspec.Meta(max_length=_MOST_AT_ONCE)]


class AcceptedCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many organizations were mapped."""

    mapped: int


@get(_LIST, guards=_READ, operation_id="listOrganizations", tags=_TAGS)
async def organization_list(
    *,
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    integration_id: FromPath[UUID],
    wanted: State = MappingState.ALL,
    q: Wanted = "",
    limit: Limit = 100,
    offset: Offset = 0,
) -> OrganizationList:
    """Organizations that the server ever listed, those that need a client first, with the clients they
    probably stand for.
    """
    async with database.read(actor.scope) as session:
        await integration_of(session, actor.scope, integration_id)
        listing = OrganizationListing(session, actor.scope)
        found = await listing.page(integration_id, state=wanted, search=q, limit=limit, offset=offset)
    return OrganizationList(items=found.rows, total=found.total, summary=found.summary)


@put(f"{_ONE}/client", guards=_UPDATE, operation_id="mapOrganization", tags=_TAGS)
async def organization_client(
    data: JSONBody[ClientChoiceBody],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    integration_id: FromPath[UUID],
    organization: FromPath[str],
) -> OrganizationRow:
    """Say which client an organization stands for. Existing assets stay; the default contact goes."""
    async with database.write(actor.scope) as session:
        await integration_of(session, actor.scope, integration_id)
        await MappingService(session, actor.scope).assign(
            integration_id, organization, data.client_id, revision=data.revision
        )
    return await _row(actor, database, integration_id, organization)


@put(f"{_ONE}/auto-sync", guards=_UPDATE, operation_id="switchAutoSync", tags=_TAGS)
async def organization_auto_sync(
    data: JSONBody[AutoSyncBody],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    integration_id: FromPath[UUID],
    organization: FromPath[str],
) -> OrganizationRow:
    """Say whether syncs bring an organization's devices in. Assets that are there already stay."""
    async with database.write(actor.scope) as session:
        await integration_of(session, actor.scope, integration_id)
        await MappingService(session, actor.scope).set_auto_sync(
            integration_id, organization, data.auto_sync_assets, revision=data.revision
        )
    return await _row(actor, database, integration_id, organization)


@put(f"{_ONE}/default-contact", guards=_UPDATE, operation_id="chooseDefaultContact", tags=_TAGS)
async def organization_contact(
    data: JSONBody[DefaultContactBody],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    integration_id: FromPath[UUID],
    organization: FromPath[str],
) -> OrganizationRow:
    """Say whom to tell of what happens in an organization. 400 for another client's contact."""
    async with database.write(actor.scope) as session:
        await integration_of(session, actor.scope, integration_id)
        await MappingService(session, actor.scope).set_default_contact(
            integration_id, organization, data.contact_id, revision=data.revision
        )
    return await _row(actor, database, integration_id, organization)


@post(
    f"{_LIST}/accept-proposals",
    guards=_UPDATE,
    operation_id="acceptProposals",
    tags=_TAGS,
    status_code=200,
)
async def proposals_accept(
    data: JSONBody[AcceptanceBody],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    integration_id: FromPath[UUID],
) -> AcceptedCount:
    """Map several organizations at once, all or none. 409 when one of them has a client by now."""
    async with database.write(actor.scope) as session:
        await integration_of(session, actor.scope, integration_id)
        mapped = await MappingService(session, actor.scope).accept(integration_id, data.accepted)
    return AcceptedCount(mapped=mapped)


ROUTES: list[BaseRouteHandler] = [
    organization_list,
    organization_client,
    organization_auto_sync,
    organization_contact,
    proposals_accept,
]


async def _row(actor: Actor, database: Database, integration_id: UUID, organization: str) -> OrganizationRow:
    async with database.read(actor.scope) as session:
        row, _ = await OrganizationListing(session, actor.scope).row(integration_id, organization)
    return row
