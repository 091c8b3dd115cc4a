"""The sealed credentials of an integration: opened, sealed, forgotten, fingerprinted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from muster.db import bulk
from muster.db.types import table_of
from muster.encryption import CannotOpen, SecretBox
from muster.integrations import rules
from muster.integrations.models import Credential, Integration
from muster.integrations.repository import IntegrationRepository
from muster.providers import registry
from muster.providers.contract import ConnectionSettings
from muster.tenancy import TenantScope

_CREDENTIALS = table_of(Credential)
_KEY = ("integration_id", "name")


class CredentialVault:
    """Credentials of one tenant's integrations. Each is sealed for its tenant, integration and name."""

    def __init__(self, session: AsyncSession, scope: TenantScope, secrets: SecretBox) -> None:
        self._session = session
        self._scope = scope
        self._secrets = secrets
        self._repository = IntegrationRepository(session, scope)

    async def of(self, row: Integration) -> Sequence[Credential]:
        """The integration's credentials, sealed."""
        return (await self._repository.credentials([row.integration_id]))[row.integration_id]

    def open(self, credential: Credential) -> str:
        """One secret in clear; CannotOpen when its key is gone."""
        return self._secrets.open(self._scope.tenant_id, _sealed_name(credential), credential.sealed)

    def settings(self, row: Integration, credentials: Iterable[Credential]) -> ConnectionSettings:
        """Connection settings with the secrets a person typed in clear; CannotOpen when one will not open."""
        typed = [c for c in credentials if c.name not in rules.OWN_CREDENTIALS]
        return _settings(row, {credential.name: self.open(credential) for credential in typed})

    def readable_settings(
        self, row: Integration, credentials: Iterable[Credential]
    ) -> tuple[ConnectionSettings, CannotOpen | None]:
        """As `settings`, but leaving out what will not open, and the first reason why.

        So a person can type credentials again after the key was lost.
        """
        opened, problem = {}, None
        for credential in credentials:
            if credential.name in rules.OWN_CREDENTIALS:
                continue
            try:
                opened[credential.name] = self.open(credential)
            except CannotOpen as closed:
                problem = problem or closed
        return _settings(row, opened), problem

    async def seal(self, integration_id: UUID, secrets: Mapping[str, str], at: datetime) -> None:
        """Store secrets, each in place of one of the same name."""
        rows = [
            {
                "integration_id": integration_id,
                "name": name,
                "sealed": self._secrets.seal(self._scope.tenant_id, f"{integration_id}:{name}", secret),
                "last_four": rules.last_four(name, secret),
                "updated_at": at,
            }
            for name, secret in secrets.items()
        ]
        await bulk.upsert(self._session, self._scope, _CREDENTIALS, rows, key=_KEY)

    async def forget(self, integration_id: UUID, names: Iterable[str]) -> None:
        """Delete the credentials of these names."""
        rows = [{"integration_id": integration_id, "name": name} for name in names]
        await bulk.delete(self._session, self._scope, _CREDENTIALS, rows, key=_KEY)

    async def revision(self, row: Integration) -> str:
        """What stands for the address with these very credentials; nothing is opened for it."""
        sealed = {credential.name: credential.sealed for credential in await self.of(row)}
        manifest = registry.get(row.provider).manifest
        return rules.revision(rules.access(manifest, _settings(row, {})), sealed)


def _sealed_name(credential: Credential) -> str:
    return f"{credential.integration_id}:{credential.name}"


def _settings(row: Integration, secrets: Mapping[str, str]) -> ConnectionSettings:
    return ConnectionSettings(
        instance_url=row.instance_url,
        auth_mode=row.settings["auth_mode"],
        options=rules.stored_options(registry.get(row.provider).manifest, row.settings),
        secrets=dict(secrets),
    )
