"""First schema. There is no way back but a backup: going down would lose data."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema up."""
    op.create_table(
        "tenants",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_tenants")),
    )
    op.create_table(
        "clients",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("name_key", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name=op.f("fk_clients_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "client_id", name=op.f("pk_clients")),
        sa.UniqueConstraint("tenant_id", "name_key", name=op.f("uq_clients_tenant_id_name_key")),
    )
    op.create_table(
        "rmm_integrations",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("name_key", sa.String(), nullable=False),
        sa.Column("instance_url", sa.String(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("connected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settings", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("server_facts", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("last_sync_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_full_sync_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_incremental_sync_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sync_status", sa.String(), nullable=False),
        sa.Column("sync_error", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenants.tenant_id"],
            name=op.f("fk_rmm_integrations_tenant_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "integration_id", name=op.f("pk_rmm_integrations")),
        sa.UniqueConstraint("tenant_id", "name_key", name=op.f("uq_rmm_integrations_tenant_id_name_key")),
    )
    op.create_table(
        "users",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name=op.f("fk_users_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", name=op.f("pk_users")),
        sa.UniqueConstraint("tenant_id", "email", name=op.f("uq_users_tenant_id_email")),
    )
    op.create_table(
        "assets",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("asset_type", sa.String(), nullable=False),
        sa.Column("asset_type_overridden", sa.Boolean(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("serial_number", sa.String(), nullable=True),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("rmm_provider", sa.String(), nullable=True),
        sa.Column("rmm_integration_id", sa.Uuid(), nullable=True),
        sa.Column("rmm_device_id", sa.String(), nullable=True),
        sa.Column("rmm_organization_id", sa.String(), nullable=True),
        sa.Column("agent_status", sa.String(), nullable=False),
        sa.Column("never_reported", sa.Boolean(), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_rmm_sync_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "client_id"],
            ["clients.tenant_id", "clients.client_id"],
            name=op.f("fk_assets_tenant_id_client_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "rmm_integration_id"],
            ["rmm_integrations.tenant_id", "rmm_integrations.integration_id"],
            name=op.f("fk_assets_tenant_id_rmm_integration_id"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "asset_id", name=op.f("pk_assets")),
        sa.UniqueConstraint(
            "tenant_id",
            "rmm_integration_id",
            "rmm_device_id",
            name=op.f("uq_assets_tenant_id_rmm_integration_id_rmm_device_id"),
        ),
    )
    with op.batch_alter_table("assets", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_assets_tenant_id_client_id"), ["tenant_id", "client_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_assets_tenant_id_name"), ["tenant_id", "name"], unique=False)

    op.create_table(
        "rmm_integration_credentials",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("last_four", sa.String(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["rmm_integrations.tenant_id", "rmm_integrations.integration_id"],
            name=op.f("fk_rmm_integration_credentials_tenant_id_integration_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "integration_id", "name", name=op.f("pk_rmm_integration_credentials")
        ),
    )
    op.create_table(
        "rmm_organization_mappings",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("external_organization_id", sa.String(), nullable=False),
        sa.Column("external_organization_name", sa.String(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=True),
        sa.Column("auto_sync_assets", sa.Boolean(), nullable=False),
        sa.Column("device_count", sa.Integer(), nullable=True),
        sa.Column("sites", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("missing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "client_id"],
            ["clients.tenant_id", "clients.client_id"],
            name=op.f("fk_rmm_organization_mappings_tenant_id_client_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["rmm_integrations.tenant_id", "rmm_integrations.integration_id"],
            name=op.f("fk_rmm_organization_mappings_tenant_id_integration_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id",
            "integration_id",
            "external_organization_id",
            name=op.f("pk_rmm_organization_mappings"),
        ),
    )
    with op.batch_alter_table("rmm_organization_mappings", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_rmm_organization_mappings_tenant_id_client_id"),
            ["tenant_id", "client_id"],
            unique=False,
        )

    op.create_table(
        "sync_runs",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("sync_type", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("trigger", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("lease_owner", sa.String(), nullable=True),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("duration_ms", sa.BigInteger(), nullable=True),
        sa.Column("phase", sa.String(), nullable=False),
        sa.Column("cursor", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("progress_total", sa.Integer(), nullable=True),
        sa.Column("processed", sa.Integer(), nullable=False),
        sa.Column("created", sa.Integer(), nullable=False),
        sa.Column("updated", sa.Integer(), nullable=False),
        sa.Column("unchanged", sa.Integer(), nullable=False),
        sa.Column("missing", sa.Integer(), nullable=False),
        sa.Column("deleted", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("bytes_received", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["rmm_integrations.tenant_id", "rmm_integrations.integration_id"],
            name=op.f("fk_sync_runs_tenant_id_integration_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "run_id", name=op.f("pk_sync_runs")),
    )
    with op.batch_alter_table("sync_runs", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_sync_runs_tenant_id_integration_id_started_at"),
            ["tenant_id", "integration_id", "started_at"],
            unique=False,
        )
        batch_op.create_index(
            "uq_sync_runs_running",
            ["tenant_id", "integration_id"],
            unique=True,
            sqlite_where=sa.text("status = 'running'"),
            postgresql_where=sa.text("status = 'running'"),
        )

    op.create_table(
        "asset_changes",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("change_id", sa.Uuid(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("field", sa.String(), nullable=False),
        sa.Column("old_value", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.Column("new_value", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.Column("cause", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "asset_id"],
            ["assets.tenant_id", "assets.asset_id"],
            name=op.f("fk_asset_changes_tenant_id_asset_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "change_id", name=op.f("pk_asset_changes")),
    )
    with op.batch_alter_table("asset_changes", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_asset_changes_tenant_id_asset_id_changed_at"),
            ["tenant_id", "asset_id", "changed_at"],
            unique=False,
        )

    op.create_table(
        "rmm_alerts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("alert_id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("external_alert_id", sa.String(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "asset_id"],
            ["assets.tenant_id", "assets.asset_id"],
            name=op.f("fk_rmm_alerts_tenant_id_asset_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["rmm_integrations.tenant_id", "rmm_integrations.integration_id"],
            name=op.f("fk_rmm_alerts_tenant_id_integration_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "alert_id", name=op.f("pk_rmm_alerts")),
        sa.UniqueConstraint(
            "tenant_id",
            "integration_id",
            "external_alert_id",
            name=op.f("uq_rmm_alerts_tenant_id_integration_id_external_alert_id"),
        ),
    )
    with op.batch_alter_table("rmm_alerts", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_rmm_alerts_tenant_id_integration_id_status"),
            ["tenant_id", "integration_id", "status"],
            unique=False,
        )

    op.create_table(
        "server_assets",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("os_type", sa.String(), nullable=True),
        sa.Column("os_version", sa.String(), nullable=True),
        sa.Column("agent_version", sa.String(), nullable=True),
        sa.Column("make", sa.String(), nullable=True),
        sa.Column("model", sa.String(), nullable=True),
        sa.Column("cpu_model", sa.String(), nullable=True),
        sa.Column("cpu_cores", sa.Integer(), nullable=True),
        sa.Column("ram_gb", sa.Double(), nullable=True),
        sa.Column("gpu_model", sa.String(), nullable=True),
        sa.Column("disks", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.Column("physical_disks", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.Column("boot_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("current_user", sa.String(), nullable=True),
        sa.Column("last_user", sa.String(), nullable=True),
        sa.Column("lan_ip", sa.String(), nullable=True),
        sa.Column("lan_ips", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.Column("wan_ip", sa.String(), nullable=True),
        sa.Column("needs_reboot", sa.Boolean(), nullable=True),
        sa.Column("maintenance_mode", sa.Boolean(), nullable=True),
        sa.Column("pending_patches", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "asset_id"],
            ["assets.tenant_id", "assets.asset_id"],
            name=op.f("fk_server_assets_tenant_id_asset_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "asset_id", name=op.f("pk_server_assets")),
    )
    op.create_table(
        "sync_run_entries",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("entry_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("item_type", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("external_id", sa.String(), nullable=True),
        sa.Column("organization_id", sa.String(), nullable=True),
        sa.Column("asset_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("message", sa.String(), nullable=True),
        sa.Column("changes", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "run_id"],
            ["sync_runs.tenant_id", "sync_runs.run_id"],
            name=op.f("fk_sync_run_entries_tenant_id_run_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "run_id", "entry_number", name=op.f("pk_sync_run_entries")),
    )
    op.create_table(
        "tenant_external_entity_mappings",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("entity_type", sa.String(), nullable=False),
        sa.Column("external_entity_id", sa.String(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("external_realm_id", sa.String(), nullable=False),
        sa.Column("external_pk", sa.BigInteger(), nullable=True),
        sa.Column("metadata", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("light_hash", sa.String(), nullable=True),
        sa.Column("detail_hash", sa.String(), nullable=True),
        sa.Column("detail_read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("missing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "asset_id"],
            ["assets.tenant_id", "assets.asset_id"],
            name=op.f("fk_tenant_external_entity_mappings_tenant_id_asset_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["rmm_integrations.tenant_id", "rmm_integrations.integration_id"],
            name=op.f("fk_tenant_external_entity_mappings_tenant_id_integration_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id",
            "integration_id",
            "entity_type",
            "external_entity_id",
            name=op.f("pk_tenant_external_entity_mappings"),
        ),
    )
    with op.batch_alter_table("tenant_external_entity_mappings", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_tenant_external_entity_mappings_tenant_id_asset_id"),
            ["tenant_id", "asset_id"],
            unique=False,
        )

    op.create_table(
        "workstation_assets",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("os_type", sa.String(), nullable=True),
        sa.Column("os_version", sa.String(), nullable=True),
        sa.Column("agent_version", sa.String(), nullable=True),
        sa.Column("make", sa.String(), nullable=True),
        sa.Column("model", sa.String(), nullable=True),
        sa.Column("cpu_model", sa.String(), nullable=True),
        sa.Column("cpu_cores", sa.Integer(), nullable=True),
        sa.Column("ram_gb", sa.Double(), nullable=True),
        sa.Column("gpu_model", sa.String(), nullable=True),
        sa.Column("disks", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.Column("physical_disks", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.Column("boot_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("current_user", sa.String(), nullable=True),
        sa.Column("last_user", sa.String(), nullable=True),
        sa.Column("lan_ip", sa.String(), nullable=True),
        sa.Column("lan_ips", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.Column("wan_ip", sa.String(), nullable=True),
        sa.Column("needs_reboot", sa.Boolean(), nullable=True),
        sa.Column("maintenance_mode", sa.Boolean(), nullable=True),
        sa.Column("pending_patches", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "asset_id"],
            ["assets.tenant_id", "assets.asset_id"],
            name=op.f("fk_workstation_assets_tenant_id_asset_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "asset_id", name=op.f("pk_workstation_assets")),
    )
