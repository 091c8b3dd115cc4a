"""Assets as a file for spreadsheets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from muster.assets import filters
from muster.assets.listing import AssetListing, AssetRow
from muster.db import Database
from muster.encryption import SecretBox
from muster.tenancy import TenantScope
from muster.web import spreadsheet

# Rows that are read, and kept in memory, at a time.
_PIECE = 500

_COLUMNS: Mapping[str, Callable[[AssetRow], Any]] = {
    "Name": lambda row: row.name,
    "Status": lambda row: filters.STATUS_WORDS[row.agent_status],
    "Last known status": lambda row: filters.STATUS_WORDS[row.last_known_status],
    "Type": lambda row: filters.TYPE_WORDS.get(row.asset_type, row.asset_type),
    "Client": lambda row: row.client_name,
    "Site": lambda row: row.site_name,
    "Platform": lambda row: filters.PLATFORM_WORDS.get(row.os_type or "", row.os_type),
    "System": lambda row: row.os_version,
    "Current user": lambda row: row.current_user,
    "Last user": lambda row: row.last_user,
    "LAN IP": lambda row: row.lan_ip,
    "All LAN IPs": lambda row: " ".join(row.lan_ips or ()),
    "WAN IP": lambda row: row.wan_ip,
    "Serial number": lambda row: row.serial_number,
    "Make": lambda row: row.make,
    "Model": lambda row: row.model,
    "Processor": lambda row: row.cpu_model,
    "Memory (GB)": lambda row: row.ram_gb,
    "Agent version": lambda row: row.agent_version,
    "Needs reboot": lambda row: row.needs_reboot,
    "Maintenance mode": lambda row: row.maintenance_mode,
    "Pending patches": lambda row: row.pending_patches,
    "Last seen (UTC)": lambda row: row.last_seen_at,
    "Missing since (UTC)": lambda row: row.missing_since,
    "Retired (UTC)": lambda row: row.retired_at,
    "Integration": lambda row: row.integration_name,
    "Device id": lambda row: row.rmm_device_id,
    "Asset id": lambda row: row.asset_id,
}


async def lines(
    database: Database, scope: TenantScope, secrets: SecretBox, asset_ids: Sequence[UUID]
) -> AsyncIterator[bytes]:
    """The file piece by piece, its head first. No transaction lasts longer than a piece, however slowly the
    other side reads.
    """
    yield spreadsheet.head(_COLUMNS)
    for start in range(0, len(asset_ids), _PIECE):
        async with database.read(scope) as session:
            rows = await AssetListing(session, scope, secrets).some(asset_ids[start : start + _PIECE])
        yield spreadsheet.rows([[of(row) for of in _COLUMNS.values()] for row in rows])
