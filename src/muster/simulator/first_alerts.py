"""The alerts a fleet starts with, by its seed: oddities, what fails now, and the history of what failed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from muster.simulator.agents import DAY, Agent
from muster.simulator.causes import FIRST_INVENTED, Cause, failing_check, invented, listed_failures, overdue
from muster.simulator.dice import Dice
from muster.simulator.fleet import Fleet
from muster.simulator.presence import MINUTE

# Unless a number is asked for: one alert per four agents within these bounds.
_FEWEST, _MOST = 40, 2_000
# Dice of alerts that fail now and of those that did.
_NOW, _PAST = 1 << 20, 1 << 21


@dataclass(frozen=True, slots=True)
class _Oddity:
    """One of the first alerts of every fleet: they have what trips clients up."""

    message: str | None
    kind: str = "check"
    severity: str = "error"
    state: str = "open"
    agentless: bool = False
    days: int = 2


_ODDITIES = (
    _Oddity("Task \"Nightly 'backup'\" failed with code 1"),
    _Oddity("line one\nline two\r\nline three\ttabbed", severity="warning"),
    _Oddity("Cannot find C:\\Windows\\System32\\drivers\\etc\\new.txt on \\\\server\\share"),
    _Oddity("Gerät überlastet: 温度 95°C 🔥 – naïve", severity="warning"),
    _Oddity('{"already": "json"}', severity="info"),
    _Oddity("bell\x07 and escape \x1b[31mred"),
    _Oddity("<script>alert(1)</script> & <b>bold</b>"),
    _Oddity('x","severity":"info","client_id":"999', severity="warning"),
    _Oddity("{{alert.agent.hostname}} at {{alert.alert_time}} and {{event}}", severity="info"),
    _Oddity("", "custom", "info"),
    _Oddity(None, "custom"),
    _Oddity("alert without any agent (custom)", "custom", "info", agentless=True),
    _Oddity("forty days old and still open", "custom", "warning", days=40),
    _Oddity("snoozed by somebody", "custom", "warning", "snoozed"),
    _Oddity("snoozed while it fails", state="snoozed"),
    _Oddity("hidden while it fails", state="hidden"),
    _Oddity("hidden and told to nobody", "custom", "info", "hidden"),
    _Oddity("resolved, without any agent", "custom", state="resolved", agentless=True, days=9),
    _Oddity("resolved and hidden", "custom", state="resolved hidden", days=35),
)


@dataclass(frozen=True, slots=True)
class Draft:
    """An alert before it has its number, and what fails behind it."""

    time: int
    columns: dict[str, Any]
    cause: Cause | None = None


def first_alerts(fleet: Fleet, silent: list[Agent], pks: list[int]) -> list[Draft]:
    """The alerts in the order of their times, in which the server numbers them. `silent` are the agents that
    are overdue at the first moment, `pks` the agents that may have alerts.
    """
    wanted = fleet.spec.alerts
    if wanted is None:
        wanted = max(_FEWEST, min(_MOST, len(pks) // 4))
    found = list(_oddities(fleet, pks))[:wanted]
    if pks:
        still = (wanted - len(found) + 2) // 3
        found += [draft for draft, _ in zip(_failures(fleet, silent, pks), range(still), strict=False)]
        found += [_past(fleet, pks, number) for number in range(wanted - len(found))]
    return sorted(found, key=lambda draft: draft.time)


def _oddities(fleet: Fleet, pks: list[int]) -> Iterator[Draft]:
    for number, oddity in enumerate(_ODDITIES):
        if not pks and not oddity.agentless:
            continue
        time = fleet.clock.start - oddity.days * DAY - number * 67 * MINUTE
        agent = None if oddity.agentless else pks[number % len(pks)]
        columns = {
            "message": oddity.message,
            "severity": oddity.severity,
            "agent": agent,
            "alert_type": "custom",
        }
        cause = None
        if agent is not None and oddity.kind == "check":
            failing, pk, told = fleet.agent(agent), FIRST_INVENTED + number, oddity.message
            cause = failing_check(failing, pk, oddity.severity, message=told, notifies=True)
            cause = replace(cause, dashboard="hidden" not in oddity.state)
            columns = cause.columns
        yield Draft(time, columns | _state(oddity.state, time, fleet.clock.start), cause)


def _state(state: str, time: int, start: int) -> dict[str, Any]:
    """The columns of an alert that is open, snoozed, hidden or resolved at the first moment."""
    found: dict[str, Any] = {"hidden": "hidden" in state}
    if "snoozed" in state:
        found |= {"snoozed": True, "snooze_until": start + 3 * DAY}
    if "resolved" in state:
        found |= {"resolved": True, "resolved_on": min(start, time + 90 * MINUTE)}
    return found


def _failures(fleet: Fleet, silent: list[Agent], pks: list[int]) -> Iterator[Draft]:
    """What fails in the fleet by nature, then without end what is made up besides."""
    start = fleet.clock.start
    number = 0
    for cause in _natural(fleet, silent, pks):
        number += 1
        yield _open(cause, Dice(fleet.spec.seed, "alerts", _NOW + number), start, fleet)
    while True:
        number += 1
        dice = Dice(fleet.spec.seed, "alerts", _NOW + number)
        agent = fleet.agent(dice.pick(pks))
        yield _open(invented(agent, FIRST_INVENTED + 1_000 + number, dice), dice, start, fleet)


def _natural(fleet: Fleet, silent: list[Agent], pks: list[int]) -> Iterator[Cause]:
    for agent in silent:
        cause = overdue(agent, fleet)
        if cause.dashboard or cause.notifies:
            yield cause
    for pk in pks:
        for cause in listed_failures(fleet.agent(pk)):
            yield replace(cause, notifies=True)


def _open(cause: Cause, dice: Dice, start: int, fleet: Fleet) -> Draft:
    """An alert about something that fails now: one in eight snoozed."""
    time = start - dice.between(1, 14 * 24 * 60) * MINUTE - dice.below(MINUTE)
    if cause.kind == "availability":
        agent = fleet.agent(cause.agent)
        seen = agent.presence.last_seen(start)
        if seen is not None:
            time = min(start, seen + agent.overdue_time * MINUTE + dice.below(150_000_000))
    states = ("hidden" * (not cause.dashboard), "snoozed" * dice.chance(0.125))
    return Draft(time, cause.columns | _state(" ".join(states), time, start), cause)


def _past(fleet: Fleet, pks: list[int], number: int) -> Draft:
    """An alert of the last 45 days that is over."""
    dice = Dice(fleet.spec.seed, "alerts", _PAST + number)
    start, agent = fleet.clock.start, fleet.agent(dice.pick(pks))
    if dice.chance(0.6):
        cause = overdue(agent, fleet)
    else:
        cause = invented(agent, FIRST_INVENTED + 500_000 + number, dice)
    time = start - dice.between(10, 45 * 24 * 60) * MINUTE - dice.below(MINUTE)
    ended = min(start, time + dice.between(3, 2 * 24 * 60) * MINUTE + dice.below(MINUTE))
    columns = {"resolved": True, "resolved_on": ended, "hidden": dice.chance(0.5)}
    return Draft(time, cause.columns | columns)
