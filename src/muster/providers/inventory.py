"""What a provider offers about installed software: what each device reports, read in bulk.

Part of the contract, in a file of its own. A connection of a provider with the capability `software` is a
SoftwareConnection.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol, runtime_checkable

import msgspec

from muster.providers.contract import ProviderErrorInfo, RejectedRow


class SoftwareRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One program as a device reports it, in the server's own words but for its sentinels, which are None.

    `size_bytes` is what the installer stated. `source` is where it was installed from.
    """

    name: str
    version: str | None = None
    publisher: str | None = None
    installed_on: date | None = None
    size_bytes: int | None = None
    source: str | None = None


class SoftwareList(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one device reports, in the server's order, and the entries that make no sense."""

    records: tuple[SoftwareRecord, ...]
    rejected: tuple[RejectedRow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftwareReport:
    """One device's list, not yet understood: most lists are what they were the last time.

    `digest` changes when the list does, or when Muster would understand it differently. `size` is the list's
    length in bytes. `read` understands it; ProviderPayloadError when it is no list.
    """

    external_id: str
    digest: str
    size: int
    read: Callable[[], SoftwareList] = field(repr=False)


class SoftwareRead(msgspec.Struct, frozen=True, kw_only=True):
    """The end of what could be read.

    `reports` is how many devices were listed, those that nobody asked for included. `complete` only when the
    answer was whole and every asked device that has a list was read: not to be in it then means that the
    device does not report. `problem` says why it is not complete, `rejected` which rows made no sense.
    """

    reports: int
    complete: bool
    answered_at: datetime
    problem: str | None = None
    error: ProviderErrorInfo | None = None
    rejected: tuple[RejectedRow, ...] = ()


@runtime_checkable
class SoftwareConnection(Protocol):
    """The verb on software of an open connection."""

    def software_in_bulk(self) -> bool:
        """Whether one answer tells of all devices. Otherwise each is asked for by itself, which takes its
        time: some devices at once are enough then.
        """

    def software(self, device_ids: Collection[str]) -> AsyncIterator[SoftwareReport | SoftwareRead]:
        """What the given devices report, one report after the other in no particular order, closed by one
        SoftwareRead. A device that does not report is left out. A ProviderError when nothing (more) can be
        read. Never held whole: an answer of any size takes little memory.
        """
