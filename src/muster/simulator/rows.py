"""Agents as the server writes them: light and short rows, beta rows and details, the stable detail.

A row's fields that never move by themselves are encoded once and kept as a template; a moving clock then
costs four insertions a row. Fleets larger than the cache are encoded anew on each request, so memory stays
bounded.
"""

from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import available_timezones

import msgspec

from muster.simulator import computed
from muster.simulator.agents import Agent
from muster.simulator.alert_settings import AlertSettings, template_row
from muster.simulator.clock import iso
from muster.simulator.extras import check_counts, custom_fields, pending_actions, windows_update_policy
from muster.simulator.fleet import Fleet
from muster.simulator.hardware import wmi_for_json
from muster.simulator.services import services

_KEPT = 12_000
_encode = msgspec.json.encode
DEFAULT_TIME_ZONE = "Europe/Berlin"


class _Template(NamedTuple):
    """An encoded row with holes, and what is needed to fill them."""

    agent: Agent
    text: bytes


def _template(agent: Agent, row: dict[str, Any], holes: tuple[str, ...]) -> _Template:
    marked = {**row, **{name: f"@hole-{name}@" for name in holes}}
    text = _encode(marked).replace(b"%", b"%%")
    for name in holes:
        text = text.replace(f'"@hole-{name}@"'.encode(), b"%s")
    return _Template(agent, text)


@lru_cache(maxsize=1)
def all_timezones() -> list[str]:
    """The zone names the stable detail repeats for every agent (11 KB of them)."""
    return sorted(available_timezones()) or ["America/Los_Angeles", "Europe/Berlin", "UTC"]


def worked_out(agent: Agent, fleet: Fleet) -> dict[str, Any]:
    """The values the server works out from `wmi_detail`."""
    wmi, posix = agent.wmi(fleet.spec.weight), agent.posix
    return {
        "cpu_model": computed.cpu_model(wmi, posix=posix),
        "graphics": computed.graphics(wmi, posix=posix),
        "local_ips": computed.local_ips(wmi, posix=posix),
        "make_model": computed.make_model(wmi, posix=posix),
        "physical_disks": computed.physical_disks(wmi, posix=posix),
        "serial_number": computed.serial_number(wmi, posix=posix),
    }


class Rows:
    """Encodes the agents of one fleet."""

    def __init__(self, fleet: Fleet, alert_settings: AlertSettings) -> None:
        self._fleet = fleet
        self._alert_settings = alert_settings
        self._light: dict[int, _Template] = {}
        self._beta: dict[int, _Template] = {}
        fleet.watch(self._light)
        fleet.watch(self._beta)

    def status(self, agent: Agent, now: int) -> str:
        """The agent's status at a moment."""
        seen = agent.presence.last_seen(now)
        return computed.status(seen, now, agent.offline_time, agent.overdue_time)

    # ---- the stable lists

    def short(self, pk: int) -> bytes:
        """A row of `/agents/?detail=false`."""
        return _encode(self.short_values(self._fleet.agent(pk)))

    def short_values(self, agent: Agent) -> dict[str, Any]:
        """The five values of a row of `/agents/?detail=false`."""
        site = self._fleet.sites[agent.site_id]
        client = self._fleet.clients[site.client].name
        return {
            "id": agent.pk,
            "hostname": agent.hostname,
            "agent_id": agent.agent_id,
            "client": client,
            "site": site.name,
        }

    def _light_values(self, agent: Agent) -> dict[str, Any]:
        fleet = self._fleet
        site = fleet.sites[agent.site_id]
        row: dict[str, Any] = {
            "agent_id": agent.agent_id,
            "alert_template": None,
            "hostname": agent.hostname,
            "site_name": site.name,
            "client_name": fleet.clients[site.client].name,
            "monitoring_type": agent.monitoring_type,
            "description": agent.description,
            "needs_reboot": agent.needs_reboot,
            "pending_actions_count": _pending(agent),
            "status": None,
            "overdue_text_alert": False,
            "overdue_email_alert": agent.overdue_email_alert,
            "overdue_dashboard_alert": agent.overdue_dashboard_alert,
            "last_seen": None,
            "boot_time": _boot_time(agent),
            "checks": check_counts(agent),
            "maintenance_mode": agent.maintenance_mode,
            "logged_username": None,
            "italic": None,
            "policy": agent.policy,
            "block_policy_inheritance": False,
            "plat": agent.plat,
            "goarch": agent.goarch,
            "has_patches_pending": agent.has_patches_pending,
            "version": agent.version,
            "operating_system": agent.operating_system,
            "public_ip": agent.public_ip,
            **worked_out(agent, fleet),
            "custom_fields": custom_fields(agent),
        }
        row["serial_number"] = row.pop("serial_number")
        if agent.policy is None:
            # The key is absent, not null, when no policy is assigned.
            del row["policy"]
        return row

    def light(self, pk: int, now: int) -> bytes:
        """A row of `/agents/`, at a moment."""
        found = self._light.get(pk)
        if found is None:
            agent = self._fleet.agent(pk)
            holes = ("alert_template", "status", "last_seen", "logged_username", "italic")
            found = _template(agent, self._light_values(agent), holes)
            if len(self._light) < _KEPT:
                self._light[pk] = found
        agent = found.agent
        seen = agent.presence.last_seen(now)
        status = computed.status(seen, now, agent.offline_time, agent.overdue_time)
        user, italic = computed.logged_username(agent.logged_in_username, agent.last_logged_in_user, status)
        return found.text % (
            self._light_alert_template(agent),
            b'"%s"' % status.encode(),
            _moment(seen),
            _encode(user),
            b"true" if italic else b"false",
        )

    def _light_alert_template(self, agent: Agent) -> bytes:
        """Not the whole template and not its pk: its name and what it always does for agents."""
        template = self._alert_settings.effective_template(agent)
        if template is None:
            return b"null"
        always = {f"always_{way}": template[f"agent_always_{way}"] for way in ("email", "text", "alert")}
        return _encode({"name": template["name"], **always})

    def _alert_template_pk(self, agent: Agent) -> int | None:
        template = self._alert_settings.effective_template(agent)
        return None if template is None else template.pk

    # ---- the beta list and detail

    def _stored(self, agent: Agent) -> dict[str, Any]:
        """The columns both beta shapes carry, in the list's order."""
        fleet, hardware = self._fleet, agent.hardware
        wmi: dict[str, Any] | None = None if hardware is None else {}
        if hardware is not None and not agent.wmi_broken:
            wmi = wmi_for_json(hardware, fleet.spec.weight, posix=agent.posix)
        return {
            "version": agent.version,
            "operating_system": agent.operating_system,
            "plat": agent.plat,
            "goarch": agent.goarch,
            "hostname": agent.hostname,
            "agent_id": agent.agent_id,
            "last_seen": None,
            "services": services(agent, fleet.spec.seed, fleet.spec.weight),
            "public_ip": agent.public_ip,
            "total_ram": hardware.ram_gb if hardware else None,
            "disks": agent.disks(),
            "boot_time": _boot_time(agent),
            "logged_in_username": agent.logged_in_username,
            "last_logged_in_user": agent.last_logged_in_user,
            "monitoring_type": agent.monitoring_type,
            "description": agent.description,
            "mesh_node_id": f"simulated-mesh-node-{agent.pk:08d}",
            "overdue_email_alert": agent.overdue_email_alert,
            "overdue_text_alert": False,
            "overdue_dashboard_alert": agent.overdue_dashboard_alert,
            "offline_time": agent.offline_time,
            "overdue_time": agent.overdue_time,
            "check_interval": agent.check_interval,
            "needs_reboot": agent.needs_reboot,
            "choco_installed": agent.roll % 5 == 0,
            "wmi_detail": wmi,
            "patches_last_installed": _time(agent.patches_last_installed_us),
            "time_zone": agent.time_zone,
            "maintenance_mode": agent.maintenance_mode,
            "block_policy_inheritance": False,
            "default_shell": "use_global",
            "default_shell_custom": "",
            "alert_template": None,
            "site": agent.site_id,
            "policy": agent.policy,
        }

    def beta(self, pk: int, now: int) -> bytes:
        """A row of `/beta/v1/agent/`, at a moment: 40 keys."""
        found = self._beta.get(pk)
        if found is None:
            agent = self._fleet.agent(pk)
            row = {"id": pk, **_stamps(agent), **self._stored(agent)}
            if self._fleet.spec.weight == "real":
                # 100 KB each: kept as shared pieces, never as whole rows.
                row["last_seen"] = _time(agent.presence.last_seen(now))
                row["alert_template"] = self._alert_template_pk(agent)
                return _encode(row)
            found = _template(agent, row, ("last_seen", "alert_template"))
            if len(self._beta) < _KEPT:
                self._beta[pk] = found
        agent = found.agent
        return found.text % (
            _moment(agent.presence.last_seen(now)),
            _encode(self._alert_template_pk(agent)),
        )

    def beta_detail(self, pk: int, now: int) -> bytes:
        """`/beta/v1/agent/<pk>/`: 43 keys, without `id`, the four stamps and the default shell."""
        agent = self._fleet.agent(pk)
        row = self._stored(agent)
        for dropped in ("default_shell", "default_shell_custom"):
            del row[dropped]
        row |= {
            "last_seen": _time(agent.presence.last_seen(now)),
            "alert_template": self._alert_template_pk(agent),
            "hex_mesh_node_id": "error",
            "status": self.status(agent, now),
            "checks": check_counts(agent),
            "pending_actions_count": _pending(agent),
            **worked_out(agent, self._fleet),
        }
        return _encode(row)

    # ---- the stable detail

    def detail(self, pk: int, now: int) -> bytes:
        """`/agents/<agent_id>/`: everything but `id` and `serial_number`."""
        agent = self._fleet.agent(pk)
        site = self._fleet.sites[agent.site_id]
        values = worked_out(agent, self._fleet)
        del values["serial_number"]
        policies = dict.fromkeys(("agent_policy", "site_policy", "client_policy", "default_policy"))
        patches = windows_update_policy(agent)
        template = self._alert_settings.effective_template(agent)
        return _encode(
            {
                "winupdatepolicy": [patches],
                "status": self.status(agent, now),
                **values,
                "checks": check_counts(agent),
                "timezone": agent.time_zone or DEFAULT_TIME_ZONE,
                "all_timezones": all_timezones(),
                "client": self._fleet.clients[site.client].name,
                "site_name": site.name,
                "custom_fields": custom_fields(agent),
                "applied_policies": policies,
                "effective_patch_policy": patches,
                "effective_default_shell": "bash" if agent.posix else "cmd",
                **_stamps(agent),
                **self._stored(agent),
                "last_seen": _time(agent.presence.last_seen(now)),
                # The whole template, where the light row has a short form and the beta row the pk.
                "alert_template": template and template_row(self._alert_settings, template),
            }
        )


def _time(microseconds: int | None) -> str | None:
    return None if microseconds is None else iso(microseconds)


def _moment(microseconds: int | None) -> bytes:
    return b"null" if microseconds is None else f'"{iso(microseconds)}"'.encode()


def _boot_time(agent: Agent) -> float | None:
    return None if agent.boot_time_us is None else agent.boot_time_us / 1_000_000


def _pending(agent: Agent) -> int:
    return sum(action["status"] == "pending" for action in pending_actions(agent, "", ""))


def _stamps(agent: Agent) -> dict[str, str | None]:
    made = agent.created_us
    return {
        "created_by": None,
        "created_time": iso(made),
        "modified_by": None,
        "modified_time": iso(made + 23),
    }
