"""Tables of organization mappings and external entity mappings."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from muster.db.types import Base, TenantOwned, part_of


class OrganizationMapping(TenantOwned, Base):
    """An organization as the server lists it and, once a person said so, the client it stands for.

    `sites` is a list of {external_id, name, device_count}. `missing_since`: first listing without it.
    `default_contact_id`: whom to tell; the database itself refuses a contact of another client.
    """

    __tablename__ = "rmm_organization_mappings"
    __table_args__ = (
        part_of("rmm_integrations", "integration_id"),
        ForeignKeyConstraint(["tenant_id", "client_id"], ["clients.tenant_id", "clients.client_id"]),
        ForeignKeyConstraint(
            ["tenant_id", "client_id", "default_contact_id"],
            ["contacts.tenant_id", "contacts.client_id", "contacts.contact_id"],
        ),
        Index(None, "tenant_id", "client_id"),
    )

    integration_id: Mapped[UUID] = mapped_column(primary_key=True)
    external_organization_id: Mapped[str] = mapped_column(primary_key=True)
    external_organization_name: Mapped[str]
    client_id: Mapped[UUID | None]
    auto_sync_assets: Mapped[bool] = mapped_column(default=True)
    default_contact_id: Mapped[UUID | None]
    device_count: Mapped[int | None]
    sites: Mapped[list[Any]] = mapped_column(default=list)
    missing_since: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class ExternalEntityMapping(TenantOwned, Base):
    """Their id and our row. For a device: `external_entity_id` is the agent's string id, `external_realm_id`
    the organization's id, `external_pk` the server's own integer key, and `metadata` the site's id and name.

    `light_hash` and `detail_hash` are content hashes of the last record from each kind of answer;
    `missing_since` is the first complete snapshot without it, `last_missed_at` the latest, and
    `missed_answers` their number. A person who keeps it (`kept_at`, `kept_by`) does so for this absence:
    when it has answered and goes missing again, `missing_since` is later.
    """

    __tablename__ = "tenant_external_entity_mappings"
    __table_args__ = (
        part_of("rmm_integrations", "integration_id"),
        part_of("assets", "asset_id"),
        Index(None, "tenant_id", "asset_id"),
        Index(
            None,
            "tenant_id",
            "missing_since",
            sqlite_where=text("missing_since IS NOT NULL"),
            postgresql_where=text("missing_since IS NOT NULL"),
        ),
    )

    integration_id: Mapped[UUID] = mapped_column(primary_key=True)
    entity_type: Mapped[str] = mapped_column(primary_key=True)
    external_entity_id: Mapped[str] = mapped_column(primary_key=True)
    asset_id: Mapped[UUID]
    external_realm_id: Mapped[str]
    external_pk: Mapped[int | None] = mapped_column(BigInteger)
    mapping_metadata: Mapped[dict[str, Any]] = mapped_column("metadata")
    light_hash: Mapped[str | None]
    detail_hash: Mapped[str | None]
    detail_read_at: Mapped[datetime | None]
    missing_since: Mapped[datetime | None]
    last_missed_at: Mapped[datetime | None]
    missed_answers: Mapped[int] = mapped_column(default=0, server_default="0")
    kept_at: Mapped[datetime | None]
    kept_by: Mapped[str | None]
    created_at: Mapped[datetime]
