"""Integrations: the verbs. Saving only stores; a passed check makes an integration active."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.audit.service import AuditService
from muster.db import bulk
from muster.db.types import new_id, table_of
from muster.encryption import SecretBox
from muster.errors import Conflict, InvalidInput, NotFound
from muster.events.service import EventService
from muster.events.types import EventType
from muster.integrations import rules
from muster.integrations.credentials import CredentialVault
from muster.integrations.models import Integration
from muster.integrations.repository import IntegrationRepository
from muster.integrations.rules import OWN_CREDENTIALS, SESSION_TOKEN, WEBHOOK_SECRETS
from muster.integrations.schemas import IntegrationView, StoredConnection, last_check, view_of
from muster.naming import as_id, clean_name, name_key
from muster.providers import registry
from muster.providers.contract import CheckResult, ProviderErrorInfo
from muster.tenancy import TenantScope

_INTEGRATIONS = table_of(Integration)

Freshness = Mapping[UUID, datetime]
# A room above that knows numbers about an integration, such as {"devices": {"online": 3, ...}}.
CountSource = Callable[[AsyncSession, TenantScope, UUID, Freshness], Awaitable[Mapping[str, Any]]]

_LIST_LIMIT = 100_000
_NAME_LIMIT = 100


class IntegrationService:
    """Integrations of one tenant and their sealed credentials. A `reference` is a name or an id."""

    def __init__(self, session: AsyncSession, scope: TenantScope, secrets: SecretBox) -> None:
        self._session = session
        self._scope = scope
        self._repository = IntegrationRepository(session, scope)
        self._vault = CredentialVault(session, scope, secrets)

    # --- what a person does ------------------------------------------------------------------------------

    async def add(self, provider_key: str, name: str, raw: Mapping[str, str | None]) -> IntegrationView:
        """Store a new integration from form fields by name; it stays inactive until a check passes.

        NotFound for an unknown provider, InvalidInput for a field, Conflict for a name that is taken.
        """
        provider = registry.get(provider_key)
        name = _clean_name(name)
        key = name_key(name)
        rules.check_fields(provider.manifest, raw)
        settings = provider.settings({field: value for field, value in raw.items() if value is not None})
        if await self._repository.by_name_key(key) is not None:
            raise _name_taken(name)
        integration_id, at = new_id(), clock.now()
        row = {
            "integration_id": integration_id,
            "provider": provider.manifest.key,
            "name": name,
            "name_key": key,
            "instance_url": settings.instance_url,
            "is_active": False,
            "connected_at": None,
            "settings": rules.merged_settings({}, (), settings),
            "server_facts": {},
            "last_check": None,
            "last_sync_at": None,
            "last_full_sync_at": None,
            "last_incremental_sync_at": None,
            "sync_status": "never",
            "sync_error": None,
            "created_at": at,
            "updated_at": at,
        }
        try:
            # A savepoint, so that the caller's transaction outlives the refusal.
            async with self._session.begin_nested():
                await bulk.insert(self._session, self._scope, _INTEGRATIONS, [row])
        except IntegrityError as taken:
            raise _name_taken(name) from taken
        await self._vault.seal(integration_id, settings.secrets, at)
        return await self._recorded("integration.added", integration_id, instance_url=settings.instance_url)

    async def update(
        self, reference: str | UUID, raw: Mapping[str, str | None], *, name: str | None = None
    ) -> IntegrationView:
        """Lay the typed fields over the stored ones, in the same row.

        A changed address or credential makes it inactive until checked and forgets the login; another
        auth mode deletes the credentials of the old one. Schedules, mappings and all else stay.
        """
        row = await self._find(reference, for_update=True)
        provider = registry.get(row.provider)
        rules.check_fields(provider.manifest, raw)
        credentials = await self._vault.of(row)
        stored, unreadable = self._vault.readable_settings(row, credentials)
        try:
            new = rules.changed_settings(provider, stored, raw)
        except InvalidInput as fault:
            # What seems to be left out may be there, only closed for good.
            if unreadable is not None:
                raise unreadable from fault
            raise
        at = clock.now()
        values: dict[str, Any] = {
            "instance_url": new.instance_url,
            "settings": rules.merged_settings(row.settings, stored.options, new),
            "updated_at": at,
        }
        if name is not None:
            values["name"] = _clean_name(name)
            values["name_key"] = name_key(values["name"])
            holder = await self._repository.by_name_key(values["name_key"])
            if holder is not None and holder.integration_id != row.integration_id:
                raise _name_taken(values["name"])
        reached = [rules.access(provider.manifest, settings) for settings in (stored, new)]
        if reached[0] != reached[1] or stored.secrets != new.secrets:
            # What was said about the old address or credentials no longer holds.
            values |= {"is_active": False, "server_facts": {}, "sync_error": None}
            gone = {c.name for c in credentials} - WEBHOOK_SECRETS - new.secrets.keys()
            await self._vault.forget(row.integration_id, gone)
            changed = {name: s for name, s in new.secrets.items() if stored.secrets.get(name) != s}
            await self._vault.seal(row.integration_id, changed, at)
        if new != stored:
            values["last_check"] = None
        renamed_from = row.name
        await self._change(row.integration_id, values)
        if name is not None and values["name"] != renamed_from:
            await self._recorded("integration.renamed", row.integration_id, old=renamed_from)
        if changes := rules.differences(stored, new):
            await self._recorded("integration.updated", row.integration_id, changed=changes)
        return await self.get(row.integration_id)

    async def get(self, reference: str | UUID) -> IntegrationView:
        """The integration with this id or name; NotFound when this tenant has none."""
        row = await self._find(reference)
        return view_of(row, await self._vault.of(row))

    async def list(self, limit: int = 100, offset: int = 0) -> Sequence[IntegrationView]:
        """The next `limit` integrations (1 to 100,000) by name, after `offset` of them."""
        if not 1 <= limit <= _LIST_LIMIT:
            raise InvalidInput(f"limit: choose a number from 1 to {_LIST_LIMIT:,}.")
        rows = await self._repository.listed(limit, offset)
        credentials = await self._repository.credentials([row.integration_id for row in rows])
        return [view_of(row, credentials[row.integration_id]) for row in rows]

    async def total(self) -> int:
        """How many integrations there are."""
        return await self._repository.total()

    async def disconnect(self, reference: str | UUID) -> IntegrationView:
        """Delete every credential but the webhook's secrets and make it inactive.

        The address, mappings, assets and alerts stay, and so does the webhook's door. Ending the session
        on the server is `Connector.disconnect`'s part.
        """
        row = await self._find(reference, for_update=True)
        names = [c.name for c in await self._vault.of(row) if c.name not in WEBHOOK_SECRETS]
        await self._vault.forget(row.integration_id, names)
        gone = {"is_active": False, "connected_at": None, "sync_error": None, "last_check": None}
        await self._change(row.integration_id, {**gone, "updated_at": clock.now()})
        await self._tell(EventType.INTEGRATION_DISCONNECTED, row)
        return await self._recorded("integration.disconnected", row.integration_id)

    async def set_settings(self, reference: str | UUID, changes: Mapping[str, Any]) -> IntegrationView:
        """Change settings that are not the provider's own, such as `schedules`; None removes one."""
        row = await self._find(reference, for_update=True)
        manifest = registry.get(row.provider).manifest
        owned = {"auth_mode", *(field.name for field in manifest.fields)}
        if clash := sorted(owned & set(changes)):
            raise InvalidInput(f"{clash[0]}: it belongs to the connection.", remedy="Update the integration.")
        settings = dict(row.settings)
        for key, value in changes.items():
            settings[key] = (
                rules.check_schedules(value) if key == "schedules" and value is not None else value
            )
            if value is None:
                del settings[key]
        await self._change(row.integration_id, {"settings": settings, "updated_at": clock.now()})
        return await self.get(row.integration_id)

    # --- what a check or a sync found ----------------------------------------------------------------------

    async def record_check(
        self,
        integration_id: UUID,
        result: CheckResult,
        *,
        revision: str | None = None,
        took_ms: int = 0,
        with_code: bool = False,
        by_person: bool = False,
    ) -> IntegrationView:
        """Keep what a check found: passed makes it active, failed leaves the first error as `sync_error`.

        A failure that is about the credentials also makes it inactive. With the `revision` that was
        checked, a result for settings that have changed meanwhile is refused as Conflict.
        """
        row = await self._find(integration_id, for_update=True)
        if revision is not None and revision != await self._vault.revision(row):
            raise Conflict(
                f"The settings of {row.name!r} changed while they were being checked.", remedy="Check again."
            )
        errors = [finding for finding in result.findings if finding.level == "error"]
        connects = result.ok and (not row.is_active or row.connected_at is None)
        check = last_check(result, at=clock.now(), took_ms=took_ms, with_code=with_code)
        values: dict[str, Any] = {"last_check": check}
        if result.ok:
            values |= {"is_active": True, "sync_error": None, "server_facts": dict(result.facts)}
            if connects:
                values["connected_at"] = clock.now()
                await self._tell(EventType.INTEGRATION_CONNECTED, row)
        elif errors:
            first = errors[0]
            values["sync_error"] = {"code": first.code, "message": first.message, "remedy": first.remedy}
            if any(finding.code in rules.CREDENTIAL_CODES for finding in errors):
                values["is_active"] = False
        await self._change(row.integration_id, {**values, "updated_at": clock.now()})
        if by_person:
            codes = [finding.code for finding in result.findings]
            await self._recorded("integration.checked", integration_id, ok=result.ok, findings=codes)
        if by_person and connects:
            await self._recorded("integration.connected", integration_id)
        return await self.get(row.integration_id)

    async def record_sync(
        self,
        integration_id: UUID,
        *,
        mode: str,
        status: str,
        error: ProviderErrorInfo | Mapping[str, Any] | None,
        at: datetime,
    ) -> None:
        """Keep how the last sync stands: `status` as the run says it, `error` or None to clear it.

        `last_sync_at` moves with a status that means something was read; so does the moment of a full or
        incremental sync for these modes.
        """
        problem = (
            {"code": error.code, "message": error.message, "remedy": error.remedy}
            if isinstance(error, ProviderErrorInfo)
            else error
        )
        values: dict[str, Any] = {"sync_status": status, "updated_at": at}
        if status not in _NOTHING_READ:
            values["last_sync_at"] = at
            if mode in _MODE_COLUMNS:
                values[_MODE_COLUMNS[mode]] = at
        if status != "running":
            values["sync_error"] = None if problem is None else dict(problem)
        await self._change(integration_id, values)

    async def freshness(self, now: datetime) -> Freshness:
        """For each active integration, the oldest last read of a device whose status is still believed.

        That is three refresh periods before `now`. An inactive integration is absent: none is believed.
        """
        periods = {
            row.integration_id: rules.FRESH_PERIODS * rules.refresh_minutes(row.settings)
            for row in await self._repository.active()
        }
        return {found: now - timedelta(minutes=minutes) for found, minutes in periods.items()}

    async def counts(self, integration_id: UUID, sources: Sequence[CountSource]) -> Mapping[str, Any]:
        """The numbers that the given rooms know about an integration, together."""
        freshness = await self.freshness(clock.now())
        numbers: dict[str, Any] = {}
        for source in sources:
            numbers.update(await source(self._session, self._scope, integration_id, freshness))
        return numbers

    # --- what a connection needs ---------------------------------------------------------------------------

    async def connection(self, integration_id: UUID) -> StoredConnection:
        """Settings and credentials in clear, to open a connection with; Conflict when there are none."""
        row = await self._find(integration_id)
        credentials = await self._vault.of(row)
        manifest = registry.get(row.provider).manifest
        takes_secrets = any(field.secret for field in manifest.fields)
        if takes_secrets and not any(c.name not in OWN_CREDENTIALS for c in credentials):
            raise Conflict(
                f"{row.name!r} is disconnected: it has no credentials.",
                remedy=f"Give it new ones with `muster integration update {row.name!r}`, then check it.",
                code="disconnected",
            )
        return StoredConnection(
            integration_id=row.integration_id,
            name=row.name,
            provider=row.provider,
            settings=self._vault.settings(row, credentials),
            revision=await self._vault.revision(row),
        )

    async def session_token(self, integration_id: UUID, revision: str | None = None) -> str | None:
        """The login token kept, or None; with a `revision`, only one for that address and credentials."""
        row = await self._find(integration_id)
        if revision is not None and revision != await self._vault.revision(row):
            return None
        for credential in await self._vault.of(row):
            if credential.name == SESSION_TOKEN:
                return self._vault.open(credential)
        return None

    async def keep_session_token(self, integration_id: UUID, revision: str, token: str | None) -> bool:
        """Seal a login token, or forget it (None). False, and nothing kept, when the settings have changed
        since it was got: it belongs to an address or a person no longer in use.
        """
        row = await self._find(integration_id, for_update=True)
        if revision != await self._vault.revision(row):
            return False
        if token is None:
            await self._vault.forget(row.integration_id, [SESSION_TOKEN])
        else:
            await self._vault.seal(row.integration_id, {SESSION_TOKEN: token}, clock.now())
        return True

    # --- inside ---------------------------------------------------------------------------------------------

    async def _recorded(self, action: str, integration_id: UUID, **detail: Any) -> IntegrationView:
        """Write down what a person did to an integration, and give it as it is now."""
        view = await self.get(integration_id)
        audit = AuditService(self._session, self._scope)
        await audit.record(action, "integration", subject=view.name, subject_id=integration_id, **detail)
        return view

    async def _tell(self, event_type: EventType, row: Integration) -> None:
        data = {"integration_id": row.integration_id, "provider": row.provider, "name": row.name}
        source = f"/integrations/{row.integration_id}"
        await EventService(self._session, self._scope).publish(
            event_type, row.integration_id, data, source=source
        )

    async def _find(self, reference: str | UUID, *, for_update: bool = False) -> Integration:
        found = None
        identity = reference if isinstance(reference, UUID) else as_id(reference)
        if identity is not None:
            found = await self._repository.by_id(identity, for_update=for_update)
        if found is None and isinstance(reference, str):
            key = name_key(reference)
            found = await self._repository.by_name_key(key, for_update=for_update)
        if found is None:
            raise NotFound(
                f"There is no integration {str(reference)[:_NAME_LIMIT]!r}.",
                remedy="`muster integration list` shows them.",
            )
        return found

    async def _change(self, integration_id: UUID, values: Mapping[str, Any]) -> None:
        try:
            async with self._session.begin_nested():
                await bulk.update_where(
                    self._session,
                    self._scope,
                    _INTEGRATIONS,
                    values,
                    where={"integration_id": integration_id},
                )
        except IntegrityError as taken:
            raise _name_taken(values.get("name", "")) from taken


_NOTHING_READ = frozenset({"running", "failed", "interrupted", "cancelled"})
_MODE_COLUMNS = {"full": "last_full_sync_at", "incremental": "last_incremental_sync_at"}


def _name_taken(name: str) -> Conflict:
    return Conflict(
        f"There is an integration called {name!r} already.",
        remedy="Choose another name, or change that one with `muster integration update`.",
    )


def _clean_name(text: str) -> str:
    name = clean_name(text, what="the integration")
    if len(name) > _NAME_LIMIT:
        raise InvalidInput(
            f"The name of the integration is too long ({len(name)} characters).",
            remedy=f"At most {_NAME_LIMIT}.",
        )
    return name
