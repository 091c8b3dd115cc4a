"""Titles, their releases, and the entries of `/software/` they make: encoded once, shared by all machines."""

from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from muster.simulator.agents import DAY
from muster.simulator.dice import Dice
from muster.simulator.hardware import Weight
from muster.simulator.software_names import (
    COMPONENTS,
    ERRANDS,
    MAKERS,
    ODDITIES,
    RELEASED,
    SCHEMES,
    WORDS,
)

# How many sets of components a fleet has: machines were set up from some few images.
IMAGES = 8
# Components of a machine, and releases and errands it may have.
_COMPONENTS = {"real": 132, "light": 3}
_RELEASED = {"real": len(RELEASED), "light": 12}
ERRANDS_EACH = {"real": 12, "light": 2}
# Numbers of titles: oddities, then what has releases, components, errands. Those of hands are negative.
FIRST_RELEASED, FIRST_COMPONENT, FIRST_ERRAND = 100, 1_000, 10_000
_POOL = 480
_EPOCH = date(1970, 1, 1).toordinal()
_HEX = "0123456789ABCDEF"
# Programs kept encoded: far more than a fleet has within some simulated years.
_KEPT = 20_000


class Program(NamedTuple):
    """One version of a title as `/software/` lists it.

    `entry` is the encoded entry behind its comma, up to the day of its installation; `short` is what an agent
    of long ago sends instead: name and version.
    """

    title: int
    name: str
    version: str
    entry: bytes
    short: bytes


class Title(NamedTuple):
    """A title that has releases, one every `period`. Release `first` came out `phase` before the fleet's
    first moment (both in microseconds); `share` of a hundred machines have it.
    """

    number: int
    name: str
    publisher: str
    scheme: str
    first: int
    period: int
    phase: int
    share: int
    dated: bool


@lru_cache(maxsize=8_192)
def day_text(day: int | None) -> bytes:
    """The end of an entry: the day (since 1970) of the installation, or the year 1 where nobody knows it."""
    text = "0001-01-01" if day is None else date.fromordinal(_EPOCH + day).isoformat()
    return f'{text} 00:00:00 +0000 UTC"}}'.encode()


def program(title: int, values: dict[str, str]) -> Program:
    """The program of an entry's seven values, in the order in which the server's database has its keys."""
    name, version = values["name"], values["version"]
    keys = ("name", "size", "source", "version", "location", "publisher", "uninstall")
    entry: dict[str, Any] = {**{key: values[key] for key in keys}, "install_date": ""}
    short = msgspec.json.encode({"name": name, "version": version})
    return Program(title, name, version, b"," + msgspec.json.encode(entry)[:-2], b"," + short)


def _size(dice: Dice) -> str:
    if dice.chance(0.07):
        return "0 B"
    unit = dice.pick(("kB", "MB", "MB", "MB", "MB", "GB"))
    return f"{dice.between(1, 6 if unit == 'GB' else 400)}.{dice.below(10)} {unit}"


def _values(name: str, version: str, publisher: str, dice: Dice) -> dict[str, str]:
    """The entry of a program by its installer: a package of Windows (five of six) or one of its own."""
    plain = name.partition(" - ")[0].strip()
    product = f"{{{'-'.join(dice.text(_HEX, length) for length in (8, 4, 4, 4, 12))}}}"
    cached = f"C:\\ProgramData\\Package Cache\\{product}v{version}\\"
    if dice.chance(1 / 3):
        cached += f"packages\\{plain.replace(' ', '')}_amd64\\"
    own = dice.chance(1 / 6)
    folder = f"C:\\Program Files\\{plain}\\"
    return {
        "name": name,
        "size": _size(dice),
        "source": "" if own else cached,
        "version": version,
        "location": folder if own else "",
        "publisher": publisher,
        "uninstall": f'"{folder}unins000.exe"' if own else f"MsiExec.exe /I{product}",
    }


class Image(NamedTuple):
    """What machines set up alike have for good, with the day of each installation (None: unknown), and the
    same encoded, both as now and as agents of long ago send it, without a comma before it.
    """

    programs: tuple[tuple[Program, int | None], ...]
    entries: bytes
    shorts: bytes


class Catalogue:
    """All titles of one fleet. `start` is the fleet's first moment in microseconds since 1970: how far each
    title had come by then is up to the seed alone.
    """

    def __init__(self, seed: int, weight: Weight, start: int) -> None:
        self._seed = seed
        self._weight = weight
        self._start = start
        self._programs: dict[tuple[int, int], Program] = {}
        self._images: dict[int, Image] = {}
        self.released = [self._title(number) for number in range(_RELEASED[weight])]

    def _title(self, number: int) -> Title:
        kind, dice = RELEASED[number], Dice(self._seed, "software", FIRST_RELEASED + number)
        # Far enough along that even machines which lag behind have a release with a number.
        first = 400 // kind.days + 2
        if kind.scheme == "library":
            first = 15
        return Title(
            number=FIRST_RELEASED + number,
            name=kind.name,
            publisher=kind.publisher,
            scheme=kind.scheme,
            first=first,
            period=kind.days * DAY,
            phase=dice.below(kind.days * DAY),
            share=kind.share,
            dated=dice.chance(0.8),
        )

    def release(self, title: Title, number: int) -> Program:
        """One release of a title; before the very first there was none."""
        number = max(0, number)
        found = self._programs.get((title.number, number))
        if found is None:
            version = SCHEMES[title.scheme](number)
            name = title.name.format(v=version, k=number)
            # The same dice for all releases of a title: only what the version says changes.
            dice = Dice(self._seed, "software", title.number)
            found = self._keep(number, program(title.number, _values(name, version, title.publisher, dice)))
        return found

    def errand(self, number: int, installed: int) -> Program:
        """A program of errands in the version that was current when it was installed (microseconds)."""
        month = max(0, 40 + (installed - self._start) // (45 * DAY))
        found = self._programs.get((FIRST_ERRAND + number, month))
        if found is None:
            name = f"{WORDS[number % len(WORDS)]} {ERRANDS[number // len(WORDS) % len(ERRANDS)]}"
            dice = Dice(self._seed, "software", FIRST_ERRAND + number)
            version = f"{dice.between(1, 9)}.{month // 12}.{month % 12}"
            values = _values(name, version, dice.pick(MAKERS), dice)
            found = self._keep(month, program(FIRST_ERRAND + number, values))
        return found

    def _keep(self, number: int, made: Program) -> Program:
        if len(self._programs) >= _KEPT:
            self._programs.clear()
        self._programs[made.title, number] = made
        return made

    def image(self, number: int) -> Image:
        """One of the IMAGES sets of programs that come once and stay."""
        found = self._images.get(number)
        if found is None:
            installed = [*self._oddities(number), *self._components(number)]
            entries = b"".join(made.entry + day_text(day) for made, day in installed)
            shorts = b"".join(made.short for made, _ in installed)
            found = self._images[number] = Image(tuple(installed), entries[1:], shorts[1:])
        return found

    def _day(self, dice: Dice, dated: bool) -> int | None:
        day = self._start // DAY - dice.between(120, 2_500)
        return day if dated else None

    def _oddities(self, image: int) -> list[tuple[Program, int | None]]:
        made = []
        for number, odd in enumerate(ODDITIES):
            if self._weight == "light" and (number // 2 - image) % 4:
                continue
            dice = Dice(self._seed, "software", number)
            values = {**_values(odd.name, odd.version, odd.publisher, dice), "size": odd.size}
            made.append((program(number, values), self._day(dice, odd.dated)))
        return made

    def _components(self, image: int) -> list[tuple[Program, int | None]]:
        dice = Dice(self._seed, "software", 50_000 + image)
        step, made = dice.pick((7, 11, 13, 17)), []
        for place in range(_COMPONENTS[self._weight]):
            number = (dice.below(2) + image * 31 + place * step) % _POOL
            own = Dice(self._seed, "software", FIRST_COMPONENT + number)
            version = f"{own.between(8, 16)}.{own.below(4)}.{own.between(1_000, 51_000)}"
            word, pattern = WORDS[number % len(WORDS)], COMPONENTS[number % len(COMPONENTS)]
            name = pattern.format(w=word, n=10 + number // 25, v=version)
            values = _values(name, version, own.pick(MAKERS), own)
            made.append((program(FIRST_COMPONENT + number, values), self._day(own, own.chance(0.9))))
        return made
