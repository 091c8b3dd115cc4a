"""What every provider offers, and the normalized records it speaks in.

A record's field tells *absent* (UNSET: this answer does not carry it, so what we have stays) from
*null* (None: known to be empty, so what we have is cleared).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol

import msgspec
from msgspec import UNSET, UnsetType

from muster.egress import Egress
from muster.providers.checks import CheckResult, CheckStep, Finding

# Part of the contract, in a file of their own: other rooms take them from here.
__all__ = ["CheckResult", "CheckStep", "Finding"]


class AgentStatus(StrEnum):
    """Whether the agent answers. `unknown`: no agent, or its integration is disconnected or unread."""

    ONLINE = "online"
    OFFLINE = "offline"
    OVERDUE = "overdue"
    UNKNOWN = "unknown"


class AssetType(StrEnum):
    """What kind of machine the agent runs on."""

    WORKSTATION = "workstation"
    SERVER = "server"


class Capability(StrEnum):
    """What a provider can do beyond listing organizations and devices."""

    SINGLE_DEVICE = "single_device"
    ALERTS = "alerts"
    SOFTWARE = "software"
    WEBHOOK = "webhook"


# --- what a provider declares ---------------------------------------------------------------------------


class SettingsField(msgspec.Struct, frozen=True, kw_only=True):
    """One field of the connection form. `secret` fields are sealed; their last four characters are shown.
    A `required` field of one auth mode is required in that mode.
    """

    name: str
    label: str
    help: str
    kind: Literal["url", "text", "secret", "choice"] = "text"
    secret: bool = False
    required: bool = False
    choices: tuple[str, ...] = ()
    default: str | None = None
    placeholder: str | None = None
    only_for_auth_mode: str | None = None


class AuthMode(msgspec.Struct, frozen=True, kw_only=True):
    """A way to be let in. `label` is what a person chooses it by."""

    key: str
    label: str


class ProviderManifest(msgspec.Struct, frozen=True, kw_only=True):
    """How a provider presents itself. `display_name` is what screens show, never `key`.

    `auth_modes` are those that fields belong to, the usual one first; none where there is only one way in.
    """

    key: str
    display_name: str
    fields: tuple[SettingsField, ...]
    capabilities: frozenset[Capability]
    auth_modes: tuple[AuthMode, ...] = ()


class ConnectionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A connection's settings after validation: normalized URL, plain options, secrets in clear.

    It lives in memory only; its repr shows no secret.
    """

    instance_url: str
    auth_mode: str
    options: dict[str, str] = {}
    secrets: dict[str, str] = {}

    def __repr__(self) -> str:
        names = ", ".join(sorted(self.secrets))
        return f"ConnectionSettings({self.instance_url!r}, {self.auth_mode!r}, secrets: {names})"


# --- normalized records ---------------------------------------------------------------------------------


class SiteRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A place inside an organization."""

    external_id: str
    name: str
    device_count: int | None = None


class OrganizationRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The provider's grouping that stands for a customer. `device_count` as the server states it."""

    external_id: str
    name: str
    device_count: int | None = None
    sites: tuple[SiteRecord, ...] = ()


class Disk(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One mounted volume; sizes in bytes, `percent_used` 0-100."""

    device: str
    filesystem: str | None = None
    total_bytes: int | None = None
    free_bytes: int | None = None
    used_bytes: int | None = None
    percent_used: int | None = None


class DeviceRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One agent as the server describes it in one answer.

    `status` and `last_seen_at` belong to the moment of the answer; everything else is content.
    `never_reported` marks a device that has an agent record but never sent anything.
    `lan_ips` are addresses without prefix length; the first IPv4 is the asset's `lan_ip`.
    `physical_disks` are the server's one-line descriptions. `boot_time` is rounded to the second.
    """

    external_id: str
    organization_id: str
    status: AgentStatus
    never_reported: bool
    last_seen_at: datetime | None
    name: str
    asset_type: AssetType
    external_pk: int | UnsetType | None = UNSET
    site_id: str | UnsetType | None = UNSET
    site_name: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    serial_number: str | UnsetType | None = UNSET
    os_type: str | UnsetType | None = UNSET
    os_version: str | UnsetType | None = UNSET
    agent_version: str | UnsetType | None = UNSET
    make: str | UnsetType | None = UNSET
    model: str | UnsetType | None = UNSET
    cpu_model: str | UnsetType | None = UNSET
    cpu_cores: int | UnsetType | None = UNSET
    ram_gb: float | UnsetType | None = UNSET
    gpu_model: str | UnsetType | None = UNSET
    disks: tuple[Disk, ...] | UnsetType | None = UNSET
    physical_disks: tuple[str, ...] | UnsetType | None = UNSET
    boot_time: datetime | UnsetType | None = UNSET
    current_user: str | UnsetType | None = UNSET
    last_user: str | UnsetType | None = UNSET
    lan_ips: tuple[str, ...] | UnsetType | None = UNSET
    wan_ip: str | UnsetType | None = UNSET
    needs_reboot: bool | UnsetType | None = UNSET
    maintenance_mode: bool | UnsetType | None = UNSET
    pending_patches: bool | UnsetType | None = UNSET


class RejectedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row that could not be understood: which one, which field, why. The rest of the answer stands."""

    external_id: str | None
    position: int
    field: str | None
    reason: str


class OrganizationSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All organizations the credentials may see, at the server's `answered_at`."""

    records: tuple[OrganizationRecord, ...]
    rejected: tuple[RejectedRow, ...]
    answered_at: datetime


class RosterEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A device's place in the server's list of all visible devices, mapped or not."""

    external_id: str
    external_pk: int | None
    organization_name: str | None
    site_name: str | None


class DeviceChunk(msgspec.Struct, frozen=True, kw_only=True):
    """Some devices of one organization from one kind of answer.

    `source` names that kind: content hashes are kept per source, because each carries other fields.
    """

    organization_id: str
    source: str
    answered_at: datetime
    records: tuple[DeviceRecord, ...]
    rejected: tuple[RejectedRow, ...] = ()


class OrganizationRead(msgspec.Struct, frozen=True, kw_only=True):
    """The end of one organization's devices from one source.

    `complete` only when the number of rows received (rejected ones included) equals the count the
    server itself states: absence proves nothing otherwise. `problem` says why it is not complete.
    """

    organization_id: str
    source: str
    received: int
    expected: int | None
    complete: bool
    problem: str | None = None
    error: ProviderErrorInfo | None = None


class ProviderErrorInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a run keeps of an error. `retry_after`: seconds that the server asked to be left alone."""

    code: str
    message: str
    remedy: str | None = None
    retryable: bool = False
    retry_after: float | None = None


# --- errors ---------------------------------------------------------------------------------------------


class ProviderError(Exception):
    """The other side could not or would not. Nobody reads messages to decide: class and code say it.

    ProviderError
    ├── ProviderAuthError            credentials refused, or a code is needed
    ├── ProviderPermissionError      known, but not allowed
    ├── ProviderRateLimited          come back after `retry_after` seconds
    ├── ProviderUnavailable          down, unreachable, timed out, answered 5xx, broke off
    ├── ProviderPayloadError         an answer that cannot be understood
    ├── ProviderNotFound             the one thing asked for is not there
    └── ProviderConfigurationError   wrong address, wrong host, not a server of this kind
    """

    code = "provider_error"
    retryable = False
    retry_after: float | None = None

    def __init__(self, message: str, *, code: str | None = None, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        if code is not None:
            self.code = code

    def info(self) -> ProviderErrorInfo:
        """The error as a run keeps it."""
        return msgspec.convert(self, ProviderErrorInfo, from_attributes=True)


class ProviderAuthError(ProviderError):
    """The credentials were refused, have expired, or lack a one-time code."""

    code = "invalid_credentials"


class ProviderPermissionError(ProviderError):
    """The credentials are good but may not do this."""

    code = "permission_missing"


class ProviderRateLimited(ProviderError):
    """The server asked for a pause of `retry_after` seconds (None: it did not say how long)."""

    code = "throttled"
    retryable = True

    def __init__(self, message: str, *, retry_after: float | None = None, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.retry_after = retry_after


class ProviderUnavailable(ProviderError):
    """Unreachable, timed out, broke off or answered 5xx; a later try can succeed."""

    code = "unavailable"
    retryable = True


class ProviderPayloadError(ProviderError):
    """An answer that is not what the server's contract says; names the field where one is known."""

    code = "payload"


class ProviderNotFound(ProviderError):
    """The one thing asked for is not there (or hidden from these credentials)."""

    code = "not_found"


class ProviderConfigurationError(ProviderError):
    """The settings point at something that is not such a server."""

    code = "configuration"


# --- the connection -------------------------------------------------------------------------------------


class Traffic(msgspec.Struct, kw_only=True):
    """What a connection has moved so far: requests sent (retries included) and body bytes received."""

    requests: int = 0
    bytes_received: int = 0


class SessionStore(Protocol):
    """Keeps a login token between connections, sealed, so that a login is rare (throttles count them)."""

    async def load(self) -> str | None:
        """The token kept last, or None."""

    async def save(self, token: str | None) -> None:
        """Keep the token; None forgets it."""


Depth = Literal["light", "full"]


class ProviderConnection(Protocol):
    """An open connection to one server. Not shared between tasks of different integrations."""

    traffic: Traffic

    async def check(self, one_time_code: str | None = None) -> CheckResult:
        """Try the connection end to end; never raises for what the server does, but reports it. With a
        code, log in with it, where the auth mode has a session.
        """

    async def login(self, one_time_code: str | None = None) -> None:
        """Log in now where the auth mode has a session, storing its token; else do nothing."""

    async def logout(self) -> None:
        """End the session on the server where there is one, as well as can be."""

    async def organizations(self) -> OrganizationSnapshot:
        """Everything the server lists as an organization, sites included."""

    async def roster(self) -> Mapping[str, RosterEntry]:
        """Every device the credentials may see, by external id: the cheap crosswalk."""

    def devices(
        self, organizations: Sequence[OrganizationRecord], depth: Depth
    ) -> AsyncIterator[DeviceChunk | OrganizationRead]:
        """Devices of the given organizations only, in chunks of at most 500, each organization closed by an
        OrganizationRead per source. One organization's failure is its OrganizationRead with `error`, not an
        exception; an exception means that nothing more can be read (credentials, connection settings).
        With depth `full` the hardware follows where a bulk source has it.
        """

    async def hardware_in_bulk(self) -> bool:
        """Whether depth `full` brings RAM and disks; if not, `device` does, one agent at a time."""

    async def device(self, external_id: str) -> DeviceChunk:
        """One device in detail; ProviderNotFound when the server has no such agent."""


class Provider(Protocol):
    """A kind of RMM."""

    manifest: ProviderManifest

    def settings(self, raw: Mapping[str, str | None]) -> ConnectionSettings:
        """Validate and normalize what a person typed, by field name; InvalidInput names the field."""

    def device_url(self, instance_url: str, external_id: str) -> str | None:
        """Where a person finds a device on the server; None when that cannot be told from the address."""

    def connect(
        self, settings: ConnectionSettings, *, egress: Egress, session: SessionStore
    ) -> AbstractAsyncContextManager[ProviderConnection]:
        """Open a connection; nothing is sent before the first verb."""
