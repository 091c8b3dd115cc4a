"""Table of tenants."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from muster.db.types import Base, new_id


class Tenant(Base):
    """An MSP. All its rows elsewhere go with it when it is deleted."""

    __tablename__ = "tenants"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    created_at: Mapped[datetime]
