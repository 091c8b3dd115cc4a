"""Integrations as JSON: the same verbs as the pages. Secrets go in and never come out."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from litestar import get, patch, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, JSONBody

from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.db import Database
from muster.encryption import SecretBox
from muster.integrations.connections import Connector
from muster.integrations.schemas import (
    CheckRequest,
    DisconnectResult,
    IntegrationChange,
    IntegrationDetail,
    IntegrationList,
    IntegrationView,
    NewIntegration,
    ProviderList,
    ProviderView,
)
from muster.integrations.service import CountSource, IntegrationService
from muster.providers import registry
from muster.providers.contract import CheckResult
from muster.web.paging import Limit, Offset

_READ, _UPDATE = [needs(Permission.SETTINGS_READ)], [needs(Permission.SETTINGS_UPDATE)]
_TAGS = ["Integrations"]
_ONE = "/integrations/{integration_id:uuid}"


@get("/providers", guards=_READ, operation_id="listProviders", tags=_TAGS)
async def provider_list() -> ProviderList:
    """Kinds of RMM server, each with the fields that a connection to one takes."""
    items = [
        ProviderView(
            key=manifest.key,
            display_name=manifest.display_name,
            capabilities=sorted(manifest.capabilities),
            auth_modes=list(manifest.auth_modes),
            fields=list(manifest.fields),
        )
        for manifest in (provider.manifest for provider in registry.all())
    ]
    return ProviderList(items=items, total=len(items))


@get("/integrations", guards=_READ, operation_id="listIntegrations", tags=_TAGS)
async def integration_list(
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    limit: Limit = 100,
    offset: Offset = 0,
) -> IntegrationList:
    """The tenant's integrations by name, with masked credentials."""
    async with database.read(actor.scope) as session:
        service = IntegrationService(session, actor.scope, secrets)
        items = await service.list(limit=limit, offset=offset)
        return IntegrationList(items=list(items), total=await service.total())


@get(_ONE, guards=_READ, operation_id="getIntegration", tags=_TAGS)
async def integration_get(
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    integration_counts: NamedDependency[Sequence[CountSource]],
    integration_id: FromPath[UUID],
) -> IntegrationDetail:
    """One integration: its state, the findings of its last check, and what it holds."""
    async with database.read(actor.scope) as session:
        service = IntegrationService(session, actor.scope, secrets)
        view = await service.get(integration_id)
        counts = await service.counts(integration_id, integration_counts)
    return IntegrationDetail(integration=view, counts=dict(counts))


@post("/integrations", guards=_UPDATE, operation_id="addIntegration", tags=_TAGS)
async def integration_add(
    data: JSONBody[NewIntegration],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
) -> IntegrationView:
    """Store a new integration. Nothing is sent to its server before a check. 409 when the name is taken."""
    async with database.write(actor.scope) as session:
        service = IntegrationService(session, actor.scope, secrets)
        return await service.add(data.provider, data.name, data.fields)


@patch(_ONE, guards=_UPDATE, operation_id="updateIntegration", tags=_TAGS)
async def integration_update(
    data: JSONBody[IntegrationChange],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    integration_id: FromPath[UUID],
) -> IntegrationView:
    """Change what is given; the rest stays, secrets too. A changed address or credential must be checked
    again, and a changed host needs its credentials again.
    """
    async with database.write(actor.scope) as session:
        service = IntegrationService(session, actor.scope, secrets)
        return await service.update(integration_id, data.fields, name=data.name)


@post(f"{_ONE}/check", guards=_UPDATE, operation_id="checkIntegration", tags=_TAGS, status_code=200)
async def integration_check(
    data: JSONBody[CheckRequest],
    actor: NamedDependency[Actor],
    connector: NamedDependency[Connector],
    integration_id: FromPath[UUID],
) -> CheckResult:
    """Try the connection end to end, and say what is in its way. A passed check connects the integration.

    Where the finding `totp_required` asks for a one-time code, no login was tried; check again with it.
    """
    return await connector.check(actor.scope, integration_id, data.totp, by_person=True)


@post(f"{_ONE}/disconnect", guards=_UPDATE, operation_id="disconnectIntegration", tags=_TAGS, status_code=200)
async def integration_disconnect(
    actor: NamedDependency[Actor],
    connector: NamedDependency[Connector],
    integration_id: FromPath[UUID],
) -> DisconnectResult:
    """Delete the credentials and end the session on the server. Address, mappings, assets and alerts stay."""
    return await connector.disconnect(actor.scope, integration_id)


ROUTES: list[BaseRouteHandler] = [
    provider_list,
    integration_list,
    integration_get,
    integration_add,
    integration_update,
    integration_check,
    integration_disconnect,
]
