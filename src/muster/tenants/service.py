"""Tenants: make, list, and find the one that is meant."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.db.types import new_id
from muster.errors import Conflict, NotConfigured, NotFound
from muster.naming import as_id, clean_name, name_key
from muster.tenancy import TenantScope
from muster.tenants.models import Tenant
from muster.tenants.repository import TenantsRepository


class TenantService:
    """The verbs on tenants. It needs no scope: it gives them."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.tenants = TenantsRepository(session)

    async def create(self, name: str) -> Tenant:
        """Make a tenant. InvalidInput for an unusable name, Conflict for one that is taken."""
        name = clean_name(name, what="the tenant")
        if any(name_key(tenant.name) == name_key(name) for tenant in await self.tenants.all()):
            raise Conflict(f"There is a tenant {name} already.", remedy="Choose another name.")
        tenant = Tenant(tenant_id=new_id(), name=name, created_at=clock.now())
        self.tenants.add(tenant)
        await self.session.flush()
        return tenant

    async def list(self, *, limit: int | None = None) -> Sequence[Tenant]:
        """The tenants by name."""
        return await self.tenants.all(limit=limit)

    async def name(self, tenant_id: UUID) -> str | None:
        """What a tenant is called; None when there is none with this id."""
        tenant = await self.tenants.by_id(tenant_id)
        return None if tenant is None else tenant.name

    async def resolve(self, reference: str | None, *, actor: str | None = None) -> TenantScope:
        """The scope of the tenant meant by id or by name in any case; without a reference the only one.

        NotFound when there is none such, Conflict when several could be meant, NotConfigured when there is
        no tenant at all.
        """
        if reference is None:
            return TenantScope((await self._only()).tenant_id, actor)
        wanted_id = as_id(reference)
        if wanted_id is not None and (tenant := await self.tenants.by_id(wanted_id)) is not None:
            return TenantScope(tenant.tenant_id, actor)
        found = [t for t in await self.tenants.all() if name_key(t.name) == name_key(reference)]
        if not found:
            raise NotFound(f"There is no tenant {reference}.", remedy="See: muster tenant list")
        if len(found) > 1:
            raise Conflict(
                f"Several tenants are called {reference}.", remedy="Use the id from: muster tenant list"
            )
        return TenantScope(found[0].tenant_id, actor)

    async def _only(self) -> Tenant:
        tenants = await self.tenants.all(limit=2)
        if not tenants:
            raise NotConfigured(
                "There is no tenant yet.", remedy="Make one: muster tenant create NAME", code="no_tenant"
            )
        if len(tenants) > 1:
            raise Conflict(
                "There are several tenants.",
                remedy="Say which one: --tenant NAME, or set MUSTER_TENANT.",
                code="tenant_needed",
            )
        return tenants[0]
