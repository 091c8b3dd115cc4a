"""Chance that repeats: everything random in the simulator comes from (seed, purpose, index)."""

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# Two digits to the base 52 at once: the lower one first.
_PAIRS = tuple(low + high for high in LETTERS for low in LETTERS)
_PURPOSES = {
    name: number for number, name in enumerate(("fleet", "agent", "keys", "software", "services", "alerts"))
}


_MASK = (1 << 64) - 1


def scatter(seed: int, index: int, part: int = 0) -> int:
    """A number of 32 bits that is always the same for these three and looks like chance: where a stream of
    choices would cost too much.
    """
    mixed = (seed * 0x9E3779B97F4A7C15 + index * 0xBF58476D1CE4E5B9 + part * 0x94D049BB133111EB) & _MASK
    mixed ^= mixed >> 31
    return ((mixed * 0xD6E8FEB86659FD93) & _MASK) >> 32


class Dice:
    """A stream of choices fixed by its seed, purpose and index; the same on every machine and Python."""

    __slots__ = ("_random",)

    def __init__(self, seed: int, purpose: str, index: int = 0) -> None:
        # An integer seed: a string would be hashed first, ten times slower for 100,000 agents.
        self._random = random.Random(((seed & 0xFFFFFFFF) << 40) | (_PURPOSES[purpose] << 36) | index).random  # noqa: S311

    def below(self, limit: int) -> int:
        """A whole number from 0 to limit - 1."""
        return int(self._random() * limit)

    def between(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self._random() * (high - low + 1))

    def chance(self, probability: float) -> bool:
        """True with the given probability (0 to 1)."""
        return self._random() < probability

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices."""
        return choices[int(self._random() * len(choices))]

    def text(self, alphabet: str, length: int) -> str:
        """A string of `length` characters of the alphabet."""
        size = len(alphabet)
        return "".join([alphabet[int(self._random() * size)] for _ in range(length)])


class AgentIds:
    """Turns an agent's integer pk into its 40-letter agent id and back, without a table.

    A fleet of 100,000 would otherwise hold a dictionary of 100,000 strings only to answer `/agents/<id>/`.
    Each of four blocks of ten letters is (pk * factor + offset) modulo 52**10, which can be undone.
    """

    _MODULUS = 52**10
    _FACTORS = (5_700_357_409_661_599, 94_906_267_512_341_573, 31_415_926_535_897_933, 77_777_277_273_377_753)

    def __init__(self, seed: int) -> None:
        dice = Dice(seed, "keys", 1)
        self._offsets = tuple(dice.below(self._MODULUS) for _ in self._FACTORS)
        self._inverse = pow(self._FACTORS[0], -1, self._MODULUS)

    def encode(self, pk: int) -> str:
        """The agent id of a pk: 40 letters."""
        letters: list[str] = []
        for factor, offset in zip(self._FACTORS, self._offsets, strict=True):
            value = (pk * factor + offset) % self._MODULUS
            for _ in range(5):
                value, digit = divmod(value, 52 * 52)
                letters.append(_PAIRS[digit])
        return "".join(letters)

    def decode(self, agent_id: str) -> int | None:
        """The pk whose agent id this is, or None for text that no pk gives."""
        if len(agent_id) != 40 or not agent_id.isascii() or not agent_id.isalpha():
            return None
        value = 0
        for letter in reversed(agent_id[:10]):
            value = value * 52 + LETTERS.index(letter)
        pk = (value - self._offsets[0]) * self._inverse % self._MODULUS
        return pk if self.encode(pk) == agent_id else None
