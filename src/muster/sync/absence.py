"""What the absence of a device or an organization means. Pure; nothing here deletes anything."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from muster.providers.contract import RosterEntry
from muster.sync.types import Action, Entry, KnownDevice

# Below this number a share says little: one of three machines retired is nothing to stop for.
FEW = 5


@dataclass(frozen=True, slots=True)
class Absence:
    """Devices missing now (`missing`, of which `newly` for the first time), and whether that is so many
    that a person has to look first (`held`).
    """

    missing: tuple[str, ...]
    newly: tuple[str, ...]
    entries: tuple[Entry, ...]
    held: bool


def judge(
    known: Mapping[str, KnownDevice],
    seen: Collection[str],
    *,
    complete: Collection[str],
    wanted: Mapping[str, str],
    roster: Mapping[str, RosterEntry],
    share: float,
    accept: bool,
) -> Absence:
    """Which devices are missing. Only an organization whose snapshot is proved complete by the server's own
    count says so, and only for devices that the server's list of all visible devices does not hold either.

    `complete` holds the ids of organizations read to the end; `wanted` names those that bring assets in.
    """
    missing: list[str] = []
    entries: list[Entry] = []
    expected = 0
    for external_id, device in known.items():
        organization = device.entity.external_realm_id
        if device.retired or organization not in wanted:
            continue
        expected += organization in complete
        if external_id in seen:
            continue
        if listed := roster.get(external_id):
            if listed.organization_name != wanted[organization]:
                entries.append(_elsewhere(external_id, device, listed))
        elif organization in complete:
            missing.append(external_id)
    newly = [eid for eid in missing if known[eid].entity.missing_since is None]
    held = len(newly) >= FEW and len(newly) > share * expected and not accept
    action, reason = (Action.HELD, "too_many_missing") if held else (Action.MISSING, "not_listed")
    entries.extend(
        Entry(
            item_type="device",
            action=action,
            reason=reason,
            external_id=eid,
            organization_id=known[eid].entity.external_realm_id,
            asset_id=known[eid].entity.asset_id,
            message="The server's complete list does not hold this device any more.",
        )
        for eid in newly
    )
    return Absence(missing=tuple(missing), newly=tuple(newly), entries=tuple(entries), held=held)


def _elsewhere(external_id: str, device: KnownDevice, listed: RosterEntry) -> Entry:
    return Entry(
        item_type="device",
        action=Action.SKIPPED,
        reason="organization_not_mapped",
        external_id=external_id,
        organization_id=device.entity.external_realm_id,
        asset_id=device.entity.asset_id,
        message=(
            f"The server lists it under {listed.organization_name or 'another organization'}, "
            "which brings no assets in or could not be read."
        ),
    )
