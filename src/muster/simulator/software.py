"""What is installed on the invented machines, at any simulated moment, without a stored history.

A machine reports once a day, while it is heard of. What it then has is worked out from its roll and the
moment: an image that stays, titles that follow their releases with a delay of its own, errands that come and
go. Only machines that a test or a person changed are remembered.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from muster.simulator.agents import DAY, SHOWCASE, Agent
from muster.simulator.dice import scatter
from muster.simulator.fleet import Fleet
from muster.simulator.programs import ERRANDS_EACH, IMAGES, Catalogue, Image, Program, Title, day_text
from muster.simulator.software_names import ERRANDS, WORDS

Report = Literal["entries", "empty", "none"]
Installed = tuple[Program, int | None]
"""A program and the day of its installation (since 1970), None when nobody knows it."""

# Showcase agents of another kind than the others: nothing installed, no row, rows of an agent of long ago
# (one that stays so, one that is soon updated).
_EMPTY, _WITHOUT, _OLD, _SOON_UPDATED = 8, 14, 9, 10
_LAGS = 40 * DAY
_LATE = 300 * DAY


@dataclass(slots=True)
class Changed:
    """What hands did to one machine: how it reports (None: as it would by itself), which titles are gone and
    what was added, since when its agent is a new one, and when it was last told to report.
    """

    report: Report | None = None
    removed: set[int] = field(default_factory=set)
    added: list[Installed] = field(default_factory=list)
    modern: bool = False
    reported_us: int | None = None


class SoftwareBook:
    """The rows of `/software/` of one fleet. The fleet's lock must be held."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._start = fleet.clock.start
        self._catalogue = Catalogue(fleet.spec.seed, fleet.spec.weight, self._start)
        self._errands = ERRANDS_EACH[fleet.spec.weight]
        self.changed: dict[int, Changed] = {}
        self.reachable = True

    def change(self, agent: Agent) -> Changed:
        """The changes of a machine, to be changed."""
        return self.changed.setdefault(agent.pk, Changed())

    def refresh(self, agent: Agent, now: int) -> None:
        """Have a machine report at this moment; one without a row then has one."""
        changed = self.change(agent)
        changed.reported_us = now
        if self.report(agent) == "none":
            changed.report = "entries"

    # ---- what a machine reports

    def report(self, agent: Agent) -> Report:
        """How a machine reports: entries, an empty list, or not at all (there is no row)."""
        changed = self.changed.get(agent.pk)
        if changed is not None and changed.report is not None:
            return changed.report
        if agent.posix or agent.hardware is None:
            return "none"
        shown, turn = agent.pk <= len(SHOWCASE), agent.roll % 32
        if agent.pk == _WITHOUT or (not shown and turn == 3):
            return "none"
        return "empty" if agent.pk == _EMPTY or (not shown and turn == 4) else "entries"

    def reported_us(self, agent: Agent, now: int) -> int:
        """The moment of a machine's last report: within the day before it was last heard of."""
        seen = agent.presence.last_seen(now)
        if seen is None:
            seen = self._start
        at = seen - (seen + agent.roll * 7919) % DAY
        changed = self.changed.get(agent.pk)
        return at if changed is None or changed.reported_us is None else max(at, changed.reported_us)

    def old(self, agent: Agent, at: int) -> bool:
        """Whether the machine's agent is one of long ago, whose entries are name and version only."""
        changed = self.changed.get(agent.pk)
        if changed is not None and changed.modern:
            return False
        if agent.pk == _OLD:
            return True
        if agent.pk == _SOON_UPDATED:
            updated = 20
        elif agent.pk > len(SHOWCASE) and agent.roll % 8 == 5:
            updated = 10 + scatter(agent.roll, 3) % 400
        else:
            return False
        return at < self._start + updated * DAY

    def installed(self, agent: Agent, at: int) -> list[Installed]:
        """Everything on a machine that reports entries, at a moment."""
        return [*self._kept(agent, self._image(agent).programs), *self._moving(agent, at)]

    def row(self, agent: Agent, now: int) -> list[bytes] | None:
        """The agent's row of `/software/`, encoded in pieces that machines share: a row id of its own, the
        list, the integer pk. None without a row.
        """
        report = self.report(agent)
        if report == "none":
            return None
        # Row ids are no pks: whoever mixes them up joins nothing or the wrong machine.
        head, tail = (
            f'{{"id":{50_000 + agent.pk * 3},"software":['.encode(),
            f'],"agent":{agent.pk}}}'.encode(),
        )
        if report == "empty":
            return [head, tail]
        at = self.reported_us(agent, now)
        old = self.old(agent, at)
        if agent.pk in self.changed:
            listed = _encoded(self.installed(agent, at), old)
            listed[:1] = [listed[0][1:]] if listed else []
            return [head, *listed, tail]
        image = self._image(agent)
        first = image.shorts if old else image.entries
        return [head, first, *_encoded(self._moving(agent, at), old), tail]

    # ---- how it comes about

    def _image(self, agent: Agent) -> Image:
        # The showcase has every image: even twenty machines show every oddity.
        return self._catalogue.image((agent.pk if agent.pk <= len(SHOWCASE) else agent.roll) % IMAGES)

    def _kept(self, agent: Agent, programs: Iterable[Installed]) -> list[Installed]:
        changed = self.changed.get(agent.pk)
        if changed is None or not changed.removed:
            return list(programs)
        return [pair for pair in programs if pair[0].title not in changed.removed]

    def _moving(self, agent: Agent, at: int) -> list[Installed]:
        passed = at - self._start
        found = [
            pair
            for title in self._catalogue.released
            if (pair := self._release(agent.roll, title, passed)) is not None
        ]
        found += [
            pair
            for slot in range(self._errands)
            if (pair := self._errand(agent.roll, slot, passed)) is not None
        ]
        changed = self.changed.get(agent.pk)
        return found if changed is None else [*self._kept(agent, found), *changed.added]

    def _release(self, roll: int, title: Title, passed: int) -> Installed | None:
        """The release of a title on a machine: each machine takes a release some days after it came out, one
        in eight some hundred days later still, and one in sixteen stays with what it has.
        """
        turn = scatter(roll, title.number)
        if turn % 100 >= title.share:
            return None
        delay = (turn >> 8) & 0xFFFF
        lag = delay * delay * delay * _LAGS >> 48
        habit = turn >> 24 & 15
        if habit < 2:
            lag += _LATE
        elif habit == 2:
            passed = min(passed, -delay * DAY // 200)
        steps = (passed + title.phase - lag) // title.period
        installed = self._start + steps * title.period - title.phase + lag
        program = self._catalogue.release(title, title.first + steps)
        return program, installed // DAY if title.dated else None

    def _errand(self, roll: int, slot: int, passed: int) -> Installed | None:
        """What somebody needs for some months in one of a machine's slots; one time in three nothing."""
        turn = scatter(roll, 1_000 + slot)
        span = (60 + turn % 140) * DAY
        phase = (turn >> 8) * span >> 24
        time = (passed + phase) // span
        choice = scatter(roll, 2_000 + slot, time)
        if choice % 3 == 0:
            return None
        # Each slot has titles of its own, so that no two slots hold the same one.
        titles = len(WORDS) * len(ERRANDS) // self._errands
        installed = self._start + time * span - phase
        number = (choice >> 4) % titles * self._errands + slot
        return self._catalogue.errand(number, installed), installed // DAY


def _encoded(installed: Iterable[Installed], old: bool) -> list[bytes]:
    if old:
        return [program.short for program, _ in installed]
    return [piece for program, day in installed for piece in (program.entry, day_text(day))]
