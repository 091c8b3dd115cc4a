"""Tables of alerts, their history, and the rules that decide what is done about them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from muster.db.types import Base, JsonType, TenantOwned, new_id, of_tenant, part_of


class Alert(TenantOwned, Base):
    """Something the RMM raised about a device; `asset_id` is null until that device is synced.

    `external_alert_id` is the server's id, or one derived from the webhook until the server has named it
    (`identity`: named, derived, or device for the one open alert of a device that says nothing more).
    `dedup_key` tells one problem of one device from another: alerts with the same key follow each other, and
    `previous_alert_id` is the one before. `confirmed`: read from the server, not only told by a webhook.
    `status` is active, acknowledged, snoozed, resolved or pruned (gone from the server). `opened_at` is the
    server's moment, `first_seen_at` and `last_seen_at` ours, `occurrences` how often it was raised, the last
    time at `raised_at`.
    `suppressed`: by a rule; it is listed, and nobody is told. `write_back` is {verb, state, at, message}: how
    what a person did stands with the server. `delivered_at` is when the server's own webhook for it ran;
    `webhook_at` since when one is under way: it told us of the alert, and the server has not noted that yet.
    """

    __tablename__ = "rmm_alerts"
    __table_args__ = (
        part_of("rmm_integrations", "integration_id"),
        ForeignKeyConstraint(["tenant_id", "asset_id"], ["assets.tenant_id", "assets.asset_id"]),
        ForeignKeyConstraint(["tenant_id", "client_id"], ["clients.tenant_id", "clients.client_id"]),
        UniqueConstraint("tenant_id", "integration_id", "external_alert_id"),
        Index(None, "tenant_id", "integration_id", "status"),
        # The figures of every page are read from this one alone.
        Index(None, "tenant_id", "status", "severity", "suppressed"),
        Index(None, "tenant_id", "status", "raised_at"),
        Index(None, "tenant_id", "raised_at"),
        Index(None, "tenant_id", "asset_id"),
        Index(None, "tenant_id", "client_id"),
        Index(None, "tenant_id", "integration_id", "dedup_key"),
        Index(None, "tenant_id", "integration_id", "device_id"),
    )

    alert_id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    integration_id: Mapped[UUID]
    external_alert_id: Mapped[str]
    identity: Mapped[str] = mapped_column(default="named", server_default=text("'named'"))
    dedup_key: Mapped[str] = mapped_column(default="", server_default=text("''"))
    previous_alert_id: Mapped[UUID | None]
    device_id: Mapped[str | None]
    device_name: Mapped[str | None]
    organization_id: Mapped[str | None]
    organization_name: Mapped[str | None]
    site_name: Mapped[str | None]
    asset_id: Mapped[UUID | None]
    client_id: Mapped[UUID | None]
    alert_type: Mapped[str] = mapped_column(default="unknown", server_default=text("'unknown'"))
    severity: Mapped[str]
    original_severity: Mapped[str | None]
    message: Mapped[str | None]
    message_key: Mapped[str] = mapped_column(default="", server_default=text("''"))
    status: Mapped[str]
    hidden: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    confirmed: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    suppressed: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    rule_id: Mapped[UUID | None]
    rule_name: Mapped[str | None]
    opened_at: Mapped[datetime | None]
    first_seen_at: Mapped[datetime | None]
    last_seen_at: Mapped[datetime | None]
    raised_at: Mapped[datetime | None]
    occurrences: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None]
    snoozed_until: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[str | None]
    delivered_at: Mapped[datetime | None]
    delivery_code: Mapped[int | None]
    webhook_at: Mapped[datetime | None]
    write_back: Mapped[dict[str, Any] | None]
    content_hash: Mapped[str | None]
    raw: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime | None]


class AlertChange(TenantOwned, Base):
    """One line of an alert's timeline: what happened (`kind`), by whom (`actor`, null: the server), and what
    belongs to it (`detail`).
    """

    __tablename__ = "rmm_alert_changes"
    __table_args__ = (
        part_of("rmm_alerts", "alert_id"),
        Index(None, "tenant_id", "alert_id", "at"),
    )

    change_id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    alert_id: Mapped[UUID]
    at: Mapped[datetime]
    kind: Mapped[str]
    actor: Mapped[str | None]
    detail: Mapped[dict[str, Any]]


class AlertRule(TenantOwned, Base):
    """What is done about alerts of an integration that meet all `conditions`; the first by `position` that
    does decides. `action` is notify, suppress or webhook; `targets` are the ids of channels or of outbound
    webhook subscriptions.
    """

    __tablename__ = "rmm_alert_rules"
    __table_args__ = (
        part_of("rmm_integrations", "integration_id"),
        Index(None, "tenant_id", "integration_id", "position"),
    )

    rule_id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    integration_id: Mapped[UUID]
    position: Mapped[int]
    name: Mapped[str]
    is_active: Mapped[bool]
    conditions: Mapped[dict[str, Any]]
    action: Mapped[str]
    targets: Mapped[list[Any]] = mapped_column(JsonType)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class AlertNotice(TenantOwned, Base):
    """One message about an alert to one channel: `state` is waiting, sending, sent or failed. Each channel is
    told once of an alert's occasion; twice, and it is said so, when a process died while it sent.
    """

    __tablename__ = "rmm_alert_notices"
    __table_args__ = (
        of_tenant(),
        part_of("rmm_alerts", "alert_id"),
        UniqueConstraint("tenant_id", "alert_id", "channel_id", "occasion"),
        Index(
            None,
            "tenant_id",
            "next_attempt_at",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
    )

    notice_id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    alert_id: Mapped[UUID]
    channel_id: Mapped[UUID]
    occasion: Mapped[str]
    state: Mapped[str]
    attempts: Mapped[int]
    next_attempt_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    error: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]
