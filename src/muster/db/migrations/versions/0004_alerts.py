"""Alerts. There is no way back but a backup: going down would lose data."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema up."""
    if op.get_context().dialect.name == "postgresql":
        op.alter_column("assets", "user_key", type_=sa.String(collation="C"), existing_nullable=True)
    with op.batch_alter_table("assets", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_assets_tenant_id_user_key_asset_id_retired_at"),
            ["tenant_id", "user_key", "asset_id", "retired_at"],
            unique=False,
        )
