"""The pure rules of integrations."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.errors import InvalidInput
from muster.integrations import rules
from muster.providers.contract import ConnectionSettings
from tests.integrations.beacon import BeaconProvider

PROVIDER = BeaconProvider()
hosts = st.sampled_from(["a.example.com", "b.example.com", "a.example.com:8443"])
urls = st.builds("{}://{}".format, st.sampled_from(["http", "https"]), hosts)
words = st.text("abcdefghijklmnop", min_size=1, max_size=20)


@st.composite
def stored(draw: st.DrawFn) -> ConnectionSettings:
    """Settings as they lie in the database; each secret tells that it is a stored one."""
    raw: dict[str, str | None] = {"instance_url": draw(urls), "region": draw(words)}
    if draw(st.booleans()):
        raw["access_key"] = "stored-" + draw(words)
    else:
        raw |= {"username": draw(words), "password": "stored-" + draw(words)}
        if draw(st.booleans()):
            raw["pin"] = "stored-" + draw(words)
    return PROVIDER.settings(raw)


typed = st.fixed_dictionaries(
    {},
    optional={
        "instance_url": st.none() | urls,
        "region": st.none() | words,
        "access_key": st.none() | words.map("typed-{}".format),
        "username": st.none() | words,
        "password": st.none() | words.map("typed-{}".format),
        "pin": st.none() | words.map("typed-{}".format),
    },
)


@given(stored(), typed)
def test_no_stored_secret_follows_to_another_server_or_mode(
    old: ConnectionSettings, raw: dict[str, str | None]
) -> None:
    try:
        new = rules.changed_settings(PROVIDER, old, raw)
    except InvalidInput:
        return
    kept = {name for name, secret in new.secrets.items() if secret.startswith("stored-")}
    if rules.origin(new.instance_url) != rules.origin(old.instance_url):
        assert not kept
    assert all(new.secrets[name] == old.secrets[name] for name in kept)
    assert "access_key" not in new.secrets or set(new.secrets) == {"access_key"}
    assert new.auth_mode == ("key" if "access_key" in new.secrets else "login")
    for name, value in raw.items():
        if value is not None and name in new.secrets:
            assert new.secrets[name] == value


@given(stored())
def test_nothing_typed_changes_nothing(old: ConnectionSettings) -> None:
    new = rules.changed_settings(PROVIDER, old, dict.fromkeys(["instance_url", "access_key", "password"]))
    assert (new, rules.access(PROVIDER.manifest, new)) == (old, rules.access(PROVIDER.manifest, old))


@given(st.sampled_from(["api_key", "password", "totp_secret", "session_token", "old_password"]), st.text())
def test_little_is_shown_of_a_secret(name: str, secret: str) -> None:
    shown = rules.last_four(name, secret)
    assert secret.endswith(shown)
    assert len(shown) in {0, 4}
    assert not shown or (name == "api_key" and len(secret) >= 12)


@given(stored(), stored(), st.dictionaries(words, st.binary()), st.dictionaries(words, st.binary()))
def test_a_revision_stands_for_one_access(
    one: ConnectionSettings, other: ConnectionSettings, sealed: dict[str, bytes], others: dict[str, bytes]
) -> None:
    ways = [rules.access(PROVIDER.manifest, settings) for settings in (one, other)]
    same = ways[0] == ways[1] and sealed == others
    assert (rules.revision(ways[0], sealed) == rules.revision(ways[1], others)) is same
    own = dict.fromkeys(rules.OWN_CREDENTIALS, b"x")
    assert rules.revision(ways[0], sealed) == rules.revision(ways[0], {**sealed, **own})


@pytest.mark.parametrize(
    "settings",
    [{}, {"schedules": None}, {"schedules": {"devices": {}}}, {"schedules": {"devices": {"minutes": "x"}}}],
)
def test_a_refresh_period_is_always_known(settings: dict[str, Any]) -> None:
    assert rules.refresh_minutes(settings) == 15
