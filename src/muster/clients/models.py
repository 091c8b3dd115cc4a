"""Table of clients."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from muster.db.types import Base, TenantOwned, new_id, of_tenant


class Client(TenantOwned, Base):
    """A customer company. `name_key` is the name folded for comparison; two clients never share it."""

    __tablename__ = "clients"
    __table_args__ = (of_tenant(), UniqueConstraint("tenant_id", "name_key"))

    client_id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    name_key: Mapped[str]
    created_at: Mapped[datetime]
