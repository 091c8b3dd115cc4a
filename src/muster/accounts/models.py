"""Tables of users, their sessions, and the token of the first run."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from muster.db.types import SECRET, Base, TenantOwned, new_id, of_tenant, part_of


class User(TenantOwned, Base):
    """A person of the MSP. `email` is kept in lower case; `password_hash` is Argon2id."""

    __tablename__ = "users"
    # The login looks for an address before it knows the tenant.
    __table_args__ = (of_tenant(), UniqueConstraint("tenant_id", "email"), Index(None, "email"))

    user_id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    email: Mapped[str]
    name: Mapped[str | None]
    password_hash: Mapped[str] = mapped_column(info=SECRET)
    role: Mapped[str]
    is_active: Mapped[bool] = mapped_column(default=True)
    last_login_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class UserSession(TenantOwned, Base):
    """A login that is still good. The browser holds the token, this row only its SHA-256."""

    __tablename__ = "user_sessions"
    __table_args__ = (
        part_of("users", "user_id"),
        Index(None, "tenant_id", "user_id"),
    )

    session_id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID]
    token_hash: Mapped[bytes] = mapped_column(info=SECRET)
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    address: Mapped[str | None]
    user_agent: Mapped[str | None]


class SetupToken(Base):
    """The one-time token that guards the first run: whoever reads the server's output may set it up."""

    __tablename__ = "setup_tokens"

    token_hash: Mapped[bytes] = mapped_column(primary_key=True, info=SECRET)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
