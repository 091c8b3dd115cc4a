"""One invented agent: every field the server stores of it, made from (seed, pk) alone."""

from dataclasses import dataclass
from typing import Any

from muster.simulator import names
from muster.simulator.clock import MICROSECONDS
from muster.simulator.dice import Dice
from muster.simulator.hardware import (
    ARM_MODEL,
    DARWIN_MODELS,
    LINUX_MODELS,
    WINDOWS_CLIENT_MODELS,
    WINDOWS_SERVER_MODELS,
    Hardware,
    Model,
    Weight,
    volumes,
    wmi_detail,
)
from muster.simulator.presence import MINUTE, Presence, draw, named

DAY = 24 * 60 * MINUTE


@dataclass(frozen=True, slots=True)
class Agent:
    """The stored fields of an agent (the server's column names), its presence and its hardware.

    `hardware` is None for an agent that never sent any; `wmi_broken` one whose `wmi_detail` came as {}.
    Times are microseconds since 1970; `boot_time_us` becomes the float epoch seconds the server gives.
    """

    pk: int
    agent_id: str
    site_id: int
    hostname: str
    plat: str
    goarch: str
    monitoring_type: str
    operating_system: str | None
    version: str
    description: str | None
    public_ip: str | None
    boot_time_us: int | None
    logged_in_username: str | None
    last_logged_in_user: str | None
    presence: Presence
    hardware: Hardware | None
    roll: int
    created_us: int
    offline_time: int = 4
    overdue_time: int = 30
    check_interval: int = 120
    overdue_email_alert: bool = False
    overdue_dashboard_alert: bool = False
    needs_reboot: bool = False
    maintenance_mode: bool = False
    policy: int | None = None
    time_zone: str | None = None
    patches_last_installed_us: int | None = None
    has_patches_pending: bool = False
    wmi_broken: bool = False

    @property
    def posix(self) -> bool:
        """True on Linux and macOS, whose `wmi_detail` has another shape."""
        return self.plat != "windows"

    def wmi(self, weight: Weight) -> dict[str, Any] | None:
        """The `wmi_detail` as plain values; None when the agent never sent it."""
        if self.hardware is None:
            return None
        return {} if self.wmi_broken else wmi_detail(self.hardware, weight, posix=self.posix)

    def disks(self) -> list[dict[str, Any]] | None:
        """The `disks` field; None when the agent never sent it."""
        return volumes(self.plat, self.hardware.model, self.roll) if self.hardware else None


@dataclass(frozen=True, slots=True)
class Wish:
    """What a showcase agent must be; the rest of it is left to chance."""

    kind: str = "windows_client"
    presence: str = "online"
    model: Model | None = None
    user: str | None = "anna"
    serial: str | None = None
    hostname: str | None = None
    bare: bool = False
    broken: bool = False
    boots: bool = True


# The first agents of every fleet, so that even twenty machines show every oddity of CONTRACT section 3.
SHOWCASE = (
    Wish("windows_server", model=WINDOWS_SERVER_MODELS[0], hostname="DC-01"),
    Wish("linux"),
    Wish("darwin", hostname=names.TWIN_HOST),
    Wish(model=WINDOWS_CLIENT_MODELS[0], hostname=names.TWIN_HOST),
    Wish(presence="never", bare=True),
    Wish("darwin", presence="never"),
    Wish(model=WINDOWS_CLIENT_MODELS[2], serial="To be filled by O.E.M."),
    Wish("windows_server", presence="overdue", user="None"),
    Wish(presence="offline", user="b.okafor"),
    Wish(model=WINDOWS_CLIENT_MODELS[1], user="None"),
    Wish(presence="offline", user="None"),
    Wish("linux", model=ARM_MODEL, user="None"),
    Wish("windows_server", model=WINDOWS_SERVER_MODELS[2], user="None"),
    Wish(broken=True, serial=""),
    Wish("windows_server", model=WINDOWS_SERVER_MODELS[1], serial=""),
    Wish("darwin", model=DARWIN_MODELS[1], boots=False),
)
_KINDS = ("windows_client",) * 9 + ("windows_server",) * 5 + ("linux",) * 3 + ("darwin",) * 3


def _platform(kind: str, dice: Dice, model: Model | None) -> tuple[Model, str, str, str, str]:
    """Model, platform, architecture, operating system and monitoring type of a kind of machine."""
    if kind == "windows_server":
        system = dice.pick(names.WINDOWS_SERVERS)
        return model or dice.pick(WINDOWS_SERVER_MODELS), "windows", "amd64", system, "server"
    if kind == "linux":
        if model is ARM_MODEL:
            system, arch = names.LINUXES[-1]
        else:
            system, arch = dice.pick(names.LINUXES)
            model = model or (ARM_MODEL if arch == "arm" else dice.pick(LINUX_MODELS))
        return model, "linux", arch, system, dice.pick(("server", "server", "workstation"))
    if kind == "darwin":
        model = model or dice.pick(DARWIN_MODELS)
        system, arch = names.DARWINS[DARWIN_MODELS.index(model)]
        return model, "darwin", arch, system, "workstation"
    return (
        model or dice.pick(WINDOWS_CLIENT_MODELS),
        "windows",
        "amd64",
        dice.pick(names.WINDOWS_CLIENTS),
        "workstation",
    )


# Gigabytes of memory.
_RAM = (4, 8, 8, 16, 16, 32, 64)
_HOSTS = {
    "windows_server": names.SERVER_HOSTS,
    "windows_client": names.WORKSTATION_HOSTS,
    "linux": names.LINUX_HOSTS,
    "darwin": names.MAC_HOSTS,
}


def _hostname(kind: str, pk: int, dice: Dice) -> str:
    # One machine in thirty shares its name with others: names identify nothing.
    return names.TWIN_HOST if dice.chance(0.03) else f"{dice.pick(_HOSTS[kind])}-{pk:05d}"


def _addresses(plat: str, pk: int, dice: Dice) -> tuple[str, ...]:
    third, fourth = pk // 250 % 250, pk % 250 + 2
    if plat == "windows":
        own = f"10.{dice.below(8)}.{third}.{fourth}"
        return (own, f"192.168.56.{fourth}") if dice.chance(0.2) else (own,)
    return f"172.20.{third}.{fourth}/24", f"fd00::{pk:x}/64"


def _serial(model: Model, pk: int, dice: Dice) -> str:
    if dice.chance(0.02):
        return dice.pick(("", "To be filled by O.E.M.", "Default string", "None"))
    return f"{model.serial_prefix}{pk:07d}" if model.serial_prefix else ""


def build_agent(seed: int, pk: int, agent_id: str, site_id: int, start: int) -> Agent:
    """The agent `pk` of the fleet `seed`, seen from its first moment `start` (microseconds since 1970)."""
    dice = Dice(seed, "agent", pk)
    wish = SHOWCASE[pk - 1] if pk <= len(SHOWCASE) else None
    kind = wish.kind if wish else dice.pick(_KINDS)
    model, plat, goarch, system, monitoring_type = _platform(kind, dice, wish.model if wish else None)
    presence = named(wish.presence, dice, start) if wish else draw(dice, start)
    bare = wish.bare if wish else presence.kind == "never" and dice.chance(0.8)
    hostname = _hostname(kind, pk, dice)
    ips, serial, ram = _addresses(plat, pk, dice), _serial(model, pk, dice), dice.pick(_RAM)
    user, last = dice.pick((*names.PEOPLE, "None", "None", "None")), dice.pick(names.PEOPLE)
    booted = start - dice.between(1, 60 * 24 * 60) * MINUTE - dice.below(MINUTE)
    if wish:
        hostname, serial = wish.hostname or hostname, serial if wish.serial is None else wish.serial
        user = wish.user or user
    hardware = None if bare else Hardware(model, serial, ips, hostname, ram)
    odd = dice.chance(0.05)
    return Agent(
        pk=pk,
        agent_id=agent_id,
        site_id=site_id,
        hostname=hostname,
        plat=plat,
        goarch=goarch,
        monitoring_type=monitoring_type,
        operating_system=None if bare else system,
        version=dice.pick(names.AGENT_VERSIONS),
        description=dice.pick(names.DESCRIPTIONS),
        public_ip=None if bare else f"203.0.113.{1 + site_id % 250}",
        boot_time_us=None if bare or (wish is not None and not wish.boots) else booted,
        logged_in_username=None if bare else user,
        last_logged_in_user=None if bare else user if user != "None" else last,
        presence=presence,
        hardware=hardware,
        roll=dice.below(1 << 30),
        created_us=start - dice.between(90, 900) * DAY + dice.below(MICROSECONDS),
        offline_time=10 if odd else 4,
        overdue_time=60 if odd else 30,
        overdue_email_alert=odd,
        overdue_dashboard_alert=monitoring_type == "server",
        needs_reboot=dice.chance(0.08),
        maintenance_mode=pk % 61 == 7,
        policy=1 if dice.chance(0.03) else None,
        time_zone="Europe/Berlin" if dice.chance(0.1) else None,
        patches_last_installed_us=None if bare or not dice.chance(0.3) else booted,
        has_patches_pending=plat == "windows" and not bare and dice.chance(0.15),
        wmi_broken=wish.broken if wish else dice.chance(0.01),
    )
