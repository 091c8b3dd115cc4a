"""What an agent reports as installed to the records that Muster speaks in (CONTRACT 3, software). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import msgspec

from muster.providers.contract import ProviderPayloadError, RejectedRow
from muster.providers.inventory import SoftwareList, SoftwareRecord
from muster.providers.tacticalrmm import answers, cleaning
from muster.providers.tacticalrmm.payloads import SoftwareEntry
from muster.providers.tacticalrmm.translate import RowRefused

# Raised whenever an unchanged list would be understood differently: it is then read anew everywhere.
TRANSLATION = 1
# The longest recorded list has 201 entries. One beyond this is no list of programs, and to cut it would look
# like programs that were removed.
MOST_ENTRIES = 10_000
_SHORT = 200
# Go's form of a moment, "2019-06-08 00:00:00 +0000 UTC"; the year 1 is its zero.
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_OLDEST_YEAR = 1980
_Entries = list[SoftwareEntry]


def digest(content: bytes) -> str:
    """A fingerprint of a list as it is on the wire, and of how it is understood here."""
    person = f"software {TRANSLATION}".encode()
    return blake2b(content, digest_size=16, person=person).hexdigest()


def listed(content: bytes, now: datetime) -> SoftwareList:
    """The list in these bytes, `now` being the answer's Date header; ProviderPayloadError when it is none.

    The whole is decoded at once; only when that fails is each entry decoded by itself.
    """
    rejected: list[RejectedRow] = []
    try:
        rows = list(enumerate(msgspec.json.decode(content, type=_Entries)))
    except answers.MALFORMED:
        rows = list(_one_by_one(content, rejected))
    if len(rows) + len(rejected) > MOST_ENTRIES:
        raise ProviderPayloadError(f"A list of installed software has more than {MOST_ENTRIES:,} entries.")
    latest = (now + timedelta(days=1)).date()
    records = []
    for position, row in rows:
        try:
            records.append(_record(row, latest))
        except RowRefused as refused:
            rejected.append(answers.rejected(position, None, refused))
    if rejected and not records:
        said = f"{rejected[0].field or 'the first'}: {rejected[0].reason}"
        raise ProviderPayloadError(f"No entry of a list of installed software fits; {said}.")
    return SoftwareList(records=tuple(records), rejected=tuple(rejected))


def _one_by_one(content: bytes, rejected: list[RejectedRow]) -> Iterator[tuple[int, SoftwareEntry]]:
    try:
        raws = msgspec.json.decode(content, type=list[msgspec.Raw])
    except answers.MALFORMED as wrong:
        raise ProviderPayloadError("What an agent has installed is not a list.") from wrong
    for position, raw in enumerate(raws[: MOST_ENTRIES + 1]):
        try:
            entry = answers.decode_row(raw, SoftwareEntry)
        except RowRefused as refused:
            rejected.append(answers.rejected(position, None, refused))
        else:
            yield position, entry


def _record(row: SoftwareEntry, latest: date) -> SoftwareRecord:
    name = cleaning.label(row.name)
    if name is None:
        raise RowRefused("name", "is empty")
    installed_on = _date(row.install_date)
    return SoftwareRecord(
        name=name,
        version=_text(row.version, _SHORT),
        publisher=_text(row.publisher, _SHORT),
        installed_on=installed_on if installed_on is not None and installed_on <= latest else None,
        # "0 B" is what the agent says where the installer said nothing.
        size_bytes=cleaning.size(row.size) or None,
        source=_text(row.source, cleaning.SHORT),
    )


def _text(text: Any, bound: int) -> str | None:
    return cleaning.label(text, bound) if isinstance(text, str) else None


def _date(text: Any) -> date | None:
    return _day(text[:10]) if isinstance(text, str) else None


# A fleet's programs were installed on few distinct days.
@lru_cache(maxsize=8192)
def _day(text: str) -> date | None:
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    year, month, day = map(int, match.groups())
    try:
        return date(year, month, day) if year >= _OLDEST_YEAR else None
    except ValueError:
        return None
