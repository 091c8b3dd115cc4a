"""Software. There is no way back but a backup: going down would lose data."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from muster.db import row_security

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema up."""
    op.create_table(
        "software_catalog",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("software_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("publisher", sa.String(), nullable=True),
        sa.Column(
            "name_key", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column(
            "publisher_key", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenants.tenant_id"],
            name=op.f("fk_software_catalog_tenant_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "software_id", name=op.f("pk_software_catalog")),
        sa.UniqueConstraint(
            "tenant_id",
            "name_key",
            "publisher_key",
            name=op.f("uq_software_catalog_tenant_id_name_key_publisher_key"),
        ),
    )
    op.create_table(
        "software_readings",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["rmm_integrations.tenant_id", "rmm_integrations.integration_id"],
            name=op.f("fk_software_readings_tenant_id_integration_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "integration_id", name=op.f("pk_software_readings")),
    )
    op.create_table(
        "software_versions",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("software_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column(
            "version_key", sa.String().with_variant(sa.String(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "software_id"],
            ["software_catalog.tenant_id", "software_catalog.software_id"],
            name=op.f("fk_software_versions_tenant_id_software_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "version_id", name=op.f("pk_software_versions")),
        sa.UniqueConstraint(
            "tenant_id",
            "software_id",
            "version",
            name=op.f("uq_software_versions_tenant_id_software_id_version"),
        ),
    )
    with op.batch_alter_table("software_versions", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_software_versions_tenant_id_software_id_version_key_version_id"),
            ["tenant_id", "software_id", "version_key", "version_id"],
            unique=False,
        )

    op.create_table(
        "asset_software",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("software_id", sa.Uuid(), nullable=False),
        sa.Column("installed_on", sa.Date(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.String(), nullable=True),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "asset_id"],
            ["assets.tenant_id", "assets.asset_id"],
            name=op.f("fk_asset_software_tenant_id_asset_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "version_id"],
            ["software_versions.tenant_id", "software_versions.version_id"],
            name=op.f("fk_asset_software_tenant_id_version_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "asset_id", "version_id", name=op.f("pk_asset_software")),
    )
    with op.batch_alter_table("asset_software", schema=None) as batch_op:
        batch_op.create_index(
            "ix_asset_software_present",
            ["tenant_id", "software_id", "version_id", "asset_id", "removed_at"],
            unique=False,
            sqlite_where=sa.text("removed_at IS NULL"),
            postgresql_where=sa.text("removed_at IS NULL"),
        )
        batch_op.create_index(
            batch_op.f("ix_asset_software_tenant_id_removed_at"),
            ["tenant_id", "removed_at"],
            unique=False,
            sqlite_where=sa.text("removed_at IS NOT NULL"),
            postgresql_where=sa.text("removed_at IS NOT NULL"),
        )

    op.create_table(
        "software_changes",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("change_id", sa.Uuid(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("software_id", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("from_version_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "asset_id"],
            ["assets.tenant_id", "assets.asset_id"],
            name=op.f("fk_software_changes_tenant_id_asset_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "version_id"],
            ["software_versions.tenant_id", "software_versions.version_id"],
            name=op.f("fk_software_changes_tenant_id_version_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "change_id", name=op.f("pk_software_changes")),
    )
    with op.batch_alter_table("software_changes", schema=None) as batch_op:
        batch_op.create_index(
            "ix_software_changes_listed",
            ["tenant_id", "changed_at", "change_id", "kind", "asset_id"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_software_changes_tenant_id_asset_id_changed_at"),
            ["tenant_id", "asset_id", "changed_at"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_software_changes_tenant_id_software_id_changed_at"),
            ["tenant_id", "software_id", "changed_at"],
            unique=False,
        )

    op.create_table(
        "software_reports",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("asset_id", sa.Uuid(), nullable=False),
        sa.Column("integration_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("installs", sa.Integer(), nullable=False),
        sa.Column("first_reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("missed_since", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "asset_id"],
            ["assets.tenant_id", "assets.asset_id"],
            name=op.f("fk_software_reports_tenant_id_asset_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "integration_id"],
            ["rmm_integrations.tenant_id", "rmm_integrations.integration_id"],
            name=op.f("fk_software_reports_tenant_id_integration_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "asset_id", name=op.f("pk_software_reports")),
    )
    with op.batch_alter_table("software_reports", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_software_reports_tenant_id_integration_id"),
            ["tenant_id", "integration_id"],
            unique=False,
        )
    row_security.protect(
        op.get_bind(),
        "asset_software",
        "software_catalog",
        "software_changes",
        "software_readings",
        "software_reports",
        "software_versions",
    )
