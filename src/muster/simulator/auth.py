"""Password login: checkcreds, login, logout (CONTRACT section 1)."""

import hmac
from typing import Any

import pyotp

from muster.simulator.accounts import CHECK_CREDENTIALS_LIFE, TOKEN_LIFE, User
from muster.simulator.clock import from_microseconds, iso
from muster.simulator.http import Refusal, Response, answer, invalid, server_error
from muster.simulator.routing import Call, Endpoint, Routes, signed_in

# A code is good for five minutes before and after its time: ten steps of thirty seconds.
_TOTP_WINDOW = 10
_SESSION_SECONDS = 14 * 24 * 3600


def _bad_credentials() -> Refusal:
    return Refusal(answer("Bad credentials", 400))


def _field_error(data: dict[str, Any], name: str) -> str | None:
    if name not in data:
        return "This field is required."
    value = data[name]
    if value is None:
        return "This field may not be null."
    if isinstance(value, bool | list | dict):
        return "Not a valid string."
    return "This field may not be blank." if str(value) == "" else None


def _user_of(call: Call, data: Any) -> User:
    """The active user of a name and password; the REST framework's 400 otherwise."""
    if not isinstance(data, dict):
        kind = type(data).__name__
        raise invalid({"non_field_errors": [f"Invalid data. Expected a dictionary, but got {kind}."]})
    errors = {name: [text] for name in ("username", "password") if (text := _field_error(data, name))}
    if errors:
        raise invalid(errors)
    user = call.state.accounts.users.get(str(data["username"]))
    good = user is not None and hmac.compare_digest(user.password.encode(), str(data["password"]).encode())
    if user is None or not good or not user.active:
        raise invalid({"non_field_errors": ["Unable to log in with provided credentials."]})
    return user


def _with_session(call: Call, response: Response) -> Response:
    # The server also sets a session cookie, which authenticates nothing.
    ends = from_microseconds(call.state.clock.now_us() + _SESSION_SECONDS * 1_000_000)
    response.headers["Set-Cookie"] = (
        f"sessionid=simulated; Domain=example.com; expires={ends:%a, %d %b %Y %H:%M:%S} GMT; HttpOnly; "
        f"Max-Age={_SESSION_SECONDS}; Path=/; SameSite=Lax; Secure"
    )
    response.headers["Vary"] = "Cookie, origin"
    return response


def _check_credentials(call: Call) -> Response:
    data = call.request.data()
    try:
        user = _user_of(call, data)
    except Refusal as refusal:
        # The failure is written to the audit log under data["username"], which must be there.
        if not isinstance(data, dict) or "username" not in data:
            raise server_error() from refusal
        raise _bad_credentials() from refusal
    if user.block_dashboard_login:
        raise _bad_credentials()
    if user.totp_secret is not None:
        return answer({"totp": True})
    token, expires = call.state.accounts.issue(user, CHECK_CREDENTIALS_LIFE)
    return _with_session(call, answer({"expiry": iso(expires), "token": token, "totp": False}))


def _log_in(call: Call) -> Response:
    data = call.request.data()
    user = _user_of(call, data)
    if user.block_dashboard_login:
        raise _bad_credentials()
    # Without the key `twofactor`, or without a secret to hold it against, the view fails: an HTML 500.
    if "twofactor" not in data or user.totp_secret is None:
        raise server_error()
    totp, now = pyotp.TOTP(user.totp_secret), call.state.clock.now()
    if not totp.verify(str(data["twofactor"]), for_time=now, valid_window=_TOTP_WINDOW):
        raise _bad_credentials()
    token, expires = call.state.accounts.issue(user, TOKEN_LIFE)
    values = {"expiry": iso(expires), "token": token, "username": user.username, "name": None}
    return _with_session(call, answer(values))


def _log_out(call: Call) -> Response:
    if call.caller.token is None:
        # An API key is no token that could be deleted.
        raise server_error()
    call.state.accounts.revoke(call.caller.token)
    return Response(204, content_type=None)


def _log_out_everywhere(call: Call) -> Response:
    call.state.accounts.revoke_all(call.caller.user)
    return Response(204, content_type=None)


def register(routes: Routes) -> None:
    """Add this family's URLs."""
    post = "POST, OPTIONS"
    routes.add("/v2/checkcreds/", Endpoint({"POST": _check_credentials}, post, None, "checkcreds"))
    routes.add("/v2/login/", Endpoint({"POST": _log_in}, post, None, "login"))
    routes.add("/logout/", Endpoint({"POST": _log_out}, post, signed_in))
    routes.add("/logoutall/", Endpoint({"POST": _log_out_everywhere}, post, signed_in))
