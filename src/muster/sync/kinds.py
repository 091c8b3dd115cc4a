"""The kinds of sync that a person meets: what each is called, how it is asked for, when it runs by itself.

A room that brings another sync adds its kind here, and it has a row in the panel and a filter in the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from muster.errors import InvalidInput
from muster.sync.types import SyncMode, SyncType


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncKind:
    """`label` names it in a table, `title` on a page of its own, `button` is what starts it, `things` what it
    counts. `schedule` is the kind of schedule that runs it by itself, `detail` what sets it apart.
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
    label="One device",
    title="Refresh of one device",
    button="Refresh",
    things="devices",
    sync_type=SyncType.DEVICES,
    mode=SyncMode.SINGLE,
    in_panel=False,
)

KINDS: Mapping[str, SyncKind] = {kind.key: kind for kind in (ORGANIZATIONS, DEVICES, DEVICES_FULL, DEVICE)}
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
