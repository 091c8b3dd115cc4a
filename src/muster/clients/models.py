"""Tables of clients and their contacts."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from muster.db.types import Base, TenantOwned, new_id, of_tenant, part_of


class Client(TenantOwned, Base):
    """A customer company. `name_key` is the name folded for comparison; two clients never share it."""

    __tablename__ = "clients"
    __table_args__ = (of_tenant(), UniqueConstraint("tenant_id", "name_key"))

    client_id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    name_key: Mapped[str]
    created_at: Mapped[datetime]


class Contact(TenantOwned, Base):
    """A person at a client. What refers to a contact of a certain client does so by both ids."""

    __tablename__ = "contacts"
    __table_args__ = (
        part_of("clients", "client_id"),
        UniqueConstraint("tenant_id", "client_id", "contact_id"),
    )

    contact_id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    client_id: Mapped[UUID]
    name: Mapped[str]
    email: Mapped[str | None]
    phone: Mapped[str | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
