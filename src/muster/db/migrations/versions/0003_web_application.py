"""Web application. There is no way back but a backup: going down would lose data."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from muster.db import row_security

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema up."""
    op.create_table(
        "setup_tokens",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_setup_tokens")),
    )
    op.create_table(
        "audit_entries",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject_type", sa.String(), nullable=False),
        sa.Column("subject_id", sa.String(), nullable=True),
        sa.Column("subject", sa.String(), nullable=True),
        sa.Column("detail", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name=op.f("fk_audit_entries_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "entry_id", name=op.f("pk_audit_entries")),
    )
    with op.batch_alter_table("audit_entries", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_entries_tenant_id_at"), ["tenant_id", "at"], unique=False)

    op.create_table(
        "fleet_samples",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("sampled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("online", sa.Integer(), nullable=False),
        sa.Column("offline", sa.Integer(), nullable=False),
        sa.Column("overdue", sa.Integer(), nullable=False),
        sa.Column("unknown", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.tenant_id"], name=op.f("fk_fleet_samples_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "sampled_at", name=op.f("pk_fleet_samples")),
    )
    op.create_table(
        "contacts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("phone", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "client_id"],
            ["clients.tenant_id", "clients.client_id"],
            name=op.f("fk_contacts_tenant_id_client_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "contact_id", name=op.f("pk_contacts")),
        sa.UniqueConstraint(
            "tenant_id", "client_id", "contact_id", name=op.f("uq_contacts_tenant_id_client_id_contact_id")
        ),
    )
    op.create_table(
        "user_sessions",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("address", sa.String(), nullable=True),
        sa.Column("user_agent", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["users.tenant_id", "users.user_id"],
            name=op.f("fk_user_sessions_tenant_id_user_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "session_id", name=op.f("pk_user_sessions")),
    )
    with op.batch_alter_table("user_sessions", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_user_sessions_tenant_id_user_id"), ["tenant_id", "user_id"], unique=False
        )

    op.create_table(
        "asset_links",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("merged_asset_id", sa.Uuid(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("linked_by", sa.String(), nullable=True),
        sa.Column("before", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "asset_id"],
            ["assets.tenant_id", "assets.asset_id"],
            name=op.f("fk_asset_links_tenant_id_asset_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "merged_asset_id"],
            ["assets.tenant_id", "assets.asset_id"],
            name=op.f("fk_asset_links_tenant_id_merged_asset_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "merged_asset_id", name=op.f("pk_asset_links")),
    )
    with op.batch_alter_table("asset_links", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_asset_links_tenant_id_asset_id"), ["tenant_id", "asset_id"], unique=False
        )

    with op.batch_alter_table("assets", schema=None) as batch_op:
        batch_op.add_column(sa.Column("retired_by", sa.String(), nullable=True))
        batch_op.add_column(
            sa.Column(
                "name_key",
                sa.String().with_variant(sa.String(collation="C"), "postgresql"),
                server_default=sa.text("('')"),
                nullable=False,
            )
        )
        batch_op.add_column(
            sa.Column("search_text", sa.String(), server_default=sa.text("('')"), nullable=False)
        )
        batch_op.add_column(sa.Column("os_type", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("system_key", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("user_key", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("lan_ip_number", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("needs_reboot", sa.Boolean(), nullable=True))
        batch_op.add_column(sa.Column("maintenance_mode", sa.Boolean(), nullable=True))
        batch_op.drop_index(batch_op.f("ix_assets_tenant_id_name"))
        batch_op.create_index(
            batch_op.f("ix_assets_tenant_id_name_key_asset_id_retired_at"),
            ["tenant_id", "name_key", "asset_id", "retired_at"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_assets_tenant_id_retired_at"),
            ["tenant_id", "retired_at"],
            unique=False,
            sqlite_where=sa.text("retired_at IS NOT NULL"),
            postgresql_where=sa.text("retired_at IS NOT NULL"),
        )
        batch_op.create_index(
            batch_op.f("ix_assets_tenant_id_serial_number"), ["tenant_id", "serial_number"], unique=False
        )

    with op.batch_alter_table("rmm_integrations", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("last_check", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True)
        )

    with op.batch_alter_table("rmm_organization_mappings", schema=None) as batch_op:
        batch_op.add_column(sa.Column("default_contact_id", sa.Uuid(), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_rmm_organization_mappings_tenant_id_client_id_default_contact_id"),
            "contacts",
            ["tenant_id", "client_id", "default_contact_id"],
            ["tenant_id", "client_id", "contact_id"],
        )

    with op.batch_alter_table("sync_runs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("started_by", sa.String(), nullable=True))

    with op.batch_alter_table("tenant_external_entity_mappings", schema=None) as batch_op:
        batch_op.add_column(sa.Column("last_missed_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("missed_answers", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("kept_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("kept_by", sa.String(), nullable=True))
        batch_op.create_index(
            batch_op.f("ix_tenant_external_entity_mappings_tenant_id_missing_since"),
            ["tenant_id", "missing_since"],
            unique=False,
            sqlite_where=sa.text("missing_since IS NOT NULL"),
            postgresql_where=sa.text("missing_since IS NOT NULL"),
        )

    with op.batch_alter_table("users", schema=None) as batch_op:
        batch_op.add_column(sa.Column("name", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("last_login_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index(batch_op.f("ix_users_email"), ["email"], unique=False)
    row_security.protect(
        op.get_bind(), "asset_links", "audit_entries", "contacts", "fleet_samples", "user_sessions"
    )
