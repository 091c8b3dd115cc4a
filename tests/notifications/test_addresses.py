"""What is typed into the forms becomes an Apprise address that means it."""

from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.errors import InvalidInput
from muster.notifications.addresses import address_of, mail_shown
from muster.notifications.types import ChannelKind

MAIL = {
    "host": "smtp.example.com",
    "recipients": "on-call@example.com, second@example.com",
    "sender": "muster@example.com",
}


@given(user=st.text(min_size=1, max_size=20), password=st.text(min_size=1, max_size=20))
def test_any_login_survives_in_a_mail_address(user: str, password: str) -> None:
    if not user.strip():
        return
    url = address_of(ChannelKind.MAIL, {**MAIL, "user": user, "password": password})
    login = urlsplit(url).netloc.rpartition("@")[0]
    assert [unquote(part) for part in login.split(":")] == [user.strip(), password]


@pytest.mark.parametrize(
    ("given", "scheme", "port", "mode"),
    [
        ({}, "mailtos", 587, "starttls"),
        ({"security": "ssl"}, "mailtos", 465, "ssl"),
        ({"security": "none"}, "mailto", 25, "insecure"),
        ({"port": "2525"}, "mailtos", 2525, "starttls"),
    ],
)
def test_mail(given: dict[str, str], scheme: str, port: int, mode: str) -> None:
    parts = urlsplit(address_of(ChannelKind.MAIL, {**MAIL, **given}))
    query = parse_qs(parts.query)
    assert (parts.scheme, parts.hostname, parts.port) == (scheme, "smtp.example.com", port)
    assert query["smtp"] == ["smtp.example.com"]
    assert query["from"] == ["muster@example.com"]
    assert query["to"] == ["on-call@example.com,second@example.com"]
    assert query["mode"] == [mode]
    assert mail_shown(MAIL) == "on-call@example.com, second@example.com by smtp.example.com"


@pytest.mark.parametrize(
    ("kind", "fields", "field"),
    [
        (ChannelKind.MAIL, {**MAIL, "host": "smtp.example.com/?x=y"}, "host"),
        (ChannelKind.MAIL, {**MAIL, "host": ""}, "host"),
        (ChannelKind.MAIL, {**MAIL, "port": "0"}, "port"),
        (ChannelKind.MAIL, {**MAIL, "port": "587&x"}, "port"),
        (ChannelKind.MAIL, {**MAIL, "security": "maybe"}, "security"),
        (ChannelKind.MAIL, {**MAIL, "user": "a"}, "password"),
        (ChannelKind.MAIL, {**MAIL, "password": "a"}, "user"),
        (ChannelKind.MAIL, {**MAIL, "recipients": ""}, "recipients"),
        (ChannelKind.MAIL, {**MAIL, "recipients": "on-call"}, "recipients"),
        (ChannelKind.MAIL, {**MAIL, "sender": "a@example.com b@example.com"}, "sender"),
        (ChannelKind.SLACK, {"url": "http://hooks.slack.com/services/a"}, "url"),
        (ChannelKind.TEAMS, {"url": "workflow://x"}, "url"),
        (ChannelKind.APPRISE, {"url": ""}, "url"),
        (ChannelKind.APPRISE, {"url": "hello"}, "url"),
        (ChannelKind.APPRISE, {"url": "syslog://"}, "url"),
        (ChannelKind.APPRISE, {"url": "SYSLOG://localhost"}, "url"),
        (ChannelKind.APPRISE, {"url": "macosx://x"}, "url"),
        (ChannelKind.APPRISE, {"url": "json://a b"}, "url"),
    ],
)
def test_what_cannot_be_used_names_its_field(kind: ChannelKind, fields: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        address_of(kind, fields)
    assert refused.value.field == field
