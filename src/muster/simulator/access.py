"""Who asks, and what the role lets him see: the server's permission rules with their gaps (CONTRACT sections
1, 2).
"""

from dataclasses import dataclass

from muster.simulator.accounts import Accounts, User
from muster.simulator.fleet import Fleet
from muster.simulator.http import Refusal, Request, not_found, refuse, server_error


@dataclass(frozen=True, slots=True)
class Caller:
    """The authenticated user and the login token used (None with an API key)."""

    user: User
    token: str | None = None

    @property
    def superuser(self) -> bool:
        """Sees and may do everything."""
        return self.user.superuser


def _rejected(detail: str) -> Refusal:
    return refuse(401, detail, WWW_Authenticate="Token")


def not_authenticated() -> Refusal:
    """The 401 of a request without a usable credential."""
    return _rejected("Authentication credentials were not provided.")


def _by_token(request: Request, accounts: Accounts) -> Caller | None:
    words = request.headers.get("authorization", "").split()
    # `Bearer` and any other scheme is as if nothing had been sent.
    if not words or words[0].lower() != "token":
        return None
    if len(words) == 1:
        raise _rejected("Invalid token header. No credentials provided.")
    if len(words) > 2:
        raise _rejected("Invalid token header. Token string should not contain spaces.")
    user = accounts.by_token(words[1])
    if user is None:
        raise _rejected("Invalid token.")
    if not user.active:
        raise _rejected("User inactive or deleted.")
    return Caller(user, words[1])


def authenticate(request: Request, accounts: Accounts) -> Caller | None:
    """Who the request speaks for, None when it does not say; a wrong credential is a 401 on every URL.

    The token is looked at first: a bad one wins over a good API key.
    """
    caller = _by_token(request, accounts)
    key = request.headers.get("x-api-key", "")
    if caller is not None or not key:
        return caller
    user = accounts.by_api_key(key)
    if user is None:
        raise _rejected("Invalid token.")
    if not user.active:
        raise _rejected("User inactive or deleted.")
    if user.api_key_expired:
        raise _rejected("The token has expired.")
    return Caller(user)


def may(caller: Caller, permission: str) -> bool:
    """Whether the caller's role has a permission; no role has none."""
    if caller.superuser:
        return True
    return caller.user.role is not None and permission in caller.user.role.permissions


def visible_sites(caller: Caller, fleet: Fleet) -> set[int] | None:
    """The sites whose agents the caller's role lets him list; None for all of them."""
    role = caller.user.role
    if caller.superuser or (role is not None and not role.clients and not role.sites):
        return None
    if role is None:
        return set()
    return {site.pk for site in fleet.sites.values() if site.pk in role.sites or site.client in role.clients}


def visible_clients(caller: Caller, fleet: Fleet) -> set[int] | None:
    """The clients the caller's role lets him list (those of his sites too); None for all of them."""
    sites = visible_sites(caller, fleet)
    if sites is None:
        return None
    role = caller.user.role
    own = role.clients if role is not None else frozenset()
    return {fleet.sites[site].client for site in sites} | {pk for pk in own if pk in fleet.clients}


def may_see_agent(caller: Caller, fleet: Fleet, agent_id: str) -> bool:
    """Whether the role covers an agent. An unknown one passes for a superuser, else it is a 404."""
    if caller.superuser:
        return True
    if caller.user.role is None:
        return False
    pk = fleet.pk_of(agent_id)
    if pk is None:
        raise not_found("Agent")
    sites = visible_sites(caller, fleet)
    return sites is None or fleet.site_of(pk) in sites


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise server_error() from None


def may_see_client(caller: Caller, fleet: Fleet, pk: str) -> bool:
    """Whether the role covers a client by pk. A role limited to *sites* only covers every client: the
    server's gap.
    """
    if caller.superuser:
        return True
    role = caller.user.role
    if role is None:
        return False
    number = _number(pk)
    if number not in fleet.clients:
        raise not_found("Client")
    return not role.clients or number in role.clients


def may_see_site(caller: Caller, fleet: Fleet, pk: str) -> bool:
    """Whether the role covers a site by pk."""
    if caller.superuser:
        return True
    if caller.user.role is None:
        return False
    number = _number(pk)
    if number not in fleet.sites:
        raise not_found("Site")
    sites = visible_sites(caller, fleet)
    return sites is None or number in sites
