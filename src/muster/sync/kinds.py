"""The kinds of sync that a person meets: what each is called, how it is asked for, when it runs by itself.

A room that brings another sync adds its kind here, and it has a row in the panel and a filter in the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from muster.errors import Conflict, InvalidInput
from muster.integrations.schemas import IntegrationView
from muster.providers import registry
from muster.providers.contract import Capability
from muster.sync.types import SyncMode, SyncType

# How far back a backfill of alerts may go, and does where nobody says; and where its run keeps that.
MOST_DAYS, USUAL_DAYS = 3650, 30
DAYS = "days"
# Where a run of software keeps how many programs were listed by first reports, installed, updated, removed.
CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncKind:
    """`label` names it in a table, `title` on a page of its own, `button` is what starts it, `things` what it
    counts. `schedule` is the kind of schedule that runs it by itself, `detail` what sets it apart. `needs` is
    what a provider must be able to do for it. With `takes_days` somebody says how far back it goes.
    """

    key: str
    label: str
    title: str
    button: str
    things: str
    sync_type: SyncType
    mode: SyncMode
    schedule: str | None = None
    detail: str | None = None
    in_panel: bool = True
    needs: Capability | None = None
    takes_days: bool = False


ORGANIZATIONS = SyncKind(
    key="organizations",
    label="Clients",
    title="Client sync",
    button="Sync clients",
    things="organizations",
    sync_type=SyncType.ORGANIZATIONS,
    mode=SyncMode.FULL,
)
DEVICES = SyncKind(
    key="devices",
    label="Devices",
    title="Device sync",
    button="Sync devices",
    things="devices",
    sync_type=SyncType.DEVICES,
    mode=SyncMode.INCREMENTAL,
    schedule="devices_refresh",
)
DEVICES_FULL = SyncKind(
    key="devices_full",
    label="Devices, full",
    title="Device sync, full",
    button="Full sync",
    things="devices",
    sync_type=SyncType.DEVICES,
    mode=SyncMode.FULL,
    schedule="devices_full",
    detail="with hardware",
)
DEVICE = SyncKind(
    key="device",
    label="Single devices",
    title="Device refresh",
    button="Refresh",
    things="devices",
    sync_type=SyncType.DEVICES,
    mode=SyncMode.SINGLE,
    in_panel=False,
)
ALERTS = SyncKind(
    key="alerts",
    label="Alerts",
    title="Alert sync",
    button="Sync alerts",
    things="alerts",
    sync_type=SyncType.ALERTS,
    mode=SyncMode.INCREMENTAL,
    schedule="alerts",
    needs=Capability.ALERTS,
)
ALERTS_BACKFILL = SyncKind(
    key="alerts_backfill",
    label="Alert history",
    title="Alert backfill",
    button="Backfill",
    things="alerts",
    sync_type=SyncType.ALERTS,
    mode=SyncMode.FULL,
    schedule="alerts_backfill",
    needs=Capability.ALERTS,
    takes_days=True,
)
SOFTWARE = SyncKind(
    key="software",
    label="Software",
    title="Software ingest",
    button="Ingest software",
    things="devices",
    sync_type=SyncType.SOFTWARE,
    mode=SyncMode.FULL,
    schedule="software",
    needs=Capability.SOFTWARE,
)

KINDS: Mapping[str, SyncKind] = {
    kind.key: kind
    for kind in (ORGANIZATIONS, DEVICES, DEVICES_FULL, DEVICE, ALERTS, ALERTS_BACKFILL, SOFTWARE)
}
PANEL = tuple(kind for kind in KINDS.values() if kind.in_panel)


def get(key: str) -> SyncKind:
    """The kind with this key, one that can be asked for; InvalidInput tells which there are."""
    kind = KINDS.get(key)
    if kind is None or not kind.in_panel:
        known = ", ".join(each.key for each in PANEL)
        raise InvalidInput(f"There is no sync {key[:60]!r}.", remedy=f"There is: {known}.")
    return kind


def of(sync_type: str, mode: str) -> SyncKind:
    """The kind of a run."""
    return next(kind for kind in KINDS.values() if (kind.sync_type, kind.mode) == (sync_type, mode))


def offered(view: IntegrationView) -> Sequence[SyncKind]:
    """The kinds that the panel of an integration shows: those that its provider can do."""
    able = registry.capabilities(view.provider)
    return [kind for kind in PANEL if kind.needs is None or kind.needs in able]


def check_days(kind: SyncKind, days: int | None) -> None:
    """InvalidInput for a number of days that a backfill of alerts cannot have, or any other sync has."""
    if not kind.takes_days:
        if days is not None:
            raise InvalidInput(f"{kind.title}: it takes no number of days.")
    elif days is None or not 1 <= days <= MOST_DAYS:
        raise InvalidInput(
            f"{kind.title}: 1 to {MOST_DAYS:,} days; {days} is not possible.", remedy="Choose another number."
        )


def check_offered(kind: SyncKind, view: IntegrationView) -> None:
    """Conflict for a kind that the integration's provider cannot do."""
    if kind.needs is not None and kind.needs not in registry.capabilities(view.provider):
        raise Conflict(
            f"{view.provider_name} gives Muster no {kind.label.lower()}.",
            remedy=f"There is nothing to sync for {view.name}.",
            code="not_offered",
        )
