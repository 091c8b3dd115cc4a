"""Table of channels."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from muster.db.types import SECRET, Base, TenantOwned, new_id, of_tenant


class Channel(TenantOwned, Base):
    """A way to tell somebody. `sealed_url` is an Apprise address, which holds its secrets; `shown` is what a
    screen may show of it. `error` is {message, at} of the last failure, null after a success.
    """

    __tablename__ = "notification_channels"
    __table_args__ = (of_tenant(), UniqueConstraint("tenant_id", "name_key"))

    channel_id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    name_key: Mapped[str]
    kind: Mapped[str]
    shown: Mapped[str]
    sealed_url: Mapped[bytes] = mapped_column(info=SECRET)
    last_sent_at: Mapped[datetime | None]
    error: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
