"""How a recorded request is asked of the simulator: its ids, users, codes and times instead of the recorded
ones.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pyotp

from muster.simulator import SimulatorServer

COVERED = (
    *("auth_", "beta_", "agents_", "clients_", "sites_", "software_", "winupdate_", "core_", "misc_"),
    *("alerts_", "action_software_", "action_online_software_", "action_offline_software_"),
)

NOT_REPLAYED = {
    "auth_tokenlife_3_db_after_use": "a look into the database, not an exchange",
    "agents_meshcentral": "MeshCentral is not simulated",
    "agents_meshcentral_noperm": "MeshCentral is not simulated",
    "software_chocos": "the Chocolatey catalogue is not simulated",
}

_USERS = {
    "superadmin": "admin",
    "totpuser": "totp",
    "rwuser": "technician",
    **{
        name: name
        for name in ("nototp", "limited", "noperm", "norole", "blocked", "inactive", "expired", "ghost")
    },
}
# The Windows agent that is told to report its software.
_TOLD = 7
_WRONG_PASSWORD = ("auth_checkcreds_wrong_password", "auth_login_other_ip_while_throttled")
# Age of the TOTP code sent, in seconds; the others send what was recorded, which is no code of the simulator.
_CODE_AGE = {
    "auth_login_totp_success": 0,
    "auth_login_totp_same_code_replayed": 0,
    "auth_login_totp_code_4min_old": 240,
    "auth_login_totp_code_6min_old": 360,
    "auth_login_throttled_429": 0,
    "auth_login_throttled_with_valid_apikey": 0,
    "auth_login_blocked_user": 0,
}
_THROTTLED = (
    "auth_login_throttled_429",
    "auth_checkcreds_throttled_429",
    "auth_login_throttled_with_valid_apikey",
)
_AUTHORIZATION = {
    "auth_token_malformed_no_value": "Token",
    "auth_token_scheme_bearer": "Bearer {}",
    "auth_both_bearer_good_key": "Bearer {}",
}


@dataclass(frozen=True)
class Question:
    """One request ready to send."""

    method: str
    path: str
    headers: dict[str, str]
    json: Any = None
    content: bytes | None = None


def kind_of(method: str, path: str) -> str:
    """The kind of URL, for gathering all recordings that have one shape."""
    bare, _, query = path.partition("?")
    detail = re.search(r"detail=(\w*)", query)
    short = " short" if bare == "/agents/" and detail and detail[1] != "true" else ""
    bare = re.sub(r"/[A-Za-z]{40}/", "/<id>/", bare)
    return f"{method} {re.sub(r'/[0-9]+/', '/<pk>/', bare)}{short}"


class Translator:
    """Turns recorded ids into the simulator's."""

    def __init__(self, server: SimulatorServer) -> None:
        self._server = server
        fleet = server.fleet
        foreign_sites = [site.pk for site in fleet.sites_of_client(2)]
        foreign = next(a for a in fleet if a.site_id in foreign_sites and a.plat == "windows" and a.hardware)
        # Recorded pk -> simulated pk: a Windows server with everything, a foreign one, macOS, Linux, never
        # seen.
        self._pks = {1: 1, 4: foreign.pk, 5: 3, 8: 2, 19: 5, 20: 6}
        self._ids = {
            "iVgRVIfLBcbfnoGMbJmTPSIAoCLrZaWZkSBvrjnW": fleet.agent(1).agent_id,
            "fAQLKHuqnQTupqziQPtDuWeaDNKgeInGqiwepxsk": fleet.agent(2).agent_id,
            "sBkDaUUqGWlGgOtOGMmjxWkIXHaMuFbhxZtpdpKf": foreign.agent_id,
            "uhVIWSlmnVErULWHMsgmsoxltaTIircdJsSiOWFg": fleet.agent(5).agent_id,
            "enKTunPFzPDjqipVJIqVLBLzxoiGFfWdhjOkYRBM": fleet.agent(_TOLD).agent_id,
        }
        self._foreign_site = foreign_sites[0]
        # Recorded alerts: the first client's, the second one's, one without an agent, one to delete.
        rows = server.alerts.rows()
        self._alerts = {
            1: next(row.pk for row in rows if row.agent == 1),
            4: next(row.pk for row in rows if row.agent and fleet.site_of(row.agent) in foreign_sites),
            53: next(row.pk for row in rows if row.message and not row.message.isascii()),
            59: next(row.pk for row in rows if row.agent is None),
            213: max(row.pk for row in rows),
        }

    def path(self, path: str) -> str:
        """The path with query, in the simulator's ids and names."""
        for recorded, simulated in self._ids.items():
            path = path.replace(recorded, simulated)
        path = re.sub(
            r"/beta/v1/agent/(\d+)/", lambda m: f"/beta/v1/agent/{self._pks.get(int(m[1]), int(m[1]))}/", path
        )
        path = path.replace("/beta/v1/site/4/", f"/beta/v1/site/{self._foreign_site}/")
        path = re.sub(r"/alerts/(\d+)/", lambda m: f"/alerts/{self._alerts.get(int(m[1]), int(m[1]))}/", path)
        for recorded, simulated in (
            ("hostname=WSUS", "hostname=RECEPTION"),
            ("=spooler", "=scheduler"),
            ("=hq", "=main"),
        ):
            path = path.replace(recorded, simulated)
        # One agent of a filter or an order may be of another platform here than there: look at forty.
        if re.search("hostname=RECEPTION|total_ram|ordering=-id", path):
            path = path.replace("page_size=1", "page_size=40")
        return path

    def question(self, capture: dict[str, Any]) -> Question:
        """The request of a capture, ready to send to the simulator."""
        request, name = capture["request"], capture["name"]
        headers = {key: value for key, value in request["headers"].items() if key != "X-API-KEY"}
        if "X-API-KEY" in request["headers"]:
            headers["X-API-KEY"] = self._key(name, request["as_user"])
        if headers.get("Authorization") == "REDACTED":
            headers["Authorization"] = _AUTHORIZATION.get(name, "Token {}").format(self._token(name))
        if name == "misc_apikey_in_query":
            path = f"/beta/v1/client/?api_key={self._server.api_key}"
        else:
            path = self.path(request["path"])
        body = request["body"]
        if isinstance(body, str):
            text = body.replace(
                "username=totpuser&password=Passw0rd!x9", "username=totp&password=totp-Passw0rd"
            )
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
            return Question(request["method"], path, headers, content=text.encode())
        headers.pop("Content-Type", None)
        return Question(request["method"], path, headers, json=self._body(name, body))

    def prepare(self, capture: dict[str, Any], ask: Callable[[Question], Any]) -> None:
        """Bring the server to where the recorded one was: ten calls from the same address for a throttled
        one, the agent connected or not, the message bus up or down.
        """
        name = capture["name"]
        self._server.software.reachable = not name.endswith("_natsdown")
        if name.startswith("action_offline_"):
            self._server.fleet.set_last_seen(_TOLD, self._server.clock.now() - timedelta(hours=1))
        elif name.startswith("action_"):
            self._server.fleet.wake(_TOLD)
        if name in _THROTTLED:
            self._server.clock.advance(timedelta(minutes=2))
            question = self.question(capture)
            headers = {key: value for key, value in question.headers.items() if key != "X-API-KEY"}
            for _ in range(10):
                ask(
                    Question(question.method, question.path, headers, json={"username": "x", "password": "y"})
                )

    def _key(self, name: str, user: str | None) -> str:
        if name == "auth_apikey_empty":
            return ""
        if name == "auth_apikey_lowercase_value":
            return self._server.api_key.lower()
        return self._server.users[_USERS[user]].api_key if user in _USERS else str(user)

    def _token(self, name: str) -> str:
        accounts = self._server.state.accounts
        user = self._server.users["nototp" if "nototp" in name or "tokenlife" in name else "totp"]
        token, _ = accounts.issue(user, -1 if name == "auth_token_expired" else 180_000_000)
        if name == "auth_token_after_logout":
            accounts.revoke(token)
        return token

    def _body(self, name: str, body: Any) -> Any:
        if not isinstance(body, dict) or ("username" not in body and "password" not in body):
            return body
        user = _USERS.get(body.get("username", ""), "nobody")
        sent = dict(body)
        if "username" in body:
            sent["username"] = user
        if "password" in body:
            sent["password"] = "wrong" if name in _WRONG_PASSWORD else f"{user}-Passw0rd"
        if name in _CODE_AGE:
            secret = self._server.users[user].totp_secret or ""
            at = self._server.clock.now() - timedelta(seconds=_CODE_AGE[name])
            sent["twofactor"] = pyotp.TOTP(secret).at(at)
        return sent
