"""What may be done in Muster, and which role may do it (DESIGN section 11)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Permission(StrEnum):
    """A thing that a person may be allowed to do."""

    SETTINGS_READ = "system_settings:read"
    SETTINGS_UPDATE = "system_settings:update"
    ASSET_READ = "asset:read"
    ASSET_UPDATE = "asset:update"
    ALERT_READ = "alert:read"
    ALERT_UPDATE = "alert:update"
    SOFTWARE_READ = "software:read"
    RMM_SYNC = "rmm:sync"
    RMM_EXECUTE_COMMAND = "rmm:execute_command"
    USER_MANAGE = "user:manage"


class Role(StrEnum):
    """What a user may do: everything, the daily work, or look."""

    ADMIN = "admin"
    TECHNICIAN = "technician"
    VIEWER = "viewer"


ROLE_NAMES: Mapping[Role, str] = {
    Role.ADMIN: "Administrator",
    Role.TECHNICIAN: "Technician",
    Role.VIEWER: "Viewer",
}

ROLE_TEXTS: Mapping[Role, str] = {
    Role.ADMIN: "everything, users and integrations included",
    Role.TECHNICIAN: "the daily work with assets, alerts and syncs",
    Role.VIEWER: "looks, changes nothing",
}

PERMISSION_NAMES: Mapping[Permission, str] = {
    Permission.SETTINGS_READ: "See integrations, mappings and the audit log",
    Permission.SETTINGS_UPDATE: "Change integrations, mappings and schedules",
    Permission.ASSET_READ: "See assets and clients",
    Permission.ASSET_UPDATE: "Change assets and clients, decide about missing devices",
    Permission.ALERT_READ: "See alerts",
    Permission.ALERT_UPDATE: "Acknowledge, snooze and resolve alerts",
    Permission.SOFTWARE_READ: "See the software inventory",
    Permission.RMM_SYNC: "Start and cancel syncs",
    Permission.RMM_EXECUTE_COMMAND: "Run commands on devices",
    Permission.USER_MANAGE: "Manage users",
}

_VIEWER = frozenset({Permission.ASSET_READ, Permission.ALERT_READ, Permission.SOFTWARE_READ})
_TECHNICIAN = _VIEWER | {
    Permission.SETTINGS_READ,
    Permission.ASSET_UPDATE,
    Permission.ALERT_UPDATE,
    Permission.RMM_SYNC,
}
PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.ADMIN: frozenset(Permission),
    Role.TECHNICIAN: _TECHNICIAN,
    Role.VIEWER: _VIEWER,
}
