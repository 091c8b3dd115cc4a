"""The wire rows, as far as Muster reads them (CONTRACT 2 and 3). Unknown fields are ignored.

Required here is what an asset cannot do without; everything else may be missing (an older server
does not know it) and is then absent from the record. `services`, half the weight of a beta row, is
never decoded.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

Moment = Annotated[datetime, Meta(tz=True)]
Key = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Minutes = Annotated[int, Meta(ge=0, le=2**31)]
Number = int | float
Row = TypeVar("Row")


class Page(msgspec.Struct, Generic[Row]):
    """A paginated list. `next` is only looked at for null: its host comes from a request header."""

    results: list[Row]
    count: int | None = None
    next: str | None = None


class SiteRow(msgspec.Struct):
    """A site inside `GET /clients/`."""

    id: Key
    name: str
    agent_count: int | None = None


class ClientRow(msgspec.Struct):
    """An item of `GET /clients/`."""

    id: Key
    name: str
    agent_count: int | None = None
    sites: list[SiteRow] = []


class BetaClientRow(msgspec.Struct):
    """An item of `GET /beta/v1/client/`: neither sites nor counts."""

    id: Key
    name: str


class BetaSiteRow(msgspec.Struct):
    """An item of `GET /beta/v1/site/`."""

    id: Key
    name: str
    client: Key


class RosterRow(msgspec.Struct):
    """An item of `GET /agents/?detail=false`; client and site are names."""

    agent_id: str
    id: Key | None = None
    client: str | None = None
    site: str | None = None


class DiskRow(msgspec.Struct):
    """A volume; sizes are texts such as "346.5G" (Windows) or "109.0 GB"."""

    device: str | None = None
    fstype: str | None = None
    total: str | Number | None = None
    free: str | Number | None = None
    used: str | Number | None = None
    percent: Number | str | None = None


Disks = list[DiskRow] | dict[str, DiskRow] | None


class AgentRow(msgspec.Struct, kw_only=True):
    """What every kind of agent row has."""

    agent_id: str
    hostname: str
    monitoring_type: Literal["server", "workstation"]
    last_seen: Moment | None
    plat: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    needs_reboot: bool | UnsetType | None = UNSET
    maintenance_mode: bool | UnsetType | None = UNSET
    version: str | UnsetType | None = UNSET
    operating_system: str | UnsetType | None = UNSET
    public_ip: str | UnsetType | None = UNSET
    boot_time: Number | UnsetType | None = UNSET


class ComputedRow(AgentRow, kw_only=True):
    """Rows for which the server itself computed status and hardware lines."""

    status: Literal["online", "offline", "overdue"]
    cpu_model: list[str] | UnsetType | None = UNSET
    graphics: str | UnsetType | None = UNSET
    local_ips: str | UnsetType | None = UNSET
    make_model: str | UnsetType | None = UNSET
    physical_disks: list[str] | UnsetType | None = UNSET


class LightRow(ComputedRow, kw_only=True):
    """An item of `GET /agents/?client=<id>`."""

    client_name: str
    site_name: str
    logged_username: str | UnsetType | None = UNSET
    italic: bool = False
    has_patches_pending: bool | UnsetType | None = UNSET
    serial_number: str | UnsetType | None = UNSET


class SingleRow(ComputedRow, kw_only=True):
    """`GET /agents/<agent_id>/`: no serial number and no integer id."""

    client: str
    site: Key
    site_name: str | UnsetType | None = UNSET
    logged_in_username: str | UnsetType | None = UNSET
    last_logged_in_user: str | UnsetType | None = UNSET
    total_ram: Number | UnsetType | None = UNSET
    disks: Disks | UnsetType = UNSET


class BetaRow(AgentRow, kw_only=True):
    """An item of `GET /beta/v1/agent/`: thresholds instead of a status, raw hardware."""

    id: Key
    site: Key
    offline_time: Minutes = 4
    overdue_time: Minutes = 30
    logged_in_username: str | UnsetType | None = UNSET
    last_logged_in_user: str | UnsetType | None = UNSET
    total_ram: Number | UnsetType | None = UNSET
    disks: Disks | UnsetType = UNSET
    wmi_detail: msgspec.Raw | UnsetType = UNSET


# --- wmi_detail: only the classes and properties that something is computed from ---------------------------
# The server swallows every oddity in here, so types are open and the reader decides (hardware.py).


class PosixDetail(msgspec.Struct):
    """`wmi_detail` of Linux and macOS agents."""

    cpus: Any = UNSET
    gpus: Any = UNSET
    disks: Any = UNSET
    local_ips: Any = UNSET
    make_model: Any = UNSET
    serialnumber: Any = UNSET


class WindowsDetail(msgspec.Struct):
    """`wmi_detail` of Windows agents: WMI classes, each a list of instances, each a list of properties."""

    cpu: msgspec.Raw | UnsetType = UNSET
    graphics: msgspec.Raw | UnsetType = UNSET
    network_config: msgspec.Raw | UnsetType = UNSET
    comp_sys: msgspec.Raw | UnsetType = UNSET
    comp_sys_prod: msgspec.Raw | UnsetType = UNSET
    base_board: msgspec.Raw | UnsetType = UNSET
    disk: msgspec.Raw | UnsetType = UNSET
    bios: msgspec.Raw | UnsetType = UNSET


class Cpu(msgspec.Struct, rename="pascal"):
    """Win32_Processor."""

    name: Any = UNSET
    number_of_cores: Any = UNSET
    number_of_logical_processors: Any = UNSET


class Graphics(msgspec.Struct, rename="pascal"):
    """Win32_VideoController."""

    caption: Any = UNSET


class NetworkConfig(msgspec.Struct):
    """Win32_NetworkAdapterConfiguration."""

    ip_address: Any = msgspec.field(default=UNSET, name="IPAddress")


class ComputerSystem(msgspec.Struct, rename="pascal"):
    """Win32_ComputerSystem."""

    model: Any = UNSET
    system_family: Any = UNSET


class Product(msgspec.Struct, rename="pascal"):
    """Win32_ComputerSystemProduct."""

    vendor: Any = UNSET
    version: Any = UNSET


class BaseBoard(msgspec.Struct, rename="pascal"):
    """Win32_BaseBoard."""

    manufacturer: Any = UNSET
    product: Any = UNSET


class DiskDrive(msgspec.Struct, rename="pascal"):
    """Win32_DiskDrive."""

    caption: Any = UNSET
    size: Any = UNSET
    interface_type: Any = UNSET


class Bios(msgspec.Struct, rename="pascal"):
    """Win32_BIOS."""

    serial_number: Any = UNSET


class TokenRow(msgspec.Struct):
    """`POST /v2/checkcreds/` and `/v2/login/`. `expiry` is not the token's life: left out."""

    token: str | None = None
    totp: bool = False


class DashRow(msgspec.Struct):
    """`GET /core/dashinfo/`."""

    trmm_version: str | None = None


class Detail(msgspec.Struct):
    """The commonest error body (CONTRACT 0)."""

    detail: str = ""


class AlertRow(msgspec.Struct, kw_only=True):
    """An alert (CONTRACT 4). Without an agent `hostname`, `agent_id`, `client` and `site` are absent.

    `action_run` is when what the alert's template does ran, a webhook or a script, and `action_retcode` its
    answer's status or its exit code; `resolved_action_run` likewise for its end.
    """

    id: Key
    alert_time: Moment
    alert_type: str
    severity: str
    resolved: bool
    snoozed: bool = False
    hidden: bool = False
    message: str | None = None
    hostname: str | None = None
    agent_id: str | None = None
    client: str | None = None
    site: str | None = None
    snooze_until: Moment | None = None
    resolved_on: Moment | None = None
    action_run: Moment | None = None
    action_retcode: int | None = None
    resolved_action_run: Moment | None = None
    assigned_check: Key | None = None
    assigned_task: Key | None = None


class AlertPage(msgspec.Struct):
    """The list of alerts as `top` gives it; without, it is a bare array."""

    alerts: list[msgspec.Raw]


class SoftwareRow(msgspec.Struct):
    """An item of `GET /software/`; `agent` is the integer pk. The list is decoded when it is wanted."""

    agent: Key
    id: Key | None = None
    software: msgspec.Raw = msgspec.Raw(b"null")


class SoftwareEntry(msgspec.Struct):
    """A program in it. Old agents know name and version only. `location` and `uninstall` are left out."""

    name: str
    version: str | None = None
    publisher: Any = None
    install_date: Any = None
    size: Any = None
    source: Any = None
