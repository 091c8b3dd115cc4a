"""What templates can read of an alert, an agent, a client or a site (CONTRACT section 5).

Their attributes are the server's names; rendering.py asks for them by whatever a template says. Text is what
an object gives when it stands for itself.
"""

from dataclasses import fields
from typing import Any

from muster.simulator import computed
from muster.simulator.agents import Agent
from muster.simulator.alert_rows import MOMENTS, AlertRow
from muster.simulator.causes import Cause
from muster.simulator.clock import from_microseconds
from muster.simulator.extras import CUSTOM_FIELDS, client_fields, custom_fields, site_fields
from muster.simulator.fleet import Client, Fleet, Site
from muster.simulator.rows import worked_out

_COLUMNS = frozenset(field.name for field in fields(Agent)) - {"hardware", "presence", "roll"}
_WORKED_OUT = ("cpu_model", "graphics", "local_ips", "make_model", "physical_disks", "serial_number")


class _Columns:
    """An object of the server with plain columns only, such as a check or its result."""

    def __init__(self, text: str, columns: dict[str, Any]) -> None:
        self._text = text
        self._columns = columns

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_columns"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __str__(self) -> str:
        return self._text


def _default(kind: str) -> Any:
    """The value of a custom field that nobody filled in: no definition of the fleet has a default."""
    return {"checkbox": False, "multiple": []}.get(kind)


class _Owner:
    """An object that may have custom fields, or belong to one that has."""

    kind_ = ""
    id: int

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    @property
    def pk(self) -> int:
        """The same as `id`."""
        return self.id

    def field_values(self) -> list[dict[str, Any]]:
        """Its own custom fields that are filled in."""
        return []

    def custom_field(self, model: str, name: str) -> tuple[bool, Any]:
        """The value of a custom field of this object or of one it belongs to; see rendering.Instance."""
        for pk, of, kind, called, _ in CUSTOM_FIELDS:
            if (of, called) != (model, name):
                continue
            owner = self if model == self.kind_ else getattr(self, model, None)
            values = owner.field_values() if isinstance(owner, _Owner) else []
            value = next((each["value"] for each in values if each["field"] == pk), None)
            if kind == "checkbox":
                return True, bool(value)
            return True, value or _default(kind)
        return False, None


class ClientInstance(_Owner):
    """A client; its text is its name."""

    kind_ = "client"

    def __init__(self, fleet: Fleet, client: Client) -> None:
        super().__init__(fleet)
        self.id, self.name = client.pk, client.name
        self.block_policy_inheritance = client.block_policy_inheritance

    def field_values(self) -> list[dict[str, Any]]:
        """Its own custom fields that are filled in."""
        return client_fields(self.id)

    def __str__(self) -> str:
        return self.name


class SiteInstance(_Owner):
    """A site; its text is its name."""

    kind_ = "site"

    def __init__(self, fleet: Fleet, site: Site) -> None:
        super().__init__(fleet)
        self.id, self.name = site.pk, site.name
        self.block_policy_inheritance = site.block_policy_inheritance
        self.client = ClientInstance(fleet, fleet.clients[site.client])

    def field_values(self) -> list[dict[str, Any]]:
        """Its own custom fields that are filled in."""
        return site_fields(self.id)

    def __str__(self) -> str:
        return self.name


class AgentInstance(_Owner):
    """An agent; its text is its hostname."""

    kind_ = "agent"

    def __init__(self, fleet: Fleet, agent: Agent) -> None:
        super().__init__(fleet)
        self._agent = agent
        self.id = agent.pk
        self.site = SiteInstance(fleet, fleet.sites[agent.site_id])
        self.client = self.site.client

    @property
    def last_seen(self) -> Any:
        """A moment, or null for an agent that never reported."""
        return self._fleet.last_seen(self._agent)

    @property
    def status(self) -> str:
        """online, offline or overdue at the present simulated moment."""
        agent, now = self._agent, self._fleet.clock.now_us()
        seen = agent.presence.last_seen(now)
        return computed.status(seen, now, agent.offline_time, agent.overdue_time)

    @property
    def boot_time(self) -> float | None:
        """Seconds since 1970."""
        booted = self._agent.boot_time_us
        return None if booted is None else booted / 1_000_000

    def __getattr__(self, name: str) -> Any:
        agent: Agent = self.__dict__["_agent"]
        if name in _COLUMNS:
            return getattr(agent, name)
        if name in _WORKED_OUT:
            return worked_out(agent, self._fleet)[name]
        if name == "disks":
            return agent.disks()
        raise AttributeError(name)

    def field_values(self) -> list[dict[str, Any]]:
        """Its own custom fields that are filled in."""
        return custom_fields(self._agent)

    def __str__(self) -> str:
        return self._agent.hostname


class AlertInstance(_Owner):
    """An alert; its text is its type and message. Without an agent it has no client and no site."""

    kind_ = "alert"

    def __init__(self, fleet: Fleet, row: AlertRow, cause: Cause | None) -> None:
        super().__init__(fleet)
        self.id = row.pk
        self._row = row
        self._cause = cause
        self.agent = None if row.agent is None else AgentInstance(fleet, fleet.agent(row.agent))
        self.agent_id = row.agent
        if self.agent is not None:
            self.client, self.site = self.agent.client, self.agent.site

    @property
    def assigned_check(self) -> Any:
        """The check that failed, or null."""
        return self._assigned("check", self._row.assigned_check)

    @property
    def assigned_task(self) -> Any:
        """The task that failed, or null."""
        return self._assigned("task", self._row.assigned_task)

    @property
    def get_result(self) -> Any:
        """What the check or task last said, or null."""
        if self._cause is None or self._row.alert_type not in ("check", "task"):
            return None
        return _Columns(self._cause.label, dict(self._cause.result))

    def _assigned(self, kind: str, pk: int | None) -> Any:
        if pk is None:
            return None
        label = self._cause.label if self._cause else f"{kind} {pk}"
        named = {"readable_desc": label} if kind == "check" else {"name": label}
        return _Columns(label, {"id": pk, "pk": pk, **named})

    def __getattr__(self, name: str) -> Any:
        row: AlertRow = self.__dict__["_row"]
        if name.startswith("_") or name not in AlertRow.__dataclass_fields__:
            raise AttributeError(name)
        value = getattr(row, name)
        return from_microseconds(value) if value is not None and name in MOMENTS else value

    def __str__(self) -> str:
        return f"{self._row.alert_type} - {self._row.message}"
