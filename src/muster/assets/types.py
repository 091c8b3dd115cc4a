"""What an asset is made of, apart from where it is stored.

Many of these live at once and none refers to itself: the garbage collector need not look at them (gc=False).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from muster.providers.contract import AgentStatus


class AssetContent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Everything a sync may write of an asset but its status and last seen: the asset's own columns first,
    then its extension's. Lists are JSON-ready; None is null.
    """

    name: str
    asset_type: str
    client_id: UUID
    rmm_organization_id: str | None
    never_reported: bool
    serial_number: str | None = None
    description: str | None = None
    os_type: str | None = None
    os_version: str | None = None
    agent_version: str | None = None
    make: str | None = None
    model: str | None = None
    cpu_model: str | None = None
    cpu_cores: int | None = None
    ram_gb: float | None = None
    gpu_model: str | None = None
    disks: list[dict[str, Any]] | None = None
    physical_disks: list[str] | None = None
    boot_time: datetime | None = None
    current_user: str | None = None
    last_user: str | None = None
    lan_ip: str | None = None
    lan_ips: list[str] | None = None
    wan_ip: str | None = None
    needs_reboot: bool | None = None
    maintenance_mode: bool | None = None
    pending_patches: bool | None = None


ASSET_FIELDS = AssetContent.__struct_fields__[:7]
EXTENSION_FIELDS = AssetContent.__struct_fields__[7:]
# Fields that an asset's own row depends on: its columns, and what lists find and sort it by.
ROW_FIELDS = frozenset(
    {
        *ASSET_FIELDS,
        "os_type",
        "os_version",
        "current_user",
        "last_user",
        "lan_ip",
        "lan_ips",
        "wan_ip",
        "needs_reboot",
        "maintenance_mode",
    }
)


class SyncedAsset(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The columns of an asset that every refresh compares."""

    asset_id: UUID
    client_id: UUID
    agent_status: str
    last_seen_at: datetime | None
    asset_type_overridden: bool
    retired_at: datetime | None
    last_rmm_sync_at: datetime | None


class Belonging(NamedTuple):
    """What an asset is called, and whose it is."""

    name: str
    client_id: UUID


class Reading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The agent's sign of life in one answer."""

    asset_id: UUID
    external_id: str
    agent_status: AgentStatus
    last_seen_at: datetime | None


class FieldChange(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One field that changed; values are JSON-ready."""

    field: str
    old: Any
    new: Any


class NewAsset(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An asset to be created for a device of an integration."""

    asset_id: UUID
    provider: str
    integration_id: UUID
    device_id: str
    content: AssetContent
    agent_status: AgentStatus
    last_seen_at: datetime | None


class ChangedAsset(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An asset with new content. `changes` go into its history; an asset made a moment ago has none, and
    when only its extension differs (`extension_only`), its own row is not written again.
    """

    asset_id: UUID
    content: AssetContent
    changes: tuple[FieldChange, ...]
    type_before: str
    extension_only: bool = False


def differences(before: AssetContent, after: AssetContent) -> tuple[FieldChange, ...]:
    """The fields that differ, in their order; values ready for JSON."""
    return tuple(
        FieldChange(field=name, old=msgspec.to_builtins(old), new=msgspec.to_builtins(new))
        for name, old, new in zip(
            AssetContent.__struct_fields__,
            msgspec.structs.astuple(before),
            msgspec.structs.astuple(after),
            strict=True,
        )
        if old != new
    )
