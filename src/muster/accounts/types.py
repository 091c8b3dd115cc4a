"""Who is asking."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from muster.accounts.permissions import PERMISSIONS, ROLE_NAMES, Permission, Role
from muster.tenancy import TenantScope


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """The user behind a request: whose rows, and what may be done with them."""

    scope: TenantScope
    tenant_name: str
    user_id: UUID
    session_id: UUID
    email: str
    name: str | None
    role: Role

    @property
    def display_name(self) -> str:
        """What the person is called on screen."""
        return self.name or self.email

    @property
    def role_name(self) -> str:
        """The role as a person reads it."""
        return ROLE_NAMES[self.role]

    def may(self, permission: Permission) -> bool:
        """Whether the actor's role allows it."""
        return permission in PERMISSIONS[self.role]
