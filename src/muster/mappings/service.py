"""What of theirs stands for what of ours: the verbs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.audit.service import AuditService
from muster.clients.service import ClientService, ContactService
from muster.db import bulk
from muster.db.types import table_of
from muster.errors import Conflict, InvalidInput, NotFound
from muster.mappings.models import ExternalEntityMapping, OrganizationMapping
from muster.mappings.repository import DEVICE, MappingRepository
from muster.mappings.schemas import (
    Acceptance,
    EntityState,
    EntityView,
    MappingCounts,
    MappingView,
    Unmapped,
)
from muster.providers.contract import OrganizationRecord
from muster.tenancy import TenantScope

_ORGANIZATIONS = table_of(OrganizationMapping)
_ENTITIES = table_of(ExternalEntityMapping)
_ORGANIZATION_KEY = ("integration_id", "external_organization_id")
# What people decide about an organization, and no listing changes.
_DECIDED = ("client_id", "auto_sync_assets", "default_contact_id")
_ENTITY_KEY = ("integration_id", "entity_type", "external_entity_id")


class MappingService:
    """Organization mappings and external entity mappings of one tenant."""

    def __init__(self, session: AsyncSession, scope: TenantScope) -> None:
        self._session = session
        self._scope = scope
        self._repository = MappingRepository(session, scope)

    async def list(self, integration_id: UUID) -> Sequence[MappingView]:
        """Every organization the server ever listed, by name."""
        return await self._repository.organizations(integration_id)

    async def counts(self, integration_id: UUID) -> MappingCounts:
        """How many organizations, and how many of them with a client."""
        return await self._repository.counts(integration_id)

    async def find(self, integration_id: UUID, reference: str) -> MappingView:
        """The organization with this id or, failing that, with this name (upper and lower case alike).

        NotFound when there is none, Conflict when several share the name.
        """
        everything = await self._repository.organizations(integration_id)
        for view in everything:
            if view.external_organization_id == reference:
                return view
        wanted = reference.strip().casefold()
        named = [view for view in everything if view.external_organization_name.casefold() == wanted]
        if len(named) == 1:
            return named[0]
        if named:
            raise Conflict(
                f"{len(named)} organizations are called {reference!r}.", remedy="Name the one by its id."
            )
        raise NotFound(
            f"No organization {reference!r} here.",
            remedy="`muster mapping list` shows them; `muster sync organizations` fetches new ones.",
        )

    async def of_client(self, client_id: UUID) -> Sequence[MappingView]:
        """The organizations that stand for a client, of all integrations, by name."""
        return await self._repository.organizations_of(client_id)

    async def count_by_client(self, client_ids: Collection[UUID] | None) -> Mapping[UUID, int]:
        """How many organizations stand for each of a page's worth of clients; None: for all that have any."""
        return await self._repository.count_by_client(client_ids)

    async def unmapped(self) -> Sequence[Unmapped]:
        """What is listed and stands for no client, by integration."""
        return [Unmapped(*found) for found in await self._repository.unmapped()]

    async def get(self, integration_id: UUID, external_organization_id: str) -> MappingView:
        """The organization with this id; NotFound when there is none."""
        found = await self._repository.organization(integration_id, external_organization_id)
        if found is None:
            raise NotFound(f"No organization {external_organization_id!r} here.")
        return found

    # --- what a person decides: Conflict when the `revision` that was shown no longer holds ---------------

    async def assign(
        self,
        integration_id: UUID,
        external_organization_id: str,
        client_id: UUID | None,
        *,
        revision: str | None = None,
    ) -> MappingView:
        """Say which client an organization stands for; None takes that back. Existing assets stay.

        Another client has other people: the default contact goes. Gives the mapping as it was.
        """
        before = await self.get(integration_id, external_organization_id)
        if before.client_id == client_id and revision in (None, before.revision):
            return before
        names = await self._client_names(client_id, before.client_id)
        values = {"client_id": client_id, "default_contact_id": None}
        await self._decide(before, values, revision)
        if client_id is None:
            await self._record("mapping.unassigned", before, client=names.get(before.client_id))
        else:
            await self._record(
                "mapping.assigned", before, client=names[client_id], previous=names.get(before.client_id)
            )
        return before

    async def accept(self, integration_id: UUID, accepted: Sequence[Acceptance]) -> int:
        """Map several organizations at once, all or none, and give their number. Conflict when one of them
        has a client already.
        """
        views = await self._repository.organizations(integration_id, for_update=True)
        known = {view.external_organization_id: view for view in views}
        names = await self._client_names(*(each.client_id for each in accepted))
        at = clock.now()
        rows = []
        for each in accepted:
            view = known.get(each.external_organization_id)
            if view is None:
                raise NotFound(f"No organization {each.external_organization_id!r} here.")
            if view.client_id is not None:
                raise _changed_meanwhile()
            rows.append({"client_id": each.client_id, "updated_at": at, **_key(view)})
            await self._record("mapping.assigned", view, client=names[each.client_id], previous=None)
        await bulk.update(self._session, self._scope, _ORGANIZATIONS, rows, key=_ORGANIZATION_KEY)
        return len(rows)

    async def set_auto_sync(
        self,
        integration_id: UUID,
        external_organization_id: str,
        auto_sync_assets: bool,
        *,
        revision: str | None = None,
    ) -> MappingView:
        """Whether syncs bring this organization's devices in. Gives the mapping as it was."""
        before = await self.get(integration_id, external_organization_id)
        await self._decide(before, {"auto_sync_assets": auto_sync_assets}, revision)
        if before.auto_sync_assets != auto_sync_assets:
            await self._record("mapping.auto_sync", before, auto_sync_assets=auto_sync_assets)
        return before

    async def set_default_contact(
        self,
        integration_id: UUID,
        external_organization_id: str,
        contact_id: UUID | None,
        *,
        revision: str | None = None,
    ) -> MappingView:
        """Whom to tell of what happens there: a person at the mapped client, or None. InvalidInput for
        somebody else's contact, NotFound for one that is gone. Gives the mapping as it was.
        """
        before = await self.get(integration_id, external_organization_id)
        name = None
        if contact_id is not None:
            contact = await ContactService(self._session, self._scope).get(contact_id)
            if contact.client_id != before.client_id:
                raise InvalidInput(
                    f"{contact.name} is not a contact of this organization's client.",
                    remedy="Choose one of the client's contacts, or add one.",
                )
            name = contact.name
        try:
            async with self._session.begin_nested():
                await self._decide(before, {"default_contact_id": contact_id}, revision)
        except IntegrityError:
            # Removed, or the organization mapped to another client, since the questions above.
            raise _changed_meanwhile() from None
        if before.default_contact_id != contact_id:
            await self._record("mapping.default_contact", before, contact=name)
        return before

    async def let_go_of_contact(self, contact_id: UUID) -> None:
        """Leave every organization that has this default contact without one."""
        await bulk.update_where(
            self._session,
            self._scope,
            _ORGANIZATIONS,
            {"default_contact_id": None, "updated_at": clock.now()},
            where={"default_contact_id": contact_id},
        )

    async def _client_names(self, *client_ids: UUID | None) -> Mapping[UUID | None, str]:
        wanted = {client_id for client_id in client_ids if client_id is not None}
        names = await ClientService(self._session, self._scope).names(wanted)
        if gone := wanted - set(names):
            raise NotFound(f"There is no client {min(gone)}.", remedy="See: muster client list")
        return dict(names.items())

    async def _decide(self, before: MappingView, values: Mapping[str, Any], revision: str | None) -> None:
        where: dict[str, Any] = _key(before)
        if revision is not None:
            if revision != before.revision:
                raise _changed_meanwhile()
            where |= {name: getattr(before, name) for name in _DECIDED}
        changed = await bulk.update_where(
            self._session,
            self._scope,
            _ORGANIZATIONS,
            {**values, "updated_at": clock.now()},
            where=where,
        )
        if changed != 1:
            raise _changed_meanwhile()

    async def _record(self, action: str, view: MappingView, **detail: Any) -> None:
        await AuditService(self._session, self._scope).record(
            action,
            "organization",
            subject=view.external_organization_name,
            subject_id=view.external_organization_id,
            integration_id=str(view.integration_id),
            **detail,
        )

    # --- what a listing says ---------------------------------------------------------------------------

    async def save_listed(
        self, integration_id: UUID, records: Sequence[OrganizationRecord], at: datetime
    ) -> None:
        """Upsert organizations by id, so that a rename keeps the client; listing ends being missing."""
        rows = [
            {
                "integration_id": integration_id,
                "external_organization_id": record.external_id,
                "external_organization_name": record.name,
                "client_id": None,
                "auto_sync_assets": True,
                "default_contact_id": None,
                "device_count": record.device_count,
                "sites": [
                    {"external_id": s.external_id, "name": s.name, "device_count": s.device_count}
                    for s in record.sites
                ],
                "missing_since": None,
                "created_at": at,
                "updated_at": at,
            }
            for record in records
        ]
        keep = (*_DECIDED, "created_at")
        await bulk.upsert(self._session, self._scope, _ORGANIZATIONS, rows, key=_ORGANIZATION_KEY, keep=keep)

    async def save_missing(self, integration_id: UUID, external_ids: Sequence[str], at: datetime) -> None:
        """Mark organizations that a listing no longer holds; they and their assets are kept."""
        rows = [
            {
                "integration_id": integration_id,
                "external_organization_id": external_id,
                "missing_since": at,
                "updated_at": at,
            }
            for external_id in external_ids
        ]
        await bulk.update(self._session, self._scope, _ORGANIZATIONS, rows, key=_ORGANIZATION_KEY)

    # --- devices ---------------------------------------------------------------------------------------

    async def device_states(
        self, integration_id: UUID, external_ids: Sequence[str] | None = None
    ) -> Sequence[EntityState]:
        """Devices already known, all of them or those named."""
        return await self._repository.entity_states(integration_id, external_ids)

    async def devices_of_assets(self, asset_ids: Sequence[UUID]) -> Mapping[UUID, EntityView]:
        """The device behind each of the given assets, where there is one."""
        return await self._repository.entities_of_assets(asset_ids)

    async def save_devices(self, integration_id: UUID, states: Sequence[EntityState], at: datetime) -> None:
        """Upsert the mapping of devices whose assets exist in this transaction."""
        rows = [
            {
                "integration_id": integration_id,
                "entity_type": DEVICE,
                "external_entity_id": state.external_entity_id,
                "asset_id": state.asset_id,
                "external_realm_id": state.external_realm_id,
                "external_pk": state.external_pk,
                "metadata": {"site_id": state.site_id, "site_name": state.site_name},
                "light_hash": state.light_hash,
                "detail_hash": state.detail_hash,
                "detail_read_at": state.detail_read_at,
                "missing_since": state.missing_since,
                "created_at": at,
            }
            for state in states
        ]
        keep = ("asset_id", "created_at")
        await bulk.upsert(self._session, self._scope, _ENTITIES, rows, key=_ENTITY_KEY, keep=keep)


def _key(view: MappingView) -> dict[str, Any]:
    return {name: getattr(view, name) for name in _ORGANIZATION_KEY}


def _changed_meanwhile() -> Conflict:
    return Conflict(
        "Not saved: another person changed this mapping.",
        remedy="Look at it as it is now, and change it again.",
        code="mapping_changed",
    )
