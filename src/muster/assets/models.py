"""Tables of assets, their workstation and server extensions, and their history."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from muster.db.types import Base, ByCodePoint, JsonType, TenantOwned, new_id, part_of


class Asset(TenantOwned, Base):
    """A thing of a client. `agent_status` is as last read; whether that is still good is decided when shown.

    `asset_type_overridden`: a person chose the type, and no sync changes it. From `name_key` on, the columns
    are what lists filter and sort by, worked out of the content by `index.indexed` whenever that is written.
    """

    __tablename__ = "assets"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "client_id"], ["clients.tenant_id", "clients.client_id"]),
        ForeignKeyConstraint(
            ["tenant_id", "rmm_integration_id"],
            ["rmm_integrations.tenant_id", "rmm_integrations.integration_id"],
        ),
        UniqueConstraint("tenant_id", "rmm_integration_id", "rmm_device_id"),
        Index(None, "tenant_id", "client_id"),
        # They hold all that the plain list takes to be sorted, counted and paged.
        Index(None, "tenant_id", "name_key", "asset_id", "retired_at"),
        Index(None, "tenant_id", "user_key", "asset_id", "retired_at"),
        Index(None, "tenant_id", "serial_number"),
        Index(
            None,
            "tenant_id",
            "retired_at",
            sqlite_where=text("retired_at IS NOT NULL"),
            postgresql_where=text("retired_at IS NOT NULL"),
        ),
    )

    asset_id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    asset_type: Mapped[str]
    asset_type_overridden: Mapped[bool] = mapped_column(default=False)
    client_id: Mapped[UUID]
    serial_number: Mapped[str | None]
    description: Mapped[str | None]
    rmm_provider: Mapped[str | None]
    rmm_integration_id: Mapped[UUID | None]
    rmm_device_id: Mapped[str | None]
    rmm_organization_id: Mapped[str | None]
    agent_status: Mapped[str]
    never_reported: Mapped[bool] = mapped_column(default=False)
    last_seen_at: Mapped[datetime | None]
    last_rmm_sync_at: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]
    retired_by: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    name_key: Mapped[str] = mapped_column(ByCodePoint, default="", server_default=text("''"))
    search_text: Mapped[str] = mapped_column(default="", server_default=text("''"))
    os_type: Mapped[str | None]
    system_key: Mapped[str | None]
    user_key: Mapped[str | None] = mapped_column(ByCodePoint)
    lan_ip_number: Mapped[int | None] = mapped_column(BigInteger)
    needs_reboot: Mapped[bool | None]
    maintenance_mode: Mapped[bool | None]


class Extension:
    """What the agent tells of a machine. JSON columns hold lists; `ram_gb` as the server counts."""

    asset_id: Mapped[UUID] = mapped_column(primary_key=True)
    os_type: Mapped[str | None]
    os_version: Mapped[str | None]
    agent_version: Mapped[str | None]
    make: Mapped[str | None]
    model: Mapped[str | None]
    cpu_model: Mapped[str | None]
    cpu_cores: Mapped[int | None]
    ram_gb: Mapped[float | None]
    gpu_model: Mapped[str | None]
    disks: Mapped[list[Any] | None] = mapped_column(JsonType)
    physical_disks: Mapped[list[Any] | None] = mapped_column(JsonType)
    boot_time: Mapped[datetime | None]
    current_user: Mapped[str | None]
    last_user: Mapped[str | None]
    lan_ip: Mapped[str | None]
    lan_ips: Mapped[list[Any] | None] = mapped_column(JsonType)
    wan_ip: Mapped[str | None]
    needs_reboot: Mapped[bool | None]
    maintenance_mode: Mapped[bool | None]
    pending_patches: Mapped[bool | None]


class WorkstationAsset(TenantOwned, Extension, Base):
    """Extension of an asset of type workstation."""

    __tablename__ = "workstation_assets"
    __table_args__ = (part_of("assets", "asset_id"),)


class ServerAsset(TenantOwned, Extension, Base):
    """Extension of an asset of type server."""

    __tablename__ = "server_assets"
    __table_args__ = (part_of("assets", "asset_id"),)


class AssetChange(TenantOwned, Base):
    """One field that changed: what it was, what it became, and why (`cause`: a sync run's id or a person)."""

    __tablename__ = "asset_changes"
    __table_args__ = (part_of("assets", "asset_id"), Index(None, "tenant_id", "asset_id", "changed_at"))

    change_id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    asset_id: Mapped[UUID]
    changed_at: Mapped[datetime]
    field: Mapped[str]
    old_value: Mapped[Any | None] = mapped_column(JsonType)
    new_value: Mapped[Any | None] = mapped_column(JsonType)
    cause: Mapped[str]
