"""Tables of software: the catalogue, what is installed where, what each asset reports, and what changed.

Ids of titles and versions are made of what they stand for (`types.title_id`, `types.version_id`), so that
nobody has to look one up to write it.
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from muster.db.types import Base, ByCodePoint, TenantOwned, new_id, of_tenant, part_of


class SoftwareTitle(TenantOwned, Base):
    """A program by normalized name and publisher; `name` and `publisher` are as first met.

    `publisher_key` is "" where nobody says who made it.
    """

    __tablename__ = "software_catalog"
    __table_args__ = (
        of_tenant(),
        UniqueConstraint("tenant_id", "name_key", "publisher_key"),
    )

    software_id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    publisher: Mapped[str | None]
    name_key: Mapped[str] = mapped_column(ByCodePoint)
    publisher_key: Mapped[str] = mapped_column(ByCodePoint)
    first_seen_at: Mapped[datetime]


class SoftwareVersion(TenantOwned, Base):
    """A version of a title, "" where none is stated. `version_key` sorts as versions do (`versions.key`)."""

    __tablename__ = "software_versions"
    __table_args__ = (
        part_of("software_catalog", "software_id"),
        UniqueConstraint("tenant_id", "software_id", "version"),
        Index(None, "tenant_id", "software_id", "version_key", "version_id"),
    )

    version_id: Mapped[UUID] = mapped_column(primary_key=True)
    software_id: Mapped[UUID]
    version: Mapped[str]
    version_key: Mapped[str] = mapped_column(ByCodePoint)
    first_seen_at: Mapped[datetime]


class InstalledSoftware(TenantOwned, Base):
    """A version of a title on an asset; several versions on one asset are several rows.

    `first_seen_at` is when Muster first saw this version there. `last_seen_at` is null while it is installed:
    it was seen whenever the asset's report was; once removed, it is when it was last in a report.
    `removed_at` is when a report came without it.
    """

    __tablename__ = "asset_software"
    __table_args__ = (
        part_of("assets", "asset_id"),
        part_of("software_versions", "version_id"),
        # It has all that counting takes; SQLite looks at `removed_at` even where the index tells it.
        Index(
            "ix_asset_software_present",
            "tenant_id",
            "software_id",
            "version_id",
            "asset_id",
            "removed_at",
            sqlite_where=text("removed_at IS NULL"),
            postgresql_where=text("removed_at IS NULL"),
        ),
        Index(
            None,
            "tenant_id",
            "removed_at",
            sqlite_where=text("removed_at IS NOT NULL"),
            postgresql_where=text("removed_at IS NOT NULL"),
        ),
    )

    asset_id: Mapped[UUID] = mapped_column(primary_key=True)
    version_id: Mapped[UUID] = mapped_column(primary_key=True)
    software_id: Mapped[UUID]
    installed_on: Mapped[date | None]
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    source: Mapped[str | None]
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]


class SoftwareReported(TenantOwned, Base):
    """That an asset reports software; an asset without a row never did.

    `digest` tells whether the list is what it was. `changed_at` is when it last was another. `missed_since`
    is the first complete answer of the integration without it; until then its list was seen in the
    integration's last complete answer (`SoftwareReading`).
    """

    __tablename__ = "software_reports"
    __table_args__ = (
        part_of("assets", "asset_id"),
        part_of("rmm_integrations", "integration_id"),
        Index(None, "tenant_id", "integration_id"),
    )

    asset_id: Mapped[UUID] = mapped_column(primary_key=True)
    integration_id: Mapped[UUID]
    digest: Mapped[str]
    installs: Mapped[int]
    first_reported_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    missed_since: Mapped[datetime | None]


class SoftwareReading(TenantOwned, Base):
    """When an integration's software was last read whole; not to be in that answer means not to report."""

    __tablename__ = "software_readings"
    __table_args__ = (part_of("rmm_integrations", "integration_id"),)

    integration_id: Mapped[UUID] = mapped_column(primary_key=True)
    read_at: Mapped[datetime]


class SoftwareChange(TenantOwned, Base):
    """What changed on an asset: `kind` is installed, updated or removed. What an asset's first report lists
    is no change. For an update `from_version_id` is what was there before.
    """

    __tablename__ = "software_changes"
    __table_args__ = (
        part_of("assets", "asset_id"),
        part_of("software_versions", "version_id"),
        # It has the order of the list, and all that counting takes.
        Index("ix_software_changes_listed", "tenant_id", "changed_at", "change_id", "kind", "asset_id"),
        Index(None, "tenant_id", "asset_id", "changed_at"),
        Index(None, "tenant_id", "software_id", "changed_at"),
    )

    change_id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    asset_id: Mapped[UUID]
    software_id: Mapped[UUID]
    version_id: Mapped[UUID]
    from_version_id: Mapped[UUID | None]
    kind: Mapped[str]
    changed_at: Mapped[datetime]
