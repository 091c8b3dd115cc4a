"""Alerts. There is no way back but a backup: going down would lose data."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from muster.db import row_security

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema up."""
    if op.get_context().dialect.name == "postgresql":
        op.alter_column("assets", "user_key", type_=sa.String(collation="C"), existing_nullable=True)
    op.create_table(
        "notification_channels",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("name_key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("shown", sa.String(), nullable=False),
        sa.Column("sealed_url", sa.LargeBinary(), nullable=False),
        sa.Column("last_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenants.tenant_id"],
            name=op.f("fk_notification_channels_tenant_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "channel_id", name=op.f("pk_notification_channels")),
        sa.UniqueConstraint(
            "tenant_id", "name_key", name=op.f("uq_notification_channels_tenant_id_name_key")
        ),
    )
    op.create_table(
        "webhook_subscriptions",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("name_key", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_previous_secret", sa.LargeBinary(), nullable=True),
        sa.Column("previous_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("event_types", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disabled_reason", sa.String(), nullable=True),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_success_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenants.tenant_id"],
            name=op.f("fk_webhook_subscriptions_tenant_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "subscription_id", name=op.f("pk_webhook_subscriptions")),
        sa.UniqueConstraint(
            "tenant_id", "name_key", name=op.f("uq_webhook_subscriptions_tenant_id_name_key")
        ),
    )
    op.create_table(
        "rmm_alert_rules",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("rule_id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("conditions", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("targets", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["rmm_integrations.tenant_id", "rmm_integrations.integration_id"],
            name=op.f("fk_rmm_alert_rules_tenant_id_integration_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "rule_id", name=op.f("pk_rmm_alert_rules")),
    )
    with op.batch_alter_table("rmm_alert_rules", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_rmm_alert_rules_tenant_id_integration_id_position"),
            ["tenant_id", "integration_id", "position"],
            unique=False,
        )

    op.create_table(
        "sync_refreshes",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("device_id", sa.String(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["rmm_integrations.tenant_id", "rmm_integrations.integration_id"],
            name=op.f("fk_sync_refreshes_tenant_id_integration_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "integration_id", "device_id", name=op.f("pk_sync_refreshes")),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("event_type", sa.String(), nullable=False),
        sa.Column("payload", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status_code", sa.Integer(), nullable=True),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "subscription_id"],
            ["webhook_subscriptions.tenant_id", "webhook_subscriptions.subscription_id"],
            name=op.f("fk_webhook_deliveries_tenant_id_subscription_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "delivery_id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint(
            "tenant_id",
            "subscription_id",
            "event_id",
            name=op.f("uq_webhook_deliveries_tenant_id_subscription_id_event_id"),
        ),
    )
    with op.batch_alter_table("webhook_deliveries", schema=None) as batch_op:
        batch_op.create_index("ix_webhook_deliveries_created_at", ["created_at"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_webhook_deliveries_tenant_id_next_attempt_at"),
            ["tenant_id", "next_attempt_at"],
            unique=False,
            sqlite_where=sa.text("state = 'waiting'"),
            postgresql_where=sa.text("state = 'waiting'"),
        )
        batch_op.create_index(
            batch_op.f("ix_webhook_deliveries_tenant_id_subscription_id_created_at"),
            ["tenant_id", "subscription_id", "created_at"],
            unique=False,
        )

    op.create_table(
        "webhook_endpoints",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("previous_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_receipt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("refused_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_refused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("objects", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("target_url", sa.String(), nullable=True),
        sa.Column("drift", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["rmm_integrations.tenant_id", "rmm_integrations.integration_id"],
            name=op.f("fk_webhook_endpoints_tenant_id_integration_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "integration_id", name=op.f("pk_webhook_endpoints")),
    )
    op.create_table(
        "webhook_receipts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("receipt_id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("content_type", sa.String(), nullable=True),
        sa.Column("sender", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("processed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("replayed_by", sa.String(), nullable=True),
        sa.Column("event", sa.String(), nullable=True),
        sa.Column("device_id", sa.String(), nullable=True),
        sa.Column("external_alert_id", sa.String(), nullable=True),
        sa.Column("alert_id", sa.Uuid(), nullable=True),
        sa.Column("problem", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["rmm_integrations.tenant_id", "rmm_integrations.integration_id"],
            name=op.f("fk_webhook_receipts_tenant_id_integration_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "receipt_id", name=op.f("pk_webhook_receipts")),
    )
    with op.batch_alter_table("webhook_receipts", schema=None) as batch_op:
        batch_op.create_index("ix_webhook_receipts_received_at", ["received_at"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_webhook_receipts_tenant_id_integration_id_receipt_id"),
            ["tenant_id", "integration_id", "receipt_id"],
            unique=False,
            sqlite_where=sa.text("state = 'waiting'"),
            postgresql_where=sa.text("state = 'waiting'"),
        )
        batch_op.create_index(
            batch_op.f("ix_webhook_receipts_tenant_id_integration_id_received_at"),
            ["tenant_id", "integration_id", "received_at"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_webhook_receipts_tenant_id_state_received_at"),
            ["tenant_id", "state", "received_at"],
            unique=False,
        )

    op.create_table(
        "rmm_alert_changes",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("change_id", sa.Uuid(), nullable=False),
        sa.Column("alert_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=True),
        sa.Column("detail", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "alert_id"],
            ["rmm_alerts.tenant_id", "rmm_alerts.alert_id"],
            name=op.f("fk_rmm_alert_changes_tenant_id_alert_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "change_id", name=op.f("pk_rmm_alert_changes")),
    )
    with op.batch_alter_table("rmm_alert_changes", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_rmm_alert_changes_tenant_id_alert_id_at"),
            ["tenant_id", "alert_id", "at"],
            unique=False,
        )

    op.create_table(
        "rmm_alert_notices",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("notice_id", sa.Uuid(), nullable=False),
        sa.Column("alert_id", sa.Uuid(), nullable=False),
        sa.Column("channel_id", sa.Uuid(), nullable=False),
        sa.Column("occasion", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "alert_id"],
            ["rmm_alerts.tenant_id", "rmm_alerts.alert_id"],
            name=op.f("fk_rmm_alert_notices_tenant_id_alert_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenants.tenant_id"],
            name=op.f("fk_rmm_alert_notices_tenant_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "notice_id", name=op.f("pk_rmm_alert_notices")),
        sa.UniqueConstraint(
            "tenant_id",
            "alert_id",
            "channel_id",
            "occasion",
            name=op.f("uq_rmm_alert_notices_tenant_id_alert_id_channel_id_occasion"),
        ),
    )
    with op.batch_alter_table("rmm_alert_notices", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_rmm_alert_notices_tenant_id_next_attempt_at"),
            ["tenant_id", "next_attempt_at"],
            unique=False,
            sqlite_where=sa.text("state = 'waiting'"),
            postgresql_where=sa.text("state = 'waiting'"),
        )

    with op.batch_alter_table("assets", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_assets_tenant_id_user_key_asset_id_retired_at"),
            ["tenant_id", "user_key", "asset_id", "retired_at"],
            unique=False,
        )

    with op.batch_alter_table("rmm_alerts", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("identity", sa.String(), server_default=sa.text("'named'"), nullable=False)
        )
        batch_op.add_column(
            sa.Column("dedup_key", sa.String(), server_default=sa.text("('')"), nullable=False)
        )
        batch_op.add_column(sa.Column("previous_alert_id", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("device_id", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("device_name", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("organization_id", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("organization_name", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("site_name", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("client_id", sa.Uuid(), nullable=True))
        batch_op.add_column(
            sa.Column("alert_type", sa.String(), server_default=sa.text("'unknown'"), nullable=False)
        )
        batch_op.add_column(sa.Column("original_severity", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("message", sa.String(), nullable=True))
        batch_op.add_column(
            sa.Column("message_key", sa.String(), server_default=sa.text("('')"), nullable=False)
        )
        batch_op.add_column(
            sa.Column("hidden", sa.Boolean(), server_default=sa.text("(false)"), nullable=False)
        )
        batch_op.add_column(
            sa.Column("confirmed", sa.Boolean(), server_default=sa.text("(true)"), nullable=False)
        )
        batch_op.add_column(
            sa.Column("suppressed", sa.Boolean(), server_default=sa.text("(false)"), nullable=False)
        )
        batch_op.add_column(sa.Column("rule_id", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("rule_name", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("raised_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(
            sa.Column("occurrences", sa.Integer(), server_default=sa.text("1"), nullable=False)
        )
        batch_op.add_column(sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("acknowledged_by", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("snoozed_until", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("resolved_by", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("delivery_code", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("webhook_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(
            sa.Column("write_back", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True)
        )
        batch_op.add_column(sa.Column("content_hash", sa.String(), nullable=True))
        batch_op.add_column(
            sa.Column("raw", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True)
        )
        batch_op.add_column(sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index(
            batch_op.f("ix_rmm_alerts_tenant_id_asset_id"), ["tenant_id", "asset_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_rmm_alerts_tenant_id_client_id"), ["tenant_id", "client_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_rmm_alerts_tenant_id_integration_id_dedup_key"),
            ["tenant_id", "integration_id", "dedup_key"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_rmm_alerts_tenant_id_integration_id_device_id"),
            ["tenant_id", "integration_id", "device_id"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_rmm_alerts_tenant_id_raised_at"), ["tenant_id", "raised_at"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_rmm_alerts_tenant_id_status_raised_at"),
            ["tenant_id", "status", "raised_at"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_rmm_alerts_tenant_id_status_severity_suppressed"),
            ["tenant_id", "status", "severity", "suppressed"],
            unique=False,
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_rmm_alerts_tenant_id_client_id"),
            "clients",
            ["tenant_id", "client_id"],
            ["tenant_id", "client_id"],
        )
    row_security.protect(
        op.get_bind(),
        "notification_channels",
        "rmm_alert_changes",
        "rmm_alert_notices",
        "rmm_alert_rules",
        "sync_refreshes",
        "webhook_deliveries",
        "webhook_endpoints",
        "webhook_receipts",
        "webhook_subscriptions",
    )
