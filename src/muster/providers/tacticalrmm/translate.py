"""Wire rows to normalized records: pure, and the same result whichever source a row came from.

A field that an answer does not carry is absent, a field known to be empty is null. Of the stand-ins
that machines, makers and the server write for "unknown" none becomes data (CONTRACT 3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

import msgspec
from msgspec import UNSET, UnsetType

from muster.providers.contract import (
    AgentStatus,
    AssetType,
    DeviceRecord,
    Disk,
    OrganizationRecord,
    RejectedRow,
    RosterEntry,
    SiteRecord,
)
from muster.providers.tacticalrmm import cleaning, hardware
from muster.providers.tacticalrmm.hardware import Hardware, known
from muster.providers.tacticalrmm.payloads import (
    AgentRow,
    BetaRow,
    BetaSiteRow,
    ClientRow,
    DiskRow,
    Disks,
    LightRow,
    RosterRow,
    SingleRow,
)

_OS_TYPES = {"windows": "windows", "linux": "linux", "darwin": "macos"}
_NOBODY = frozenset({"", "-", "none"})
_AGENT_ID = re.compile(r"[^\s/\\\x00-\x1f\x7f]{1,200}")
# The longest threshold that date arithmetic bears from any sane `now`: 100 years.
_MAX_MINUTES = 100 * 365 * 24 * 60
_MAX_DISKS = 100


class RowRefused(Exception):
    """The row cannot become a record: which field, and why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class Places(msgspec.Struct, frozen=True):
    """An organization's id and its sites both ways."""

    organization_id: str
    site_ids: Mapping[str, str]
    site_names: Mapping[str, str]

    @classmethod
    def of(cls, organization: OrganizationRecord) -> Places:
        """From the organization as the same run listed it."""
        return cls(
            organization.external_id,
            {site.name: site.external_id for site in organization.sites},
            {site.external_id: site.name for site in organization.sites},
        )


def organization(row: ClientRow) -> OrganizationRecord:
    """A Tactical client, its sites included."""
    return OrganizationRecord(
        external_id=str(row.id),
        name=_name(row.name, "name"),
        device_count=row.agent_count,
        sites=tuple(
            SiteRecord(
                external_id=str(site.id), name=_name(site.name, "sites.name"), device_count=site.agent_count
            )
            for site in row.sites
        ),
    )


def roster(
    good: Iterable[tuple[int, RosterRow]], rejected: Iterable[RejectedRow]
) -> Iterator[tuple[int, RosterEntry | None]]:
    """Each row by position as the device's place in the list of all; None where it has no usable id.

    A row of which nothing but the id can be read still says that the device is there.
    """
    for position, row in good:
        yield position, _roster_entry(row)
    for refused in rejected:
        yield refused.position, _roster_entry(RosterRow(agent_id=refused.external_id or ""))


def _roster_entry(row: RosterRow) -> RosterEntry | None:
    if not _AGENT_ID.fullmatch(row.agent_id):
        return None
    return RosterEntry(
        external_id=row.agent_id,
        external_pk=row.id,
        organization_name=None if row.client is None else cleaning.label(row.client),
        site_name=None if row.site is None else cleaning.label(row.site),
    )


def organization_name(row: SingleRow) -> str:
    """The client's name as `organization` gives it."""
    return cleaning.label(row.client) or ""


def site_name(row: BetaSiteRow) -> str:
    """The site's name as `organization` gives it."""
    return cleaning.label(row.name) or str(row.id)


def light(row: LightRow, places: Places, now: datetime) -> DeviceRecord:
    """A row of the light list: status, serial and lines; no RAM, no disks, no integer id."""
    site = _name(row.site_name, "site_name")
    current, last = _light_users(row)
    return _record(
        row,
        places.organization_id,
        (AgentStatus(row.status), now),
        hardware.from_lines(row),
        {
            "site_id": places.site_ids.get(site),
            "site_name": site,
            "serial_number": known(row.serial_number, cleaning.line),
            "current_user": current,
            "last_user": last,
            "pending_patches": row.has_patches_pending,
        },
    )


def single(row: SingleRow, organization_id: str, now: datetime) -> DeviceRecord:
    """One agent's own answer: with RAM and disks, without serial number, integer id and patches."""
    return _record(
        row,
        organization_id,
        (AgentStatus(row.status), now),
        hardware.from_lines(row),
        {
            "site_id": str(row.site),
            "site_name": known(row.site_name, cleaning.label),
            "current_user": known(row.logged_in_username, _user),
            "last_user": known(row.last_logged_in_user, _user),
            "ram_gb": known(row.total_ram, cleaning.gigabytes),
            "disks": _disks(row.disks),
        },
    )


def detail(row: BetaRow, places: Places, now: datetime) -> DeviceRecord:
    """A row of the beta list: everything but patches; status computed from the thresholds."""
    site_id = str(row.site)
    platform = row.plat if isinstance(row.plat, str) else ""
    parts = hardware.from_detail(platform, row.wmi_detail)
    return _record(
        row,
        places.organization_id,
        (computed_status(row.last_seen, row.offline_time, row.overdue_time, now), now),
        parts,
        {
            "external_pk": row.id,
            "site_id": site_id,
            "site_name": places.site_names.get(site_id),
            "serial_number": parts.serial_number,
            "current_user": known(row.logged_in_username, _user),
            "last_user": known(row.last_logged_in_user, _user),
            "ram_gb": known(row.total_ram, cleaning.gigabytes),
            "disks": _disks(row.disks),
        },
    )


def computed_status(
    last_seen: datetime | None, offline_minutes: int, overdue_minutes: int, now: datetime
) -> AgentStatus:
    """Status from thresholds in minutes, `now` being the answer's Date header; never seen is offline."""
    if last_seen is None:
        return AgentStatus.OFFLINE
    if last_seen >= now - timedelta(minutes=min(offline_minutes, _MAX_MINUTES)):
        return AgentStatus.ONLINE
    if last_seen <= now - timedelta(minutes=min(overdue_minutes, _MAX_MINUTES)):
        return AgentStatus.OVERDUE
    return AgentStatus.OFFLINE


def agent_id(text: str) -> str:
    """The id if it can be one (the server bounds it at 200 characters); RowRefused otherwise."""
    if not _AGENT_ID.fullmatch(text):
        raise RowRefused("agent_id", "is not an agent id")
    return text


def _record(
    row: AgentRow,
    organization_id: str,
    at: tuple[AgentStatus, datetime],
    parts: Hardware,
    own: dict[str, object],
) -> DeviceRecord:
    status, now = at
    return DeviceRecord(
        external_id=agent_id(row.agent_id),
        organization_id=organization_id,
        status=status,
        never_reported=row.last_seen is None,
        last_seen_at=cleaning.moment(row.last_seen, now),
        name=_name(row.hostname, "hostname"),
        asset_type=AssetType(row.monitoring_type),
        description=known(row.description, cleaning.prose),
        os_type=known(row.plat, _os_type),
        os_version=known(row.operating_system, cleaning.line),
        agent_version=known(row.version, cleaning.line),
        make=parts.make,
        model=parts.model,
        cpu_model=parts.cpu_model,
        cpu_cores=parts.cpu_cores,
        gpu_model=parts.gpu_model,
        lan_ips=parts.lan_ips,
        physical_disks=parts.physical_disks,
        boot_time=known(row.boot_time, lambda seconds: cleaning.from_epoch(seconds, now)),
        wan_ip=known(row.public_ip, cleaning.address),
        needs_reboot=row.needs_reboot,
        maintenance_mode=row.maintenance_mode,
        **own,  # type: ignore[arg-type]
    )


def _light_users(row: LightRow) -> tuple[str | UnsetType | None, str | UnsetType | None]:
    """Current and last user: in italics the name is the last one, and nobody is logged in."""
    if row.logged_username is UNSET:
        return UNSET, UNSET
    user = None if row.logged_username is None else _user(row.logged_username)
    return (None, user) if row.italic else (user, UNSET)


def _os_type(platform: str) -> str | None:
    return _OS_TYPES.get(platform)


def _user(text: str) -> str | None:
    user = cleaning.label(text)
    return None if user is None or user.lower() in _NOBODY else user


def _name(text: str, field: str) -> str:
    name = cleaning.label(text)
    if name is None:
        raise RowRefused(field, "is empty")
    return name


def _disks(rows: Disks | UnsetType) -> tuple[Disk, ...] | UnsetType | None:
    if isinstance(rows, UnsetType) or rows is None:
        return rows
    # Agents before 1.0 sent an object by device instead of a list.
    listed = list(rows.items()) if isinstance(rows, dict) else [(row.device, row) for row in rows]
    return tuple(
        _disk(name, row) for device, row in listed[:_MAX_DISKS] if (name := cleaning.line(device)) is not None
    )


def _disk(device: str, row: DiskRow) -> Disk:
    return Disk(
        device=device,
        filesystem=cleaning.line(row.fstype),
        total_bytes=cleaning.size(row.total),
        free_bytes=cleaning.size(row.free),
        used_bytes=cleaning.size(row.used),
        percent_used=cleaning.percent(row.percent),
    )
