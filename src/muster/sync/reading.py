"""How far a sync under way is with each organization. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from muster.mappings.schemas import MappingView

# Lines that a page shows; a sync of hundreds of organizations is past most of them at any moment.
SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One organization: `read` of the `total` that the server counts. `state` is reading, waiting, read, or
    empty where there is nothing to read.
    """

    name: str
    read: int
    total: int
    state: str


def readings(
    mappings: Sequence[MappingView], reads: Mapping[str, int], ended: Collection[str]
) -> tuple[Sequence[Reading], int]:
    """The organizations that are read, those under way first and then those that wait; and how many more
    there are. `reads` counts by the server's id, `ended` are done with.
    """
    found = [
        _reading(view, reads.get(view.external_organization_id), view.external_organization_id in ended)
        for view in mappings
        if view.client_id is not None and view.auto_sync_assets and view.missing_since is None
    ]
    if len(found) > SHOWN:
        places = {"reading": 0, "waiting": 1, "read": 2, "empty": 3}
        found.sort(key=lambda each: places[each.state])
    return found[:SHOWN], max(len(found) - SHOWN, 0)


def _reading(view: MappingView, read: int | None, ended: bool) -> Reading:
    total = view.device_count or 0
    state = "waiting" if read is None else "reading"
    if ended:
        state = "read" if total or read else "empty"
    # What an earlier attempt read was not counted by this one.
    shown = total if ended and read is None else read or 0
    return Reading(name=view.external_organization_name, read=shown, total=max(total, shown), state=state)
