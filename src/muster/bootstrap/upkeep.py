"""What is deleted by itself once it is old enough."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from muster.alerts import upkeep as alert_upkeep
from muster.db import Database
from muster.jobs.sweeper import Sweep
from muster.settings import Settings
from muster.sync import upkeep as sync_upkeep

_EVERY = timedelta(hours=1)


def sweeps(database: Database, settings: Settings) -> Sequence[Sweep]:
    """What keeps the tables of the main rooms from growing for ever."""
    alerts = partial(alert_upkeep.delete_old, database, settings.alert_retention_days)
    runs = partial(sync_upkeep.delete_old, database, settings.run_retention_days)
    return Sweep("old_alerts", alerts, every=_EVERY), Sweep("old_runs", runs, every=_EVERY)
