"""Two ways to read an organization's devices: the light list and the paged beta list (CONTRACT 2, 3, 6)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Container, Iterator, Sequence
from datetime import datetime
from typing import TypeVar
from urllib.parse import quote

from muster import clock
from muster.egress import Answer
from muster.providers.contract import (
    DeviceChunk,
    DeviceRecord,
    OrganizationRead,
    OrganizationRecord,
    ProviderError,
    ProviderNotFound,
    RejectedRow,
)
from muster.providers.tacticalrmm import answers, cleaning, translate
from muster.providers.tacticalrmm.payloads import BetaRow, LightRow
from muster.providers.tacticalrmm.translate import Places, RowRefused
from muster.providers.tacticalrmm.wire import PAGE, Wire

T = TypeVar("T", LightRow, BetaRow)

LIGHT = "light"
DETAIL = "detail"
LIST_AGENTS = "can_list_agents"
AGENTS = "/agents/"
BETA_AGENTS = "/beta/v1/agent/"
CHUNK = 100
_TOO_MUCH = frozenset({"body_too_large", "timeout"})

# The server's URLs take ids of 21 characters and more; a shorter one meets no view (CONTRACT 3).
_ADDRESSABLE = re.compile(r"[^\s/\\\x00-\x1f\x7f]{21,200}")

Item = DeviceChunk | OrganizationRead


def agent_path(base: str, external_id: str) -> str:
    """Where an agent is below `base`; an id that fits no URL of the server is of none of its agents."""
    if not _ADDRESSABLE.fullmatch(external_id):
        raise ProviderNotFound("The server cannot have an agent with such an id.")
    return f"{base}{quote(external_id, safe='')}/"


async def read_light(wire: Wire, organization: OrganizationRecord) -> AsyncIterator[Item]:
    """Everything about an organization's devices that the server computes itself: 1.2 KB each."""
    answer = await wire.get_list(AGENTS, params={"client": organization.external_id}, permission=LIST_AGENTS)
    moment, places = answered_at(answer), Places.of(organization)
    rows = answers.decode_rows(answer, LightRow)
    own = [pair for pair in rows.good if cleaning.label(pair[1].client_name) == organization.name]
    refused = [
        row
        for row, (client, _) in zip(rows.rejected, rows.owners, strict=True)
        if not isinstance(client, str) or cleaning.label(client) == organization.name
    ]
    tally = _Tally(organization, LIGHT, foreign=rows.total - len(own) - len(refused))
    own = tally.once(own)
    for chunk in _chunks(
        (organization.external_id, LIGHT, moment),
        own,
        lambda row: translate.light(row, places, moment),
        refused,
    ):
        yield chunk
    tally.received = len(own) + len(refused)
    yield tally.closed(organization.device_count)


async def read_detail(
    wire: Wire, organization: OrganizationRecord, pace: Pace, visible: Container[str] | None = None
) -> AsyncIterator[Item]:
    """An organization's devices with their hardware, a page at a time; pages are counted, never followed.

    The beta list ignores roles: what is not in `visible` (None: not known) is left out.
    """
    places = Places.of(organization)
    tally = _Tally(organization, DETAIL, visible=visible)
    offset, count, more = 0, None, True
    while more:
        size = pace.size_at(offset)
        try:
            answer = await _page(wire, organization, size, offset // size + 1)
        except ProviderNotFound:
            if offset == 0:
                raise
            tally.problem = "The list became shorter while it was read."
            break
        except ProviderError as failure:
            if failure.code in _TOO_MUCH and pace.shrink():
                continue
            raise
        rows = answers.decode_rows(answer, BetaRow)
        count = rows.count
        if pace.capped(size, rows.total, rows.more, offset):
            continue
        pace.learn(size, rows.total, len(answer.body), answer.seconds)
        offset += rows.total
        for chunk in _detail_chunks(rows, places, tally, answered_at(answer)):
            yield chunk
        more = rows.more and rows.total > 0 and (count is None or tally.read < count)
    yield tally.closed(count if count is not None else organization.device_count)


async def _page(wire: Wire, organization: OrganizationRecord, size: int, page: int) -> Answer:
    # The order must not change between pages.
    place: dict[str, str | int] = {"client_id": organization.external_id, "page_size": size, "page": page}
    return await wire.get(BETA_AGENTS, params={**place, "ordering": "id"}, permission=LIST_AGENTS, ask=PAGE)


def _detail_chunks(
    rows: answers.Rows[BetaRow], places: Places, tally: _Tally, moment: datetime
) -> Iterator[DeviceChunk]:
    """The rows of one page whose site is the organization's."""
    own = [pair for pair in rows.good if str(pair[1].site) in places.site_names]
    refused = [
        row
        for row, (_, site) in zip(rows.rejected, rows.owners, strict=True)
        if not isinstance(site, int) or str(site) in places.site_names
    ]
    tally.foreign += rows.total - len(own) - len(refused)
    own = tally.seen_by_role(tally.once(own))
    tally.received += len(own) + len(refused)
    return _chunks(
        (places.organization_id, DETAIL, moment),
        own,
        lambda row: translate.detail(row, places, moment),
        refused,
    )


class Pace:
    """How many devices a page has: about 4 MB and 5 s, from 5 to 1,000 (CONTRACT 2 and 6).

    A page can only begin at a multiple of its size, so a size is taken only where it divides what
    has been read already.
    """

    START = 25
    LEAST = 5
    MOST = 1000
    BYTES = 4_000_000
    SECONDS = 5.0
    _STEPS = (1000, 500, 200, 100, 50, 25, 10, 5)

    def __init__(self) -> None:
        self._wanted = self.START
        self._cap = self.MOST

    def size_at(self, offset: int) -> int:
        """The page size to ask for when `offset` devices have been read."""
        bound = min(self._wanted, self._cap)
        for size in (self._cap, *self._STEPS):
            if size <= bound and offset % size == 0:
                return size
        return next(size for size in range(bound, 0, -1) if offset % size == 0)

    def learn(self, asked: int, rows: int, body_bytes: int, seconds: float) -> None:
        """Aim at the bounds from what one page weighed and took, growing at most fourfold.

        Growth starts from the size asked for: a small organization's short page says what a row weighs, not
        that pages should be short.
        """
        if rows == 0:
            return
        factor = min(self.BYTES / max(body_bytes, 1), self.SECONDS / max(seconds, 0.001))
        self._wanted = max(min(int(rows * factor), 4 * asked, self.MOST), self.LEAST)

    def shrink(self) -> bool:
        """Ask for less after a page that was too much; False when it is the least already."""
        if self._wanted <= self.LEAST:
            return False
        self._wanted = max(self._wanted // 5, self.LEAST)
        return True

    def capped(self, asked: int, got: int, more: bool, offset: int) -> bool:
        """Whether the server silently gave smaller pages than asked for, so that this one began elsewhere."""
        if not more or got == 0 or got >= asked:
            return False
        self._cap = got
        return offset > 0


class _Tally:
    """What was received of one organization from one source, each device once."""

    def __init__(
        self,
        organization: OrganizationRecord,
        source: str,
        *,
        foreign: int = 0,
        visible: Container[str] | None = None,
    ) -> None:
        self.organization = organization
        self.source = source
        self.foreign = foreign
        self.hidden = 0
        self._visible = visible
        self.received = 0
        self.problem: str | None = None
        self._seen: set[str] = set()

    @property
    def read(self) -> int:
        """Rows used up so far, others' included."""
        return self.received + self.foreign + self.hidden

    def once(self, rows: list[tuple[int, T]]) -> list[tuple[int, T]]:
        """The rows of devices not met before: a list that changes while paged repeats some."""
        new = []
        for position, row in rows:
            if row.agent_id not in self._seen:
                self._seen.add(row.agent_id)
                new.append((position, row))
        return new

    def seen_by_role(self, rows: list[tuple[int, T]]) -> list[tuple[int, T]]:
        """The rows that the credentials may see."""
        if self._visible is None:
            return rows
        shown = [(position, row) for position, row in rows if row.agent_id in self._visible]
        self.hidden += len(rows) - len(shown)
        return shown

    def closed(self, expected: int | None) -> OrganizationRead:
        """The end: complete only if what came is what the server counts."""
        complete = self.problem is None and expected is not None and self.received == expected
        problems = [self.problem] if self.problem else []
        if self.foreign:
            problems.append(f"{self.foreign} devices of other organizations were left out.")
        if self.hidden:
            problems.append(f"{self.hidden} devices that the light list does not show were left out.")
        if expected is None:
            problems.append("The server states no count.")
        elif not complete and self.problem is None:
            problems.append(f"The server counts {expected} devices, {self.received} were received.")
        return OrganizationRead(
            organization_id=self.organization.external_id,
            source=self.source,
            received=self.received,
            expected=expected,
            complete=complete,
            problem=" ".join(problems) or None,
        )


def answered_at(answer: Answer) -> datetime:
    """The server's clock at the answer; ours where it has none."""
    return answer.date or clock.now()


def _chunks(
    head: tuple[str, str, datetime],
    rows: Sequence[tuple[int, T]],
    to_record: Callable[[T], DeviceRecord],
    refused: list[RejectedRow],
) -> Iterator[DeviceChunk]:
    organization_id, source, moment = head
    for start in range(0, max(len(rows), 1), CHUNK):
        records: list[DeviceRecord] = []
        rejected = list(refused) if start == 0 else []
        for position, row in rows[start : start + CHUNK]:
            try:
                records.append(to_record(row))
            except RowRefused as refusal:
                rejected.append(answers.rejected(position, row.agent_id, refusal))
        if records or rejected:
            yield DeviceChunk(
                organization_id=organization_id,
                source=source,
                answered_at=moment,
                records=tuple(records),
                rejected=tuple(rejected),
            )
