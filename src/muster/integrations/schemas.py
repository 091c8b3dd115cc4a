"""Shapes of integrations as others see them. No secret is ever in one of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from muster.errors import NotFound
from muster.integrations.models import Credential, Integration
from muster.integrations.rules import SESSION_TOKEN
from muster.providers import registry
from muster.providers.contract import ConnectionSettings


class CredentialView(msgspec.Struct, frozen=True, kw_only=True):
    """One stored secret, masked. `last_four` is empty where even that would give too much away."""

    name: str
    last_four: str
    updated_at: datetime


class IntegrationView(msgspec.Struct, frozen=True, kw_only=True):
    """A connection to one server of a provider. `sync_error` is {code, message, remedy} or null.

    `id` and `integration_id` are the same; `provider_name` is what a person reads for `provider`.
    """

    id: UUID
    integration_id: UUID
    provider: str
    provider_name: str
    name: str
    instance_url: str
    auth_mode: str | None
    source: str | None
    is_active: bool
    connected_at: datetime | None
    settings: dict[str, Any]
    server_facts: dict[str, Any]
    credentials: list[CredentialView]
    last_sync_at: datetime | None
    last_full_sync_at: datetime | None
    last_incremental_sync_at: datetime | None
    sync_status: str
    sync_error: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime


class StoredConnection(msgspec.Struct, frozen=True, kw_only=True):
    """What opening a connection takes. It holds secrets in clear: it lives in memory and is never shown.

    `revision` stands for this address with these credentials; any change of them changes it.
    """

    integration_id: UUID
    name: str
    provider: str
    settings: ConnectionSettings
    revision: str

    def __repr__(self) -> str:
        return f"StoredConnection({self.name!r}, {self.provider!r}, {self.settings!r})"


class DisconnectResult(msgspec.Struct, frozen=True, kw_only=True):
    """What disconnecting did. `logout_problem` says why a session may live on at the server."""

    integration: IntegrationView
    logged_out: bool
    logout_problem: str | None = None


def view_of(row: Integration, credentials: Sequence[Credential]) -> IntegrationView:
    """An integration as others see it; the login token is nobody's business."""
    return IntegrationView(
        id=row.integration_id,
        integration_id=row.integration_id,
        provider=row.provider,
        provider_name=_display_name(row.provider),
        name=row.name,
        instance_url=row.instance_url,
        auth_mode=row.settings.get("auth_mode"),
        source=row.settings.get("source"),
        is_active=row.is_active,
        connected_at=row.connected_at,
        settings=row.settings,
        server_facts=row.server_facts,
        credentials=[
            CredentialView(name=c.name, last_four=c.last_four, updated_at=c.updated_at)
            for c in credentials
            if c.name != SESSION_TOKEN
        ],
        last_sync_at=row.last_sync_at,
        last_full_sync_at=row.last_full_sync_at,
        last_incremental_sync_at=row.last_incremental_sync_at,
        sync_status=row.sync_status,
        sync_error=row.sync_error,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _display_name(provider_key: str) -> str:
    try:
        return registry.get(provider_key).manifest.display_name
    except NotFound:
        # A provider that is no longer installed has no name to show; its rows are still listed.
        return provider_key
