"""Which alert template acts for which agent (CONTRACT section 5).

The server keeps the answer on each agent and works it out anew in a background task, with a copy of the core
settings that lives ten minutes. Both are late and can be wrong, and so are they here.
"""

from dataclasses import dataclass, field
from typing import Any

from muster.simulator.agents import Agent
from muster.simulator.clock import MICROSECONDS, SimulatedClock
from muster.simulator.fleet import Client, Fleet, Site
from muster.simulator.stored import Shelf, Stored

# The background task took 6.6 to 9 s for 250 agents.
CACHING_US_AN_AGENT = 30_000
# How long the server keeps its copy of the core settings.
CORE_COPY_US = 600 * MICROSECONDS

ACTION_DEFAULTS: dict[str, Any] = {
    "name": "",
    "desc": None,
    "pattern": "",
    "action_type": "web",
    "rest_method": "post",
    "rest_body": "",
    "rest_headers": "",
}


def _template_defaults() -> dict[str, Any]:
    found: dict[str, Any] = {"name": "", "is_active": True}
    for action in ("action", "resolved_action"):
        found |= {f"{action}_type": "script", f"{action}_args": [], f"{action}_env_vars": []}
        found[f"{action}_timeout"] = 15
    found |= {"email_recipients": [], "text_recipients": [], "email_from": None}
    for what in ("agent", "check", "task"):
        if what != "agent":
            found |= {f"{what}_{way}_alert_severity": [] for way in ("email", "text", "dashboard")}
        found |= {f"{what}_email_on_resolved": False, f"{what}_text_on_resolved": False}
        found |= {f"{what}_always_{way}": None for way in ("email", "text", "alert")}
        found |= {f"{what}_periodic_alert_days": 0, f"{what}_script_actions": True}
    found |= {"exclude_workstations": False, "exclude_servers": False}
    found |= dict.fromkeys(("action", "action_rest", "resolved_action", "resolved_action_rest"))
    return found | {f"excluded_{kind}": [] for kind in ("sites", "clients", "agents")}


TEMPLATE_DEFAULTS = _template_defaults()


def template_row(settings: "AlertSettings", template: Stored) -> dict[str, Any]:
    """A template as the server writes it, with what it works out."""

    def any_of(what: str) -> bool:
        own = [f"{what}_email_on_resolved", f"{what}_text_on_resolved", f"{what}_periodic_alert_days"]
        own += [f"{what}_always_{way}" for way in ("email", "text", "alert")]
        if what != "agent":
            own += [f"{what}_{way}_alert_severity" for way in ("email", "text", "dashboard")]
        return any(template[name] for name in own)

    def action_name(which: str) -> str:
        rest = template[f"{which}_type"] == "rest"
        action = settings.actions.get(template[f"{which}_rest"]) if rest else None
        return action["name"] if action else ""

    return {
        "id": template.pk,
        **{f"{what}_settings": any_of(what) for what in ("agent", "check", "task")},
        # Not a truth value: the server's own `or`.
        "core_settings": bool(template["email_from"])
        or template["email_recipients"]
        or template["text_recipients"],
        "default_template": settings.core["alert_template"] == template.pk,
        "action_name": action_name("action"),
        "resolved_action_name": action_name("resolved_action"),
        "applied_count": len(settings.assigned_to(template.pk)) + settings.policies_with(template.pk),
        **template.stamps(),
        **template.values,
    }


@dataclass(frozen=True, slots=True)
class _Exclusions:
    """Which agents an active template leaves out."""

    sites: frozenset[int]
    clients: frozenset[int]
    agents: frozenset[int]
    kinds: frozenset[str]

    @classmethod
    def of(cls, template: Stored) -> "_Exclusions":
        kinds = frozenset(kind for kind in ("workstation", "server") if template[f"exclude_{kind}s"])
        sites, clients, agents = (
            frozenset(template[f"excluded_{w}"]) for w in ("sites", "clients", "agents")
        )
        return cls(sites, clients, agents, kinds)

    def hit(self, agent: Agent, site: Site) -> bool:
        """Whether the agent is left out."""
        if agent.pk in self.agents or agent.monitoring_type in self.kinds:
            return True
        return site.pk in self.sites or site.client in self.clients


@dataclass(frozen=True, slots=True)
class _Picture:
    """What the last background task went by: templates by what they are assigned to; the active ones."""

    core: int | None = None
    sites: dict[int, int] = field(default_factory=dict)
    clients: dict[int, int] = field(default_factory=dict)
    policies: dict[int, int] = field(default_factory=dict)
    active: dict[int, _Exclusions] = field(default_factory=dict)

    def choose(self, agent: Agent, site: Site) -> int | None:
        """The first template in the order policy, site, client, global that is active and takes the agent."""
        assigned = (
            None if agent.policy is None else self.policies.get(agent.policy),
            self.sites.get(site.pk),
            self.clients.get(site.client),
            self.core,
        )
        return next(
            (pk for pk in assigned if pk in self.active and not self.active[pk].hit(agent, site)), None
        )


class AlertSettings:
    """URL actions, alert templates, the core settings about alerts, and what reaches which agent."""

    def __init__(self, fleet: Fleet, clock: SimulatedClock) -> None:
        self._fleet = fleet
        self._clock = clock
        self.actions = Shelf(ACTION_DEFAULTS)
        self.templates = Shelf(TEMPLATE_DEFAULTS)
        self.core: dict[str, Any] = {
            "notify_on_info_alerts": False,
            "notify_on_warning_alerts": True,
            "alert_template": None,
        }
        # Template by policy: policies themselves are not simulated beyond their pk on agents.
        self.policies: dict[int, int] = {}
        self._picture = _Picture()
        # When each background task under way will have ended.
        self._tasks: list[int] = []
        self._core_copy: tuple[int | None, int] | None = None
        self._races = 0

    # ---- what acts for an agent

    def effective_template(self, agent: Agent) -> Stored | None:
        """The template that the server keeps on an agent now; whether it is active was asked only when it
        was put there.
        """
        self._settle()
        if not self._picture.active:
            return None
        return self.templates.get(self._picture.choose(agent, self._fleet.sites[agent.site_id]))

    def recache(self) -> None:
        """Start the background task, as the server does after most changes."""
        now = self._clock.now_us()
        self._settle()
        self._tasks.append(now + len(self._fleet) * CACHING_US_AN_AGENT)

    def _settle(self) -> None:
        """Let the tasks that have ended by now take effect."""
        if not self._tasks:
            return
        now = self._clock.now_us()
        ended = sorted(moment for moment in self._tasks if moment <= now)
        self._tasks = [moment for moment in self._tasks if moment > now]
        for moment in ended:
            core = self._core_as_seen(moment)
            # With a deleted template in its copy of the settings the task dies of the foreign key.
            if core is None or core in self.templates:
                self._picture = self._now(core)

    def _now(self, core: int | None) -> _Picture:
        fleet = self._fleet
        return _Picture(
            core=core,
            sites={s.pk: s.alert_template for s in fleet.sites.values() if s.alert_template is not None},
            clients={c.pk: c.alert_template for c in fleet.clients.values() if c.alert_template is not None},
            policies=dict(self.policies),
            active={t.pk: _Exclusions.of(t) for t in self.templates if t["is_active"]},
        )

    def assigned_to(self, template: int) -> list[Client]:
        """The clients and sites to which a template is assigned."""
        holders = (*self._fleet.clients.values(), *self._fleet.sites.values())
        return [holder for holder in holders if holder.alert_template == template]

    def policies_with(self, template: int) -> int:
        """To how many policies a template is assigned."""
        return list(self.policies.values()).count(template)

    # ---- the core settings and their copy

    def _core_as_seen(self, now: int) -> int | None:
        """The default template as the background task sees it."""
        if self._core_copy is None or self._core_copy[1] <= now:
            self._core_copy = self.core["alert_template"], now + CORE_COPY_US
        return self._core_copy[0]

    def put_core(self, values: dict[str, Any]) -> None:
        """Save the core settings. The copy is thrown away *before* the row is saved: a task that runs
        meanwhile makes a new copy of the old row (the race of CONTRACT section 5, met in two tries of four).
        """
        self._settle()
        now, before = self._clock.now_us(), self.core["alert_template"]
        self._core_copy = None
        changed = values.get("alert_template", before) != before
        if changed and self._tasks:
            self._races += 1
            if self._races % 2:
                self._core_copy = before, now + CORE_COPY_US
        self.core.update(values)
        # Saving the same template again starts no task.
        if changed:
            self.recache()

    # ---- what is deleted

    def remove_action(self, pk: int) -> None:
        """Delete a URL action; templates that used it have none then."""
        self.actions.remove(pk)
        self.templates.clear_references(pk, "action_rest", "resolved_action_rest")

    def remove_template(self, pk: int) -> None:
        """Delete a template; whatever it was assigned to has none then. The copy of the core settings stays
        as it is.
        """
        self.templates.remove(pk)
        if self.core["alert_template"] == pk:
            self.core["alert_template"] = None
        for holder in self.assigned_to(pk):
            holder.alert_template = None
        self.policies = {policy: kept for policy, kept in self.policies.items() if kept != pk}
        self.recache()
