"""A whole process that may reach only what the policy lets it, for libraries that open connections
themselves.

Python tells its audit hooks (PEP 578) of each connection before it is made, with the very address, and of
each file and program; a hook that raises prevents it. So the check holds for redirects, too, and for names
that change their address. A hook cannot be taken off again: call `guard` in a process made for the purpose,
once it has imported what it needs.

Not covered: compiled code that makes system calls of its own. The libraries that are meant do not.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from muster.egress.policy import EgressPolicy

_SEALED_OFF = frozenset(
    {
        "ctypes.dlopen",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "os.startfile",
        "os.system",
        "os.remove",
        "os.rename",
        "os.mkdir",
        "os.rmdir",
        "os.truncate",
        "pty.spawn",
        "socket.bind",
        "subprocess.Popen",
        "syslog.openlog",
        "syslog.syslog",
    }
)


class Refused(PermissionError):
    """What was tried is not allowed in a guarded process."""


class Watch:
    """What a guarded process was kept from doing, as sentences; who sends one message after another looks at
    what is new.
    """

    def __init__(self, policy: EgressPolicy, readable: tuple[Path, ...]) -> None:
        self.refusals: list[str] = []
        self._policy = policy
        self._readable = readable
        self._rules: Mapping[str, Callable[[tuple[Any, ...]], str | None]] = {
            "socket.connect": lambda args: self._address(args[1]),
            "socket.sendto": lambda args: self._address(args[1]),
            "socket.sendmsg": lambda args: None if args[1] is None else self._address(args[1]),
            "open": lambda args: self._file(args[0], args[2]),
        }

    def hook(self, event: str, args: tuple[Any, ...]) -> None:
        """Refuse what must not be."""
        if event in _SEALED_OFF:
            self._refuse(f"{event} is not allowed here.")
        rule = self._rules.get(event)
        if rule is not None and (reason := rule(args)) is not None:
            self._refuse(reason)

    def _refuse(self, reason: str) -> None:
        self.refusals.append(reason)
        raise Refused(reason)

    def _address(self, address: Any) -> str | None:
        if not isinstance(address, tuple) or not address or not isinstance(address[0], str):
            return "Local sockets are not reached."
        try:
            found = ip_address(address[0].partition("%")[0])
        except ValueError:
            return f"{address[0]} was not resolved before it was to be reached."
        reason = self._policy.refusal(found)
        return None if reason is None else f"{found} may not be reached: {reason}."

    def _file(self, path: Any, flags: Any) -> str | None:
        if isinstance(path, int):
            return None
        # Any flag but O_CLOEXEC and the like makes writing of it; reading is 0.
        if isinstance(flags, int) and flags & 0o3:
            return "Files are not written here."
        wanted = Path(path.decode() if isinstance(path, bytes) else str(path))
        if wanted.is_absolute() and any(wanted.is_relative_to(folder) for folder in self._readable):
            return None
        return "Files other than Python's own are not read here."


def guard(policy: EgressPolicy, readable: tuple[Path, ...] = ()) -> Watch:
    """Hold this process to the policy from now on, for good. Beside Python's own files those below `readable`
    may be read, and no other ones.
    """
    python = sysconfig.get_paths()
    own = {Path(python[name]) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    own |= {Path(each) for each in sys.path if each}
    watch = Watch(policy, (*own, *readable))
    sys.addaudithook(watch.hook)
    return watch
