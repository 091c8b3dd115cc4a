"""Shapes of mappings as others see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec


class MappingView(msgspec.Struct, frozen=True, kw_only=True):
    """An organization and the client it stands for (None: not mapped)."""

    integration_id: UUID
    external_organization_id: str
    external_organization_name: str
    client_id: UUID | None
    auto_sync_assets: bool
    device_count: int | None
    sites: list[dict[str, Any]]
    missing_since: datetime | None


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
