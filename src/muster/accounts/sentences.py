"""What the audit log's codes say. Pure.

Rooms above record actions that are not listed here: a code such as mapping.assigned reads well by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from muster.accounts.permissions import ROLE_NAMES
from muster.audit.schemas import AuditView
from muster.audit.service import COMMAND_LINE
from muster.web.wording import plural

_LABELS: Mapping[str, str] = {
    "tenant.set_up": "Tenant set up",
    "login.succeeded": "Logged in",
    "login.refused": "Login refused",
    "login.ended": "Logged out",
    "session.revoked": "Session ended",
    "session.others_revoked": "Other sessions ended",
    "user.created": "User added",
    "user.renamed": "User renamed",
    "user.role_changed": "Role changed",
    "user.deactivated": "User deactivated",
    "user.reactivated": "User reactivated",
    "user.password_set": "Password set",
    "user.password_changed": "Own password changed",
    "asset.type_changed": "Type of asset changed",
}
_ICONS: Mapping[str, str] = {
    "login": "login",
    "session": "logout",
    "user": "user-cog",
    "tenant": "building-store",
    "client": "building",
    "contact": "mail",
    "asset": "device-desktop",
    "integration": "plug-connected",
    "mapping": "link",
    "schedule": "clock",
    "sync": "refresh",
    "run": "refresh",
}


class Sentence(NamedTuple):
    """An entry as the log shows it. `old` and `new` are a change; `facts` what else is known."""

    entry: AuditView
    person: str
    label: str
    icon: str
    is_problem: bool
    is_change: bool
    old: str | None
    new: str | None
    facts: Sequence[str]


def label(action: str) -> str:
    """What an action is called."""
    known = _LABELS.get(action)
    if known is not None:
        return known
    words = action.replace(".", " ").replace("_", " ")
    return words[:1].upper() + words[1:]


def person(actor: str) -> str:
    """Who did it; the command line has no address."""
    return "Command line" if actor == COMMAND_LINE else actor


def sentence(entry: AuditView) -> Sentence:
    """An entry in words."""
    detail = entry.detail
    is_change = {"old", "new"} <= detail.keys()
    return Sentence(
        entry,
        person(entry.actor),
        label(entry.action),
        _ICONS.get(entry.action.partition(".")[0], "edit"),
        entry.action == "login.refused",
        is_change,
        _text(entry, detail.get("old")),
        _text(entry, detail.get("new")),
        [
            fact
            for name, value in detail.items()
            if name not in ("old", "new") and (fact := _fact(entry, name, value)) is not None
        ],
    )


def _fact(entry: AuditView, name: str, value: Any) -> str | None:
    if value is None or value in ("", [], {}):
        return None
    if name == "address":
        return f"from {value}"
    if name == "sessions_ended":
        return f"{plural(int(value), 'session')} ended" if value else None
    return f"{name.replace('_', ' ')}: {_text(entry, value)}"


def _text(entry: AuditView, value: Any) -> str | None:
    if value is None or isinstance(value, bool):
        return None if value is None else ("yes" if value else "no")
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    text = str(value)
    if entry.subject_type == "user":
        return next((name for role, name in ROLE_NAMES.items() if role == text), text)
    return text
