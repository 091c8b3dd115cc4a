"""Receipts as people look at them: listed, shown with what their body is understood as, processed again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncSession

from muster.audit.service import COMMAND_LINE, AuditService
from muster.db import bulk
from muster.db.types import table_of
from muster.encryption import SecretBox
from muster.errors import Conflict, NotFound
from muster.inbound_webhooks.models import WebhookReceipt
from muster.inbound_webhooks.repository import ReceiptRepository
from muster.inbound_webhooks.requests import request_processing
from muster.inbound_webhooks.schemas import ReceiptDetail, ReceiptFilter, ReceiptView
from muster.inbound_webhooks.service import webhook_provider
from muster.inbound_webhooks.types import ReceiptState
from muster.integrations.schemas import IntegrationView
from muster.integrations.service import IntegrationService
from muster.integrations.types import State
from muster.jobs.service import JobService
from muster.tenancy import TenantScope

# Replayed in one go; with more, again.
MOST_REPLAYED = 10_000
_CHUNK = 500
_RECEIPTS = table_of(WebhookReceipt)
_ANEW = {"state": ReceiptState.WAITING.value, "attempts": 0, "processed_at": None, "problem": None}


class ReceiptService:
    """The verbs on receipts of one tenant."""

    def __init__(self, session: AsyncSession, scope: TenantScope, secrets: SecretBox) -> None:
        self._session = session
        self._scope = scope
        self._repository = ReceiptRepository(session, scope)
        self._integrations = IntegrationService(session, scope, secrets)

    async def list(
        self, wanted: ReceiptFilter, *, limit: int = 100, offset: int = 0
    ) -> Sequence[ReceiptView]:
        """Receipts that match, newest first."""
        return [_view(row) for row in await self._repository.page(wanted, limit=limit, offset=offset)]

    async def count(self, wanted: ReceiptFilter) -> int:
        """How many match."""
        return await self._repository.count(wanted)

    async def counts(self, wanted: ReceiptFilter) -> Mapping[str, int]:
        """How many match, by state."""
        return await self._repository.counts(wanted)

    async def get(self, receipt_id: UUID) -> ReceiptDetail:
        """One receipt with its body, and what that is understood as now; NotFound."""
        row = await self._repository.receipt(receipt_id)
        if row is None:
            raise NotFound("There is no such receipt.", remedy="It may be too old: look in the list.")
        view = await self._integrations.get(row["integration_id"])
        message = webhook_provider(view.provider).parse_webhook(row["body"])
        understood: dict[str, Any] = msgspec.to_builtins(message)
        return ReceiptDetail(
            receipt=_view(row), body=row["body"].decode(errors="replace"), understood=understood
        )

    async def replay(self, receipt_id: UUID) -> ReceiptView:
        """Process a receipt again; nothing when it waits already. On record. Conflict while its integration
        is disconnected.
        """
        row = await self._repository.receipt(receipt_id)
        if row is None:
            raise NotFound("There is no such receipt.", remedy="It may be too old: look in the list.")
        view = await self._connected(row["integration_id"])
        if row["state"] != ReceiptState.WAITING.value:
            await self._anew(view, [receipt_id])
            await self._record("receipt.replayed", view, receipt_id=str(receipt_id))
        found = await self._repository.receipt(receipt_id)
        return _view(found or row)

    async def replay_all(self, integration_id: UUID, wanted: ReceiptFilter) -> int:
        """Process every matching receipt of an integration again, at most the oldest 10,000; their number. On
        record.
        """
        view = await self._connected(integration_id)
        wanted = msgspec.structs.replace(wanted, integration_id=view.integration_id)
        rows = await self._repository.to_replay(wanted, limit=MOST_REPLAYED)
        if not rows:
            return 0
        await self._anew(view, [row["receipt_id"] for row in rows])
        said = {name: value for name, value in msgspec.to_builtins(wanted).items() if value is not None}
        said.pop("integration_id")
        await self._record("receipts.replayed", view, count=len(rows), **said)
        return len(rows)

    async def _connected(self, integration_id: UUID) -> IntegrationView:
        view = await self._integrations.get(integration_id)
        if view.state is State.DISCONNECTED:
            raise Conflict(
                f"{view.name!r} is disconnected: its receipts are kept, and not processed.",
                remedy="Connect it again first.",
                code="disconnected",
            )
        return view

    async def _anew(self, view: IntegrationView, receipt_ids: Sequence[UUID]) -> None:
        by = self._scope.actor or COMMAND_LINE
        for start in range(0, len(receipt_ids), _CHUNK):
            rows = [
                {"receipt_id": receipt_id, **_ANEW, "replayed_by": by}
                for receipt_id in receipt_ids[start : start + _CHUNK]
            ]
            await bulk.update(self._session, self._scope, _RECEIPTS, rows, key=["receipt_id"])
        await request_processing(JobService(self._session, self._scope), view.integration_id)

    async def _record(self, action: str, view: IntegrationView, **detail: Any) -> None:
        await AuditService(self._session, self._scope).record(
            action, "integration", subject=view.name, subject_id=view.integration_id, **detail
        )


def _view(row: RowMapping) -> ReceiptView:
    values = {name: row[name] for name in ReceiptView.__struct_fields__}
    return ReceiptView(**{**values, "state": ReceiptState(row["state"])})
