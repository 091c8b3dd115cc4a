"""Alerts as the server stores and writes them (CONTRACT section 4)."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Literal

from muster.simulator.clock import iso
from muster.simulator.fleet import Fleet

Kind = Literal["availability", "check", "task", "custom"]
KINDS: tuple[Kind, ...] = ("availability", "check", "task", "custom")
SEVERITIES = ("info", "warning", "error")
# What fails: kind, the agent's pk, the pk of the check or task (0 for the agent itself).
Key = tuple[str, int, int]


@dataclass(slots=True)
class AlertRow:
    """One alert; the columns by the server's names, moments in microseconds since 1970."""

    pk: int
    alert_time: int
    alert_type: str = "availability"
    message: str | None = None
    snoozed: bool = False
    snooze_until: int | None = None
    resolved: bool = False
    resolved_on: int | None = None
    severity: str = "info"
    email_sent: int | None = None
    resolved_email_sent: int | None = None
    sms_sent: int | None = None
    resolved_sms_sent: int | None = None
    hidden: bool = False
    action_run: int | None = None
    action_stdout: str | None = None
    action_stderr: str | None = None
    action_retcode: int | None = None
    action_execution_time: str | None = None
    resolved_action_run: int | None = None
    resolved_action_stdout: str | None = None
    resolved_action_stderr: str | None = None
    resolved_action_retcode: int | None = None
    resolved_action_execution_time: str | None = None
    agent: int | None = None
    assigned_check: int | None = None
    assigned_task: int | None = None

    @property
    def key(self) -> Key | None:
        """What it is about; None for an alert that no failure of an agent's stands behind."""
        if self.agent is None:
            return None
        if self.assigned_check is not None:
            return "check", self.agent, self.assigned_check
        if self.assigned_task is not None:
            return "task", self.agent, self.assigned_task
        return ("availability", self.agent, 0) if self.alert_type == "availability" else None

    def resolve(self, now: int) -> None:
        """Resolve it, once more if it is already, and end its snooze."""
        self.resolved, self.resolved_on = True, now
        self.snoozed, self.snooze_until = False, None


MOMENTS = frozenset({"alert_time", "snooze_until", "resolved_on", "action_run", "resolved_action_run"}) | {
    f"{resolved}{way}_sent" for resolved in ("", "resolved_") for way in ("email", "sms")
}
COLUMNS = tuple(field.name for field in fields(AlertRow) if field.name != "pk")


def item(row: AlertRow, fleet: Fleet) -> dict[str, Any]:
    """An alert as the API gives it (CONTRACT section 4): 31 keys; 27 without an agent, whose names are then
    absent, not null.
    """
    found: dict[str, Any] = {"id": row.pk}
    if row.agent is not None:
        agent = fleet.agent(row.agent)
        site = fleet.sites[agent.site_id]
        found |= {
            "hostname": agent.hostname,
            "agent_id": agent.agent_id,
            "client": fleet.clients[site.client].name,
            "site": site.name,
        }
    for name in COLUMNS:
        value = getattr(row, name)
        found[name] = iso(value) if value is not None and name in MOMENTS else value
    return found


class AlertBook:
    """All alerts of a server. An agent's alerts go with the agent."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._rows: dict[int, AlertRow] = {}
        self._by_key: dict[Key, list[int]] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __iter__(self) -> Iterator[AlertRow]:
        return iter([row for pk in list(self._rows) if (row := self.get(pk)) is not None])

    def get(self, pk: int) -> AlertRow | None:
        """The alert of a pk, or None."""
        row = self._rows.get(pk)
        if row is not None and row.agent is not None and not self._fleet.site_of(row.agent):
            self.remove(pk)
            return None
        return row

    def add(self, alert_time: int, **columns: Any) -> AlertRow:
        """Raise an alert; what is not given is the column's default. A pk is never given twice."""
        self._last += 1
        row = AlertRow(self._last, alert_time, **columns)
        self.put(row)
        return row

    def put(self, row: AlertRow) -> None:
        """Save all columns of an alert, over whatever was saved meanwhile, even its removal."""
        self._rows[row.pk] = row
        if row.key is not None:
            known = self._by_key.setdefault(row.key, [])
            if row.pk not in known:
                known.append(row.pk)

    def remove(self, pk: int) -> None:
        """Forget an alert; KeyError when there is none."""
        del self._rows[pk]

    def open_of(self, key: Key) -> list[AlertRow]:
        """The alerts about one thing that are not resolved, oldest first."""
        rows = (self.get(pk) for pk in self._by_key.get(key, ()))
        return [row for row in rows if row is not None and not row.resolved and row.key == key]
