"""Table of assets that took over another agent."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from muster.db.types import Base, TenantOwned, part_of


class AssetLink(TenantOwned, Base):
    """An asset (`asset_id`) that took over the agent of a newer one (`merged_asset_id`, which is out of all
    lists since). `before` is a LinkRecord: what it takes to separate the two again.
    """

    __tablename__ = "asset_links"
    __table_args__ = (
        part_of("assets", "asset_id"),
        part_of("assets", "asset_id", by="merged_asset_id"),
        Index(None, "tenant_id", "asset_id"),
    )

    merged_asset_id: Mapped[UUID] = mapped_column(primary_key=True)
    asset_id: Mapped[UUID]
    linked_at: Mapped[datetime]
    linked_by: Mapped[str | None]
    before: Mapped[dict[str, Any]]
