"""Apprise addresses, made from what a person typed into a form. Pure.

Their grammar: one page for each service in Apprise's documentation (the `mailto` page for mail).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import quote, urlencode, urlsplit

from muster.errors import InvalidInput
from muster.notifications.types import ChannelKind

ADDRESS_LIMIT = 2_000
Security = Literal["starttls", "ssl", "none"]
SECURITIES: Mapping[str, str] = {
    "starttls": "STARTTLS (usually port 587)",
    "ssl": "TLS from the start (usually port 465)",
    "none": "None: for a relay in your own network (usually port 25)",
}
_PORTS = {"starttls": 587, "ssl": 465, "none": 25}
_MAILBOX = re.compile(r"[^\s@,;:<>\"']+@[^\s@,;:<>\"']+\.[^\s@,;:<>\"'.]+")
_MOST_RECIPIENTS = 50
# Services that act on the machine that Muster runs on, or need a session of its desktop.
_LOCAL = frozenset(
    {"syslog", "dbus", "kde", "qt", "glib", "gnome", "windows", "macosx", "blink1", "file", "exec"}
)


def address_of(kind: ChannelKind, fields: Mapping[str, str]) -> str:
    """The Apprise address of a channel. InvalidInput, with its field, for what cannot be used."""
    if kind is ChannelKind.MAIL:
        return _mail(fields)
    url = fields.get("url", "").strip()
    if not url or len(url) > ADDRESS_LIMIT or not url.isprintable() or " " in url:
        raise InvalidInput(
            "The address is empty, too long, or has spaces in it.", remedy="Paste it again.", field="url"
        )
    if kind is ChannelKind.APPRISE:
        return _free(url)
    return _of_https(kind, url)


def mail_shown(fields: Mapping[str, str]) -> str:
    """What a screen may show of a mail channel."""
    return f"{', '.join(_mailboxes(fields, 'recipients'))} by {fields.get('host', '').strip()}"


def _of_https(kind: ChannelKind, url: str) -> str:
    """Slack and Teams give out addresses that Apprise reads as they are."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise InvalidInput(
            "This is not the address of an incoming webhook.",
            remedy="Copy it from Slack: it begins with https://hooks.slack.com/services/."
            if kind is ChannelKind.SLACK
            else "Copy it from the workflow in Teams: it begins with https://.",
            field="url",
        )
    return url


def _free(url: str) -> str:
    scheme, mark, rest = url.partition("://")
    if not mark or not rest or not re.fullmatch(r"[A-Za-z0-9]{2,20}", scheme):
        raise InvalidInput(
            "This is not an Apprise address.",
            remedy="It looks like tgram://token/chat: see the list of services in Apprise's documentation.",
            field="url",
        )
    if scheme.lower() in _LOCAL:
        raise InvalidInput(
            f"{scheme} would act on the machine that Muster runs on.",
            remedy="Choose another service.",
            field="url",
        )
    return url


def _mail(fields: Mapping[str, str]) -> str:
    host = fields.get("host", "").strip().lower()
    if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?", host):
        raise InvalidInput(
            "This is not the name of a mail server.", remedy="Such as smtp.example.com.", field="host"
        )
    security = fields.get("security", "").strip() or "starttls"
    if security not in SECURITIES:
        raise InvalidInput(
            "There is no such way to secure mail.", remedy="Choose from the list.", field="security"
        )
    user, password = fields.get("user", "").strip(), fields.get("password", "")
    if bool(user) != bool(password):
        raise InvalidInput(
            "A user needs a password, and a password a user.",
            remedy="Give both, or neither.",
            field="password" if user else "user",
        )
    senders = _mailboxes(fields, "sender")
    if len(senders) != 1:
        raise InvalidInput("There is one sender.", remedy="Give one address.", field="sender")
    query = {
        "smtp": host,
        "from": senders[0],
        "to": ",".join(_mailboxes(fields, "recipients")),
        "mode": "insecure" if security == "none" else security,
        "format": "text",
    }
    login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user else ""
    scheme = "mailto" if security == "none" else "mailtos"
    return f"{scheme}://{login}{host}:{_port(fields, security)}/?{urlencode(query)}"


def _port(fields: Mapping[str, str], security: str) -> int:
    text = fields.get("port", "").strip()
    if not text:
        return _PORTS[security]
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65_535:
        raise InvalidInput("This is not a port.", remedy="A number from 1 to 65535.", field="port")
    return int(text)


def _mailboxes(fields: Mapping[str, str], field: str) -> list[str]:
    found = [each for each in re.split(r"[\s,;]+", fields.get(field, "").strip()) if each]
    wrong = next((each for each in found if len(each) > 254 or not _MAILBOX.fullmatch(each)), None)
    if wrong is not None or not found or len(found) > _MOST_RECIPIENTS:
        raise InvalidInput(
            f"{wrong[:100]} is not a mail address." if wrong else "No mail address, or too many.",
            remedy=f"Such as on-call@example.com; 1 to {_MOST_RECIPIENTS}.",
            field=field,
        )
    return found
