"""What runs by schedule. A room that has something to add puts it here, and the handler of its job into
bootstrap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from muster.errors import InvalidInput
from muster.providers import registry
from muster.providers.contract import Capability
from muster.schedules.types import JobOrder, ScheduleKind

DEVICES_REFRESH, DEVICES_FULL = "devices_refresh", "devices_full"
ALERTS, ALERTS_BACKFILL = "alerts", "alerts_backfill"
SOFTWARE, WEBHOOK = "software", "webhook"
# In place of a sync, while an integration is paused.
CHECK = JobOrder("check_integration")


# Days that the daily backfill of alerts goes back: a run that failed costs nothing.
_BACK = 2


def _devices(mode: str) -> JobOrder:
    return JobOrder("sync_devices", {"mode": mode}, (mode,))


KINDS: Mapping[str, ScheduleKind] = {
    kind.name: kind
    for kind in (
        ScheduleKind(
            name=DEVICES_FULL,
            title="Devices with hardware",
            minutes=1440,
            least=60,
            most=10_080,
            order=_devices("full"),
            covers=frozenset({DEVICES_REFRESH}),
        ),
        ScheduleKind(
            name=DEVICES_REFRESH,
            title="Devices, light",
            minutes=15,
            least=5,
            most=1440,
            order=_devices("incremental"),
        ),
        # What was raised and ended while Muster was down is not among the open ones any more.
        ScheduleKind(
            name=ALERTS_BACKFILL,
            title="Alert history",
            minutes=1440,
            least=60,
            most=10_080,
            order=JobOrder("sync_alerts", {"days": _BACK}, ("backfill",)),
            covers=frozenset({ALERTS}),
            needs=Capability.ALERTS,
            apart=True,
        ),
        ScheduleKind(
            name=ALERTS,
            title="Alerts",
            minutes=10,
            least=5,
            most=1440,
            order=JobOrder("sync_alerts"),
            needs=Capability.ALERTS,
            apart=True,
        ),
        ScheduleKind(
            name=SOFTWARE,
            title="Software",
            minutes=1440,
            least=60,
            most=10_080,
            order=JobOrder("sync_software"),
            needs=Capability.SOFTWARE,
            apart=True,
        ),
        ScheduleKind(
            name=WEBHOOK,
            title="Check of the webhook",
            minutes=1440,
            least=1440,
            most=10_080,
            order=JobOrder("check_webhook"),
            needs=Capability.WEBHOOK,
            apart=True,
        ),
    )
}
_TRIED: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("devices", "full"): (DEVICES_FULL, DEVICES_REFRESH),
    ("devices", "incremental"): (DEVICES_REFRESH,),
    ("alerts", "full"): (ALERTS_BACKFILL, ALERTS),
    ("alerts", "incremental"): (ALERTS,),
    ("software", "full"): (SOFTWARE,),
}


def get(name: str) -> ScheduleKind:
    """The kind of this name; InvalidInput tells which there are."""
    kind = KINDS.get(name.strip().lower().replace("-", "_"))
    if kind is None:
        raise InvalidInput(
            f"Nothing runs by the schedule {name[:60]!r}.", remedy=f"There is: {', '.join(KINDS)}."
        )
    return kind


def offered(provider: str) -> Sequence[ScheduleKind]:
    """The kinds that an integration of this provider can have."""
    able = registry.capabilities(provider)
    return [kind for kind in KINDS.values() if kind.needs is None or kind.needs in able]


def tried_by(sync_type: str, mode: str) -> tuple[str, ...]:
    """The kinds whose work a sync of this type and mode does."""
    return _TRIED.get((sync_type, mode), ())
