"""Table of users."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from muster.db.types import SECRET, Base, TenantOwned, new_id, of_tenant


class User(TenantOwned, Base):
    """A person of the MSP. `email` is kept in lower case; `password_hash` is Argon2id."""

    __tablename__ = "users"
    __table_args__ = (of_tenant(), UniqueConstraint("tenant_id", "email"))

    user_id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    email: Mapped[str]
    password_hash: Mapped[str] = mapped_column(info=SECRET)
    role: Mapped[str]
    is_active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
