"""The settings that every step works with."""

from __future__ import annotations

import os

from benchmarks.values import Order
from muster import settings as muster_settings


def load_settings(order: Order) -> muster_settings.Settings:
    """Muster's settings for the order's database, whatever the environment says."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")}
    return muster_settings.load(
        {**kept, "MUSTER_DATA_DIR": order.folder, "MUSTER_DATABASE_URL": order.database_url}
    )
