"""Who may knock at which door: another room is entered by its public files only.

The floors (who is above whom) are in .importlinter; this is about the files inside a room.
"""

import ast
from collections.abc import Iterator

from tests.architecture.tree import SourceFile

ROOMS = frozenset(
    [
        "inbound_webhooks",
        "outbound_webhooks",
        "sync",
        "alerts",
        "software",
        "assets",
        "mappings",
        "schedules",
        "integrations",
        "clients",
        "accounts",
        "tenants",
        "providers",
        "notifications",
        "audit",
    ]
)
PUBLIC_FILES = frozenset({"service", "schemas", "types"})
MORE_DOORS = {
    # The contract is in three files: what every provider offers, what those offer that know alerts, and what
    # those that know software.
    "providers": frozenset({"contract", "alerting", "inventory", "registry"}),
    # Who asks, and what that person may do: every route names it.
    "accounts": frozenset({"auth", "permissions", "setup"}),
    # Opening a connection is a verb that holds no session, so it stands apart from the service.
    # So do the secrets that servers show when they call: asked for at each webhook, opened nowhere else.
    "integrations": frozenset({"connections", "directory", "webhook_secrets"}),
    # Asking for a sync as a job, in the transaction of what brings it about: an alert, a new device.
    "sync": frozenset({"jobs", "refreshes"}),
    # The loop that asks for what is due: run by a process, not by another room.
    "schedules": frozenset({"tick"}),
    # What the server or its webhook says becomes alerts: asked for by what reads and what is called.
    "alerts": frozenset({"intake"}),
    # As of alerts: what a reading of the fleet says is installed.
    "software": frozenset({"intake"}),
    # Assets with the names of what they hang on: read across rooms. A subject of its own: missing devices.
    "assets": frozenset({"listing", "missing"}),
    # The record of devices' absence, which the review of missing devices joins.
    "mappings": frozenset({"missing"}),
}

# Bootstrap binds everything; migrations compare the database with every table.
KNOW_ALL = ("muster.bootstrap", "muster.db.migrations")


def room_of(module: str) -> str:
    """``muster.sync.service`` -> ``sync``; a module that is in no room gives nothing."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "muster" and parts[1] in ROOMS else ""


def imported_modules(file: SourceFile) -> Iterator[tuple[int, str]]:
    """Line and absolute name of each import; ``from muster.a import b`` gives muster.a.b."""
    package = file.module.split(".")
    if not file.path.endswith("/__init__.py"):
        package = package[:-1]
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            prefix = ".".join([*base, *filter(None, [node.module])])
            yield from ((node.lineno, f"{prefix}.{alias.name}") for alias in node.names)


def closed_doors(file: SourceFile, private: frozenset[str]) -> Iterator[str]:
    """Imports of another room's inner files.

    ``private`` are the modules that exist, so that a name imported from a room's root is told from a file.
    """
    if file.module.startswith(KNOW_ALL):
        return
    for line, name in imported_modules(file):
        room = room_of(name)
        if not room or room == room_of(file.module):
            continue
        parts = name.split(".")
        is_module = any(".".join(parts[:end]) in private for end in range(3, len(parts) + 1))
        if is_module and parts[2] not in PUBLIC_FILES | MORE_DOORS.get(room, frozenset()):
            yield f"{file.path}:{line}: enters the room {room} by {parts[2]}; its door is service.py"


def relative_imports(file: SourceFile) -> Iterator[str]:
    """One way to name a module: a search for its name finds every user."""
    for node in ast.walk(file.tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            yield f"{file.path}:{node.lineno}: a relative import"
