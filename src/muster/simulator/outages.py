"""The server's periodic tasks about alerts, by the simulated clock (CONTRACT sections 4 and 5).

Agents that are overdue raise alerts, agents that are back resolve them, what failed fails again, snoozes end.
With `coming` seconds alerts also come and go by themselves.
"""

from muster.simulator import computed
from muster.simulator.agents import Agent
from muster.simulator.alert_rows import AlertBook, Key
from muster.simulator.causes import FIRST_INVENTED, Cause, invented, overdue
from muster.simulator.clock import MICROSECONDS
from muster.simulator.dice import Dice
from muster.simulator.firing import Firing
from muster.simulator.fleet import Fleet
from muster.simulator.presence import MINUTE

# Agents watched for outages, the first of the fleet: a fleet of 100,000 must stay cheap.
WATCHED = 12_000
_HOUR = 60 * MINUTE
# Snoozes end ten minutes past each hour.
_UNSNOOZE_PAST = 10 * MINUTE
# Of alerts that come by themselves so many are there at once, and after a leap of time so many are made up.
_AT_ONCE, _CAUGHT_UP = 6, 500


def _span(seconds: float) -> int:
    if not seconds > 0:
        raise ValueError(f"alerts want a time between two looks of more than 0 seconds, not {seconds!r}")
    return max(1, int(seconds * MICROSECONDS))


class Outages:
    """What fails in a fleet, looked at every `every` seconds; every `coming` seconds (None: never) an alert
    comes or goes by itself. `failing` are the checks and tasks that fail until they recover, by key.
    """

    def __init__(
        self, fleet: Fleet, book: AlertBook, firing: Firing, every: float, coming: float | None
    ) -> None:
        self._fleet = fleet
        self._book = book
        self._firing = firing
        self.failing: dict[Key, Cause] = {}
        # Agents that were overdue before anything began and are none of the alerts asked for.
        self.ignored: set[int] = set()
        self._every_us = _span(every)
        # Between two changes by themselves; None: nothing changes by itself.
        self._coming_us = None if coming is None else _span(coming)
        self._come: list[Key] = []
        self._turns = 0
        self._last = fleet.clock.start
        # None: an agent that always reports.
        self._quiet: dict[int, Agent | None] = {}
        fleet.watch(self._quiet)

    @property
    def come_by_themselves(self) -> bool:
        """Whether alerts come and go without anybody's doing."""
        return self._coming_us is not None

    def settle(self) -> None:
        """Do what the tasks would have done by now."""
        now = self._fleet.clock.now_us()
        self._come_and_go(now)
        if now - self._last >= self._every_us:
            self.cycle(now)

    def cycle(self, now: int) -> None:
        """Run every task once, now."""
        self._unsnooze(now)
        self._last = now
        for agent in self.overdue_agents(now):
            if agent.pk not in self.ignored:
                self._firing.failure(overdue(agent, self._fleet), now)
        self._recover(now)
        for key, cause in list(self.failing.items()):
            if self._fleet.site_of(cause.agent):
                self._firing.failure(cause, now)
            else:
                del self.failing[key]

    def overdue_agents(self, now: int) -> list[Agent]:
        """The watched agents that are overdue."""
        return [agent for agent in self._restless() if self._status(agent, now) == "overdue"]

    def _restless(self) -> list[Agent]:
        """The watched agents that may be silent for long."""
        found = []
        for pk in self._fleet.pks()[:WATCHED]:
            if pk not in self._quiet:
                agent = self._fleet.agent(pk)
                steady = agent.presence.kind in ("steady", "never")
                self._quiet[pk] = None if steady else agent
            restless = self._quiet[pk]
            if restless is not None:
                found.append(restless)
        return found

    @staticmethod
    def _status(agent: Agent, now: int) -> str:
        seen = agent.presence.last_seen(now)
        return computed.status(seen, now, agent.offline_time, agent.overdue_time)

    def _recover(self, now: int) -> None:
        """Resolve what is open about agents that are online again."""
        self.ignored = {
            pk
            for pk in self.ignored
            if self._fleet.site_of(pk) and self._status(self._fleet.agent(pk), now) == "overdue"
        }
        for row in self._book:
            key = row.key
            if row.resolved or key is None or key[0] != "availability":
                continue
            if self._status(self._fleet.agent(key[1]), now) == "online":
                self._firing.recovery(key, now)

    def _unsnooze(self, now: int) -> None:
        if (now - _UNSNOOZE_PAST) // _HOUR == (self._last - _UNSNOOZE_PAST) // _HOUR:
            return
        for row in self._book:
            if row.snoozed and row.snooze_until is not None and row.snooze_until <= now:
                row.snoozed, row.snooze_until = False, None

    # ---- alerts that come and go by themselves

    def _come_and_go(self, now: int) -> None:
        if self._coming_us is None:
            return
        due = (now - self._fleet.clock.start) // self._coming_us
        self._turns = max(self._turns, due - _CAUGHT_UP)
        while self._turns < due:
            self._turns += 1
            self._turn(self._turns, now)

    def _turn(self, number: int, now: int) -> None:
        dice = Dice(self._fleet.spec.seed, "alerts", number)
        if self._come and (len(self._come) >= _AT_ONCE or dice.chance(0.4)):
            key = self._come.pop(dice.below(len(self._come)))
            self.failing.pop(key, None)
            if self._fleet.site_of(key[1]):
                self._firing.recovery(key, now)
            return
        pks = self._fleet.pks()
        if not pks:
            return
        cause = invented(self._fleet.agent(dice.pick(pks)), 2 * FIRST_INVENTED + number, dice)
        self.failing[cause.key] = cause
        self._come.append(cause.key)
        self._firing.failure(cause, now)
