"""Table of alerts."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from muster.db.types import Base, TenantOwned, new_id


class Alert(TenantOwned, Base):
    """Something the RMM raised about a device; `asset_id` is null until that device is synced."""

    __tablename__ = "rmm_alerts"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["rmm_integrations.tenant_id", "rmm_integrations.integration_id"],
            ondelete="CASCADE",
        ),
        ForeignKeyConstraint(["tenant_id", "asset_id"], ["assets.tenant_id", "assets.asset_id"]),
        UniqueConstraint("tenant_id", "integration_id", "external_alert_id"),
        Index(None, "tenant_id", "integration_id", "status"),
    )

    alert_id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    integration_id: Mapped[UUID]
    external_alert_id: Mapped[str]
    asset_id: Mapped[UUID | None]
    status: Mapped[str]
    severity: Mapped[str]
    created_at: Mapped[datetime]
