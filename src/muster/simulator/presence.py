"""When an agent was last heard of, at any simulated moment, without a stored history."""

from typing import Literal, NamedTuple

from muster.simulator.clock import MICROSECONDS
from muster.simulator.dice import Dice

MINUTE = 60 * MICROSECONDS
Kind = Literal["steady", "comes_and_goes", "gone", "never", "pinned"]


class Presence(NamedTuple):
    """How an agent reports. All numbers are microseconds; `moment` is absolute, the others are spans."""

    kind: Kind
    # steady, comes_and_goes: time between two check-ins, and the agent's own place within it.
    period: int = MINUTE
    phase: int = 0
    # comes_and_goes: a cycle of `awake` time followed by silence, and the agent's place within the cycle.
    cycle: int = 0
    cycle_phase: int = 0
    awake: int = 0
    # gone, pinned: the last check-in there will be.
    moment: int = 0

    def last_seen(self, now: int) -> int | None:
        """The last check-in at or before `now`, or None for an agent that never reported."""
        if self.kind == "steady":
            return now - (now + self.phase) % self.period
        if self.kind == "never":
            return None
        if self.kind != "comes_and_goes":
            return self.moment
        place = (now + self.cycle_phase) % self.cycle
        if place >= self.awake:
            return now - place + self.awake
        return max(now - place, now - (now + self.phase) % self.period)


def _cycle(dice: Dice) -> tuple[int, int]:
    """Length and awake part of a cycle: short naps (offline at most) or long ones (overdue in the end)."""
    awake, silent = dice.pick(((25, 18), (40, 25), (90, 75), (240, 300)))
    return (awake + silent) * MINUTE + dice.below(MINUTE), awake * MINUTE + dice.below(MINUTE)


def draw(dice: Dice, start: int) -> Presence:
    """A presence by chance: seven in ten steady, the others going, gone or never seen."""
    period = dice.between(30, 75) * MICROSECONDS + dice.below(MICROSECONDS)
    phase = dice.below(period)
    turn = dice.below(100)
    if turn < 70:
        return Presence("steady", period, phase)
    if turn < 84:
        cycle, awake = _cycle(dice)
        return Presence("comes_and_goes", period, phase, cycle, dice.below(cycle), awake)
    if turn < 97:
        return Presence("gone", moment=start - dice.between(1, 60 * 24 * 45) * MINUTE - dice.below(MINUTE))
    return Presence("never")


def named(name: str, dice: Dice, start: int) -> Presence:
    """A presence of a wanted outcome at the first moment: online, offline, overdue or never."""
    if name == "never":
        return Presence("never")
    if name == "online":
        return Presence("steady", MINUTE + dice.below(MICROSECONDS), dice.below(MINUTE))
    minutes = 12 if name == "offline" else 3 * 24 * 60
    return Presence("gone", moment=start - minutes * MINUTE - dice.below(MINUTE))
