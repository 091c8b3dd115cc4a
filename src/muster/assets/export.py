"""Assets as comma-separated values (RFC 4180), for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from muster.assets import filters
from muster.assets.listing import AssetListing, AssetRow
from muster.db import Database
from muster.encryption import SecretBox
from muster.tenancy import TenantScope

# Rows that are read, and kept in memory, at a time.
_PIECE = 500
# Without it spreadsheets take UTF-8 for something older.
_BYTE_ORDER_MARK = "\ufeff"
# What makes a spreadsheet take a cell for a formula, and run it.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")

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
    yield (_BYTE_ORDER_MARK + _text([list(_COLUMNS)])).encode()
    for start in range(0, len(asset_ids), _PIECE):
        async with database.read(scope) as session:
            rows = await AssetListing(session, scope, secrets).some(asset_ids[start : start + _PIECE])
        yield _text([[cell(of(row)) for of in _COLUMNS.values()] for row in rows]).encode()


def cell(value: Any) -> str:
    """A value as a spreadsheet may have it: what it would take for a formula gets an apostrophe."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        case int() | float():
            return str(value)
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _text(rows: Sequence[Sequence[str]]) -> str:
    target = io.StringIO()
    csv.writer(target, lineterminator="\r\n").writerows(rows)
    return target.getvalue()
