"""Tables of receipts, and of what an integration's webhook is."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from muster.db.types import Base, TenantOwned, new_id, part_of


class WebhookReceipt(TenantOwned, Base):
    """An authenticated call as it arrived, written before anything else.

    `state`: waiting, processed, unknown_device (processed; its device is not synced yet), not_understood,
    kept (the integration was disconnected), test, failed. `problem` is {code, message}. `body` is the
    bytes as they came.
    """

    __tablename__ = "webhook_receipts"
    __table_args__ = (
        part_of("rmm_integrations", "integration_id"),
        Index(
            None,
            "tenant_id",
            "integration_id",
            "receipt_id",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
        Index(None, "tenant_id", "integration_id", "received_at"),
        Index(None, "tenant_id", "state", "received_at"),
        # What is deleted when it is old, over all tenants.
        Index("ix_webhook_receipts_received_at", "received_at"),
    )

    receipt_id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    integration_id: Mapped[UUID]
    received_at: Mapped[datetime]
    body: Mapped[bytes]
    content_type: Mapped[str | None]
    sender: Mapped[str | None]
    state: Mapped[str]
    attempts: Mapped[int] = mapped_column(default=0)
    processed_at: Mapped[datetime | None]
    replayed_by: Mapped[str | None]
    event: Mapped[str | None]
    device_id: Mapped[str | None]
    external_alert_id: Mapped[str | None]
    alert_id: Mapped[UUID | None]
    problem: Mapped[dict[str, Any] | None]


class WebhookEndpoint(TenantOwned, Base):
    """An integration's webhook: how it is used, and what was made for it on the server.

    `objects` is a WebhookObjects, `target_url` the address that they call, `drift` what the last look found
    (a SetupDrift), `checked_at` its moment. `refused` counts calls with a wrong secret or none since
    `refused_since`.
    """

    __tablename__ = "webhook_endpoints"
    __table_args__ = (part_of("rmm_integrations", "integration_id"),)

    integration_id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]
    rotated_at: Mapped[datetime | None]
    previous_until: Mapped[datetime | None]
    last_receipt_at: Mapped[datetime | None]
    refused: Mapped[int]
    refused_since: Mapped[datetime | None]
    last_refused_at: Mapped[datetime | None]
    objects: Mapped[dict[str, Any]]
    target_url: Mapped[str | None]
    drift: Mapped[dict[str, Any] | None]
    checked_at: Mapped[datetime | None]
