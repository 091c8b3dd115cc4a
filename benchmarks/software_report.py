"""Readings of software on the page."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.tables import table
from benchmarks.values import MeasuredSoftware

_PROMISED_INSTALLS, _PROMISED_MB = 10_000, 300

TEXT = """\
A reading as `muster sync software` makes it, of a fleet whose devices are assets already. **First**: no
software is known. **Again**: nothing has changed. **A day later**: what a day of the simulated fleet changes.
*Beside* leaves out what was waited for the server. The floor: the same requests and nothing else, every entry
of the same bytes decoded into a typed one, and the same rows of titles, versions, installs and reports
written bare. Statements are round trips; *longest* is the longest writing transaction.
"""


def lines(results: Sequence[MeasuredSoftware]) -> str:
    """The table."""
    rows = []
    for result in results:
        where, floor = f"{result.fleet.title}, {result.database}", result.floor
        cases = (("first", result.first), ("again", result.again), ("a day later", result.later))
        for name, sync in cases:
            changed = sum(
                sync.counters.get(each, 0) for each in ("listed", "installed", "updated", "removed")
            )
            rows.append(
                [
                    f"{where}, {name}",
                    *(f"{spent.wall:.1f}" for spent in (sync.total, sync.waited, sync.beside)),
                    f"{sync.beside.cpu:.1f}",
                    f"{changed:,}",
                    f"{result.pace:,.0f}" if name == "first" else "",
                    f"{sync.statements:,}",
                    f"{sync.longest * 1000:.0f}",
                    f"{sync.counters['bytes_received'] / 1e6:.0f}",
                    f"{sync.peak_mb:.0f}",
                ]
            )
        bare = floor.decode + floor.written
        seconds = (floor.download.wall + bare.wall, floor.download.wall, bare.wall, bare.cpu)
        rows.append(
            [
                f"{where}, floor",
                *(f"{value:.1f}" for value in seconds),
                f"{floor.installs:,}",
                f"{result.floor_pace:,.0f}",
                *("" for _ in range(2)),
                f"{floor.received / 1e6:.0f}",
                "",
            ]
        )
    head = ["agents, case", "s", "waited", "beside", "beside CPU", "programs", "programs a second beside"]
    return table([*head, "statements", "longest ms", "MB received", "peak MB"], rows)


def promised(results: Sequence[MeasuredSoftware]) -> list[list[str]]:
    """What is promised of a fleet of real weight, and what was measured."""
    rows = []
    for result in results:
        if result.fleet.weight != "real":
            continue
        where = f"{result.fleet.title} agents, {result.database}, software"
        peak = max(sync.peak_mb for sync in (result.first, result.again, result.later))
        rows.append([f"{where}: installs a second beside", f"{_PROMISED_INSTALLS:,}", f"{result.pace:,.0f}"])
        rows.append([f"{where}: peak MB", f"under {_PROMISED_MB}", f"{peak:.0f}"])
    return rows
