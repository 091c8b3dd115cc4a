"""Webhooks of integrations: where their servers call, with which secret, and what was made there for it."""

from __future__ import annotations

import secrets as random_secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.audit.service import AuditService
from muster.db import bulk
from muster.db.types import table_of
from muster.encryption import SecretBox
from muster.errors import InvalidInput, NotFound
from muster.inbound_webhooks.models import WebhookEndpoint
from muster.inbound_webhooks.repository import EndpointRepository, ReceiptRepository
from muster.inbound_webhooks.schemas import EndpointView, ReceiptFilter, SecretView, WebhookTemplateView
from muster.inbound_webhooks.types import EndpointId
from muster.integrations.schemas import IntegrationView
from muster.integrations.service import IntegrationService
from muster.integrations.webhook_secrets import WebhookSecrets
from muster.providers import registry
from muster.providers.alerting import WebhookObjects, WebhookProvider
from muster.tenancy import TenantScope

OVERLAP = timedelta(hours=24)
LONGEST_OVERLAP = timedelta(days=30)
COUNTED_OVER = timedelta(days=7)
_ENDPOINTS = table_of(WebhookEndpoint)
_SECRET_BYTES = 32


class WebhookService:
    """The verbs on webhooks of one tenant's integrations."""

    def __init__(self, session: AsyncSession, scope: TenantScope, secrets: SecretBox) -> None:
        self._session = session
        self._scope = scope
        self._integrations = IntegrationService(session, scope, secrets)
        self._secrets = WebhookSecrets(session, scope, secrets)
        self._repository = EndpointRepository(session, scope)
        self._receipts = ReceiptRepository(session, scope)
        self._audit = AuditService(session, scope)

    async def endpoint(self, reference: str | UUID) -> EndpointView:
        """An integration's webhook as it stands; the secret is in it by its last four characters only.

        NotFound for the integration, and for a provider whose servers call nobody.
        """
        view, provider = await self._of(reference)
        found = await self._repository.endpoint(view.integration_id)
        row: Mapping[str, Any] = _no_endpoint() if found is None else dict(found)
        now = clock.now()
        recent = ReceiptFilter(integration_id=view.integration_id, since=now - COUNTED_OVER)
        return EndpointView(
            integration_id=view.integration_id,
            provider=view.provider,
            path=EndpointId(self._scope.tenant_id, view.integration_id).path(view.provider),
            header=provider.webhook.header,
            templates=[
                WebhookTemplateView(
                    key=each.key, label=each.label, body=each.body, with_message=each.with_message
                )
                for each in provider.webhook.templates
            ],
            last_four=await self._secrets.last_four(view.integration_id),
            rotated_at=row["rotated_at"],
            previous_until=_future(row["previous_until"], now),
            last_receipt_at=row["last_receipt_at"],
            refused=row["refused"],
            refused_since=row["refused_since"],
            last_refused_at=row["last_refused_at"],
            receipts=dict(await self._receipts.counts(recent)),
            checked_at=row["checked_at"],
        )

    async def secret(self, integration_id: UUID) -> str:
        """The secret in clear, made now if there is none yet; for what sets the server up. Needs a session
        that writes. CannotOpen when its key is gone: rotate it then.
        """
        await self._of(integration_id)
        # Held, so that two who need the first secret at once get the same.
        await self._ensure(integration_id)
        found = await self._secrets.current(integration_id)
        if found is None:
            found = random_secrets.token_urlsafe(_SECRET_BYTES)
            await self._secrets.put(integration_id, found, clock.now())
        return found

    async def reveal(self, reference: str | UUID, base_url: str) -> SecretView:
        """What a person sets the server up with, the secret in clear; put on record."""
        view, provider = await self._of(reference)
        secret = await self.secret(view.integration_id)
        await self._record("webhook.secret_revealed", view)
        path = EndpointId(self._scope.tenant_id, view.integration_id).path(view.provider)
        return SecretView(url=f"{base_url}{path}", header=provider.webhook.header, secret=secret)

    async def rotate(self, reference: str | UUID, overlap: timedelta = OVERLAP) -> EndpointView:
        """Make a new secret; the one so far holds beside it for `overlap` (none to 30 days). On record."""
        if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
            raise InvalidInput("The old secret can hold for at most 30 days.", remedy="Choose less.")
        view, _ = await self._of(reference)
        await self._ensure(view.integration_id)
        now = clock.now()
        had_one = await self._secrets.last_four(view.integration_id) is not None
        keep = had_one and overlap > timedelta(0)
        secret = random_secrets.token_urlsafe(_SECRET_BYTES)
        await self._secrets.put(view.integration_id, secret, now, keep=keep)
        values = {"rotated_at": now, "previous_until": now + overlap if keep else None}
        await self._change(view.integration_id, values)
        await self._record("webhook.secret_rotated", view, overlap_hours=overlap / timedelta(hours=1))
        return await self.endpoint(view.integration_id)

    async def forget_previous(self, integration_id: UUID) -> None:
        """Delete the secret from before the last rotation, once its time is over."""
        row = await self._repository.endpoint(integration_id, for_update=True)
        if row is None or row["previous_until"] is None or row["previous_until"] > clock.now():
            return
        await self._secrets.forget_previous(integration_id)
        await self._change(integration_id, {"previous_until": None})

    async def count_refused(self, integration_id: UUID, count: int, last_at: datetime) -> None:
        """Add to the calls that were refused; nothing for an integration that never had a secret."""
        row = await self._repository.endpoint(integration_id, for_update=True)
        if row is None:
            return
        values = {
            "refused": row["refused"] + count,
            "refused_since": row["refused_since"] or last_at,
            "last_refused_at": last_at,
        }
        await self._change(integration_id, values)

    # --- what was made on the server ------------------------------------------------------------------------

    async def objects(self, integration_id: UUID) -> WebhookObjects:
        """What Muster has made on the server for the webhook, by the server's ids."""
        row = await self._repository.endpoint(integration_id)
        return WebhookObjects() if row is None else msgspec.convert(row["objects"], WebhookObjects)

    async def set_objects(
        self,
        integration_id: UUID,
        objects: WebhookObjects,
        *,
        target_url: str | None,
        drift: Mapping[str, Any] | None = None,
        checked_at: datetime | None = None,
    ) -> None:
        """Keep what is on the server and the address that it calls (None: nothing was made), the `drift`
        found there (None: none), and when that was looked at.
        """
        await self._ensure(integration_id)
        values = {
            "objects": msgspec.to_builtins(objects),
            "target_url": target_url,
            "drift": drift,
            "checked_at": checked_at,
        }
        await self._change(integration_id, values)

    # --- inside ---------------------------------------------------------------------------------------------

    async def _of(self, reference: str | UUID) -> tuple[IntegrationView, WebhookProvider]:
        view = await self._integrations.get(reference)
        return view, webhook_provider(view.provider)

    async def _ensure(self, integration_id: UUID) -> None:
        """Have a row of the endpoint, held until the end of the transaction."""
        row = {"integration_id": integration_id, "created_at": clock.now(), **_no_endpoint()}
        await bulk.insert_new(self._session, self._scope, _ENDPOINTS, [row])
        await self._repository.endpoint(integration_id, for_update=True)

    async def _change(self, integration_id: UUID, values: Mapping[str, Any]) -> None:
        where = {"integration_id": integration_id}
        await bulk.update_where(self._session, self._scope, _ENDPOINTS, values, where=where)

    async def _record(self, action: str, view: IntegrationView, **detail: Any) -> None:
        await self._audit.record(
            action, "integration", subject=view.name, subject_id=view.integration_id, **detail
        )


def webhook_provider(key: str) -> WebhookProvider:
    """The provider of this key; NotFound when there is none, or its servers call nobody."""
    provider = registry.get(key)
    if not isinstance(provider, WebhookProvider):
        raise NotFound(
            f"{provider.manifest.display_name} sends no webhooks.", remedy="Its alerts are read by syncs."
        )
    return provider


def _future(moment: datetime | None, now: datetime) -> datetime | None:
    return moment if moment is not None and moment > now else None


def _no_endpoint() -> dict[str, Any]:
    """What an endpoint's row says before anything has happened."""
    return {
        "rotated_at": None,
        "previous_until": None,
        "last_receipt_at": None,
        "refused": 0,
        "refused_since": None,
        "last_refused_at": None,
        "objects": {},
        "target_url": None,
        "drift": None,
        "checked_at": None,
    }
