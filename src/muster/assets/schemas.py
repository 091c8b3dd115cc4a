"""Shapes of assets as others see them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from muster.providers.contract import AgentStatus, AssetType


class AssetFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which assets; every given condition must hold, and of `statuses` and `platforms` any one.

    `site` is the name of one of the client's. Last seen: `seen_since` at or after a moment, `unseen_since`
    not since then, or never. `missing`: whether the server lists the device no longer. `retired` None: both.
    `search` looks into name, serial number, addresses and users.
    """

    statuses: tuple[AgentStatus, ...] = ()
    client_id: UUID | None = None
    site: str | None = None
    asset_type: AssetType | None = None
    platforms: tuple[str, ...] = ()
    provider: str | None = None
    integration_id: UUID | None = None
    seen_since: datetime | None = None
    unseen_since: datetime | None = None
    needs_reboot: bool | None = None
    maintenance: bool | None = None
    missing: bool | None = None
    retired: bool | None = False
    search: str | None = None


class AssetSort(StrEnum):
    """A column to sort by."""

    NAME = "name"
    STATUS = "status"
    CLIENT = "client"
    USER = "user"
    LAN_IP = "lan_ip"
    SYSTEM = "system"
    LAST_SEEN = "last_seen"


class AssetOrder(msgspec.Struct, frozen=True):
    """How a list is sorted. What is empty comes last either way; what is alike stands in the order in which
    it was created, but for those of one status or client, which stand by name.

    Statuses go from overdue over offline and unknown to online, addresses by their numbers.
    """

    by: AssetSort = AssetSort.NAME
    descending: bool = False


class AssetView(msgspec.Struct, kw_only=True):
    """An asset with its extension. `agent_status` is `unknown` when the last reading is no longer good;
    `last_known_status` is what it said. `uptime_seconds` is derived when read, for an online agent.
    """

    id: UUID
    asset_id: UUID
    name: str
    asset_type: str
    asset_type_overridden: bool
    client_id: UUID
    serial_number: str | None
    description: str | None
    rmm_provider: str | None
    rmm_integration_id: UUID | None
    rmm_device_id: str | None
    rmm_organization_id: str | None
    agent_status: str
    last_known_status: str
    never_reported: bool
    last_seen_at: datetime | None
    last_rmm_sync_at: datetime | None
    retired_at: datetime | None
    created_at: datetime
    updated_at: datetime
    os_type: str | None
    os_version: str | None
    agent_version: str | None
    make: str | None
    model: str | None
    cpu_model: str | None
    cpu_cores: int | None
    ram_gb: float | None
    gpu_model: str | None
    disks: list[dict[str, Any]] | None
    physical_disks: list[str] | None
    boot_time: datetime | None
    uptime_seconds: int | None
    current_user: str | None
    last_user: str | None
    lan_ip: str | None
    lan_ips: list[str] | None
    wan_ip: str | None
    needs_reboot: bool | None
    maintenance_mode: bool | None
    pending_patches: bool | None


class ChangeView(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an asset's history."""

    changed_at: datetime
    field: str
    old_value: Any
    new_value: Any
    cause: str


StatusCounts = dict[str, int]
