"""Reading what agents have installed: the list of all in one answer, or agent by agent (CONTRACT 3 and 6).

Only what the server has stored is read. `PUT /software/<agent_id>/` would have the agent look anew, and is
never sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import NamedTuple

import msgspec

from muster import clock
from muster.egress import Answer, Spool
from muster.providers.contract import (
    ProviderAuthError,
    ProviderConfigurationError,
    ProviderError,
    ProviderErrorInfo,
    ProviderPayloadError,
    ProviderPermissionError,
    ProviderRateLimited,
    ProviderUnavailable,
    RejectedRow,
    RosterEntry,
)
from muster.providers.inventory import SoftwareRead, SoftwareReport
from muster.providers.tacticalrmm import answers, lists, software_records
from muster.providers.tacticalrmm.cutting import Cutter, Piece
from muster.providers.tacticalrmm.payloads import SoftwareRow
from muster.providers.tacticalrmm.translate import RowRefused
from muster.providers.tacticalrmm.wire import Ask, Wire

SOFTWARE = "/software/"
LIST_SOFTWARE = "can_list_software"
# 48 KB an agent. Before the first byte the server takes 1.4 ms for each, and is stopped after 300 s. Repeated
# once at most: the whole costs it a gigabyte of memory and more.
ALL = Ask(seconds=300.0, max_body=1024 * 1024 * 1024, retries=1)
MOST_OF_AGENT = 8 * 1024 * 1024
ONE = Ask(max_body=MOST_OF_AGENT)
_MOST_ROWS = 1_000_000
# How much longer than an answer took the server is then left alone, and seconds at most.
_REST = 4.0
_LONGEST_REST = 10.0
_FAILURES_IN_A_ROW = 3
_TOO_HEAVY = frozenset({"body_too_large", "timeout", "unavailable"})
_LIGHTER = "If it stays, set Software to one-by-one in the connection's settings: it may be too much at once."
_LAST = 2**63

Roster = Mapping[str, RosterEntry]


@dataclass
class _Tally:
    """What was read so far, and what speaks against having read all."""

    answered_at: datetime = field(default_factory=clock.now)
    reports: int = 0
    rejected: list[RejectedRow] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    error: ProviderErrorInfo | None = None

    def closed(self) -> SoftwareRead:
        """The end of the reading."""
        if self.rejected:
            self.problems.append(f"{len(self.rejected)} rows could not be understood.")
        return SoftwareRead(
            reports=self.reports,
            complete=not self.problems,
            answered_at=self.answered_at,
            problem=" ".join(self.problems) or None,
            error=self.error,
            rejected=tuple(self.rejected),
        )


async def read(
    wire: Wire, roster: Callable[[], Awaitable[Roster]], device_ids: Collection[str], *, one_by_one: bool
) -> AsyncIterator[SoftwareReport | SoftwareRead]:
    """What these agents have installed. `roster` is asked first: the list of all knows integer pks only, and
    an agent that it does not show can be hidden as well as gone.
    """
    tally, asked = _Tally(), dict.fromkeys(device_ids)
    if asked:
        listed = await roster()
        known = {key: listed[key] for key in asked if key in listed}
        if len(known) < len(asked):
            missing = len(asked) - len(known)
            tally.problems.append(f"{missing} of the devices asked for are not listed: hidden, or gone.")
        reader = _read_each if one_by_one else _read_all
        async for report in reader(wire, known, tally):
            yield report
    yield tally.closed()


# --- all in one answer ------------------------------------------------------------------------------------


class _Place(NamedTuple):
    """Where an agent's row is in the answer. `row_id` is the row's own number."""

    row_id: int
    offset: int
    length: int


async def _read_all(wire: Wire, known: Roster, tally: _Tally) -> AsyncIterator[SoftwareReport]:
    by_pk = {entry.external_pk: key for key, entry in known.items() if entry.external_pk is not None}
    if len(by_pk) < len(known):
        tally.problems.append(
            f"{len(known) - len(by_pk)} of the devices asked for are listed without number."
        )
    async with wire.spool() as spool:
        try:
            answer = await wire.get_list(SOFTWARE, permission=LIST_SOFTWARE, ask=ALL, into=spool)
        except ProviderError as failure:
            if failure.code in _TOO_HEAVY:
                failure.remedy = " ".join(filter(None, (failure.remedy, _LIGHTER)))
            raise
        answers.require_json(answer)
        tally.answered_at = lists.answered_at(answer)
        for place in await _places(spool, by_pk, tally):
            row = answers.decode_row(await spool.read(place.offset, place.length), SoftwareRow)
            yield _report(by_pk[row.agent], row, tally.answered_at)


async def _places(spool: Spool, wanted: Collection[int], tally: _Tally) -> list[_Place]:
    """Where the rows of these agents are, in the order of the answer.

    Two rows of one agent happen when it reported twice at the same time; from then on the server writes into
    the older one (software/views.py of amidaware/tacticalrmm: `first()`).
    """
    cutter = Cutter(MOST_OF_AGENT)
    places: dict[int, _Place] = {}
    seen: set[int] = set()
    position = 0
    async for block in spool.blocks():
        for piece in cutter.feed(block):
            row = _head(piece, position, tally, any_good=bool(seen))
            position += 1
            if row is None:
                continue
            seen.add(row.agent)
            place = _Place(_LAST if row.id is None else row.id, piece.offset, piece.length)
            if row.agent in wanted:
                places[row.agent] = min(place, places.get(row.agent, place))
        if position > _MOST_ROWS:
            raise ProviderPayloadError(f"The answer to {SOFTWARE} has more than {_MOST_ROWS:,} rows.")
    tally.reports = len(seen)
    _note_the_end(cutter, spool.size, tally)
    return sorted(places.values(), key=lambda place: place.offset)


def _head(piece: Piece, position: int, tally: _Tally, *, any_good: bool) -> SoftwareRow | None:
    """Whose row it is; None, and noted, where that cannot be told."""
    try:
        return _decoded(piece)
    except RowRefused as refused:
        tally.rejected.append(answers.rejected(position, None, refused))
        if len(tally.rejected) > (answers.MOST_REJECTED if any_good else answers.MOST_REJECTED_OF_NONE):
            said = f"{refused.field or 'the last'}: {refused.reason}"
            raise ProviderPayloadError(f"Hardly a row of the answer to {SOFTWARE} fits; {said}.") from refused
        return None


def _decoded(piece: Piece) -> SoftwareRow:
    if piece.content is None:
        raise RowRefused("", f"has {piece.length:,} bytes")
    return answers.decode_row(piece.content, SoftwareRow)


def _note_the_end(cutter: Cutter, size: int, tally: _Tally) -> None:
    if cutter.is_whole:
        return
    if cutter.malformed_at is not None:
        said = f"From byte {cutter.malformed_at:,} on the answer to {SOFTWARE} is no list of objects."
    else:
        said = f"The answer to {SOFTWARE} ends after {size:,} bytes, before its list does."
    failure = ProviderPayloadError(said, remedy="It may have been cut off on the way; try again.")
    if not cutter.is_list:
        raise failure
    tally.problems.append(said)
    tally.error = failure.info()


# --- agent by agent ---------------------------------------------------------------------------------------


async def _read_each(wire: Wire, known: Roster, tally: _Tally) -> AsyncIterator[SoftwareReport]:
    failures, in_a_row = 0, 0
    for external_id, entry in known.items():
        rest = _LONGEST_REST
        try:
            path = lists.agent_path(SOFTWARE, external_id)
            answer = await wire.get(path, permission=LIST_SOFTWARE, ask=ONE)
            rest = min(answer.seconds * _REST, _LONGEST_REST)
            tally.answered_at = lists.answered_at(answer)
            row = _row_of(answer, entry)
        except (ProviderAuthError, ProviderPermissionError, ProviderConfigurationError):
            raise
        except ProviderError as failure:
            failures += 1
            in_a_row = in_a_row + 1 if isinstance(failure, _TROUBLE) else 0
            if in_a_row == _FAILURES_IN_A_ROW:
                raise
            tally.error = tally.error or failure.info()
        else:
            in_a_row = 0
            if row is not None:
                tally.reports += 1
                yield _report(external_id, row, tally.answered_at)
        await wire.rest(rest)
    if failures:
        tally.problems.append(f"{failures} of the devices asked for could not be read.")


_TROUBLE = (ProviderUnavailable, ProviderRateLimited)


def _row_of(answer: Answer, entry: RosterEntry) -> SoftwareRow | None:
    """The agent's row; None where it has none, which is an empty list instead of an object."""
    if answer.body.lstrip()[:1] == b"[":
        if answers.decode(answer, list[msgspec.Raw]):
            raise ProviderPayloadError("The server answered with a list where one agent was asked for.")
        return None
    row = answers.decode(answer, SoftwareRow)
    if entry.external_pk not in (None, row.agent):
        raise ProviderPayloadError("The server answered with another agent's software than was asked for.")
    return row


def _report(external_id: str, row: SoftwareRow, now: datetime) -> SoftwareReport:
    content = bytes(row.software)
    return SoftwareReport(
        external_id=external_id,
        digest=software_records.digest(content),
        size=len(content),
        read=partial(software_records.listed, content, now),
    )
