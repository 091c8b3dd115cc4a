"""Questions to the table of channels."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from muster.db.repository import TenantRepository
from muster.notifications.models import Channel


class ChannelRepository(TenantRepository):
    """Channels of one tenant."""

    async def all(self) -> Sequence[Channel]:
        """Every channel, by name."""
        statement = (
            select(Channel)
            .where(Channel.tenant_id == self.scope.tenant_id)
            .order_by(Channel.name_key, Channel.channel_id)
        )
        return (await self.session.scalars(statement)).all()

    async def by_id(self, channel_id: UUID) -> Channel | None:
        """One channel."""
        return await self.session.get(Channel, (self.scope.tenant_id, channel_id))

    async def by_name_key(self, key: str) -> Channel | None:
        """The channel whose folded name is this."""
        statement = select(Channel).where(Channel.tenant_id == self.scope.tenant_id, Channel.name_key == key)
        return (await self.session.scalars(statement)).one_or_none()

    async def names(self) -> Sequence[tuple[UUID, str]]:
        """Id and name of every channel, by name."""
        statement = (
            select(Channel.channel_id, Channel.name)
            .where(Channel.tenant_id == self.scope.tenant_id)
            .order_by(Channel.name_key, Channel.channel_id)
        )
        return [(row[0], row[1]) for row in await self.session.execute(statement)]
