"""Tables of integrations and their sealed credentials."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from muster.db.types import SECRET, Base, TenantOwned, new_id, of_tenant, part_of


class Integration(TenantOwned, Base):
    """A connection to one server of a provider.

    `settings` holds auth_mode, source and schedules, never a secret. `sync_error` is {code, message, remedy}.
    `server_facts` is what the last passed check learned (version, source in use). `last_check` is the last
    check of the settings as they are, a CheckView; null when they were never checked.
    """

    __tablename__ = "rmm_integrations"
    __table_args__ = (of_tenant(), UniqueConstraint("tenant_id", "name_key"))

    integration_id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    provider: Mapped[str]
    name: Mapped[str]
    name_key: Mapped[str]
    instance_url: Mapped[str]
    is_active: Mapped[bool] = mapped_column(default=False)
    connected_at: Mapped[datetime | None]
    settings: Mapped[dict[str, Any]]
    server_facts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    last_check: Mapped[dict[str, Any] | None]
    last_sync_at: Mapped[datetime | None]
    last_full_sync_at: Mapped[datetime | None]
    last_incremental_sync_at: Mapped[datetime | None]
    sync_status: Mapped[str] = mapped_column(default="never")
    sync_error: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Credential(TenantOwned, Base):
    """One sealed secret of an integration. `last_four` is all that is ever shown of it."""

    __tablename__ = "rmm_integration_credentials"
    __table_args__ = (part_of("rmm_integrations", "integration_id"),)

    integration_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    sealed: Mapped[bytes] = mapped_column(info=SECRET)
    last_four: Mapped[str]
    updated_at: Mapped[datetime]
