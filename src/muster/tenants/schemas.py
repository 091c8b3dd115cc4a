"""A tenant as others see it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from muster.tenants.models import Tenant


class TenantView(msgspec.Struct, frozen=True, kw_only=True):
    """One tenant. `id` is `tenant_id`."""

    id: UUID
    tenant_id: UUID
    name: str
    created_at: datetime


def view(tenant: Tenant) -> TenantView:
    """The tenant as others see it."""
    return TenantView(
        id=tenant.tenant_id, tenant_id=tenant.tenant_id, name=tenant.name, created_at=tenant.created_at
    )
