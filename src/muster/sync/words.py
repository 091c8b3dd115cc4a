"""How runs read: their results, phases, actions and changes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from muster.sync.history import CLIENT_FIELD, ORGANIZATION_FIELD, Names
from muster.sync.kinds import CHANGED
from muster.sync.ledger import PHASES
from muster.sync.schemas import EntryView, Preview, RunView
from muster.sync.types import Action, RunStatus, SyncMode, SyncType
from muster.web import wording


@dataclass(frozen=True, slots=True)
class Word:
    """A state as a page shows it: word, icon, and tone as `ui.pill` takes it."""

    text: str
    icon: str
    tone: str = "plain"


STATUSES: Mapping[str, Word] = {
    RunStatus.RUNNING: Word("Running", "loader-2", "accent"),
    RunStatus.SUCCEEDED: Word("Finished", "circle-check", "online"),
    RunStatus.PARTIAL: Word("Finished in part", "alert-triangle", "warning"),
    RunStatus.FAILED: Word("Failed", "circle-x", "danger"),
    RunStatus.INTERRUPTED: Word("Interrupted", "alert-triangle", "warning"),
    RunStatus.CANCELLED: Word("Cancelled", "circle-minus", "offline"),
}
ACTIONS: Mapping[str, Word] = {
    Action.FAILED: Word("Failed", "circle-x", "danger"),
    Action.HELD: Word("Held back", "alert-triangle", "warning"),
    Action.MISSING: Word("Missing", "user-question", "overdue"),
    Action.CREATED: Word("Created", "plus", "online"),
    Action.MOVED: Word("Moved", "switch-horizontal"),
    Action.UPDATED: Word("Updated", "pencil"),
    Action.RETURNED: Word("Listed again", "rotate-clockwise"),
    Action.SKIPPED: Word("Skipped", "circle-minus", "offline"),
}
TRIGGERS: Mapping[str, str] = {
    "manual": "By a person",
    "schedule": "By schedule",
    "command": "On the command line",
    "webhook": "By an alert",
}
COUNTERS = ("processed", "created", "updated", "unchanged", "missing", "deleted", "failed")
# Words in an address for several actions together.
ACTION_GROUPS: Mapping[str, Sequence[str]] = {
    "problems": (Action.FAILED, Action.HELD),
    "changed": (Action.UPDATED, Action.MOVED),
    "gone": (Action.MISSING, Action.HELD),
}
# Where the entries are that a counter's figure is made of.
COUNTED: Mapping[str, str] = {
    "created": "created",
    "updated": "changed",
    "missing": "gone",
    "failed": "failed",
}

_PHASES: Mapping[str, tuple[str, str]] = {
    # phase: (while it goes on, what it was)
    "starting": ("Starting", "Start"),
    "organizations": ("Reading organizations", "Organizations"),
    "roster": ("Reading the list of all devices", "Device list"),
    "devices": ("Reading devices", "Devices"),
    "device": ("Reading the device", "Device"),
    "details": ("Reading hardware", "Hardware"),
    "missing": ("Looking for missing devices", "Missing"),
    "alerts": ("Reading alerts", "Alerts"),
    "absent": ("Reading alerts that are not open any more", "Not open any more"),
    "software": ("Reading what is installed", "Software"),
}
_DEVICE_PHASES = ("organizations", "roster", "devices", "details", "missing")
_EXPECTED: Mapping[str, Sequence[str]] = {
    SyncType.DEVICES: _DEVICE_PHASES,
    SyncType.ALERTS: ("alerts", "absent"),
    SyncType.SOFTWARE: ("software",),
}
_CUT_SHORT = (RunStatus.FAILED, RunStatus.INTERRUPTED, RunStatus.CANCELLED)
_REASONS: Mapping[str, str] = {
    "new_device": "New device in a mapped organization.",
    "new_organization": "Listed for the first time.",
    "listed_again": "The server lists it again.",
    "too_many_missing": "Too many devices are gone at once; none was marked as missing.",
}
_FIELDS: Mapping[str, str] = {
    CLIENT_FIELD: "Client",
    ORGANIZATION_FIELD: "Organization",
    "external_organization_name": "Name",
    "device_count": "Devices",
    "never_reported": "Never reported",
    "os_type": "Platform",
    "os_version": "Operating system",
    "agent_version": "Agent",
    "cpu_model": "Processor",
    "cpu_cores": "Cores",
    "ram_gb": "Memory",
    "gpu_model": "Graphics",
    "physical_disks": "Physical disks",
    "boot_time": "Started",
    "lan_ip": "LAN IP",
    "lan_ips": "LAN addresses",
    "wan_ip": "WAN IP",
    "asset_type": "Type",
}
_MOST_LETTERS = 120
_MOST_OF_A_LIST = 3


def doing(phase: str) -> str:
    """What goes on in a phase."""
    return _PHASES.get(phase, (phase.replace("_", " ").capitalize(), ""))[0]


def result(run: RunView | Preview) -> str:
    """What a run came to, in one line: what changed; when nothing did, how much was looked at."""
    parts = [
        f"{wording.number(count)} {word}"
        for word in ("failed", "missing", "created", "updated")
        if (count := getattr(run, word))
    ]
    if isinstance(run, RunView) and run.sync_type == SyncType.SOFTWARE:
        parts = _of_software(run)
    if parts:
        return ", ".join(parts)
    if run.unchanged:
        return f"{wording.number(run.unchanged)} unchanged"
    return "Nothing to read" if run.status == RunStatus.SUCCEEDED else "Nothing was read"


def _of_software(run: RunView) -> list[str]:
    """How many devices changed says little; what changed on them does."""
    changed = run.cursor.get(CHANGED, {})
    parts = [f"{wording.number(run.failed)} failed"] if run.failed else []
    if listed := changed.get("listed"):
        devices = "1 new device" if run.created == 1 else f"{wording.number(run.created)} new devices"
        parts.append(f"{wording.number(listed)} programs on {devices}")
    names = ("installed", "updated", "removed")
    return parts + [f"{wording.number(count)} {name}" for name in names if (count := changed.get(name))]


def started_by(run: RunView) -> str:
    """Who or what asked for a run."""
    if run.trigger == "manual" and run.started_by:
        return f"by {run.started_by}"
    said = TRIGGERS.get(run.trigger, run.trigger)
    return f"{said[0].lower()}{said[1:]}"


@dataclass(frozen=True, slots=True)
class Step:
    """A phase of a run. `state` is done, now, waits, or ended where the run came no further; `figure` says
    what it read, where that is known.
    """

    text: str
    state: str
    figure: str | None = None
    seconds: float | None = None


def steps(run: RunView) -> Sequence[Step]:
    """The phases of a run in the order in which they began; while it goes on, those to come as well."""
    begun = [
        (phase, datetime.fromisoformat(at))
        for phase, at in run.cursor.get(PHASES, ())
        if phase in _PHASES and phase != "starting"
    ]
    ends: list[datetime | None] = [at for _, at in begun[1:]]
    ends.append(run.finished_at)
    spent: dict[str, float | None] = {}
    for (phase, at), end in zip(begun, ends, strict=False):
        before = spent.get(phase) or 0.0
        spent[phase] = None if end is None else before + (end - at).total_seconds()
    met = [
        Step(_PHASES[phase][1], "now" if seconds is None else "done", _figure(phase, run), seconds)
        for phase, seconds in spent.items()
    ]
    if met and run.status in _CUT_SHORT:
        met[-1] = replace(met[-1], state="ended")
    if run.status != RunStatus.RUNNING or run.mode == SyncMode.SINGLE:
        return met
    expected = _EXPECTED.get(run.sync_type, ())
    return [*met, *(Step(_PHASES[phase][1], "waits") for phase in expected if phase not in spent)]


def _figure(phase: str, run: RunView) -> str | None:
    if phase == "organizations" and run.sync_type == "organizations":
        return f"{wording.number(run.processed)} read"
    if phase in ("devices", "alerts", "software") and run.processed:
        return f"{wording.number(run.processed)} read"
    if phase == "missing":
        return f"{wording.number(run.missing)} missing"
    return None


@dataclass(frozen=True, slots=True)
class Change:
    """One field of an entry, as a person reads it."""

    label: str
    old: str | None
    new: str | None

    @property
    def differs(self) -> bool:
        """Whether a person sees a difference: another site of the same name is none."""
        return self.old != self.new


@dataclass(frozen=True, slots=True)
class Line:
    """An entry as a page shows it."""

    entry: EntryView
    word: Word
    name: str
    organization: str | None
    why: str | None
    changes: Sequence[Change]


def line(entry: EntryView, names: Names) -> Line:
    """An entry with names in place of ids."""
    by_asset = names.assets.get(entry.asset_id) if entry.asset_id else None
    organization = names.organizations.get(entry.organization_id or "", entry.organization_id)
    # An organization's own line need not repeat its name.
    about_itself = entry.item_type == "organization"
    fallback = organization if about_itself else None
    return Line(
        entry=entry,
        word=ACTIONS.get(entry.action, Word(entry.action.capitalize(), "info-circle")),
        name=entry.name or by_asset or fallback or entry.external_id or "The list of all devices",
        organization=None if about_itself else organization,
        why=entry.message or _REASONS.get(entry.reason),
        changes=[said for change in entry.changes or () if (said := _change(change, names)).differs],
    )


def _change(change: Mapping[str, Any], names: Names) -> Change:
    name = change["field"]
    known = {CLIENT_FIELD: names.clients, ORGANIZATION_FIELD: names.organizations}.get(name, {})
    label = _FIELDS.get(name, name.replace("_", " ").capitalize())
    return Change(label, _value(name, change["old"], known), _value(name, change["new"], known))


def _value(name: str, value: Any, known: Mapping[str, str]) -> str | None:
    if value is None or value in ("", []):
        return None
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, list):
        return _listed(value)
    if name == "ram_gb":
        return f"{value:g} GB"
    text = str(value)
    if name == "boot_time":
        text = wording.exact(datetime.fromisoformat(text))
    text = known.get(text, text)
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 1]}…"


def _listed(values: Sequence[Any]) -> str:
    said = [_item(value) for value in values[:_MOST_OF_A_LIST]]
    more = len(values) - len(said)
    return ", ".join(said) + (f" and {more} more" if more > 0 else "")


def _item(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    if "total_bytes" in value:
        used, total = value.get("percent_used"), value.get("total_bytes")
        size = f" {wording.size(total)}" if total else ""
        return f"{value.get('device')}{size}" + ("" if used is None else f", {used} % used")
    name, count = value.get("name") or value.get("external_id") or "", value.get("device_count")
    return str(name) if count is None else f"{name} ({count})"
