"""Shapes of software as others see it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from muster.software.versions import VersionBound


class TitleFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which titles that are installed anywhere; every given condition must hold.

    `search` looks into name and publisher, `publisher` is one in any of its spellings. `bound`: installed in
    a version on that side of one. `client_id`: on an asset of that client.
    """

    search: str | None = None
    publisher: str | None = None
    bound: VersionBound | None = None
    client_id: UUID | None = None


class TitleSort(StrEnum):
    """A column of titles to sort by. Without a publisher they come last either way."""

    NAME = "name"
    PUBLISHER = "publisher"
    MACHINES = "machines"
    FIRST_SEEN = "first_seen"


class TitleOrder(msgspec.Struct, frozen=True):
    """How a list of titles is sorted; what is alike stands by name."""

    by: TitleSort = TitleSort.NAME
    descending: bool = False


class TitleView(msgspec.Struct, frozen=True, kw_only=True):
    """A program. `machines` and `versions` count what is installed and matches the filter it was asked with;
    `newest_version` is the latest of these versions, null where none is stated.
    """

    software_id: UUID
    name: str
    publisher: str | None
    machines: int
    versions: int
    newest_version: str | None
    first_seen_at: datetime


class VersionView(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a title and on how many assets it is installed; `version` is null where none is stated."""

    version_id: UUID
    version: str | None
    machines: int
    first_seen_at: datetime


class ClientCount(msgspec.Struct, frozen=True, kw_only=True):
    """On how many assets of a client a title is installed, in whatever version."""

    client_id: UUID
    machines: int


class TitleDetail(TitleView, frozen=True, kw_only=True):
    """A program with its versions, newest first, those that are installed nowhere any more at the end of the
    list with none; with its clients, most machines first; and with the programs of the same name that have
    another publisher or, told by an agent that knows none, no publisher.
    """

    version_list: Sequence[VersionView]
    clients: Sequence[ClientCount]
    namesakes: Sequence[TitleView]


class InstallFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which installs; every given condition must hold. `search` looks into the title's name and publisher,
    `publisher` is one in any of its spellings. `removed` None: those that are gone, too.
    """

    software_id: UUID | None = None
    search: str | None = None
    publisher: str | None = None
    bound: VersionBound | None = None
    version_id: UUID | None = None
    client_id: UUID | None = None
    asset_id: UUID | None = None
    removed: bool | None = False


class InstallSort(StrEnum):
    """A column of installs to sort by: the asset's name, its client's, the title's, the version as versions
    are ordered, the day of the installation, or when Muster first saw it.
    """

    MACHINE = "machine"
    CLIENT = "client"
    TITLE = "title"
    VERSION = "version"
    INSTALLED = "installed"
    FIRST_SEEN = "first_seen"


class InstallOrder(msgspec.Struct, frozen=True):
    """How a list of installs is sorted; what is alike stands by the asset's name, then by the title's."""

    by: InstallSort = InstallSort.MACHINE
    descending: bool = False


class InstallView(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a title on an asset. `installed_on` is the day the installer states, `size_bytes` the size
    it states. `last_seen_at` is when the asset's list last held it, `removed_at` when a list came without it.
    """

    asset_id: UUID
    asset_name: str
    client_id: UUID
    software_id: UUID
    version_id: UUID
    name: str
    publisher: str | None
    version: str | None
    installed_on: date | None
    size_bytes: int | None
    source: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    removed_at: datetime | None


class AssetSoftware(msgspec.Struct, frozen=True, kw_only=True):
    """What an asset has. Not `reported`: nobody knows; that is not nothing. `seen_at` is when its list was
    last read, `changed_at` when it last was another one, `missed_since` the first complete answer without it.
    `total` counts the installs that match the search, `installs` is a part of them, by name.
    """

    reported: bool
    first_reported_at: datetime | None
    seen_at: datetime | None
    missed_since: datetime | None
    changed_at: datetime | None
    installs: Sequence[InstallView]
    total: int


class ChangeFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which changes; every given condition must hold. `kind` is installed, updated or removed; `since` a
    moment, that one included.
    """

    asset_id: UUID | None = None
    software_id: UUID | None = None
    client_id: UUID | None = None
    kind: str | None = None
    since: datetime | None = None


class SoftwareChangeView(msgspec.Struct, frozen=True, kw_only=True):
    """What changed on an asset; of an update `from_version` is what was there before."""

    change_id: UUID
    changed_at: datetime
    kind: str
    asset_id: UUID
    asset_name: str
    client_id: UUID
    software_id: UUID
    name: str
    publisher: str | None
    version: str | None
    from_version: str | None


class SoftwareCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many titles are installed, how often; how many assets with an agent report their software, and how
    many do not.
    """

    titles: int
    installs: int
    reporting: int
    not_reporting: int
