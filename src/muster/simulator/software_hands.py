"""Hands for tests and demonstrations: install, upgrade, remove, and change how a machine reports."""

from typing import Any

import msgspec

from muster.simulator.agents import DAY, Agent
from muster.simulator.fleet import Fleet
from muster.simulator.programs import Program, program
from muster.simulator.software import Installed, SoftwareBook

_FIELDS = ("size", "source", "location", "publisher", "uninstall")


class SoftwareHands:
    """The software of a running server's machines. What a hand does is in the next answer. Every method may
    be called from any thread while the server answers; `agent` is a pk, an agent id or an older picture.
    """

    def __init__(self, fleet: Fleet, book: SoftwareBook) -> None:
        self._fleet = fleet
        self._book = book
        self._made = 0

    # ---- asking

    def of(self, agent: int | str | Agent) -> list[dict[str, Any]] | None:
        """The entries that the server lists for a machine now; None when it has no row."""
        with self._fleet.lock:
            row = self._book.row(self._fleet.agent(agent), self._fleet.clock.now_us())
        if row is None:
            return None
        listed: list[dict[str, Any]] = msgspec.json.decode(b"".join(row))["software"]
        return listed

    @property
    def reachable(self) -> bool:
        """Whether agents can be told anything; without it `PUT` and `POST` are refused. May be set."""
        return self._book.reachable

    @reachable.setter
    def reachable(self, reachable: bool) -> None:
        self._book.reachable = reachable

    # ---- what is installed

    def install(
        self, agent: int | str | Agent, name: str, version: str, *, dated: bool = True, **fields: str
    ) -> None:
        """Install a program today. `fields`: size, source, location, publisher, uninstall; TypeError for any
        other. `dated` False: nobody knows the day. The machine gets a row when it has none or an empty one;
        ValueError for a machine that is no Windows one.
        """
        unknown = fields.keys() - set(_FIELDS)
        if unknown:
            raise TypeError(f"an entry has no {', '.join(sorted(unknown))}; it has {', '.join(_FIELDS)}")
        with self._fleet.lock:
            found = self._fleet.agent(agent)
            if found.posix:
                raise ValueError(f"{found.hostname} is no Windows machine: it has no row of software")
            self._add(
                found, {"size": "0 B", **dict.fromkeys(_FIELDS[1:], ""), **fields}, name, version, dated
            )

    def upgrade(self, agent: int | str | Agent, name: str, version: str) -> None:
        """Put another version in the place of all versions of a program, by the name in its entry; where that
        name has the version in it, the new one's has it too. KeyError when there is none.
        """
        with self._fleet.lock:
            found = self._fleet.agent(agent)
            taken = self._take(found, name, None)
            old, day = taken[-1]
            values = msgspec.json.decode(old.entry[1:] + b'"}')
            renamed = name.replace(old.version, version) if old.version else name
            self._add(found, {key: values[key] for key in _FIELDS}, renamed, version, day is not None)

    def remove(self, agent: int | str | Agent, name: str, version: str | None = None) -> None:
        """Remove a program by the name in its entry, in one version or all; by itself it does not come back.
        KeyError when there is none.
        """
        with self._fleet.lock:
            self._take(self._fleet.agent(agent), name, version)

    # ---- how it is reported

    def refresh(self, agent: int | str | Agent) -> None:
        """Have a machine report now instead of at its time of the day; one without a row gets one."""
        with self._fleet.lock:
            self._book.refresh(self._fleet.agent(agent), self._fleet.clock.now_us())

    def update_agent(self, agent: int | str | Agent) -> None:
        """Replace an agent of long ago: from now on its entries have all eight values."""
        with self._fleet.lock:
            self._book.change(self._fleet.agent(agent)).modern = True

    def empty(self, agent: int | str | Agent) -> None:
        """Have a machine report an empty list."""
        with self._fleet.lock:
            self._book.change(self._fleet.agent(agent)).report = "empty"

    def forget(self, agent: int | str | Agent) -> None:
        """Take a machine's row away: it reports nothing any more."""
        with self._fleet.lock:
            self._book.change(self._fleet.agent(agent)).report = "none"

    def restore(self, agent: int | str | Agent) -> None:
        """Undo what hands and `PUT` did to a machine."""
        with self._fleet.lock:
            self._book.changed.pop(self._fleet.agent(agent).pk, None)

    # ---- how it is done

    def _add(self, agent: Agent, values: dict[str, str], name: str, version: str, dated: bool) -> None:
        self._made += 1
        now = self._fleet.clock.now_us()
        changed = self._book.change(agent)
        if self._book.report(agent) != "entries":
            self._start_anew(agent)
        made = program(-self._made, {**values, "name": name, "version": version})
        changed.added.append((made, now // DAY if dated else None))

    def _start_anew(self, agent: Agent) -> None:
        """A machine that listed nothing lists what hands add, and nothing else."""
        now = self._fleet.clock.now_us()
        changed = self._book.change(agent)
        at = self._book.reported_us(agent, now)
        changed.removed |= {made.title for made, _ in self._book.installed(agent, at)}
        changed.report = "entries"

    def _take(self, agent: Agent, name: str, version: str | None) -> list[Installed]:
        at = self._book.reported_us(agent, self._fleet.clock.now_us())
        there = self._book.installed(agent, at) if self._book.report(agent) == "entries" else []
        found = [pair for pair in there if _is(pair[0], name, version)]
        if not found:
            wanted = name if version is None else f"{name} {version}"
            raise KeyError(f"{agent.hostname} has no {wanted!r} installed")
        titles = {made.title for made, _ in found}
        changed = self._book.change(agent)
        changed.removed |= {title for title in titles if title >= 0}
        changed.added = [pair for pair in changed.added if pair[0].title not in titles]
        return found


def _is(made: Program, name: str, version: str | None) -> bool:
    return made.name == name and version in {None, made.version}
