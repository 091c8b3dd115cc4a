"""A second provider, whose servers are objects in this process: what reaches them can be looked at."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from muster import clock
from muster.egress import Egress
from muster.errors import InvalidInput
from muster.providers import registry
from muster.providers.contract import (
    AuthMode,
    CheckResult,
    ConnectionSettings,
    Depth,
    DeviceChunk,
    Finding,
    OrganizationRead,
    OrganizationRecord,
    OrganizationSnapshot,
    ProviderAuthError,
    ProviderManifest,
    ProviderNotFound,
    ProviderUnavailable,
    RosterEntry,
    SessionStore,
    SettingsField,
    Traffic,
)

MANIFEST = ProviderManifest(
    key="beacon",
    display_name="Beacon Fleet",
    fields=(
        SettingsField(name="instance_url", label="Address", help="", kind="url", required=True),
        SettingsField(name="region", label="Region", help="", default="eu"),
        SettingsField(name="access_key", label="Access key", help="", secret=True, only_for_auth_mode="key"),
        SettingsField(name="username", label="Username", help="", only_for_auth_mode="login"),
        SettingsField(name="password", label="Password", help="", secret=True, only_for_auth_mode="login"),
        SettingsField(name="pin", label="PIN", help="", secret=True, only_for_auth_mode="login"),
    ),
    capabilities=frozenset(),
    auth_modes=(
        AuthMode(key="key", label="Access key"),
        AuthMode(key="login", label="Username and password"),
    ),
)


async def _nothing() -> None:
    pass


@dataclass
class BeaconServer:
    """One server: what it lets in, and every secret that ever reached it."""

    key: str = "beacon-key-1234567890"
    password: str = "beacon-password"
    tokens: set[str] = field(default_factory=set)
    seen: list[str] = field(default_factory=list)
    logins: int = 0
    down: bool = False
    while_checking: Callable[[], Awaitable[None]] = _nothing


@dataclass
class BeaconProvider:
    """The provider and its whole network: servers by URL."""

    servers: dict[str, BeaconServer] = field(default_factory=dict)
    manifest: ProviderManifest = MANIFEST

    def settings(self, raw: Mapping[str, str | None]) -> ConnectionSettings:
        given = {name: value.strip() for name, value in raw.items() if value is not None}
        url = given.get("instance_url", "").rstrip("/").lower()
        if not urlsplit(url).hostname:
            raise InvalidInput("it has no host.", field="instance_url")
        key, login = "access_key" in given, "username" in given or "password" in given
        if key == login:
            raise InvalidInput("a key, or a username and password, is needed.", field="access_key")
        needed = ("access_key",) if key else ("username", "password")
        if empty := next((name for name in needed if not given.get(name)), None):
            raise InvalidInput("it is empty.", field=empty)
        options = {"region": given.get("region", "eu")}
        if login:
            options["username"] = given["username"]
        names = ("access_key",) if key else ("password", "pin")
        return ConnectionSettings(
            instance_url=url,
            auth_mode="key" if key else "login",
            options=options,
            secrets={name: given[name] for name in names if given.get(name)},
        )

    def device_url(self, instance_url: str, external_id: str) -> str | None:
        return None

    @asynccontextmanager
    async def connect(
        self, settings: ConnectionSettings, *, egress: Egress, session: SessionStore
    ) -> AsyncIterator["BeaconConnection"]:
        yield BeaconConnection(self.servers[settings.instance_url], settings, session)


class BeaconConnection:
    def __init__(self, server: BeaconServer, settings: ConnectionSettings, session: SessionStore) -> None:
        self.traffic = Traffic()
        self._server = server
        self._settings = settings
        self._session = session

    async def check(self, one_time_code: str | None = None) -> CheckResult:
        await self._server.while_checking()
        try:
            if one_time_code is not None:
                await self.login(one_time_code)
            await self._enter()
        except (ProviderAuthError, ProviderUnavailable) as refused:
            finding = Finding(code=refused.code, level="error", message=refused.message, remedy="Try again.")
            return CheckResult(ok=False, findings=(finding,))
        return CheckResult(ok=True, findings=(), facts={"version": "7.1"})

    async def login(self, one_time_code: str | None = None) -> None:
        if self._settings.auth_mode == "key":
            return
        self._reach(self._settings.secrets["password"])
        if self._settings.secrets["password"] != self._server.password:
            raise ProviderAuthError("The password is wrong.")
        self._server.logins += 1
        token = f"token-{secrets.token_hex(8)}"
        self._server.tokens.add(token)
        await self._session.save(token)

    async def logout(self) -> None:
        token = await self._session.load()
        if token is not None:
            self._reach(token)
            self._server.tokens.discard(token)
            await self._session.save(None)

    async def organizations(self) -> OrganizationSnapshot:
        await self._enter()
        records = (OrganizationRecord(external_id="1", name="Harbour"),)
        return OrganizationSnapshot(records=records, rejected=(), answered_at=clock.now())

    async def roster(self) -> Mapping[str, RosterEntry]:
        return {}

    async def devices(
        self, organizations: Sequence[OrganizationRecord], depth: Depth
    ) -> AsyncIterator[DeviceChunk | OrganizationRead]:
        for organization in organizations:
            yield OrganizationRead(
                organization_id=organization.external_id, source="all", received=0, expected=0, complete=True
            )

    async def hardware_in_bulk(self) -> bool:
        return True

    async def device(self, external_id: str) -> DeviceChunk:
        raise ProviderNotFound(f"no device {external_id}")

    async def _enter(self) -> None:
        if self._settings.auth_mode == "key":
            self._reach(self._settings.secrets["access_key"])
            if self._settings.secrets["access_key"] != self._server.key:
                raise ProviderAuthError("The key is wrong.")
            return
        token = await self._session.load()
        if token is not None:
            self._reach(token)
        if token not in self._server.tokens:
            await self.login()

    def _reach(self, secret: str) -> None:
        if self._server.down:
            raise ProviderUnavailable("The server is down.")
        self.traffic.requests += 1
        self._server.seen.append(secret)


@contextmanager
def beacon_network(*urls: str) -> Iterator[BeaconProvider]:
    """The provider, registered, with a server at each address."""
    provider = BeaconProvider({url: BeaconServer() for url in urls})
    registry.register(provider)
    yield provider
    registry.unregister(MANIFEST.key)
