"""Browsers in words a person knows: what a session list shows instead of a User-Agent header. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from muster.accounts.models import UserSession

# In this order: each browser also names those that it descends from.
_PROGRAMS: Sequence[tuple[str, str]] = (
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("python", "A Python program"),
)
_SYSTEMS: Sequence[tuple[str, str]] = (
    ("Windows", "Windows"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


class ShownSession(NamedTuple):
    """A session as its list shows it."""

    session_id: UUID
    browser: str
    is_phone: bool
    address: str | None
    created_at: datetime
    last_seen_at: datetime
    is_this: bool


def shown(sessions: Sequence[UserSession], this: UUID) -> Sequence[ShownSession]:
    """Sessions for the list; `this` is the one of who looks at it, and stands first."""
    rows = [
        ShownSession(
            session.session_id,
            browser_name(session.user_agent),
            is_phone(session.user_agent),
            session.address,
            session.created_at,
            session.last_seen_at,
            session.session_id == this,
        )
        for session in sessions
    ]
    return sorted(rows, key=lambda row: not row.is_this)


def browser_name(user_agent: str | None) -> str:
    """The browser and its system: Firefox on Windows. A header that says neither is an unknown browser."""
    text = user_agent or ""
    program = next((name for mark, name in _PROGRAMS if mark in text), None)
    system = next((name for mark, name in _SYSTEMS if mark in text), None)
    if program is None:
        return f"An unknown browser on {system}" if system else "An unknown browser"
    return f"{program} on {system}" if system else program


def is_phone(user_agent: str | None) -> bool:
    """Whether it is a browser to carry about, for the icon."""
    return any(mark in (user_agent or "") for mark in ("iPhone", "iPad", "Android"))
