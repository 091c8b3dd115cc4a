"""An audit entry as others see it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec


class AuditView(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that somebody did; `detail` holds what else is worth knowing, never a secret."""

    entry_id: UUID
    at: datetime
    actor: str
    action: str
    subject_type: str
    subject_id: str | None
    subject: str | None
    detail: dict[str, Any]
