"""Windows services: long lists that differ little from machine to machine."""

from functools import lru_cache
from typing import Any

import msgspec

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
