"""Samples of the fleet: when they are taken, how old ones are thinned, and what is drawn. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

QUARTER, HOUR, DAY = timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)
# From this age on a sample stands for an hour, for a day, and is not kept any more.
HOURS_AFTER, DAYS_AFTER, GONE_AFTER = 2 * DAY, 30 * DAY, 2 * 366 * DAY
STATUSES = ("online", "offline", "overdue", "unknown")


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """Assets by status at the beginning of a quarter of an hour, or on the mean of an hour or a day."""

    sampled_at: datetime
    online: int
    offline: int
    overdue: int
    unknown: int

    @property
    def total(self) -> int:
        """All assets."""
        return self.online + self.offline + self.overdue + self.unknown


@dataclass(frozen=True, slots=True)
class Thinning:
    """Samples to write in place of others, and the moments of those to delete."""

    write: Sequence[Sample]
    delete: Sequence[datetime]


@dataclass(frozen=True, slots=True)
class Range:
    """A stretch of time up to now that is drawn in steps; what stands in its address is `key`."""

    key: str
    label: str
    length: timedelta
    step: timedelta


RANGES: Mapping[str, Range] = {
    each.key: each
    for each in (
        Range("24h", "24 h", DAY, QUARTER),
        Range("30d", "30 days", 30 * DAY, DAY),
        Range("1y", "1 year", 365 * DAY, 7 * DAY),
    )
}
DEFAULT_RANGE = "30d"


def floor(moment: datetime, step: timedelta) -> datetime:
    """The beginning of the step that a moment lies in; steps are counted from the year 1, in UTC."""
    start = datetime.min.replace(tzinfo=moment.tzinfo)
    return moment - (moment - start) % step


def thinned(samples: Iterable[Sample], now: datetime) -> Thinning:
    """Quarters for two days, then hours for a month, then days for two years: a bucket whose whole length has
    reached the age becomes its mean. What is thinned already stays as it is, so that doing it twice, or in
    two places at once, comes to the same.
    """
    buckets: dict[tuple[datetime, timedelta], list[Sample]] = defaultdict(list)
    delete: list[datetime] = []
    for sample in samples:
        if sample.sampled_at < now - GONE_AFTER:
            delete.append(sample.sampled_at)
            continue
        for step, age in ((DAY, DAYS_AFTER), (HOUR, HOURS_AFTER)):
            start = floor(sample.sampled_at, step)
            if start + step <= now - age:
                buckets[start, step].append(sample)
                break
    write = []
    for (start, _), found in sorted(buckets.items()):
        if [sample.sampled_at for sample in found] == [start]:
            continue
        write.append(mean(found, start))
        delete.extend(sample.sampled_at for sample in found if sample.sampled_at != start)
    return Thinning(write, sorted(delete))


def mean(samples: Sequence[Sample], at: datetime) -> Sample:
    """The mean of samples, in whole devices; its sum is the rounded mean of theirs."""
    count = len(samples)
    sums = {name: sum(getattr(sample, name) for sample in samples) for name in STATUSES}
    counts = {name: value // count for name, value in sums.items()}
    # The devices lost in rounding go to where most was cut off.
    left = round(sum(sums.values()) / count) - sum(counts.values())
    for name in sorted(STATUSES, key=lambda each: -(sums[each] % count))[:left]:
        counts[name] += 1
    return Sample(sampled_at=at, **counts)


def series(samples: Iterable[Sample], wanted: Range, now: datetime) -> Sequence[Sample]:
    """One sample for each step of a range that has any, oldest first. The step that now lies in would be the
    mean of a night, say: it is left out, unless there is no other yet.
    """
    since = now - wanted.length
    steps: dict[datetime, list[Sample]] = defaultdict(list)
    for sample in samples:
        if since <= sample.sampled_at <= now:
            steps[floor(sample.sampled_at, wanted.step)].append(sample)
    ended = {start: found for start, found in steps.items() if start + wanted.step <= now}
    # A step that began before the range is drawn at the range's beginning.
    return [mean(found, max(start, since)) for start, found in sorted((ended or steps).items())]
