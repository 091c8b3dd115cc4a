"""Which other agent looks like the same machine. Pure; a person decides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from muster.assets.missing.schemas import Difference
from muster.assets.types import AssetContent

_COMPARED = ("name", "os_version", "serial_number", "model")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What tells one machine from another. `met_at` is when Muster made its asset."""

    asset_id: UUID
    name: str
    serial_number: str | None
    client_id: UUID
    site_name: str | None
    met_at: datetime


def shared(one: Machine, other: Machine) -> tuple[str, ...]:
    """What two machines have in common, the most telling first. Serial numbers and names are compared
    without regard to case.
    """
    same_client = one.client_id == other.client_id
    found = {
        "serial_number": bool(one.serial_number) and _folded(one) == _folded(other),
        "name": one.name.casefold() == other.name.casefold(),
        "client": same_client,
        "site": same_client and one.site_name is not None and one.site_name == other.site_name,
    }
    return tuple(name for name, same in found.items() if same)


def successor(missing: Machine, others: Iterable[Machine]) -> Machine | None:
    """The newer machine that is probably the missing one with another agent: the same serial number
    anywhere, or the same name at the same client. Of several the one with most in common, then the newest.
    """
    found = [
        (shared(missing, other), other)
        for other in others
        if other.asset_id != missing.asset_id and other.met_at > missing.met_at
    ]
    likely = [(same, other) for same, other in found if _is_telling(same)]
    if not likely:
        return None
    return max(likely, key=lambda each: (*_weight(each[0]), each[1].met_at, each[1].asset_id))[1]


def compared(old: AssetContent, new: AssetContent) -> Sequence[Difference]:
    """The fields that help a person to decide, as far as either machine tells them."""
    pairs = ((name, getattr(old, name), getattr(new, name)) for name in _COMPARED)
    return [
        Difference(field=name, old=before, new=after)
        for name, before, after in pairs
        if before is not None or after is not None
    ]


def _folded(machine: Machine) -> str | None:
    return machine.serial_number.strip().casefold() if machine.serial_number else None


def _is_telling(same: Sequence[str]) -> bool:
    return "serial_number" in same or ("name" in same and "client" in same)


def _weight(same: Sequence[str]) -> tuple[bool, ...]:
    return tuple(name in same for name in ("serial_number", "name", "client", "site"))
