"""The filters of `/beta/v1/agent/` (CONTRACT section 2): exact matches, ranges, search; the unknown ones
ignored.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from muster.simulator.agents import Agent
from muster.simulator.clock import to_microseconds
from muster.simulator.http import invalid, whole
from muster.simulator.routing import Call
from muster.simulator.services import services

Test = Callable[[Agent], bool]
_TEXTS = ("hostname", "operating_system", "logged_in_username", "last_logged_in_user")
_CHOICES = {"plat": ("windows", "linux", "darwin"), "monitoring_type": ("server", "workstation")}
# What Django's three-way select takes for yes and no; "1" and "0" are neither, and "2" and "3" are.
_BOOLEANS = {"true": True, "True": True, "2": True, "false": False, "False": False, "3": False}
_MOMENT = re.compile(r"\d{4}-\d\d?-\d\d?([T ]\d\d?:\d\d(:\d\d([.,]\d{1,6})?)?\s*(Z|[+-]\d\d(:?\d\d)?)?)?")


class _Bad(Exception):
    """A filter value the server refuses; carries the field's message."""


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise _Bad("Enter a number.") from None


def _moment(text: str) -> int:
    text = text.strip()
    try:
        found = datetime.fromisoformat(text) if _MOMENT.fullmatch(text) else None
    except ValueError:
        found = None
    if found is None:
        raise _Bad("Enter a valid date/time.")
    return to_microseconds(found if found.tzinfo else found.replace(tzinfo=UTC))


def _between(low: Any, high: Any, value: Callable[[Agent], Any]) -> Test:
    def test(agent: Agent) -> bool:
        found = value(agent)
        # An agent without a value is outside on both sides.
        return found is not None and (low is None or found >= low) and (high is None or found <= high)

    return test


def _exact(name: str, text: str) -> Test:
    return lambda agent: bool(getattr(agent, name) == text)


def _choice(name: str, text: str) -> Test:
    if text not in _CHOICES[name]:
        raise _Bad(f"Select a valid choice. {text} is not one of the available choices.")
    return _exact(name, text)


def _related(call: Call, name: str, text: str) -> Test:
    alerting = call.state.alert_settings
    known: dict[str, Any] = {
        "site": call.state.fleet.sites,
        "policy": {1: None},
        "alert_template": alerting.templates,
    }
    wanted, field = whole(text), "site_id" if name == "site" else name
    if wanted not in known[name]:
        raise _Bad("Select a valid choice. That choice is not one of the available choices.")
    if name == "alert_template":
        return lambda agent: getattr(alerting.effective_template(agent), "pk", None) == wanted
    return lambda agent: bool(getattr(agent, field) == wanted)


def _of_client(call: Call, text: str) -> Test | None:
    wanted = _number(text)
    if not wanted:
        return None
    sites = {site.pk for site in call.state.fleet.sites.values() if site.client == wanted}
    return lambda agent: agent.site_id in sites


def _single(call: Call, name: str, text: str) -> Test | None:
    """The test of one plain filter; None when it lets everything pass."""
    if name in _TEXTS:
        return _exact(name, text)
    if name in _CHOICES:
        return _choice(name, text)
    if name in ("site", "policy", "alert_template"):
        return _related(call, name, text)
    if name == "needs_reboot":
        wanted = _BOOLEANS.get(text)
        return None if wanted is None else lambda agent: agent.needs_reboot is wanted
    if name == "client_id":
        return _of_client(call, text)
    pk = _number(text)
    return lambda agent: agent.pk == pk


def _range(call: Call, name: str, low: str, high: str) -> Test:
    read: Callable[[str], Any] = _number if name == "total_ram_range" else _moment
    now = call.state.clock.now_us()
    values: dict[str, Callable[[Agent], Any]] = {
        "last_seen_range": lambda agent: agent.presence.last_seen(now),
        "patches_last_installed_range": lambda agent: agent.patches_last_installed_us,
        "total_ram_range": lambda agent: agent.hardware.ram_gb if agent.hardware else None,
    }
    return _between(read(low) if low else None, read(high) if high else None, values[name])


_RANGES = {
    "last_seen_range": ("_after", "_before"),
    "patches_last_installed_range": ("_after", "_before"),
    "total_ram_range": ("_min", "_max"),
}
_SINGLES = (*_TEXTS, *_CHOICES, "site", "policy", "alert_template", "needs_reboot", "client_id", "id")


@lru_cache(maxsize=64)
def _lowered(text: bytes) -> str:
    return text.decode().lower()


def _search(call: Call, words: list[str]) -> Test:
    spec = call.state.fleet.spec

    def test(agent: Agent) -> bool:
        raw = services(agent, spec.seed, spec.weight)
        hay = _lowered(bytes(raw)) if raw is not None else ""
        return all(word in agent.hostname.lower() or word in hay for word in words)

    return test


def _tests(call: Call) -> list[Test]:
    params, errors, tests = call.request.params, {}, []
    for name in _SINGLES:
        if params.get(name):
            try:
                test = _single(call, name, params[name])
            except _Bad as bad:
                errors[name] = [str(bad)]
            else:
                tests += [] if test is None else [test]
    for name, (after, before) in _RANGES.items():
        low, high = params.get(name + after, ""), params.get(name + before, "")
        if low or high:
            try:
                tests.append(_range(call, name, low, high))
            except _Bad as bad:
                errors[name] = [str(bad)]
    if errors:
        raise invalid(errors)
    # Every word must be found, in the hostname or in the text of the services.
    words = params.get("search", "").replace(",", " ").lower().split()
    return [*tests, _search(call, words)] if words else tests


def chosen(call: Call, only: int | None = None) -> list[int]:
    """The pks the query's filters leave, ordered by pk (`ordering=-id`: the other way round); of one agent or
    all.
    """
    fleet, tests = call.state.fleet, _tests(call)
    pks = fleet.pks() if only is None else [only]
    if tests:
        pks = [pk for pk in pks if all(test(agent) for agent in (fleet.agent(pk),) for test in tests)]
    wanted = call.request.params.get("agent_id")
    if only is not None and wanted is not None:
        pks = [pk for pk in pks if fleet.agent(pk).agent_id == wanted]
    return pks[::-1] if call.request.params.get("ordering") == "-id" else pks
