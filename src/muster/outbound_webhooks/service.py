"""Subscriptions: who is told of events, where, and signed with what."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.audit.service import AuditService
from muster.db.types import new_id
from muster.encryption import SecretBox
from muster.errors import Conflict, InvalidInput, NotFound
from muster.events.types import EventType
from muster.naming import as_id, clean_name, name_key
from muster.notifications.types import UserSource
from muster.outbound_webhooks import rules, signing
from muster.outbound_webhooks.delivery_service import DeliveryService
from muster.outbound_webhooks.models import WebhookSubscription
from muster.outbound_webhooks.repository import DeliveryRepository, SubscriptionRepository
from muster.outbound_webhooks.schemas import (
    SubscriptionInput,
    SubscriptionSecret,
    SubscriptionView,
    view_of,
)
from muster.outbound_webhooks.types import DisabledReason, Target
from muster.tenancy import TenantScope


class SubscriptionService:
    """The verbs on the subscriptions of one tenant."""

    def __init__(
        self, session: AsyncSession, scope: TenantScope, secrets: SecretBox, *, plain_allowed: bool = False
    ) -> None:
        """`plain_allowed`: addresses may be http, too (see rules.clean_url)."""
        self._session = session
        self._scope = scope
        self._secrets = secrets
        self._plain_allowed = plain_allowed
        self._repository = SubscriptionRepository(session, scope)
        self._deliveries = DeliveryRepository(session, scope)
        self._audit = AuditService(session, scope)

    async def list(self) -> Sequence[SubscriptionView]:
        """Every subscription, by name."""
        counts = await self._deliveries.by_state()
        return [view_of(row, counts.get(row.subscription_id, {})) for row in await self._repository.all()]

    async def get(self, reference: str | UUID) -> SubscriptionView:
        """The subscription meant by id or name; NotFound also for another tenant's."""
        return await self._view(await self._row(reference))

    async def asks_for(self, types: Collection[str]) -> bool:
        """Whether a subscription that is not switched off has chosen any of these kinds of event."""
        wanted = {str(each) for each in types}
        return any(wanted & listener.event_types for listener in await self._repository.listeners())

    async def target(self, subscription_id: UUID, *, at: datetime) -> Target:
        """Where to send, with what to sign at a moment; CannotOpen when a secret's key is gone."""
        row = await self._row(subscription_id)
        sealed = [row.sealed_secret]
        if row.sealed_previous_secret is not None and row.previous_until and at < row.previous_until:
            sealed.append(row.sealed_previous_secret)
        name = sealed_name(subscription_id)
        opened = tuple(self._secrets.open(self._scope.tenant_id, name, each) for each in sealed)
        return Target(subscription_id=subscription_id, url=row.url, secrets=opened)

    async def add(self, wanted: SubscriptionInput) -> SubscriptionSecret:
        """Add a subscription; its secret is in the answer and nowhere else in clear. InvalidInput, with its
        field, for what cannot be used; Conflict when the name is taken.
        """
        values = self._checked(wanted)
        await self._free(values["name"], values["name_key"], None)
        now, subscription_id, secret = clock.now(), new_id(), signing.new_secret()
        row = WebhookSubscription(
            tenant_id=self._scope.tenant_id,
            subscription_id=subscription_id,
            **values,
            sealed_secret=self._seal(subscription_id, secret),
            failures=0,
            created_at=now,
            updated_at=now,
        )
        try:
            async with self._session.begin_nested():
                self._session.add(row)
        except IntegrityError:
            # Somebody else took the name since the question above.
            raise _taken(values["name"]) from None
        await self._record("added", row, url=row.url, event_types=row.event_types)
        return SubscriptionSecret(subscription=view_of(row, {}), secret=secret)

    async def update(self, subscription_id: UUID, wanted: SubscriptionInput) -> SubscriptionView:
        """Change name, address and chosen events. Refusals as for `add`."""
        row = await self._row(subscription_id)
        values = self._checked(wanted)
        await self._free(values["name"], values["name_key"], subscription_id)
        before = {name: getattr(row, name) for name in ("name", "url", "event_types")}
        for name, value in values.items():
            setattr(row, name, value)
        row.updated_at = clock.now()
        changed = {name: value for name, value in before.items() if value != getattr(row, name)}
        if changed:
            await self._record(
                "changed", row, old=changed, new={name: getattr(row, name) for name in changed}
            )
        return await self._view(row)

    async def rotate(self, subscription_id: UUID) -> SubscriptionSecret:
        """A new secret; the old one signs beside it for a day."""
        row = await self._row(subscription_id)
        secret, now = signing.new_secret(), clock.now()
        row.sealed_previous_secret, row.previous_until = row.sealed_secret, now + rules.OVERLAP
        row.sealed_secret, row.updated_at = self._seal(subscription_id, secret), now
        await self._record("secret_rotated", row)
        return SubscriptionSecret(subscription=await self._view(row), secret=secret)

    async def switch(self, subscription_id: UUID, *, on: bool) -> SubscriptionView:
        """Switch a subscription on or off. While it is off, events pass it by; what waits is dropped, and can
        be sent again by hand.
        """
        row = await self._row(subscription_id)
        if (row.disabled_at is None) != on:
            row.disabled_at = None if on else clock.now()
            row.disabled_reason = None if on else DisabledReason.PERSON.value
            row.failing_since, row.failures = None, 0
            row.updated_at = clock.now()
            if not on:
                await DeliveryService(self._session, self._scope).drop(subscription_id)
            await self._record("switched_on" if on else "switched_off", row)
        return await self._view(row)

    async def remove(self, subscription_id: UUID, users: UserSource) -> SubscriptionView:
        """Remove a subscription with its deliveries and give what it was. Conflict while a rule has it as
        target.
        """
        row = await self._row(subscription_id)
        used_by = await users(self._session, self._scope, subscription_id)
        if used_by:
            raise Conflict(
                f"{row.name} is what these rules send to: {', '.join(used_by)}.",
                remedy="Change that first.",
                code="in_use",
            )
        view = await self._view(row)
        await self._session.delete(row)
        await self._record("removed", row, url=row.url)
        return view

    async def _row(self, reference: str | UUID) -> WebhookSubscription:
        wanted = reference if isinstance(reference, UUID) else as_id(reference)
        row = None if wanted is None else await self._repository.by_id(wanted)
        if row is None and isinstance(reference, str):
            row = await self._repository.by_name_key(name_key(reference))
        if row is None:
            raise NotFound(f"There is no subscription {reference}.", remedy="See: muster subscription list")
        return row

    async def _view(self, row: WebhookSubscription) -> SubscriptionView:
        return view_of(row, (await self._deliveries.by_state()).get(row.subscription_id, {}))

    def _checked(self, wanted: SubscriptionInput) -> dict[str, Any]:
        try:
            name = clean_name(wanted.name, what="the subscription")
        except InvalidInput as wrong:
            raise InvalidInput(wrong.message, remedy=wrong.remedy, field="name") from wrong
        known = {each.value for each in EventType}
        unknown = next((each for each in wanted.event_types if each not in known), None)
        if unknown is not None:
            raise InvalidInput(
                f"There is no event {unknown[:100]}.", remedy="Choose from the list.", field="event_types"
            )
        return {
            "name": name,
            "name_key": name_key(name),
            "url": rules.clean_url(wanted.url, plain_allowed=self._plain_allowed),
            "event_types": [each.value for each in EventType if each.value in wanted.event_types],
        }

    async def _free(self, name: str, key: str, subscription_id: UUID | None) -> None:
        holder = await self._repository.by_name_key(key)
        if holder is not None and holder.subscription_id != subscription_id:
            raise _taken(name)

    def _seal(self, subscription_id: UUID, secret: str) -> bytes:
        return self._secrets.seal(self._scope.tenant_id, sealed_name(subscription_id), secret)

    async def _record(self, verb: str, row: WebhookSubscription, **detail: Any) -> None:
        await self._audit.record(
            f"subscription.{verb}", "subscription", subject=row.name, subject_id=row.subscription_id, **detail
        )


async def subscription_names(session: AsyncSession, scope: TenantScope) -> Mapping[UUID, str]:
    """Name of every subscription, by id, in the order of the names."""
    return dict(await SubscriptionRepository(session, scope).names())


def sealed_name(subscription_id: UUID) -> str:
    """What a subscription's secrets are sealed under."""
    return f"subscription:{subscription_id}"


def _taken(name: str) -> Conflict:
    return Conflict(f"There is a subscription {name} already.", remedy="Choose another name.", code="taken")
