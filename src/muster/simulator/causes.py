"""What makes alerts: agents that are overdue, checks and tasks that fail, with the server's own sentences."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from muster.simulator.agents import Agent
from muster.simulator.alert_rows import Key, Kind
from muster.simulator.dice import Dice
from muster.simulator.extras import checks, tasks
from muster.simulator.fleet import Fleet

# Checks and tasks beyond those an agent lists get pks from here on: those of the first alerts, then (twice as
# far) those that come by themselves, then (three times) those raised by hand.
FIRST_INVENTED = 10_000_000


@dataclass(frozen=True, slots=True)
class Cause:
    """Something of an agent that fails. `pk` is the check's or task's, 0 for the agent itself; `label` the
    check's description or the task's name; `result` what it said last. `dashboard`: its own setting to show
    alerts; `notifies`: its setting to send mail or text, which makes an alert too, a hidden one.
    """

    kind: Kind
    agent: int
    pk: int
    severity: str
    message: str | None
    label: str = ""
    result: dict[str, Any] = field(default_factory=dict)
    dashboard: bool = True
    notifies: bool = False

    @property
    def key(self) -> Key:
        """What fails."""
        return self.kind, self.agent, self.pk

    @property
    def columns(self) -> dict[str, Any]:
        """The columns of an alert about it."""
        found: dict[str, Any] = {
            "agent": self.agent,
            "alert_type": self.kind,
            "severity": self.severity,
            "message": self.message,
        }
        return found | ({f"assigned_{self.kind}": self.pk} if self.kind in ("check", "task") else {})


def overdue(agent: Agent, fleet: Fleet) -> Cause:
    """The agent has not been heard of for too long: always an error."""
    site = fleet.sites[agent.site_id]
    message = f"{agent.hostname} in {fleet.clients[site.client].name}, {site.name} is overdue."
    shown, mailed = agent.overdue_dashboard_alert, agent.overdue_email_alert
    return Cause("availability", agent.pk, 0, "error", message, dashboard=shown, notifies=mailed)


def failing_check(agent: Agent, pk: int, severity: str, **rest: Any) -> Cause:
    """A check of the agent fails; `label` and `type` name it, `message` is the server's unless given."""
    kind, label = rest.pop("type", "diskspace"), rest.pop("label", "Disk Space Check: Drive C:")
    sentence = f"{agent.hostname} has a {kind} check: {label} that failed."
    return Cause("check", agent.pk, pk, severity, rest.pop("message", sentence), label, **rest)


def failing_task(agent: Agent, pk: int, severity: str, **rest: Any) -> Cause:
    """A task of the agent fails; `label` is its name, `message` the server's sentence unless given."""
    label = rest.pop("label", "Nightly backup")
    sentence = f"{agent.hostname} has task: {label} that failed."
    return Cause("task", agent.pk, pk, severity, rest.pop("message", sentence), label, **rest)


def listed_failures(agent: Agent) -> Iterator[Cause]:
    """The checks and tasks of the agent that fail by its own lists."""
    for check in checks(agent):
        result = check["check_result"]
        if result and result["status"] == "failing":
            kind, label = check["check_type"], check["readable_desc"]
            yield failing_check(
                agent, check["id"], result["alert_severity"], type=kind, label=label, result=result
            )
    for task in tasks(agent):
        result = task["task_result"]
        yield failing_task(agent, task["id"], task["alert_severity"], label=task["name"], result=result)


_CHECKS = (
    ("cpuload", "CPU Load Check: Warning Threshold: 80% Error Threshold: 95%"),
    ("memory", "Memory Check: Warning Threshold: 85% Error Threshold: 95%"),
    ("diskspace", "Disk Space Check: Drive C: -  Warning Threshold: 20% Error Threshold: 10%"),
    ("ping", "Ping Check: Drucker Büro"),
    ("winsvc", 'Service Check: "Spooler" on \\\\fs\\prints'),
    ("eventlog", "Event Log Check: C:\\temp\\new entries"),
    ("script", "Script Check: 温度 <server room> & humidity"),
)
_TASKS = ("Nightly backup", 'Weekly "tidy"', "Prüfe Größe von D:\\Daten\\neu", "Sync\tusers\nand groups")


def invented(agent: Agent, pk: int, dice: Dice) -> Cause:
    """A check or task of an agent that its own lists do not have, failing."""
    severity = dice.pick(("error", "error", "warning", "warning", "info"))
    if dice.chance(0.25):
        return failing_task(
            agent, pk, severity, label=dice.pick(_TASKS), result={"retcode": 1, "stderr": "boom"}
        )
    kind, label = dice.pick(_CHECKS)
    result = {"status": "failing", "alert_severity": severity, "more_info": "", "retcode": 1}
    cause = failing_check(agent, pk, severity, type=kind, label=label, result=result)
    return replace(cause, dashboard=dice.chance(0.9), notifies=True)
