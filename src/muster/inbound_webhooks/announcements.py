"""The event RMM_WEBHOOK_RECEIVED: what became of a receipt, for others."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from muster.events.types import EventType, NewEvent
from muster.inbound_webhooks.types import ReceiptState, columns_of
from muster.providers.alerting import WebhookMessage


def received(
    receipt_id: UUID,
    *,
    integration_id: UUID,
    provider: str,
    received_at: datetime,
    state: ReceiptState,
    message: WebhookMessage,
    alert_id: UUID | None = None,
) -> NewEvent:
    """The event of a receipt that came to an end."""
    data: dict[str, Any] = {
        "integration_id": integration_id,
        "provider": provider,
        "receipt_id": receipt_id,
        "received_at": received_at,
        "state": state.value,
        "alert_id": alert_id,
        **columns_of(message),
    }
    return NewEvent(
        type=EventType.WEBHOOK_RECEIVED,
        subject=receipt_id,
        data=data,
        source=f"/integrations/{integration_id}",
    )
