"""Whose rows? No repository can be built without a TenantScope."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class TenantScope:
    """The tenant on whose behalf something is done, and who does it (for the record; None for the system)."""

    tenant_id: UUID
    actor: str | None = None
