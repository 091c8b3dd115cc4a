"""Table of what people did."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from muster.db.types import Base, TenantOwned, new_id, of_tenant


class AuditEntry(TenantOwned, Base):
    """One thing that somebody did. `action` is a stable code such as integration.disconnected; `subject`
    names what it was done to, as it was called then; `actor` is an e-mail address, or the command line.

    It refers to no other row: what was deleted stays in the record.
    """

    __tablename__ = "audit_entries"
    __table_args__ = (of_tenant(), Index(None, "tenant_id", "at"))

    entry_id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    subject_type: Mapped[str]
    subject_id: Mapped[str | None]
    subject: Mapped[str | None]
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
