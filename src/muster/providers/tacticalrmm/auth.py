"""The two ways to be let in: an API key, or a login with a Knox token (CONTRACT 1)."""

from __future__ import annotations

import asyncio
from typing import Protocol

import structlog

from muster.egress import Answer, EgressError, ServerClient
from muster.providers.contract import (
    ConnectionSettings,
    ProviderAuthError,
    ProviderConfigurationError,
    ProviderError,
    ProviderPayloadError,
    SessionStore,
)
from muster.providers.tacticalrmm import answers
from muster.providers.tacticalrmm.manifest import API_KEY
from muster.providers.tacticalrmm.payloads import TokenRow
from muster.providers.tacticalrmm.totp import current_code

_log = structlog.get_logger("muster.providers.tacticalrmm")
_CHECK = "/v2/checkcreds/"
_LOGIN = "/v2/login/"
_LOGOUT = "/logout/"
_SMALL = 1_000_000


class Authenticator(Protocol):
    """Provides the header that lets a request in."""

    async def headers(self) -> dict[str, str]:
        """The header for the next request; logs in first where there is no session yet."""

    async def renew(self, refused: dict[str, str]) -> bool:
        """After a 401 for `refused`: whether there are other credentials to try, once."""

    async def login(self, one_time_code: str | None) -> None:
        """Log in now, where there is such a thing."""

    async def logout(self) -> None:
        """End the session on the server, as well as can be."""


def authenticator(settings: ConnectionSettings, http: ServerClient, session: SessionStore) -> Authenticator:
    """The one the settings ask for."""
    if settings.auth_mode == API_KEY:
        return KeyAuth(settings.secrets["api_key"])
    return PasswordAuth(settings, http, session)


class KeyAuth:
    """An API key: a header, no session, nothing to renew."""

    def __init__(self, key: str) -> None:
        self._headers = {"X-API-KEY": key}

    async def headers(self) -> dict[str, str]:
        """The key."""
        return self._headers

    async def renew(self, refused: dict[str, str]) -> bool:
        """Never: another login cannot mend a key."""
        return False

    async def login(self, one_time_code: str | None) -> None:
        """Nothing: a key has no session."""

    async def logout(self) -> None:
        """Nothing: a key has no session."""


class PasswordAuth:
    """Username and password for a Knox token, which is kept and used until a 401.

    The `expiry` in a login's answer is not looked at: each use of the token extends its life. Logins
    are counted by the server (10 a minute, 300 a day, successes too), so they are never repeated.
    """

    def __init__(self, settings: ConnectionSettings, http: ServerClient, session: SessionStore) -> None:
        self._username = settings.options["username"]
        self._password = settings.secrets["password"]
        self._totp_secret = settings.secrets.get("totp_secret")
        self._http = http
        self._session = session
        self._lock = asyncio.Lock()
        self._token: str | None = None
        self._failed: ProviderError | None = None

    async def headers(self) -> dict[str, str]:
        """The token: this connection's, else the kept one, else a new one."""
        async with self._lock:
            if self._token is None:
                self._token = await self._session.load()
            if self._token is None:
                await self._log_in_once()
            return self._header()

    async def renew(self, refused: dict[str, str]) -> bool:
        """Log in again, unless another request did so meanwhile."""
        async with self._lock:
            if self._token is None or refused == self._header():
                self._token = None
                await self._session.save(None)
                await self._log_in_once()
            return True

    async def login(self, one_time_code: str | None) -> None:
        """Log in now, with the given code or the one made from the stored secret."""
        async with self._lock:
            self._failed = None
            await self._log_in(one_time_code)

    async def logout(self) -> None:
        """End the session on the server; whatever it says, the token is forgotten here."""
        async with self._lock:
            token = self._token or await self._session.load()
            if token is None:
                return
            self._token = token
            try:
                await self._http.request("POST", _LOGOUT, headers=self._header(), max_body=_SMALL)
            except EgressError as failure:
                _log.info("logout_failed", code=failure.code)
            finally:
                self._token = None
                await self._session.save(None)

    def _header(self) -> dict[str, str]:
        return {"Authorization": f"Token {self._token}"}

    async def _log_in_once(self) -> None:
        """A login that failed is not tried again by this connection: it would only feed the throttle."""
        if self._failed is not None:
            raise self._failed
        try:
            await self._log_in(None)
        except ProviderError as failure:
            self._failed = failure
            raise

    async def _log_in(self, one_time_code: str | None) -> None:
        credentials = {"username": self._username, "password": self._password}
        checked = await self._post(_CHECK, credentials, "username or password")
        if checked.totp:
            code = one_time_code or self._code()
            if code is None:
                raise ProviderAuthError(
                    "The user logs in with a one-time code, and there is none.",
                    code="totp_required",
                    remedy="Enter the current code, or store the TOTP secret for unattended logins.",
                )
            checked = await self._post(_LOGIN, {**credentials, "twofactor": code}, "one-time code")
        elif checked.token is None:
            # A login for a user without TOTP is a 500 on servers that hand the token out above.
            checked = await self._post(_LOGIN, credentials, "username or password")
        if not checked.token or not checked.token.isascii() or not checked.token.isalnum():
            raise ProviderPayloadError("The server let the user in but sent no usable token.")
        self._token = checked.token
        await self._session.save(checked.token)

    def _code(self) -> str | None:
        return current_code(self._totp_secret) if self._totp_secret else None

    async def _post(self, path: str, body: dict[str, str], blamed: str) -> TokenRow:
        try:
            answer = await self._http.request("POST", path, json=body, max_body=_SMALL)
        except EgressError as failure:
            raise answers.from_egress(failure) from failure
        if answer.status == 400 and answer.media_type == "application/json":
            raise ProviderAuthError(
                f"The server refused the login: wrong {blamed}, or a user who may not log in.",
                remedy="Check username and password, and that the user may log in to the dashboard.",
            )
        failed = answers.refusal(answer)
        if failed is not None:
            raise _without_login(answer) if answer.status == 404 else failed
        return answers.decode(answer, TokenRow)


def _without_login(answer: Answer) -> ProviderError:
    return ProviderConfigurationError(
        f"The server has no login at {answer.path}: it is not Tactical RMM, or older than 0.19.",
        code="version_old",
        remedy="Check the instance URL, update the server, or use an API key.",
    )
