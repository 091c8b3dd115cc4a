"""Credentials as CONTRACT section 1 has them: keys, passwords, TOTP, tokens and their life, the throttle."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2
import pyotp
import pytest

from muster.simulator import FleetSpec, SimulatorServer

Ask = Callable[..., httpx2.Response]


def _log_in(server: SimulatorServer, ask: Ask, user: str = "totp", **changes: Any) -> httpx2.Response:
    secret = server.users[user].totp_secret
    code = pyotp.TOTP(secret).at(server.clock.now()) if secret else "000000"
    body = {"username": user, "password": server.users[user].password, "twofactor": code, **changes}
    return ask("/v2/login/", "POST", user=None, json={k: v for k, v in body.items() if v != "absent"})


def _check(server: SimulatorServer, ask: Ask, user: str = "nototp", **changes: Any) -> httpx2.Response:
    body = {"username": user, "password": server.users[user].password, **changes}
    return ask("/v2/checkcreds/", "POST", user=None, json={k: v for k, v in body.items() if v != "absent"})


def _with_token(ask: Ask, token: str, path: str = "/core/version/") -> httpx2.Response:
    return ask(path, user=None, headers={"Authorization": f"Token {token}"})


def test_the_key_comes_from_the_seed_or_is_given() -> None:
    keys = [SimulatorServer(FleetSpec(1, seed)).api_key for seed in (1, 1, 2)]
    assert keys[0] == keys[1] != keys[2]
    assert all(len(key) == 32 and key.isalnum() and key.isupper() for key in keys)
    assert SimulatorServer(FleetSpec(1), api_key="MINE").api_key == "MINE"


@pytest.mark.parametrize(
    ("user", "status", "detail"),
    [
        ("admin", 200, None),
        ("nototp", 200, None),
        ("blocked", 200, None),
        ("norole", 403, "You do not have permission to perform this action."),
        ("noperm", 403, "You do not have permission to perform this action."),
        ("expired", 401, "The token has expired."),
        ("inactive", 401, "User inactive or deleted."),
    ],
)
def test_api_keys(ask: Ask, user: str, status: int, detail: str | None) -> None:
    answer = ask("/clients/", user=user)
    assert answer.status_code == status
    if detail:
        assert answer.json() == {"detail": detail}
    assert answer.headers.get("www-authenticate") == ("Token" if status == 401 else None)
    # Any authenticated user may ask for the version, without any role.
    assert ask("/core/version/", user=user).status_code == (401 if status == 401 else 200)


def test_a_bad_credential_breaks_even_the_public_home(ask: Ask) -> None:
    assert ask("/", user=None).json() == {"status": "ok"}
    assert ask("/", user=None, headers={"X-API-KEY": "WRONG"}).status_code == 401
    assert ask("/", user=None, headers={"Authorization": "Token wrong"}).status_code == 401
    assert ask("/", headers={"Authorization": "Token wrong"}).json() == {"detail": "Invalid token."}
    assert ask("/clients/", headers={"Authorization": "Bearer wrong"}).status_code == 200


def test_a_user_with_totp_logs_in_with_a_code(server: SimulatorServer, ask: Ask) -> None:
    assert _check(server, ask, "totp").json() == {"totp": True}
    answer = _log_in(server, ask)
    assert answer.json()["username"] == "totp"
    assert _with_token(ask, answer.json()["token"], "/clients/").status_code == 200


def test_a_user_without_totp_gets_his_token_from_checkcreds_and_cannot_log_in(
    server: SimulatorServer, ask: Ask
) -> None:
    answer = _check(server, ask).json()
    assert answer["totp"] is False
    assert _with_token(ask, answer["token"], "/beta/v1/client/").status_code == 200
    for code in ("absent", "", None, "123456"):
        failed = _log_in(server, ask, "nototp", twofactor=code)
        assert (failed.status_code, failed.headers["content-type"]) == (500, "text/html; charset=utf-8")


@pytest.mark.parametrize(
    ("changes", "status", "body"),
    [
        ({"password": "wrong"}, 400, {"non_field_errors": ["Unable to log in with provided credentials."]}),
        ({"password": "absent"}, 400, {"password": ["This field is required."]}),
        ({"password": None}, 400, {"password": ["This field may not be null."]}),
        ({"password": ""}, 400, {"password": ["This field may not be blank."]}),
        ({"twofactor": "000000"}, 400, "Bad credentials"),
        ({"twofactor": None}, 400, "Bad credentials"),
        ({"twofactor": 1}, 400, "Bad credentials"),
        ({"twofactor": "absent"}, 500, None),
    ],
)
def test_refused_logins(
    server: SimulatorServer, ask: Ask, changes: dict[str, Any], status: int, body: Any
) -> None:
    answer = _log_in(server, ask, **changes)
    assert answer.status_code == status
    if body is not None:
        assert answer.json() == body


@pytest.mark.parametrize("changes", [{"password": "wrong"}, {"password": "absent"}, {"username": "ghost"}])
def test_refused_checkcreds(server: SimulatorServer, ask: Ask, changes: dict[str, Any]) -> None:
    answer = _check(server, ask, **changes)
    assert (answer.status_code, answer.json()) == (400, "Bad credentials")
    assert _check(server, ask, username="absent").status_code == 500
    assert ask("/v2/checkcreds/", "POST", user=None, json=[1]).status_code == 500


@pytest.mark.parametrize("user", ["blocked", "inactive"])
def test_blocked_and_inactive_users_have_bad_credentials(
    server: SimulatorServer, ask: Ask, user: str
) -> None:
    assert _check(server, ask, user).json() == "Bad credentials"
    assert _log_in(server, ask, user).status_code == 400


def test_a_code_is_good_for_five_minutes_and_more_than_once(server: SimulatorServer, ask: Ask) -> None:
    secret = server.users["totp"].totp_secret
    assert secret is not None
    for seconds, status in ((0, 200), (0, 200), (240, 200), (360, 400)):
        code = pyotp.TOTP(secret).at(server.clock.now() - timedelta(seconds=seconds))
        assert _log_in(server, ask, twofactor=code).status_code == status


def test_the_first_use_of_a_checkcreds_token_makes_it_last_five_hours(
    server: SimulatorServer, ask: Ask
) -> None:
    used, unused = (_check(server, ask).json()["token"] for _ in range(2))
    server.clock.advance(timedelta(seconds=179))
    assert _with_token(ask, used).status_code == 200
    server.clock.advance(timedelta(seconds=2))
    gone = _with_token(ask, unused)
    assert (gone.status_code, gone.json()) == (401, {"detail": "Invalid token."})
    server.clock.advance(timedelta(hours=4, minutes=55))
    assert _with_token(ask, used).status_code == 200
    # Each use moves the end on, so a client that asks often enough never logs in again.
    server.clock.advance(timedelta(hours=4, minutes=59))
    assert _with_token(ask, used).status_code == 200
    server.clock.advance(timedelta(hours=5, seconds=1))
    assert _with_token(ask, used).status_code == 401


def test_logout_ends_one_token_and_logoutall_all_of_a_user(server: SimulatorServer, ask: Ask) -> None:
    tokens = [_log_in(server, ask).json()["token"] for _ in range(3)]
    left = ask("/logout/", "POST", user=None, headers={"Authorization": f"Token {tokens[0]}"})
    assert (left.status_code, left.content) == (204, b"")
    assert [_with_token(ask, token).status_code for token in tokens] == [401, 200, 200]
    ask("/logoutall/", "POST", user=None, headers={"Authorization": f"Token {tokens[1]}"})
    assert [_with_token(ask, token).status_code for token in tokens] == [401, 401, 401]
    token = _log_in(server, ask).json()["token"]
    server.log_out_everybody()
    assert _with_token(ask, token).status_code == 401


def test_ten_a_minute_successes_included_by_address_and_view(server: SimulatorServer, ask: Ask) -> None:
    statuses = [_check(server, ask).status_code for _ in range(10)]
    assert statuses == [200] * 10
    refused = _check(server, ask)
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "60"
    assert refused.json() == {"detail": "Request was throttled. Expected available in 60 seconds."}
    # The other view, another address and a request with a key are not concerned.
    assert _log_in(server, ask).status_code == 200
    elsewhere = {"X-Forwarded-For": "198.51.100.7"}
    assert (
        ask("/v2/checkcreds/", "POST", user=None, json={"username": "x"}, headers=elsewhere).status_code
        == 400
    )
    assert ask("/v2/checkcreds/", "POST", json={"username": "x"}).status_code == 400
    server.clock.advance(timedelta(seconds=61))
    assert _check(server, ask).status_code == 200


def test_the_daily_limit_outlasts_the_minute() -> None:
    with SimulatorServer(FleetSpec(1), frozen=True, throttle=(100, 3)) as server, httpx2.Client() as client:
        url, body = f"{server.url}/v2/checkcreds/", {"username": "x", "password": "y"}
        assert [client.post(url, json=body).status_code for _ in range(3)] == [400] * 3
        server.clock.advance(timedelta(hours=23))
        refused = client.post(url, json=body)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "3600")
        server.clock.advance(timedelta(hours=1, seconds=1))
        assert client.post(url, json=body).status_code == 400
