"""Channels: add them, list them, try them, and note what became of what was sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.audit.service import AuditService
from muster.db.types import new_id
from muster.encryption import SecretBox
from muster.errors import Conflict, InvalidInput, NotFound
from muster.naming import as_id, clean_name, name_key
from muster.notifications.models import Channel
from muster.notifications.repository import ChannelRepository
from muster.notifications.schemas import ChannelView, view_of
from muster.notifications.types import ChannelKind, Outcome, UserSource
from muster.tenancy import TenantScope


class ChannelService:
    """The verbs on the channels of one tenant."""

    def __init__(self, session: AsyncSession, scope: TenantScope, secrets: SecretBox) -> None:
        self._session = session
        self._scope = scope
        self._secrets = secrets
        self._repository = ChannelRepository(session, scope)
        self._audit = AuditService(session, scope)

    async def list(self) -> Sequence[ChannelView]:
        """Every channel, by name."""
        return [view_of(row) for row in await self._repository.all()]

    async def get(self, reference: str | UUID) -> ChannelView:
        """The channel meant by id or name; NotFound also for another tenant's."""
        return view_of(await self._row(reference))

    async def address(self, channel_id: UUID) -> str:
        """The Apprise address in clear, for sending; CannotOpen when its key is gone."""
        row = await self._row(channel_id)
        return self._secrets.open(self._scope.tenant_id, sealed_name(row.channel_id), row.sealed_url)

    async def add(self, name: str, kind: ChannelKind, url: str, shown: str) -> ChannelView:
        """Add a channel by its Apprise address, which was looked at before. Conflict when the name is
        taken.
        """
        try:
            name = clean_name(name, what="the channel")
        except InvalidInput as wrong:
            raise InvalidInput(wrong.message, remedy=wrong.remedy, field="name") from wrong
        taken = Conflict(f"There is a channel {name} already.", remedy="Choose another name.", code="taken")
        if await self._repository.by_name_key(name_key(name)) is not None:
            raise taken
        now, channel_id = clock.now(), new_id()
        row = Channel(
            tenant_id=self._scope.tenant_id,
            channel_id=channel_id,
            name=name,
            name_key=name_key(name),
            kind=kind.value,
            shown=shown,
            sealed_url=self._secrets.seal(self._scope.tenant_id, sealed_name(channel_id), url),
            created_at=now,
            updated_at=now,
        )
        try:
            async with self._session.begin_nested():
                self._session.add(row)
        except IntegrityError:
            # Somebody else took the name since the question above.
            raise taken from None
        await self._audit.record(
            "channel.added", "channel", subject=name, subject_id=channel_id, kind=kind.value, shown=shown
        )
        return view_of(row)

    async def remove(self, channel_id: UUID, users: UserSource) -> ChannelView:
        """Remove a channel and give what it was. Conflict while a rule has it as target: alerts would then
        silently go to nobody.
        """
        row = await self._row(channel_id)
        used_by = await users(self._session, self._scope, channel_id)
        if used_by:
            raise Conflict(
                f"{row.name} is what these rules send to: {', '.join(used_by)}.",
                remedy="Change that first.",
                code="in_use",
            )
        view = view_of(row)
        await self._session.delete(row)
        await self._audit.record("channel.removed", "channel", subject=row.name, subject_id=channel_id)
        return view

    async def note(self, channel_id: UUID, outcome: Outcome, *, at: datetime) -> None:
        """Keep what became of the last message; nothing when the channel is gone meanwhile."""
        row = await self._repository.by_id(channel_id)
        if row is None:
            return
        if outcome.ok:
            row.last_sent_at, row.error = at, None
        else:
            row.error = {"message": outcome.error or "", "at": at.isoformat()}

    async def _row(self, reference: str | UUID) -> Channel:
        wanted = reference if isinstance(reference, UUID) else as_id(reference)
        row = None if wanted is None else await self._repository.by_id(wanted)
        if row is None and isinstance(reference, str):
            row = await self._repository.by_name_key(name_key(reference))
        if row is None:
            raise NotFound(f"There is no channel {reference}.", remedy="See: muster channel list")
        return row


async def channel_names(session: AsyncSession, scope: TenantScope) -> Mapping[UUID, str]:
    """Name of every channel, by id, in the order of the names."""
    return dict(await ChannelRepository(session, scope).names())


def sealed_name(channel_id: UUID) -> str:
    """What a channel's address is sealed under."""
    return f"channel:{channel_id}"
