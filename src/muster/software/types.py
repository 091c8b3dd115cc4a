"""What software is made of, apart from where it is stored.

Many of these live at once and none refers to itself: the garbage collector need not look at them (gc=False).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from uuid import UUID, uuid5

import msgspec

from muster.providers.inventory import SoftwareRecord
from muster.software.naming import clean, clean_version, name_key, publisher_key, title_name
from muster.software.versions import key

# What a source says more than this is no place.
_SOURCE_LIMIT = 1000
_MOST_BYTES = 2**63 - 1


class ChangeKind(StrEnum):
    """What happened to a title on an asset."""

    INSTALLED = "installed"
    UPDATED = "updated"
    REMOVED = "removed"


def title_id(tenant_id: UUID, name_key: str, publisher_key: str) -> UUID:
    """The id of the title with these keys: the same whoever meets it first."""
    # Neither key has a line break in it.
    return uuid5(tenant_id, f"{name_key}\n{publisher_key}")


def version_id(software_id: UUID, version: str) -> UUID:
    """The id of a version of a title."""
    return uuid5(software_id, version)


class Program(msgspec.Struct, frozen=True, gc=False):
    """A version of a title as the catalogue has it: `version` is "", `publisher` None where not stated."""

    software_id: UUID
    version_id: UUID
    name: str
    publisher: str | None
    name_key: str
    publisher_key: str
    version: str
    version_key: str


@lru_cache(maxsize=20_000)
def program_of(tenant_id: UUID, name: str, version: str | None, publisher: str | None) -> Program:
    """The program that a record's words mean."""
    stated = clean_version(version or "")
    name_part, publisher_part = name_key(name, stated), publisher_key(publisher)
    software_id = title_id(tenant_id, name_part, publisher_part)
    return Program(
        software_id=software_id,
        version_id=version_id(software_id, stated),
        name=title_name(name, stated),
        publisher=clean(publisher or "") or None if publisher_part else None,
        name_key=name_part,
        publisher_key=publisher_part,
        version=stated,
        version_key=key(stated),
    )


class Details(msgspec.Struct, frozen=True, gc=False):
    """What a list says of an install besides what it is."""

    installed_on: date | None = None
    size_bytes: int | None = None
    source: str | None = None

    def completed(self, other: Details) -> Details:
        """These, and the other's where nothing is said here."""
        pairs = zip(msgspec.structs.astuple(self), msgspec.structs.astuple(other), strict=True)
        return Details(*(mine if mine is not None else theirs for mine, theirs in pairs))


class Install(msgspec.Struct, frozen=True, gc=False):
    """A version of a title on an asset, as the asset's list has it."""

    program: Program
    details: Details


class KnownInstall(msgspec.Struct, frozen=True, gc=False):
    """A version of a title that is installed on an asset as far as Muster knows."""

    version_id: UUID
    details: Details
    first_seen_at: datetime


def installs_of(tenant_id: UUID, records: Sequence[SoftwareRecord]) -> Sequence[Install]:
    """What a list says is installed; of doubles one, with what the first of them says. Entries without a name
    are nothing.
    """
    found: dict[UUID, Install] = {}
    for record in records:
        program = program_of(tenant_id, record.name, record.version, record.publisher)
        if not program.name:
            continue
        details = _details_of(record)
        known = found.get(program.version_id)
        if known is not None:
            program, details = known.program, known.details.completed(details)
        found[program.version_id] = Install(program, details)
    return list(found.values())


def _details_of(record: SoftwareRecord) -> Details:
    size, source = record.size_bytes, record.source
    return Details(
        record.installed_on,
        size if size is None or 0 <= size <= _MOST_BYTES else None,
        None if source is None else clean(source, _SOURCE_LIMIT) or None,
    )


class SoftwareChanged(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What changed on an asset; `was` is what an update came from."""

    kind: ChangeKind
    program: Program
    was: Program | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetReport:
    """What an asset reports. `digest` tells its list from others."""

    asset_id: UUID
    digest: str
    records: Sequence[SoftwareRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftwareDelta:
    """What a report changed; nothing where it is the asset's first (`is_first`), from which changes count.
    `installs` is how many it lists.
    """

    installed: Sequence[SoftwareChanged] = ()
    updated: Sequence[SoftwareChanged] = ()
    removed: Sequence[SoftwareChanged] = ()
    is_first: bool = False
    installs: int = 0

    @property
    def changes(self) -> Sequence[SoftwareChanged]:
        """All of them."""
        return (*self.installed, *self.updated, *self.removed)


@dataclass(slots=True)
class IntakeResult:
    """What became of reports: what each changed, by asset, and those that were not believed because they
    are empty and the one before was not.
    """

    deltas: dict[UUID, SoftwareDelta] = field(default_factory=dict)
    doubted: list[UUID] = field(default_factory=list)


class KnownReport(msgspec.Struct, frozen=True, gc=False):
    """How an asset's last report stands."""

    asset_id: UUID
    integration_id: UUID
    digest: str
    installs: int
    changed_at: datetime
    seen_at: datetime
    missed_since: datetime | None


def seen_at(written: datetime, missed_since: datetime | None, read_at: datetime | None) -> datetime:
    """When a list was last seen: when that was `written`, or in the integration's last complete answer, read
    at a moment, unless the asset was missed there.
    """
    if read_at is None or missed_since is not None:
        return written
    return max(written, read_at)
