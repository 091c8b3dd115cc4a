"""Open connections to servers. No database transaction is held while anything travels."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from muster import clock
from muster.db import Database
from muster.egress import Egress
from muster.encryption import CannotOpen, SecretBox
from muster.errors import MusterError, NotFound
from muster.integrations.schemas import DisconnectResult, StoredConnection
from muster.integrations.service import IntegrationService
from muster.providers import registry
from muster.providers.contract import CheckResult, ProviderConnection, ProviderError, SessionStore
from muster.tenancy import TenantScope


class Connector:
    """Opens connections for integrations, and carries out what needs the server and the row."""

    def __init__(self, database: Database, secrets: SecretBox, egress: Egress) -> None:
        self._database = database
        self._secrets = secrets
        self._egress = egress

    @asynccontextmanager
    async def open(self, scope: TenantScope, integration_id: UUID) -> AsyncIterator[ProviderConnection]:
        """A connection to the integration's server; nothing is sent before its first verb.

        NotFound for another tenant's integration, Conflict for a disconnected one.
        """
        stored = await self._stored(scope, integration_id)
        async with self._connect(stored, self._session_of(scope, stored)) as connection:
            yield connection

    async def check(
        self,
        scope: TenantScope,
        integration_id: UUID,
        one_time_code: str | None = None,
        *,
        by_person: bool = False,
    ) -> CheckResult:
        """Try the connection end to end and record what was found; with a code, log in with it.

        `by_person` puts it into the audit log: background work checks by itself.
        """
        stored = await self._stored(scope, integration_id)
        began = clock.now()
        async with self._connect(stored, self._session_of(scope, stored)) as connection:
            result = await connection.check(one_time_code)
        async with self._database.write() as session:
            await IntegrationService(session, scope, self._secrets).record_check(
                integration_id,
                result,
                revision=stored.revision,
                took_ms=round((clock.now() - began).total_seconds() * 1000),
                with_code=one_time_code is not None,
                by_person=by_person,
            )
        return result

    async def login(self, scope: TenantScope, integration_id: UUID, one_time_code: str | None = None) -> None:
        """Log in now and keep the token; nothing where the auth mode has no session.

        ProviderError says why it failed.
        """
        async with self.open(scope, integration_id) as connection:
            await connection.login(one_time_code)

    async def logout(self, scope: TenantScope, integration_id: UUID) -> None:
        """End the session on the server, where there is one, and forget its token."""
        async with self.open(scope, integration_id) as connection:
            await connection.logout()

    async def disconnect(self, scope: TenantScope, reference: str | UUID) -> DisconnectResult:
        """Delete the credentials, then end the session on the server as well as can be.

        In this order, because a server that does not answer must not keep credentials from being deleted.
        """
        stored: StoredConnection | None = None
        token, problem = None, None
        async with self._database.write() as session:
            service = IntegrationService(session, scope, self._secrets)
            integration_id = (await service.get(reference)).integration_id
            try:
                token = await service.session_token(integration_id)
                stored = await service.connection(integration_id) if token is not None else None
            except (CannotOpen, NotFound) as closed:
                # The key or the provider is gone: no reason to keep the credentials.
                problem = str(closed)
            integration = await service.disconnect(integration_id)
        logged_out = False
        if stored is not None and token is not None:
            try:
                async with self._connect(stored, _InMemory(token)) as connection:
                    await connection.logout()
                logged_out = True
            except (ProviderError, MusterError) as refused:
                problem = refused.message
        return DisconnectResult(integration=integration, logged_out=logged_out, logout_problem=problem)

    async def _stored(self, scope: TenantScope, integration_id: UUID) -> StoredConnection:
        async with self._database.read() as session:
            return await IntegrationService(session, scope, self._secrets).connection(integration_id)

    @asynccontextmanager
    async def _connect(
        self, stored: StoredConnection, kept: SessionStore
    ) -> AsyncIterator[ProviderConnection]:
        provider = registry.get(stored.provider)
        async with provider.connect(stored.settings, egress=self._egress, session=kept) as connection:
            yield connection

    def _session_of(self, scope: TenantScope, stored: StoredConnection) -> SessionStore:
        return _SealedSession(self._database, self._secrets, scope, stored)


class _SealedSession:
    """The login token, sealed with the integration's credentials and bound to their revision: a token got
    at one address or as one person is neither kept nor used once the settings say another.
    """

    def __init__(
        self, database: Database, secrets: SecretBox, scope: TenantScope, stored: StoredConnection
    ) -> None:
        self._database = database
        self._secrets = secrets
        self._scope = scope
        self._stored = stored

    async def load(self) -> str | None:
        """The token kept last, or None. One that will not open is as good as none: a login replaces it."""
        async with self._database.read() as session:
            service = IntegrationService(session, self._scope, self._secrets)
            try:
                return await service.session_token(self._stored.integration_id, self._stored.revision)
            except CannotOpen:
                return None

    async def save(self, token: str | None) -> None:
        """Keep the token; None forgets it."""
        async with self._database.write() as session:
            service = IntegrationService(session, self._scope, self._secrets)
            await service.keep_session_token(self._stored.integration_id, self._stored.revision, token)


class _InMemory:
    """A token that is only needed once more."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    async def load(self) -> str | None:
        """The token, or None once forgotten."""
        return self._token

    async def save(self, token: str | None) -> None:
        """Keep the token for as long as this object lives."""
        self._token = token
