"""What a person types into the form, normalized or refused by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.errors import InvalidInput
from muster.providers import registry
from muster.providers.contract import ConnectionSettings

URLS = {
    "https://api.example.com": "https://api.example.com",
    "api.example.com": "https://api.example.com",
    "  https://API.Example.COM/  ": "https://api.example.com",
    "https://api.example.com///": "https://api.example.com",
    "https://api.example.com/api": "https://api.example.com",
    "https://api.example.com/api/": "https://api.example.com",
    "https://api.example.com/API//": "https://api.example.com",
    "HTTPS://api.example.com/api": "https://api.example.com",
    "//api.example.com": "https://api.example.com",
    "https://api.example.com.": "https://api.example.com",
    "https://api.example.com:443": "https://api.example.com",
    "http://api.example.com:80/": "http://api.example.com",
    "https://api.example.com:8443/": "https://api.example.com:8443",
    "api.example.com:8443": "https://api.example.com:8443",
    "http://192.168.1.20:8000": "http://192.168.1.20:8000",
    "https://[FD00::0001]:444/": "https://[fd00::1]:444",
    "[::1]:8000": "https://[::1]:8000",
    "https://api.übermut.example": "https://api.xn--bermut-2ya.example",
    "https://rmm.example.com": "https://rmm.example.com",
    "tactical": "https://tactical",
    "http://my_server.lan": "http://my_server.lan",
}

BAD_URLS = [
    "",
    "   ",
    "https://",
    "https:///path",
    "https://:443",
    "ftp://api.example.com",
    "file:///etc/passwd",
    "javascript://api.example.com",
    "https://user:pass@api.example.com",
    "https://user@api.example.com",
    "https://api.example.com/?x=1",
    "https://api.example.com?",
    "https://api.example.com#top",
    "https://api.example.com/beta/v1/",
    "https://api.example.com/api/v1",
    "https://api.example.com/../secret",
    "https://api.example.com:0",
    "https://api.example.com:",
    "https://api.example.com:70000",
    "https://api.example.com:abc",
    "https://api .example.com",
    "https://api.exa\nmple.com",
    "https://api.example.com\\@evil.example",
    "https://[::1",
    "https://[nonsense]",
    "https://[fe80::1%eth0]",
    "https://1.2.3",
    "https://999.1.1.1",
    "https://-api.example.com",
    "https://api..example.com",
    "https://" + "a" * 64 + ".example",
    "https://" + "a." * 150 + "example",
    "https://" + "x" * 3000,
    "https://api.example.com\x00",
    "https://xn--\u202e.example",
]


def settings(**fields: str | None) -> ConnectionSettings:
    return registry.get("tacticalrmm").settings({"instance_url": "api.example.com", **fields})


@pytest.mark.parametrize("text", URLS)
def test_an_url_is_normalized(text: str) -> None:
    assert settings(instance_url=text, api_key="K").instance_url == URLS[text]


@pytest.mark.parametrize("text", BAD_URLS)
def test_an_url_that_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^instance_url: ") as caught:
        settings(instance_url=text, api_key="K")
    assert "https://api.example.com" in str(caught.value)


@given(st.text(max_size=60) | st.from_regex(r"\A(https?://)?[a-zA-Z0-9.:\[\]@/?#%-]{0,40}\Z"))
def test_normalizing_ends_in_an_origin_or_a_refusal_and_is_idempotent(text: str) -> None:
    try:
        once = settings(instance_url=text, api_key="K").instance_url
    except InvalidInput:
        return
    scheme, _, rest = once.partition("://")
    assert scheme in {"http", "https"}
    assert rest
    assert not set(rest) & set("/?#@ \\%")
    assert once == once.lower()
    assert settings(instance_url=once, api_key="K").instance_url == once


def test_the_auth_mode_is_the_one_whose_fields_are_given() -> None:
    by_key = settings(api_key=" KEY\n", username="", password="", totp_secret=None)
    assert (by_key.auth_mode, by_key.secrets) == ("api_key", {"api_key": "KEY"})
    by_password = settings(username=" jo ", password=" p w ", api_key="")
    assert by_password.auth_mode == "password"
    assert by_password.options["username"] == "jo"
    assert by_password.secrets == {"password": " p w "}
    with_secret = settings(username="jo", password="p", totp_secret="jbsw y3dp-ehpk 3pxp")
    assert with_secret.secrets["totp_secret"] == "JBSWY3DPEHPK3PXP"
    both = {"api_key": "K", "username": "jo", "password": "p"}
    assert settings(**both, auth_mode="password").secrets == {"password": "p"}
    assert settings(**both, auth_mode="api_key").secrets == {"api_key": "K"}


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("api_key", {}),
        ("api_key", {"api_key": ""}),
        ("api_key", {"api_key": "  \n"}),
        ("api_key", {"api_key": "KEY\r\nX-Evil: 1"}),
        ("api_key", {"api_key": "KEY KEY"}),
        ("api_key", {"api_key": "K\u00fc"}),
        ("api_key", {"api_key": "K" * 1001}),
        ("api_key", {"api_key": "K", "username": "jo", "password": "p"}),
        ("api_key", {"username": "jo", "password": "p", "auth_mode": "api_key"}),
        ("auth_mode", {"api_key": "K", "auth_mode": "token"}),
        ("username", {"password": "p"}),
        ("username", {"username": " ", "password": "p"}),
        ("username", {"username": "a\nb", "password": "p"}),
        ("password", {"username": "jo"}),
        ("password", {"username": "jo", "password": "a\tb\x00"}),
        ("password", {"username": "jo", "password": "p" * 1001}),
        ("totp_secret", {"username": "jo", "password": "p", "totp_secret": "not base32 !"}),
        ("source", {"api_key": "K", "source": "gamma"}),
        ("software", {"api_key": "K", "software": "weekly"}),
        ("colour", {"api_key": "K", "colour": "blue"}),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_name(field: str, fields: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match=rf"^{field}: "):
        settings(**fields)


def test_the_source_is_auto_unless_chosen() -> None:
    assert settings(api_key="K").options["source"] == "auto"
    assert settings(api_key="K", source=" Beta ").options["source"] == "beta"


def test_software_is_read_in_bulk_unless_chosen_otherwise() -> None:
    assert settings(api_key="K", software="").options["software"] == "bulk"
    assert settings(api_key="K", software="One-by-One ").options["software"] == "one-by-one"
    with pytest.raises(InvalidInput, match="choose bulk or one-by-one"):
        settings(api_key="K", software="all")


def test_no_secret_in_what_is_printed() -> None:
    text = repr(settings(username="jo", password="hush-hush", totp_secret="JBSWY3DPEHPK3PXP"))
    assert "hush" not in text
    assert "JBSW" not in text
