"""How far a check came: each thing it tries in its order, and which of them a failure belongs to. Pure."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlsplit

from muster.egress import Answer
from muster.providers.contract import CheckStep, ConnectionSettings, ProviderError

NAME, ANSWERS, TLS, HOST, LOGIN, ROLE, SOURCE, CLOCK = (
    *("name", "answers", "tls", "host", "login", "role", "source", "clock"),
)
# Steps that lead to one another: what passed proves that those before it did too. The clock stands apart.
_CHAIN = (NAME, ANSWERS, TLS, HOST, LOGIN, ROLE, SOURCE)
_OF_CODE = {
    "name_not_resolved": NAME,
    "address_not_allowed": ANSWERS,
    "connection_refused": ANSWERS,
    "timeout": ANSWERS,
    "broken_off": ANSWERS,
    "unavailable": ANSWERS,
    "tls_untrusted": TLS,
    "dashboard_host": HOST,
    "host_not_allowed": HOST,
    "redirected": HOST,
    "not_tactical": HOST,
    "invalid_credentials": LOGIN,
    "key_expired": LOGIN,
    "totp_required": LOGIN,
    "permission_missing": ROLE,
    "beta_disabled": SOURCE,
}
_DETAILS = {"dashboard_host": "a web page", "totp_required": "needs a code", "throttled": "asks for a pause"}
_DEFAULT_PORTS = {"http": 80, "https": 443}

State = Literal["passed", "warned", "failed", "waiting", "not_tried"]


class Ladder:
    """The steps of one check, from the first to the last."""

    def __init__(self, settings: ConnectionSettings) -> None:
        parts = urlsplit(settings.instance_url)
        self._plain = parts.scheme == "http"
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 443)
        self._labels = {
            NAME: "Name resolves",
            ANSWERS: f"Server answers on port {port}",
            TLS: "Connection is encrypted" if self._plain else "Certificate is trusted",
            HOST: "Host is the API",
            LOGIN: "Signs in",
            ROLE: "Role may read clients and agents",
            SOURCE: "Source can be read",
            CLOCK: "Clocks agree",
        }
        self._states: dict[str, tuple[State, str]] = {}

    def passed(self, key: str, detail: str = "") -> None:
        """Note a step, and with it those before it."""
        self._prove(key)
        self.set(key, "passed", detail)

    def met(self, answer: Answer) -> None:
        """Note that something answered: where, how fast, and until when its certificate is good."""
        peer = answer.peer
        self.set(NAME, "passed", peer.address if peer else "")
        self.set(ANSWERS, "passed", f"{answer.seconds * 1000:.0f} ms")
        until = peer.certificate_until if peer else None
        self.set(TLS, "passed", f"valid until {until:%Y-%m-%d}" if until else "")

    def set(self, key: str, state: State, detail: str = "") -> None:
        """Note one step alone."""
        if key == TLS and state == "passed" and self._plain:
            state, detail = "warned", "no: http sends credentials in clear"
        self._states[key] = state, detail

    def failed(self, failure: ProviderError) -> None:
        """The step that a failure belongs to; one that says nothing of it ended the step under way."""
        under_way = next((key for key in _CHAIN if key not in self._states), SOURCE)
        key = _OF_CODE.get(failure.code, under_way)
        if self._states.get(key, ("not_tried", ""))[0] == "passed":
            key = under_way
        self._prove(key)
        waiting = failure.code == "totp_required"
        self.set(key, "waiting" if waiting else "failed", _DETAILS.get(failure.code, ""))

    def steps(self) -> tuple[CheckStep, ...]:
        """All of them as they stand."""
        untried: tuple[State, str] = ("not_tried", "")
        return tuple(
            CheckStep(key=key, label=label, **_fields(self._states.get(key, untried)))
            for key, label in self._labels.items()
        )

    def _prove(self, key: str) -> None:
        for before in _CHAIN[: _CHAIN.index(key)]:
            if before not in self._states:
                self.set(before, "passed")


def _fields(state: tuple[State, str]) -> dict[str, Any]:
    return {"state": state[0], "detail": state[1]}
