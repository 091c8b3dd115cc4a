"""Users, roles, API keys and login tokens of the simulated server (CONTRACT section 1)."""

import base64
import hashlib
from dataclasses import dataclass, field

from muster.simulator.clock import MICROSECONDS, SimulatedClock
from muster.simulator.dice import Dice

_KEY_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
TOKEN_LIFE = 5 * 3600 * MICROSECONDS
CHECK_CREDENTIALS_LIFE = 180 * MICROSECONDS
# A use moves the expiry on only when it moves it by more than this.
_REFRESH_STEP = 600 * MICROSECONDS

# Addresses a throttle remembers before it looks for some to forget.
_ADDRESSES = 10_000

READING = frozenset(
    {
        *("can_list_agents", "can_list_agent_history", "can_list_alerts", "can_list_alerttemplates"),
        *("can_list_autotasks", "can_list_checks", "can_list_clients", "can_list_notes"),
        *("can_list_pendingactions", "can_list_scripts", "can_list_sites", "can_list_software"),
        *("can_view_core_settings", "can_view_customfields"),
    }
)
WRITING = READING | {
    *("can_edit_agent", "can_edit_core_settings", "can_manage_alerts", "can_manage_alerttemplates"),
    *("can_manage_clients", "can_manage_sites", "can_manage_winupdates", "can_run_urlactions"),
}


@dataclass(slots=True)
class Role:
    """What a role may do. Empty sets of clients and sites mean: all of them."""

    name: str
    permissions: frozenset[str] = READING
    clients: frozenset[int] = frozenset()
    sites: frozenset[int] = frozenset()


@dataclass(slots=True)
class User:
    """A user of the simulated server. `api_key_expired` marks a key whose time is over."""

    username: str
    password: str
    note: str
    api_key: str
    role: Role | None = None
    totp_secret: str | None = None
    superuser: bool = False
    active: bool = True
    block_dashboard_login: bool = False
    api_key_expired: bool = False


@dataclass(slots=True)
class _Token:
    user: User
    expires: int


@dataclass(slots=True)
class Throttle:
    """The two limits of one login view, kept by client address; successes count too."""

    per_minute: int
    per_day: int
    _seen: dict[tuple[str, int], list[int]] = field(default_factory=dict)

    def wait(self, client: str, now: int) -> int | None:
        """Count a call; None lets it pass, a number is the seconds (rounded up) to wait."""
        waits = []
        for limit, span in ((self.per_minute, 60), (self.per_day, 86_400)):
            if len(self._seen) > _ADDRESSES:
                self._forget(now)
            calls = self._seen.setdefault((client, span), [])
            calls[:] = [call for call in calls if call > now - span * MICROSECONDS]
            if len(calls) >= limit:
                waits.append(-(-(calls[0] + span * MICROSECONDS - now) // MICROSECONDS) if calls else span)
            else:
                calls.append(now)
        return max(waits, default=None)

    def _forget(self, now: int) -> None:
        """Drop the addresses whose calls no longer count."""
        kept = {
            k: calls for k, calls in self._seen.items() if calls and calls[-1] > now - k[1] * MICROSECONDS
        }
        self._seen = kept


class Accounts:
    """All users by name, and the login tokens handed out so far."""

    def __init__(
        self, seed: int, clock: SimulatedClock, *, client: int, site: int, api_key: str | None
    ) -> None:
        self._seed = seed
        self._clock = clock
        self._tokens: dict[str, _Token] = {}
        self._issued = 0
        reader, writer = Role("Reader"), Role("Technician", WRITING)
        nothing = Role("No list permissions", frozenset())
        one_client = Role("One client", WRITING, clients=frozenset({client}))
        one_site = Role("One site", WRITING, sites=frozenset({site}))
        self.users: dict[str, User] = {}
        self._add("admin", "superuser with TOTP; the key to use", superuser=True, totp=True, api_key=api_key)
        self._add("totp", "Reader role, logs in with a TOTP code", role=reader, totp=True)
        self._add("nototp", "Reader role, no TOTP: checkcreds gives the token itself", role=reader)
        self._add("technician", "role that may also change things", role=writer, totp=True)
        self._add("limited", f"role limited to client {client}", role=one_client, totp=True)
        self._add("onesite", f"role limited to site {site}", role=one_site)
        self._add("noperm", "role without any list permission", role=nothing)
        self._add("norole", "no role at all")
        self._add(
            "blocked", "block_dashboard_login: the key works, the password does not", role=reader, totp=True
        )
        self.users["blocked"].block_dashboard_login = True
        self._add("inactive", "inactive: neither key nor password work", role=reader)
        self.users["inactive"].active = False
        self._add("expired", "Reader role, its API key has expired", role=reader)
        self.users["expired"].api_key_expired = True

    def _add(
        self,
        name: str,
        note: str,
        *,
        role: Role | None = None,
        superuser: bool = False,
        totp: bool = False,
        api_key: str | None = None,
    ) -> None:
        number = len(self.users)
        dice = Dice(self._seed, "keys", 100 + number)
        digest = hashlib.sha256(f"totp {self._seed} {name}".encode()).digest()[:20]
        self.users[name] = User(
            username=name,
            password=f"{name}-Passw0rd",
            note=note,
            api_key=api_key or dice.text(_KEY_LETTERS, 32),
            role=role,
            totp_secret=base64.b32encode(digest).decode() if totp else None,
            superuser=superuser,
        )

    def by_api_key(self, key: str) -> User | None:
        """The user of an API key (the case counts), expired or inactive ones too."""
        return next((user for user in self.users.values() if user.api_key == key), None)

    def issue(self, user: User, life: int) -> tuple[str, int]:
        """A new login token of 64 hex digits and its stated expiry (microseconds since 1970)."""
        self._issued += 1
        token = hashlib.sha256(f"token {self._seed} {user.username} {self._issued}".encode()).hexdigest()
        now = self._clock.now_us()
        expires = now + life
        self._tokens = {kept: held for kept, held in self._tokens.items() if held.expires >= now}
        self._tokens[token] = _Token(user, expires)
        return token, expires

    def by_token(self, token: str) -> User | None:
        """The user of a login token. A use extends it to five hours from now; an expired one is forgotten."""
        found, now = self._tokens.get(token), self._clock.now_us()
        if found is None or found.expires < now:
            self._tokens.pop(token, None)
            return None
        if now + TOKEN_LIFE - found.expires > _REFRESH_STEP:
            found.expires = now + TOKEN_LIFE
        return found.user

    def revoke(self, token: str) -> None:
        """Forget one login token (logout)."""
        self._tokens.pop(token, None)

    def revoke_all(self, user: User | None = None) -> None:
        """Forget every login token of a user, or of everybody."""
        self._tokens = {
            t: held for t, held in self._tokens.items() if user is not None and held.user is not user
        }
