"""The secrets by which an integration's server shows who it is when it calls us: the one that holds, and
after a rotation for a while the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from muster.encryption import CannotOpen, SecretBox
from muster.integrations.credentials import CredentialVault
from muster.integrations.models import Credential
from muster.integrations.repository import IntegrationRepository
from muster.integrations.rules import (
    OWN_CREDENTIALS,
    WEBHOOK_SECRET,
    WEBHOOK_SECRET_PREVIOUS,
    WEBHOOK_SECRETS,
)
from muster.integrations.types import State, state_of
from muster.tenancy import TenantScope


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookDoor:
    """An integration as its webhook is asked for it: the secrets in clear (they live in memory only), and
    whether it is disconnected. `closed`: a secret is there, but its key is gone.
    """

    integration_id: UUID
    disconnected: bool
    current: str | None = field(default=None, repr=False)
    previous: str | None = field(default=None, repr=False)
    closed: bool = False


class WebhookSecrets:
    """Webhook secrets of one tenant's integrations."""

    def __init__(self, session: AsyncSession, scope: TenantScope, secrets: SecretBox) -> None:
        self._scope = scope
        self._secrets = secrets
        self._repository = IntegrationRepository(session, scope)
        self._vault = CredentialVault(session, scope, secrets)

    async def doors(self, provider: str, integration_id: UUID | None = None) -> Sequence[WebhookDoor]:
        """The tenant's integrations of a provider, or the one of this id; one statement."""
        found: dict[UUID, WebhookDoor] = {}
        typed: set[UUID] = set()
        for row in await self._repository.doors(provider, integration_id, WEBHOOK_SECRETS):
            key, name = row["integration_id"], row["name"]
            door = found.get(key) or WebhookDoor(integration_id=key, disconnected=False)
            if name in WEBHOOK_SECRETS:
                door = self._with(door, name, row["sealed"])
            elif name is not None and name not in OWN_CREDENTIALS:
                typed.add(key)
            state = state_of(
                is_active=row["is_active"],
                was_connected=row["connected_at"] is not None,
                has_credentials=key in typed,
                has_error=False,
            )
            found[key] = replace(door, disconnected=state is State.DISCONNECTED)
        return list(found.values())

    async def current(self, integration_id: UUID) -> str | None:
        """The secret that holds, in clear; None before the first. CannotOpen when its key is gone."""
        credential = (await self._stored(integration_id)).get(WEBHOOK_SECRET)
        return None if credential is None else self._vault.open(credential)

    async def last_four(self, integration_id: UUID) -> str | None:
        """What may be shown of the secret that holds; None before the first."""
        credential = (await self._stored(integration_id)).get(WEBHOOK_SECRET)
        return None if credential is None else credential.last_four

    async def put(self, integration_id: UUID, secret: str, at: datetime, *, keep: bool = False) -> None:
        """Make a secret the one that holds; `keep` has the one so far hold beside it, unless its key is
        gone. One that held beside it until now does no longer.
        """
        previous = None
        if keep:
            try:
                previous = await self.current(integration_id)
            except CannotOpen:
                previous = None
        await self.forget_previous(integration_id)
        if previous is not None:
            await self._vault.seal(integration_id, {WEBHOOK_SECRET_PREVIOUS: previous}, at)
        await self._vault.seal(integration_id, {WEBHOOK_SECRET: secret}, at)

    async def forget_previous(self, integration_id: UUID) -> None:
        """Delete the secret from before the last rotation."""
        await self._vault.forget(integration_id, [WEBHOOK_SECRET_PREVIOUS])

    async def _stored(self, integration_id: UUID) -> dict[str, Credential]:
        rows = (await self._repository.credentials([integration_id]))[integration_id]
        return {row.name: row for row in rows}

    def _with(self, door: WebhookDoor, name: str, sealed: bytes) -> WebhookDoor:
        try:
            secret = self._secrets.open(self._scope.tenant_id, f"{door.integration_id}:{name}", sealed)
        except CannotOpen:
            return replace(door, closed=True)
        return replace(door, current=secret) if name == WEBHOOK_SECRET else replace(door, previous=secret)
