"""Shapes of integrations as others see them. No secret is ever in one of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from muster.errors import NotFound
from muster.integrations.models import Credential, Integration
from muster.integrations.rules import OWN_CREDENTIALS, SESSION_TOKEN, WEBHOOK_SECRET_PREVIOUS
from muster.integrations.types import State, state_of
from muster.providers import registry
from muster.providers.contract import (
    AuthMode,
    Capability,
    CheckResult,
    CheckStep,
    ConnectionSettings,
    Finding,
    SettingsField,
)


class CredentialView(msgspec.Struct, frozen=True, kw_only=True):
    """One stored secret, masked. `last_four` is empty where even that would give too much away."""

    name: str
    last_four: str
    updated_at: datetime


class CheckView(msgspec.Struct, frozen=True, kw_only=True):
    """The last check of a connection: what was found, and how far it came. `with_code`: a one-time code had
    been given.
    """

    at: datetime
    took_ms: int
    ok: bool
    with_code: bool
    findings: list[Finding]
    steps: list[CheckStep]


class IntegrationView(msgspec.Struct, frozen=True, kw_only=True):
    """A connection to one server of a provider. `sync_error` is {code, message, remedy} or null.

    `id` and `integration_id` are the same; `provider_name` is what a person reads for `provider`.
    """

    id: UUID
    integration_id: UUID
    provider: str
    provider_name: str
    name: str
    state: State
    instance_url: str
    auth_mode: str | None
    source: str | None
    is_active: bool
    connected_at: datetime | None
    settings: dict[str, Any]
    server_facts: dict[str, Any]
    last_check: CheckView | None
    credentials: list[CredentialView]
    last_sync_at: datetime | None
    last_full_sync_at: datetime | None
    last_incremental_sync_at: datetime | None
    sync_status: str
    sync_error: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime


class IntegrationDetail(msgspec.Struct, frozen=True, kw_only=True):
    """An integration with the numbers that rooms know about it."""

    integration: IntegrationView
    counts: dict[str, Any]


class IntegrationList(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the integrations, and how many there are in all."""

    items: list[IntegrationView]
    total: int


class ProviderView(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of RMM server, and what a connection to one takes."""

    key: str
    display_name: str
    capabilities: list[Capability]
    auth_modes: list[AuthMode]
    fields: list[SettingsField]


class ProviderList(msgspec.Struct, frozen=True, kw_only=True):
    """The providers there are."""

    items: list[ProviderView]
    total: int


# How long a field's value may be is the provider's to say; this bounds what is read at all.
_Fields = Annotated[
    dict[Annotated[str, msgspec.Meta(max_length=100)], str | None], msgspec.Meta(max_length=50)
]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class NewIntegration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a new integration takes: `fields` as the provider declares them."""

    provider: Annotated[str, msgspec.Meta(max_length=40)]
    name: _Name
    fields: _Fields


class IntegrationChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change: a new name, and fields by name. What is not given stays."""

    name: _Name | None = None
    fields: _Fields = {}


class CheckRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to check. `totp` is a one-time code, for a user who logs in with one."""

    totp: Annotated[str, msgspec.Meta(min_length=1, max_length=20)] | None = None


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


def last_check(result: CheckResult, *, at: datetime, took_ms: int, with_code: bool) -> dict[str, Any]:
    """A check as it is stored, a CheckView in JSON."""
    view = CheckView(
        at=at,
        took_ms=took_ms,
        ok=result.ok,
        with_code=with_code,
        findings=list(result.findings),
        steps=list(result.steps),
    )
    stored: dict[str, Any] = msgspec.to_builtins(view)
    return stored


def view_of(row: Integration, credentials: Sequence[Credential]) -> IntegrationView:
    """An integration as others see it; the login token is nobody's business."""
    return IntegrationView(
        id=row.integration_id,
        integration_id=row.integration_id,
        provider=row.provider,
        provider_name=_display_name(row.provider),
        name=row.name,
        state=state_of(
            is_active=row.is_active,
            was_connected=row.connected_at is not None,
            has_credentials=any(c.name not in OWN_CREDENTIALS for c in credentials),
            has_error=row.sync_error is not None,
        ),
        instance_url=row.instance_url,
        auth_mode=row.settings.get("auth_mode"),
        source=row.settings.get("source"),
        is_active=row.is_active,
        connected_at=row.connected_at,
        settings=row.settings,
        server_facts=row.server_facts,
        last_check=None if row.last_check is None else msgspec.convert(row.last_check, CheckView),
        credentials=[
            CredentialView(name=c.name, last_four=c.last_four, updated_at=c.updated_at)
            for c in credentials
            if c.name not in (SESSION_TOKEN, WEBHOOK_SECRET_PREVIOUS)
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
