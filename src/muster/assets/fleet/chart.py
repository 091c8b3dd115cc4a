"""The fleet over time as a picture: stacked areas whose every corner is worked out here. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from muster.assets.fleet.rules import DAY, STATUSES, Range, Sample

WIDTH, HEIGHT = 1000, 240
# Labels at the right are text of this height.
_LABEL = 18
# Nothing is drawn across a longer stretch without samples: no worker ran then.
_GAP = 2.5
_TICKS = 4
_TABLE_ROWS = 25


@dataclass(frozen=True, slots=True)
class Area:
    """A status' band in one stretch without a gap: its outline and its upper edge, as SVG's `points`."""

    status: str
    outline: str
    edge: str


@dataclass(frozen=True, slots=True)
class Label:
    """A band's name at the right: how many there are at the end, and how far down it stands."""

    status: str
    count: int
    y: float


@dataclass(frozen=True, slots=True)
class Chart:
    """What the template draws. `top` is the figure at the upper edge, `ticks` stand evenly below, `rows` are
    the same in figures.
    """

    areas: Sequence[Area]
    labels: Sequence[Label]
    top: int
    ticks: Sequence[str]
    rows: Sequence[Sample]


def chart(samples: Sequence[Sample], wanted: Range, now: datetime) -> Chart:
    """The picture of samples (oldest first) that lie in a range up to now."""
    top = ceiling(max((sample.total for sample in samples), default=0))
    since = now - wanted.length

    def across(moment: datetime) -> float:
        return WIDTH * min(max((moment - since) / wanted.length, 0), 1)

    areas = [
        area
        for stretch in _stretches(samples, wanted.step)
        for area in _areas(stretch, [across(sample.sampled_at) for sample in stretch], top)
    ]
    return Chart(
        areas=areas,
        labels=_labels(samples[-1], top) if samples else (),
        top=top,
        ticks=_ticks(wanted, now),
        rows=_spread(samples),
    )


def ceiling(count: int) -> int:
    """An even figure, round for its size, that is not below the count: 250 for 250, 260 for 251, 2 for 0."""
    unit = max(2, int(10 ** (len(str(count)) - 2)))
    return max(unit, -(-count // unit) * unit)


def _stretches(samples: Sequence[Sample], step: timedelta) -> list[list[Sample]]:
    found: list[list[Sample]] = []
    for sample in samples:
        if found and sample.sampled_at - found[-1][-1].sampled_at <= _GAP * step:
            found[-1].append(sample)
        else:
            found.append([sample])
    return found


def _areas(stretch: Sequence[Sample], across: Sequence[float], top: int) -> list[Area]:
    if len(stretch) == 1:
        # A lone sample would have no width.
        stretch = [stretch[0], stretch[0]]
        across = [max(across[0] - 2, 0), min(across[0] + 2, WIDTH)]
    below = [0] * len(stretch)
    areas = []
    for status in STATUSES:
        above = [low + getattr(sample, status) for low, sample in zip(below, stretch, strict=True)]
        edge = [(x, _down(value, top)) for x, value in zip(across, above, strict=True)]
        base = [(x, _down(value, top)) for x, value in zip(across, below, strict=True)]
        if above != below:
            areas.append(Area(status, _points([*edge, *reversed(base)]), _points(edge)))
        below = above
    return areas


def _labels(last: Sample, top: int) -> list[Label]:
    """The bands' names beside their middles, moved apart where they would touch."""
    labels: list[Label] = []
    below, lowest = 0, HEIGHT + _LABEL / 2
    for status in STATUSES:
        count = getattr(last, status)
        if not count:
            continue
        lowest = min(_down(below + count / 2, top), lowest - _LABEL)
        labels.append(Label(status, count, lowest))
        below += count
    highest = -_LABEL / 2
    moved = []
    for label in reversed(labels):
        highest = max(label.y, highest + _LABEL)
        moved.append(Label(label.status, label.count, round(highest, 1)))
    return moved


def _down(value: float, top: int) -> float:
    return round(HEIGHT * (1 - value / top), 1)


def _points(corners: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)


def _ticks(wanted: Range, now: datetime) -> list[str]:
    if wanted.length <= DAY:
        hours = int(wanted.length.total_seconds() // 3600)
        return [*(f"{hours - hours * tick // _TICKS} h ago" for tick in range(_TICKS)), "Now"]
    days = [now - wanted.length * (_TICKS - tick) / _TICKS for tick in range(_TICKS)]
    form = "%b %Y" if wanted.length > 100 * DAY else "%b"
    named = [f"{day.day} {day:{form}}" if form == "%b" else f"{day:{form}}" for day in days]
    return [*named, "Today"]


def _spread(samples: Sequence[Sample]) -> Sequence[Sample]:
    """At most some twenty samples, evenly chosen, the last one among them; the newest first."""
    step = -(-len(samples) // _TABLE_ROWS)
    return samples[::-1][:: max(1, step)]
