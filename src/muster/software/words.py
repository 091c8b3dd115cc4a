"""How pages say what software is and what changed with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from muster.software.versions import Operator

# How a version stands to the one that is typed: as the address and as a person says it. `OPERATORS` is in
# the order of the menu; the signs are what is compared with.
OPERATORS: Mapping[str, str] = {
    "below": "below",
    "at_most": "at most",
    "is": "exactly",
    "at_least": "at least",
    "above": "above",
}
SIGNS: Mapping[str, Operator] = {"below": "<", "at_most": "<=", "is": "=", "at_least": ">=", "above": ">"}
USUAL_OPERATOR = "is"

KINDS: Mapping[str, str] = {"installed": "Installed", "updated": "Updated", "removed": "Removed"}
ICONS: Mapping[str, str] = {"installed": "plus", "updated": "arrow-up", "removed": "circle-minus"}
# Platforms whose agents tell of no software, by the asset's own word for them.
SILENT_PLATFORMS: Mapping[str, str] = {"linux": "Linux", "macos": "macOS"}


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time up to now, as a choice and as the end of a sentence; no `days`: all there is."""

    label: str
    within: str
    days: int | None


DAYS: Mapping[str, Stretch] = {
    "1": Stretch("24 h", "within 24 hours", 1),
    "7": Stretch("7 days", "within 7 days", 7),
    "30": Stretch("30 days", "within 30 days", 30),
    "90": Stretch("90 days", "within 90 days", 90),
    "all": Stretch("All", "in all", None),
}
USUAL_DAYS = "7"


def bound(operator: str, version: str) -> str:
    """`below 3.0.15`."""
    return f"{OPERATORS[operator]} {version}"
