"""Which agents' alerts cannot reach us, and why.

Read with as little as goes: the list of all agents carries the name of the template that the server keeps on
each (AgentTableSerializer.get_alert_template of amidaware/tacticalrmm 2195c3b3; null in every recorded row,
none had one), and its maintenance mode. Names are not unique, so a name that two templates share counts only
when both lead here. Only exclusions need more: sites and clients as ids, agents as integer pks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from muster.providers.alerting import UncoveredDevice, WebhookCoverage, WebhookObjects, WebhookStep
from muster.providers.tacticalrmm import answers, cleaning
from muster.providers.tacticalrmm.lists import AGENTS, LIST_AGENTS
from muster.providers.tacticalrmm.payloads import Key
from muster.providers.tacticalrmm.webhook_plan import REST, AlertTemplateRow, CoreRow
from muster.providers.tacticalrmm.wire import Wire

CLIENTS, LIST_CLIENTS = "/clients/", "can_list_clients"
_TURN = 500
_KINDS = {"agent": "agents that fall silent", "check": "checks", "task": "tasks"}


class _Kept(msgspec.Struct):
    """What the light list says of an agent's template: not its id."""

    name: str


class _AgentRow(msgspec.Struct, kw_only=True):
    agent_id: str
    client_name: str
    site_name: str
    monitoring_type: str
    maintenance_mode: bool = False
    alert_template: _Kept | None = None


class _PkRow(msgspec.Struct, kw_only=True):
    agent_id: str
    id: Key


class _SiteRow(msgspec.Struct, kw_only=True):
    id: Key
    name: str
    agent_count: int = 0
    alert_template: Key | None = None


class _ClientRow(msgspec.Struct, kw_only=True):
    id: Key
    name: str
    alert_template: Key | None = None
    sites: list[_SiteRow] = []


@dataclass(frozen=True, slots=True)
class _Excluded:
    """Whom a template leaves out, in the words of the light list."""

    kinds: frozenset[str]
    clients: frozenset[str]
    sites: frozenset[tuple[str, str]]
    agents: frozenset[str]

    def why(self, agent: _AgentRow) -> str | None:
        """The exclusion that meets an agent."""
        if agent.monitoring_type in self.kinds:
            return f"it leaves out all {agent.monitoring_type}s"
        if agent.client_name in self.clients:
            return f"it leaves out the client {cleaning.label(agent.client_name)}"
        if (agent.client_name, agent.site_name) in self.sites:
            return f"it leaves out the site {cleaning.label(agent.site_name)}"
        return "it leaves out this agent" if agent.agent_id in self.agents else None


async def read(
    wire: Wire, objects: WebhookObjects, templates: Sequence[AlertTemplateRow], core: CoreRow | None
) -> WebhookCoverage:
    """Go through all agents that the credentials may see. `core` None: it may not be read."""
    ours = next((row for row in templates if str(row.id) == objects.template), None)
    excluded = None if ours is None else await _excluded(wire, ours)
    leads_here = _leads_here(templates, objects)
    rows = answers.decode_rows(await wire.get_list(AGENTS, permission=LIST_AGENTS), _AgentRow)
    is_default = core is None or ours is None or core.alert_template == ours.id
    own_name = None if ours is None else ours.name
    uncovered: list[UncoveredDevice] = []
    for number, (_, agent) in enumerate(rows.good, 1):
        found = _uncovered(agent, leads_here, excluded, own_name, is_default=is_default)
        if found is not None:
            reason, explanation = found
            device = UncoveredDevice(device_id=agent.agent_id, reason=reason, explanation=explanation)
            uncovered.append(device)
        if number % _TURN == 0:
            await asyncio.sleep(0)
    return WebhookCoverage(
        devices=len(rows.good),
        covered=len(rows.good) - len(uncovered),
        uncovered=tuple(uncovered),
        notes=tuple(_notes(core, templates, objects, unreadable=len(rows.rejected))),
    )


def _uncovered(
    agent: _AgentRow,
    leads_here: Callable[[str], bool],
    excluded: _Excluded | None,
    own_name: str | None,
    *,
    is_default: bool,
) -> tuple[str, str] | None:
    """Why an agent's alerts do not come, the reason nearest to the agent first; None when they do."""
    if agent.maintenance_mode:
        return "maintenance", "The agent is in maintenance mode: the server raises no alerts for it."
    if agent.alert_template is not None:
        if leads_here(agent.alert_template.name):
            return None
        if agent.alert_template.name == own_name:
            return "silent", "Muster's alert template acts for it and calls nobody: check it, then repair."
        name = cleaning.label(agent.alert_template.name)
        return "other_template", f"The alert template {name} acts for it, which does not call Muster."
    if excluded is None:
        return "not_set_up", "Muster's alert template is not on the server."
    why = excluded.why(agent)
    if why is not None:
        return "excluded", f"No alert template acts for it. Of Muster's own, {why}."
    if not is_default:
        return "no_template", "No alert template acts for it, and Muster's is not the default."
    said = "It is being handed out, or the server missed to do so: check, then repair."
    return "not_handed_out", f"The server has not given it Muster's alert template yet. {said}"


def _leads_here(templates: Sequence[AlertTemplateRow], objects: WebhookObjects) -> Callable[[str], bool]:
    """Whether every template of a name runs Muster's URL action, whoever made it."""
    by_name: dict[str, bool] = {}
    for row in templates:
        by_name[row.name] = by_name.get(row.name, True) and bool(_sends(row, objects))
    return lambda name: by_name.get(name, False)


def _sends(row: AlertTemplateRow, objects: WebhookObjects) -> Sequence[str]:
    """For which kinds of alerts a template calls us."""
    if row.action_type != REST or str(row.action_rest) != objects.trigger_action:
        return ()
    return [kind for kind in _KINDS if getattr(row, f"{kind}_script_actions")]


def _notes(
    core: CoreRow | None,
    templates: Sequence[AlertTemplateRow],
    objects: WebhookObjects,
    *,
    unreadable: int,
) -> Sequence[str]:
    notes = []
    if core is None:
        notes.append("Which severities the server tells of is unknown: can_view_core_settings is missing.")
    else:
        for severity in ("info", "warning"):
            if not getattr(core, f"notify_on_{severity}_alerts"):
                setting = f"notify_on_{severity}_alerts is off in its global settings"
                notes.append(f"The server sends nothing for alerts of severity {severity}: {setting}.")
    for row in templates:
        sent = _sends(row, objects)
        silent = [word for kind, word in _KINDS.items() if kind not in sent]
        if sent and silent:
            notes.append(
                f"The alert template {cleaning.label(row.name)} calls nobody for {' and '.join(silent)}."
            )
        if sent and (
            row.resolved_action_type != REST or str(row.resolved_action_rest) != objects.resolve_action
        ):
            notes.append(
                f"The alert template {cleaning.label(row.name)} does not tell when an alert is resolved;"
                " Muster learns it by the sync of alerts."
            )
    if unreadable:
        notes.append(f"{unreadable} agents of the list could not be read and are not counted.")
    return notes


async def _excluded(wire: Wire, template: AlertTemplateRow) -> _Excluded:
    """The template's exclusions; the lists that translate them are read only when there are some."""
    kinds = [kind for kind in ("workstation", "server") if getattr(template, f"exclude_{kind}s")]
    clients: list[str] = []
    sites: list[tuple[str, str]] = []
    if template.excluded_clients or template.excluded_sites:
        for client in await _clients(wire):
            if client.id in template.excluded_clients:
                clients.append(client.name)
            sites += [(client.name, s.name) for s in client.sites if s.id in template.excluded_sites]
    agents: set[str] = set()
    if template.excluded_agents:
        agents = await _agent_ids(wire, template.excluded_agents, {})
    return _Excluded(frozenset(kinds), frozenset(clients), frozenset(sites), frozenset(agents))


async def _clients(wire: Wire) -> Sequence[_ClientRow]:
    rows = answers.decode_rows(await wire.get_list(CLIENTS, permission=LIST_CLIENTS), _ClientRow)
    return [row for _, row in rows.good]


async def _agent_ids(wire: Wire, pks: Sequence[int], of: Mapping[str, str | int]) -> set[str]:
    params = {"detail": "false", **of}
    rows = answers.decode_rows(await wire.get_list(AGENTS, params=params, permission=LIST_AGENTS), _PkRow)
    wanted = set(pks)
    return {row.agent_id for _, row in rows.good if row.id in wanted}


async def not_handed_out(wire: Wire, template: AlertTemplateRow) -> tuple[WebhookStep, ...]:
    """Whether the server has given the default template to its agents, looked at in the smallest site for
    which no other template speaks: a few kilobytes instead of the whole list.
    """
    chosen = _smallest(await _clients(wire), template)
    if chosen is None:
        return ()
    of = {"site": chosen.id}
    answer = await wire.get_list(AGENTS, params=of, permission=LIST_AGENTS)
    agents = [row for _, row in answers.decode_rows(answer, _AgentRow).good]
    left_out = set()
    if template.excluded_agents:
        left_out = await _agent_ids(wire, template.excluded_agents, of)
    expected = [
        agent
        for agent in agents
        if agent.agent_id not in left_out and not getattr(template, f"exclude_{agent.monitoring_type}s", None)
    ]
    without = sum(agent.alert_template is None for agent in expected)
    if not without:
        return ()
    said = f"{without} of {len(expected)} agents looked at do not have it"
    return (WebhookStep(kind="hand_out", what=f"Alert template {template.name} on the agents", detail=said),)


def _smallest(clients: Sequence[_ClientRow], template: AlertTemplateRow) -> _SiteRow | None:
    sites = [
        site
        for client in clients
        if client.alert_template is None and client.id not in template.excluded_clients
        for site in client.sites
        if site.agent_count > 0 and site.alert_template is None and site.id not in template.excluded_sites
    ]
    return min(sites, key=lambda site: (site.agent_count, site.id), default=None)
