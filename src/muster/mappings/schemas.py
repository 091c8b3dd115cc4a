"""Shapes of mappings as others see them."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from muster.mappings.matching import Proposal


class MappingView(msgspec.Struct, frozen=True, kw_only=True):
    """An organization and the client it stands for (None: not mapped)."""

    integration_id: UUID
    external_organization_id: str
    external_organization_name: str
    client_id: UUID | None
    auto_sync_assets: bool
    default_contact_id: UUID | None
    device_count: int | None
    sites: list[dict[str, Any]]
    missing_since: datetime | None

    @property
    def revision(self) -> str:
        """Stands for what people decide about the organization; any change of that changes it."""
        decided = f"{self.client_id} {self.auto_sync_assets} {self.default_contact_id}"
        return hashlib.sha256(decided.encode()).hexdigest()[:16]


class MappingRow(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping with its client's name and, while it has none, the client it probably stands for."""

    external_organization_id: str
    external_organization_name: str
    client_id: UUID | None
    client_name: str | None
    auto_sync_assets: bool
    device_count: int | None
    missing_since: datetime | None
    proposal: Proposal | None = None


class OrganizationRow(MappingRow, frozen=True, kw_only=True):
    """A mapping with all that a person decides about it. Send `revision` back with a change, so that one
    made by somebody else meanwhile is not overwritten.
    """

    integration_id: UUID
    default_contact_id: UUID | None
    default_contact_name: str | None
    revision: str


class Unmapped(msgspec.Struct, frozen=True):
    """What an integration lists and nobody mapped: organizations, and the devices in them."""

    integration_id: UUID
    organizations: int
    devices: int


class Acceptance(msgspec.Struct, frozen=True):
    """A proposal that a person agreed to."""

    external_organization_id: str
    client_id: UUID


class MappingCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many organizations an integration lists, and how many of them have a client."""

    organizations: int
    mapped_organizations: int


class EntityState(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is known of a device's place on the server, as a sync plan needs it."""

    asset_id: UUID
    external_entity_id: str
    external_realm_id: str
    external_pk: int | None = None
    site_id: str | None = None
    site_name: str | None = None
    light_hash: str | None = None
    detail_hash: str | None = None
    detail_read_at: datetime | None = None
    missing_since: datetime | None = None


class EntityView(msgspec.Struct, frozen=True, kw_only=True):
    """An external entity mapping of an asset."""

    integration_id: UUID
    external_entity_id: str
    external_realm_id: str
    external_pk: int | None
    metadata: dict[str, Any]
    missing_since: datetime | None
