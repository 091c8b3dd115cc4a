"""The invented fleet: clients, sites and agents by seed, and every change a test may make to them while it
runs.

Only one number per agent is kept (its site); an agent is made again from (seed, pk) whenever it is asked for,
so that 100,000 agents cost less than a megabyte and start in a fraction of a second.
"""

import dataclasses
import threading
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from muster.simulator import names
from muster.simulator.agents import Agent, build_agent
from muster.simulator.clock import SimulatedClock, from_microseconds, to_microseconds
from muster.simulator.dice import AgentIds, Dice
from muster.simulator.hardware import MODELS, Weight
from muster.simulator.presence import MINUTE, Presence

MAX_AGENTS = 1_000_000
MAX_ALERTS = 100_000
# Built agents kept at hand: enough for a page or a small fleet, bounded for a large one.
_KEPT = 12_000


@dataclasses.dataclass(frozen=True, slots=True)
class FleetSpec:
    """What fleet to invent. `clients` None: one per fifty agents, at least four. `weight` real: about 100 KB
    an agent on the beta list and 50 KB of software as on a real server, light: 2 to 5 KB each. `alerts` None:
    one per four agents, at least 40 and at most 2,000, and whoever is overdue raises more; a number: exactly
    so many at the start.
    """

    agents: int = 20
    seed: int = 1
    clients: int | None = None
    weight: Weight = "light"
    alerts: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.agents <= MAX_AGENTS:
            raise ValueError(f"agents must be from 0 to {MAX_AGENTS:,}, not {self.agents}")
        if self.clients is not None and not 2 <= self.clients <= 5000:
            raise ValueError(f"clients must be from 2 to 5000 (one is always empty), not {self.clients}")
        if self.weight not in ("light", "real"):
            raise ValueError(f"weight must be light or real, not {self.weight!r}")
        if self.alerts is not None and not 0 <= self.alerts <= MAX_ALERTS:
            raise ValueError(f"alerts must be from 0 to {MAX_ALERTS:,}, not {self.alerts}")


@dataclasses.dataclass(slots=True)
class Client:
    """A customer company as the server stores it."""

    pk: int
    name: str
    created_us: int
    modified_us: int
    created_by: str | None = None
    modified_by: str | None = None
    block_policy_inheritance: bool = False
    alert_template: int | None = None


@dataclasses.dataclass(slots=True)
class Site(Client):
    """A place of a client; `client` is the client's pk."""

    client: int = 0


class Fleet:
    """The fleet and its changes. Every method may be called from any thread while the server answers."""

    def __init__(self, spec: FleetSpec, clock: SimulatedClock) -> None:
        self.spec = spec
        self.clock = clock
        self.lock = threading.RLock()
        self.clients: dict[int, Client] = {}
        self.sites: dict[int, Site] = {}
        self._ids = AgentIds(spec.seed)
        # Index pk - 1 holds the agent's site; 0 means that the agent was removed.
        self._site_of = array("I")
        self._edits: dict[int, dict[str, Any]] = {}
        self._own_ids: dict[str, int] = {}
        self._built: dict[int, Agent] = {}
        self._watchers: list[dict[int, Any]] = [self._built]
        self._invent()

    def _invent(self) -> None:
        dice = Dice(self.spec.seed, "fleet")
        count = self.spec.clients or max(4, min(500, self.spec.agents // 50 + 3))
        for number in range(count - 1):
            client = self.add_client(self._client_name(number, dice), site=None)
            for place in range(1 + dice.below(3)):
                self.add_site(client, names.SITES[0] if place == 0 else names.SITES[1 + (number + place) % 7])
        populated = list(self.sites)
        self.add_client(names.EMPTY_CLIENT, site="Empty Site")
        # Agents are spread evenly enough for small fleets, unevenly enough to be a fleet.
        self._site_of.extend(
            populated[pk % len(populated)] if pk < 2 * len(populated) else dice.pick(populated)
            for pk in range(self.spec.agents)
        )

    @staticmethod
    def _client_name(number: int, dice: Dice) -> str:
        if number < len(names.FIRST_CLIENTS):
            return names.FIRST_CLIENTS[number]
        words = dice.pick(names.CLIENT_HEADS), dice.pick(names.CLIENT_TAILS), dice.pick(names.CLIENT_FORMS)
        return f"{' '.join(words)} {number}"

    # ---- asking

    def __len__(self) -> int:
        return len(self._site_of) - self._site_of.count(0)

    def __iter__(self) -> Iterator[Agent]:
        return (self.agent(pk) for pk in self.pks())

    def pks(self, sites: Iterable[int] | None = None) -> list[int]:
        """The agents' pks in order, of all sites or of some."""
        if sites is None:
            return [pk for pk, site in enumerate(self._site_of, 1) if site]
        wanted = set(sites)
        return [pk for pk, site in enumerate(self._site_of, 1) if site in wanted]

    def site_of(self, pk: int) -> int:
        """The site's pk of an agent; 0 when there is no such agent."""
        return self._site_of[pk - 1] if 0 < pk <= len(self._site_of) else 0

    def pk_of(self, agent_id: str) -> int | None:
        """The pk of an agent id, or None when there is no such agent."""
        pk = self._own_ids.get(agent_id) or self._ids.decode(agent_id)
        return pk if pk is not None and self.site_of(pk) and self.agent(pk).agent_id == agent_id else None

    def agent(self, which: int | str | Agent) -> Agent:
        """The agent of a pk, an agent id or an older picture of it; KeyError when there is none."""
        pk = self._pk(which)
        found = self._built.get(pk)
        if found is None:
            found = build_agent(self.spec.seed, pk, self._ids.encode(pk), self.site_of(pk), self.clock.start)
            if pk in self._edits:
                found = dataclasses.replace(found, **self._edits[pk])
            if len(self._built) < _KEPT:
                self._built[pk] = found
        return found

    def sites_of_client(self, client: int) -> list[Site]:
        """A client's sites, by name."""
        return sorted((s for s in self.sites.values() if s.client == client), key=lambda s: s.name)

    def agents_of_client(self, client: int) -> list[Agent]:
        """A client's agents, by pk."""
        return [self.agent(pk) for pk in self.pks(site.pk for site in self.sites_of_client(client))]

    def agents_per_site(self) -> Counter[int]:
        """How many agents each site has."""
        return Counter(self._site_of)

    def sites_in_maintenance(self) -> set[int]:
        """The sites with at least one agent in maintenance."""
        pks = set(range(7, len(self._site_of) + 1, 61)) | set(self._edits)
        return {self.site_of(pk) for pk in pks if self.site_of(pk) and self.agent(pk).maintenance_mode}

    def last_seen(self, which: int | str | Agent) -> datetime | None:
        """When the agent was last seen, at the present simulated moment."""
        moment = self.agent(which).presence.last_seen(self.clock.now_us())
        return None if moment is None else from_microseconds(moment)

    def watch(self, cache: dict[int, Any]) -> None:
        """Have entries of a cache (by agent pk) dropped whenever the agent changes."""
        self._watchers.append(cache)

    def _pk(self, which: int | str | Agent) -> int:
        pk = which.pk if isinstance(which, Agent) else self.pk_of(which) if isinstance(which, str) else which
        if pk is None or not self.site_of(pk):
            raise KeyError(f"the simulated fleet has no agent {which!r}")
        return pk

    def _changed(self, pk: int | None = None) -> None:
        for cache in self._watchers:
            if pk is None:
                cache.clear()
            else:
                cache.pop(pk, None)

    # ---- changing clients and sites

    def add_client(self, name: str, site: str | None = "Main Office") -> int:
        """Add a client with one site (none when `site` is None) and return the client's pk."""
        with self.lock:
            pk = max(self.clients, default=0) + 1
            # Clients came in one by one, some milliseconds apart, long before the fleet's first moment.
            made = self.clock.start - 400 * 24 * 60 * MINUTE + pk * 5_431
            self.clients[pk] = Client(pk, name, made, made + 19)
            if site is not None:
                self.add_site(pk, site)
            return pk

    def add_site(self, client: int, name: str) -> int:
        """Add a site to a client and return the site's pk."""
        with self.lock:
            pk = max(self.sites, default=0) + 1
            made = self.clients[client].created_us + pk * 1_733
            self.sites[pk] = Site(pk, name, made, made + 17, client=client)
            return pk

    def rename_client(self, client: int, name: str) -> None:
        """Give a client another name; its pk stays."""
        with self.lock:
            self.clients[client].name = name
            self._changed()

    def rename_site(self, site: int, name: str) -> None:
        """Give a site another name; its pk stays."""
        with self.lock:
            self.sites[site].name = name
            self._changed()

    def change(self, which: Client, **fields: Any) -> None:
        """Set any columns of a client or site; agents' rows show the name."""
        with self.lock:
            for name, value in fields.items():
                setattr(which, name, value)
            self._changed()

    def delete_client(self, client: int) -> None:
        """Delete a client with its sites and all of their agents."""
        with self.lock:
            sites = [site.pk for site in self.sites_of_client(client)]
            for pk in self.pks(sites):
                self.remove_agent(pk)
            for site in sites:
                del self.sites[site]
            del self.clients[client]

    # ---- changing agents

    def edit(self, which: int | str | Agent, **fields: Any) -> Agent:
        """Set any fields of an agent (the names of `Agent`); an unknown field raises TypeError."""
        with self.lock:
            pk = self._pk(which)
            changed = dataclasses.replace(self.agent(pk), **fields)
            self._edits.setdefault(pk, {}).update(fields)
            self._site_of[pk - 1] = changed.site_id
            self._changed(pk)
            return changed

    def add_agent(self, site: int, *, agent_id: str | None = None, **fields: Any) -> Agent:
        """Enroll one more agent at a site; what is not given is invented as for the others."""
        with self.lock:
            if site not in self.sites:
                raise KeyError(f"the simulated fleet has no site {site}")
            self._site_of.append(site)
            pk = len(self._site_of)
            if agent_id is not None:
                self._own_ids[agent_id] = pk
                fields["agent_id"] = agent_id
            return self.edit(pk, site_id=site, **fields)

    def remove_agent(self, which: int | str | Agent) -> None:
        """Uninstall an agent: the server forgets it and leaves no trace."""
        with self.lock:
            pk = self._pk(which)
            self._site_of[pk - 1] = 0
            self._edits.pop(pk, None)
            self._changed(pk)

    def move_agent(self, which: int | str | Agent, site: int) -> Agent:
        """Move an agent to another site, of the same client or of another one."""
        if site not in self.sites:
            raise KeyError(f"the simulated fleet has no site {site}")
        return self.edit(which, site_id=site)

    def rename_agent(self, which: int | str | Agent, hostname: str) -> Agent:
        """Give a machine another hostname."""
        return self.edit(which, hostname=hostname)

    def set_last_seen(self, which: int | str | Agent, moment: datetime | None) -> Agent:
        """Nail an agent's last check-in to a moment (None: it never reported)."""
        pinned = Presence("never") if moment is None else Presence("pinned", moment=to_microseconds(moment))
        return self.edit(which, presence=pinned)

    def silence(self, which: int | str | Agent) -> Agent:
        """Let an agent fall silent now: it keeps its last check-in and goes offline, then overdue."""
        last = self.last_seen(which)
        return self.set_last_seen(which, last)

    def wake(self, which: int | str | Agent) -> Agent:
        """Let an agent report steadily from now on."""
        return self.edit(which, presence=Presence("steady", MINUTE, self._pk(which) * 7919 % MINUTE))

    def change_hardware(
        self,
        which: int | str | Agent,
        *,
        model: str | None = None,
        serial: str | None = None,
        ram_gb: int | None = None,
        ips: tuple[str, ...] | None = None,
    ) -> Agent:
        """Change what a machine is made of; `model` is a key of `hardware.MODELS`. An agent that never
        reported any hardware raises ValueError.
        """
        with self.lock:
            old = self.agent(which).hardware
            if old is None:
                raise ValueError(f"agent {which!r} never reported any hardware: there is nothing to change")
            new = dataclasses.replace(
                old,
                model=MODELS[model] if model is not None else old.model,
                serial=old.serial if serial is None else serial,
                ram_gb=old.ram_gb if ram_gb is None else ram_gb,
                ips=old.ips if ips is None else ips,
            )
            return self.edit(which, hardware=new)
