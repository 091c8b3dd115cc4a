"""An asset's history in words: what changed, from what to what, and by whom or what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from muster.assets.filters import PLATFORM_WORDS, TYPE_WORDS
from muster.assets.schemas import ChangeView
from muster.naming import as_id
from muster.web.wording import exact

_LABELS: Mapping[str, str] = {
    "name": "Name",
    "asset_type": "Type",
    "client_id": "Client",
    "rmm_organization_id": "Organization",
    "never_reported": "Never reported",
    "serial_number": "Serial number",
    "description": "Description",
    "os_type": "Platform",
    "os_version": "System",
    "agent_version": "Agent",
    "make": "Make",
    "model": "Model",
    "cpu_model": "Processor",
    "cpu_cores": "Processor cores",
    "ram_gb": "Memory",
    "gpu_model": "Graphics",
    "physical_disks": "Physical disks",
    "current_user": "Current user",
    "last_user": "Last user",
    "lan_ip": "LAN IP",
    "lan_ips": "LAN IPs",
    "wan_ip": "WAN IP",
    "needs_reboot": "Needs reboot",
    "maintenance_mode": "Maintenance mode",
    "pending_patches": "Pending patches",
}
_WORDS = {"asset_type": TYPE_WORDS, "os_type": PLATFORM_WORDS}
_MOVES = frozenset({"client_id", "rmm_organization_id"})


@dataclass(frozen=True, slots=True)
class Told:
    """A change as the timeline shows it. Its cause is a run (`run_id`) or a person."""

    at: datetime
    label: str
    icon: str
    old: str | None
    new: str | None
    run_id: UUID | None
    person: str | None


def clients_in(changes: Sequence[ChangeView]) -> set[UUID]:
    """The clients that changes speak of, by their ids."""
    values = {
        value for each in changes if each.field == "client_id" for value in (each.old_value, each.new_value)
    }
    return {found for value in values if isinstance(value, str) and (found := as_id(value)) is not None}


def told(changes: Sequence[ChangeView], clients: Mapping[UUID, str]) -> Sequence[Told]:
    """The changes in words; `clients` are the names of `clients_in`."""
    return [_told(change, clients) for change in changes]


def _told(change: ChangeView, clients: Mapping[UUID, str]) -> Told:
    run_id = as_id(change.cause)
    icon = "pencil" if run_id is not None else "user"
    label = _LABELS.get(change.field, change.field.replace("_", " ").capitalize())
    return Told(
        at=change.changed_at,
        label=f"{label} set by hand" if run_id is None else label,
        icon="arrow-right" if change.field in _MOVES and run_id is not None else icon,
        old=_value(change.field, change.old_value, clients),
        new=_value(change.field, change.new_value, clients),
        run_id=run_id,
        person=None if run_id is not None else change.cause,
    )


def _value(field: str, value: Any, clients: Mapping[UUID, str]) -> str | None:
    match value:
        case None | "" | []:
            return None
        case bool():
            return "Yes" if value else "No"
        case list():
            return ", ".join(str(each) for each in value)
        case datetime():
            return exact(value)
    text = str(value)
    if field == "client_id":
        found = as_id(text)
        return clients.get(found, "a client that is gone") if found is not None else text
    if field == "ram_gb":
        return f"{text} GB"
    return _WORDS.get(field, {}).get(text, text)
