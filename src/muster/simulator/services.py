"""Windows services and installed software: long lists that differ little from machine to machine."""

from functools import lru_cache
from typing import Any

import msgspec

from muster.simulator import names
from muster.simulator.agents import Agent
from muster.simulator.dice import Dice
from muster.simulator.hardware import Weight

# Machines of one fleet share these few lists; encoded once, a real-weight page costs a copy instead of an
# encoding.
VARIANTS = 6
_SERVICE_HEADS = ("Audio", "Backup", "Crypto", "Device", "Event", "Firewall", "Graphics", "Host", "Index",
                  "License",
                  "Media", "Network", "Policy", "Remote", "Security", "Storage", "Telemetry",
                  "Update")  # fmt: skip
_SERVICE_TAILS = ("Broker", "Coordinator", "Helper", "Listener", "Manager", "Monitor", "Proxy", "Runtime",
                  "Scheduler",
                  "Store", "Sync", "Watcher", "Worker")  # fmt: skip
_SENTENCES = (
    "Keeps the invented component running and restarts it when it stops answering.",
    "If this service is stopped, programs that depend on it explicitly will fail to start.",
    "Collects state from the devices that are attached and hands it to those who asked for it.",
    "Only started when a component asks for it; stopping it by hand has no lasting effect.",
)


def _service(number: int, dice: Dice) -> dict[str, Any]:
    head, tail = _SERVICE_HEADS[number % 18], _SERVICE_TAILS[number % 13]
    running = dice.chance(0.5)
    return {
        "pid": dice.between(400, 12_000) if running else 0,
        "name": f"Inv{head}{tail}",
        "status": "running" if running else "stopped",
        "binpath": f"C:\\WINDOWS\\system32\\invhost.exe -k Local{head}Group -p -s Inv{head}{tail}",
        "username": dice.pick(
            ("LocalSystem", "NT AUTHORITY\\LocalService", "NT AUTHORITY\\NetworkService", "")
        ),
        "autodelay": dice.chance(0.1),
        "start_type": dice.pick(("Automatic", "Manual", "Disabled")),
        "description": " ".join(dice.pick(_SENTENCES) for _ in range(dice.between(1, 3))),
        "display_name": f"Invented {head} {tail}",
    }


@lru_cache(maxsize=64)
def _services(seed: int, variant: int, weight: Weight) -> msgspec.Raw:
    dice = Dice(seed, "services", variant)
    count = 222 if weight == "real" else 3
    return msgspec.Raw(msgspec.json.encode([_service(number * 7 + variant, dice) for number in range(count)]))


def services(agent: Agent, seed: int, weight: Weight) -> msgspec.Raw | None:
    """The `services` field, encoded; None on Linux and macOS and for an agent that never sent any."""
    if agent.posix or agent.hardware is None:
        return None
    return _services(seed, agent.roll % VARIANTS, weight)


def _title(number: int, dice: Dice) -> dict[str, str]:
    name, publisher = names.SOFTWARE[number % len(names.SOFTWARE)], dice.pick(names.PUBLISHERS)
    copy = "" if number < len(names.SOFTWARE) else f" Component {number}"
    version = f"{dice.between(1, 24)}.{dice.below(10)}.{dice.below(9999)}"
    dated = f"20{dice.between(18, 24)}-{dice.between(1, 12):02d}-{dice.between(1, 28):02d} 00:00:00 +0000 UTC"
    return {
        "name": f"{name}{copy}",
        "size": dice.pick(("0 B", "5.2 MB", "262.0 MB", "1.1 GB")),
        "source": dice.pick(("", f"C:\\Temp\\{name}\\")),
        "version": version,
        "location": f"C:\\Program Files\\{name}\\",
        "publisher": publisher,
        "uninstall": f'"C:\\Program Files\\{name}\\unins000.exe"' if dice.chance(0.8) else "",
        "install_date": dated if dice.chance(0.7) else "0001-01-01 00:00:00 +0000 UTC",
    }


@lru_cache(maxsize=64)
def _software(seed: int, variant: int, weight: Weight) -> msgspec.Raw:
    dice = Dice(seed, "software", variant)
    count = 180 if weight == "real" else 6
    titles: list[dict[str, str]] = [_title(number * 5 + variant, dice) for number in range(count)]
    if variant == VARIANTS - 1:
        # Rows written by an agent of long ago know only name and version.
        titles = [{"name": title["name"], "version": title["version"]} for title in titles]
    return msgspec.Raw(msgspec.json.encode(titles))


def software_row(agent: Agent, seed: int, weight: Weight) -> dict[str, Any] | None:
    """The agent's row of `/software/`: its own row id, the list, the integer pk; None without a row.

    There are no rows for Linux and macOS, and none yet for one Windows machine in sixteen.
    """
    if agent.posix or agent.hardware is None or (agent.roll % 16 == 3 and agent.pk > 1):
        return None
    found: Any = [] if agent.roll % 16 == 4 else _software(seed, agent.roll // 16 % VARIANTS, weight)
    # Row ids are no pks: whoever mixes them up joins nothing or the wrong machine.
    return {"id": 50_000 + agent.pk * 3, "software": found, "agent": agent.pk}
