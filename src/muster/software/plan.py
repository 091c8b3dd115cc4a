"""What an asset has and what it reports -> what is written, and what changed. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple, TypeVar
from uuid import UUID

from muster.software.types import (
    ChangeKind,
    Install,
    KnownInstall,
    Program,
    SoftwareChanged,
)

_K = TypeVar("_K", bound=Hashable)
_order = attrgetter("version_key", "version")


class Gone(NamedTuple):
    """An install that a report does not have, and the program that it was of."""

    install: KnownInstall
    program: Program


@dataclass(slots=True)
class Plan:
    """What a report does to the installs of one asset.

    `came` are written anew or brought back, `detailed` are the same with other details, `went` are gone.
    `renamed` is told by another publisher than before, or by one at last: (before, now); it is the same
    install under another id, and no change.
    """

    came: list[Install] = field(default_factory=list)
    detailed: list[Install] = field(default_factory=list)
    went: list[Gone] = field(default_factory=list)
    renamed: list[tuple[Gone, Install]] = field(default_factory=list)
    changes: list[SoftwareChanged] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be written."""
        return not (self.came or self.detailed or self.went or self.renamed)


def of_report(
    known: Iterable[KnownInstall],
    reported: Sequence[Install],
    programs: Mapping[UUID, Program],
    *,
    is_first: bool,
) -> Plan:
    """What a report does, given what is known to be installed and, by version, the programs that are gone of
    it. The first report of an asset says what there is, not what changed.
    """
    present = {each.version_id: each for each in known}
    plan = Plan()
    came: list[Install] = []
    for install in reported:
        had = present.pop(install.program.version_id, None)
        if had is None:
            came.append(install)
        elif had.details != install.details:
            plan.detailed.append(install)
    went = [Gone(each, programs[each.version_id]) for each in present.values()]
    if came and went:
        plan.renamed, came, went = _renamed(went, came)
    plan.came, plan.went = came, went
    if not is_first:
        plan.changes = _changes([each.program for each in went], [each.program for each in came])
    return plan


def _renamed(
    went: Sequence[Gone], came: Sequence[Install]
) -> tuple[list[tuple[Gone, Install]], list[Install], list[Gone]]:
    """Those of one name and version of which one side knows no publisher, and the rest of both sides."""
    waiting: dict[tuple[str, str], list[Gone]] = defaultdict(list)
    for gone in went:
        waiting[gone.program.name_key, gone.program.version].append(gone)
    pairs: list[tuple[Gone, Install]] = []
    rest: list[Install] = []
    for install in came:
        candidates = waiting[install.program.name_key, install.program.version]
        met = next((each for each in candidates if _may_be_one(each.program, install.program)), None)
        if met is None:
            rest.append(install)
            continue
        candidates.remove(met)
        pairs.append((met, install))
    met_ids = {gone.program.version_id for gone, _ in pairs}
    return pairs, rest, [gone for gone in went if gone.program.version_id not in met_ids]


def _may_be_one(one: Program, other: Program) -> bool:
    return not one.publisher_key or not other.publisher_key


def _changes(went: Sequence[Program], came: Sequence[Program]) -> list[SoftwareChanged]:
    """Updates of one title first; then those of one name where one side knows no publisher; the rest was
    installed or removed.
    """
    updates, went, came = _updates(went, came, by="software_id")
    more, went, came = _updates_of_unsigned(went, came)
    return [
        *(SoftwareChanged(kind=ChangeKind.INSTALLED, program=program) for program in came),
        *(
            SoftwareChanged(kind=ChangeKind.UPDATED, program=now, was=before)
            for before, now in (*updates, *more)
        ),
        *(SoftwareChanged(kind=ChangeKind.REMOVED, program=program) for program in went),
    ]


_Pairs = list[tuple[Program, Program]]


def _updates_of_unsigned(
    went: Sequence[Program], came: Sequence[Program]
) -> tuple[_Pairs, Sequence[Program], Sequence[Program]]:
    """Updates between a title that nobody signed and one of that name that somebody did, in either way."""
    pairs: _Pairs = []
    for unsigned_went in (True, False):
        found, rest_went, rest_came = _updates(
            [each for each in went if (not each.publisher_key) is unsigned_went],
            [each for each in came if (not each.publisher_key) is not unsigned_went],
            by="name_key",
        )
        pairs += found
        went = [*rest_went, *(each for each in went if (not each.publisher_key) is not unsigned_went)]
        came = [*rest_came, *(each for each in came if (not each.publisher_key) is unsigned_went)]
    return pairs, went, came


def _updates(
    went: Sequence[Program], came: Sequence[Program], *, by: str
) -> tuple[_Pairs, Sequence[Program], Sequence[Program]]:
    """Pairs of what went and came that are alike, and the rest of both sides."""
    alike = attrgetter(by)
    before, after = _grouped(went, alike), _grouped(came, alike)
    pairs = [pair for group, some in before.items() if group in after for pair in nearest(some, after[group])]
    done: set[UUID] = {program.version_id for pair in pairs for program in pair}
    return (
        pairs,
        [each for each in went if each.version_id not in done],
        [each for each in came if each.version_id not in done],
    )


def nearest(went: Sequence[Program], came: Sequence[Program]) -> _Pairs:
    """Versions that went with those that came instead: each with one near to it in the order of versions,
    rather a later one than an earlier one, until one side is used up; those that stay in order.
    """
    line = sorted(
        [*((each, True) for each in went), *((each, False) for each in came)],
        key=lambda item: (*_order(item[0]), not item[1]),
    )
    later, rest = _brackets(line, opens=True)
    earlier, _ = _brackets(rest, opens=False)
    return [*later, *((before, now) for now, before in earlier)]


def _brackets(
    line: Sequence[tuple[Program, bool]], *, opens: bool
) -> tuple[_Pairs, Sequence[tuple[Program, bool]]]:
    """Each that closes with the last open one before it, as brackets are read; and what is left alone."""
    waiting: list[int] = []
    opened: list[int] = []
    closed: list[int] = []
    for place, (_, went) in enumerate(line):
        if went is opens:
            waiting.append(place)
        elif waiting:
            opened.append(waiting.pop())
            closed.append(place)
    # In order, so that 1 and 2 become 3 and 4 rather than 2 become 3 and 1 become 4.
    pairs = [(line[one][0], line[other][0]) for one, other in zip(sorted(opened), closed, strict=True)]
    used = {*opened, *closed}
    return pairs, [item for place, item in enumerate(line) if place not in used]


def _grouped(programs: Iterable[Program], alike: attrgetter[_K]) -> Mapping[_K, Sequence[Program]]:
    groups: dict[_K, list[Program]] = {}
    for program in programs:
        groups.setdefault(alike(program), []).append(program)
    return groups
