"""What is looked after now and then, in all rooms: what was forgotten, and what is old enough to go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

from muster.alerts import upkeep as alert_upkeep
from muster.bootstrap import Application, inbound, outbound
from muster.jobs.sweeper import Sweep
from muster.software import upkeep as software_upkeep
from muster.sync import upkeep as sync_upkeep

_EVERY = timedelta(hours=1)


def sweeps(application: Application, asked: Callable[[], None]) -> Sequence[Sweep]:
    """Everything that a sweeper does; `asked` is called when it has asked for jobs."""
    database, settings = application.database, application.settings
    alerts = partial(alert_upkeep.delete_old, database, settings.alert_retention_days)
    runs = partial(sync_upkeep.delete_old, database, settings.run_retention_days)
    software = partial(software_upkeep.delete_old, database, settings.software_retention_days)
    return (
        *inbound.sweeps(database, application.secrets, settings, asked),
        *outbound.sweeps(database, settings, asked),
        Sweep("old_alerts", alerts, every=_EVERY),
        Sweep("old_runs", runs, every=_EVERY),
        Sweep("old_software", software, every=_EVERY),
    )
