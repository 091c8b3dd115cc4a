"""A second provider, "Acme RMM": small, whole, in memory. One line registers it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from muster import clock
from muster.egress import Egress
from muster.errors import InvalidInput
from muster.providers import registry
from muster.providers.contract import (
    AgentStatus,
    AssetType,
    Capability,
    CheckResult,
    ConnectionSettings,
    Depth,
    DeviceChunk,
    DeviceRecord,
    Disk,
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
    SiteRecord,
    Traffic,
)

KEY = "acmermm"
CHUNK = 100

MANIFEST = ProviderManifest(
    key=KEY,
    display_name="Acme RMM",
    fields=(
        SettingsField(
            name="instance_url", label="Server", help="Where the server is.", kind="url", required=True
        ),
        SettingsField(
            name="token", label="Token", help="An access token.", kind="secret", secret=True, required=True
        ),
    ),
    capabilities=frozenset({Capability.SINGLE_DEVICE}),
)


@dataclass
class AcmeServer:
    """A server of this kind: organizations by id, devices by id with the organization they belong to."""

    url: str
    token: str = "acme-token"
    organizations: dict[str, str] = field(default_factory=dict)
    devices: dict[str, DeviceRecord] = field(default_factory=dict)
    bulk: bool = True
    down: bool = False

    def add(self, organization: str, device: str, **fields: object) -> DeviceRecord:
        """Put a device into an organization, making both where they are new."""
        self.organizations.setdefault(organization, f"Organization {organization}")
        values: dict[str, object] = {
            "external_id": device,
            "organization_id": organization,
            "status": AgentStatus.ONLINE,
            "never_reported": False,
            "last_seen_at": clock.now(),
            "name": f"acme-{device}",
            "asset_type": AssetType.WORKSTATION,
            "external_pk": len(self.devices) + 1,
            "site_id": f"{organization}-1",
            "site_name": "Only Site",
            "serial_number": f"AC-{device}",
            "os_type": "linux",
            "lan_ips": ("10.1.1.1",),
            "ram_gb": 8.0,
            "disks": (Disk(device="/dev/vda1", total_bytes=10**10),),
            **fields,
        }
        self.devices[device] = DeviceRecord(**values)  # type: ignore[arg-type]
        return self.devices[device]


# The servers that exist, by address.
SERVERS: dict[str, AcmeServer] = {}


class AcmeConnection:
    """A connection that reads an AcmeServer."""

    def __init__(self, settings: ConnectionSettings) -> None:
        self.traffic = Traffic()
        self._settings = settings

    def _server(self) -> AcmeServer:
        self.traffic.requests += 1
        server = SERVERS.get(self._settings.instance_url)
        if server is None or server.down:
            raise ProviderUnavailable("The server is down.", remedy="Start it.")
        if server.token != self._settings.secrets["token"]:
            raise ProviderAuthError("The token is not accepted.", remedy="Enter it again.")
        return server

    async def check(self, one_time_code: str | None = None) -> CheckResult:
        try:
            server = self._server()
        except (ProviderAuthError, ProviderUnavailable) as failure:
            found = Finding(
                code=failure.code, level="error", message=failure.message, remedy=failure.remedy or "Wait."
            )
            return CheckResult(ok=False, findings=(found,))
        return CheckResult(ok=True, findings=(), facts={"devices_seen": len(server.devices)})

    async def login(self, one_time_code: str | None = None) -> None:
        """No session here."""

    async def logout(self) -> None:
        """No session here."""

    async def organizations(self) -> OrganizationSnapshot:
        server = self._server()
        return OrganizationSnapshot(
            records=tuple(
                OrganizationRecord(
                    external_id=number,
                    name=name,
                    device_count=sum(device.organization_id == number for device in server.devices.values()),
                    sites=(SiteRecord(external_id=f"{number}-1", name="Only Site"),),
                )
                for number, name in server.organizations.items()
            ),
            rejected=(),
            answered_at=clock.now(),
        )

    async def roster(self) -> Mapping[str, RosterEntry]:
        server = self._server()
        return {
            device.external_id: RosterEntry(
                external_id=device.external_id,
                external_pk=device.external_pk if isinstance(device.external_pk, int) else None,
                organization_name=server.organizations[device.organization_id],
                site_name="Only Site",
            )
            for device in server.devices.values()
        }

    async def devices(
        self, organizations: Sequence[OrganizationRecord], depth: Depth
    ) -> AsyncIterator[DeviceChunk | OrganizationRead]:
        server = self._server()
        for organization in organizations:
            own = [d for d in server.devices.values() if d.organization_id == organization.external_id]
            for start in range(0, len(own), CHUNK):
                yield DeviceChunk(
                    organization_id=organization.external_id,
                    source="everything",
                    answered_at=clock.now(),
                    records=tuple(own[start : start + CHUNK]),
                )
            yield OrganizationRead(
                organization_id=organization.external_id,
                source="everything",
                received=len(own),
                expected=organization.device_count,
                complete=len(own) == organization.device_count,
            )

    async def hardware_in_bulk(self) -> bool:
        return self._server().bulk

    async def device(self, external_id: str) -> DeviceChunk:
        found = self._server().devices.get(external_id)
        if found is None:
            raise ProviderNotFound("There is no such device.")
        return DeviceChunk(
            organization_id=found.organization_id,
            source="one",
            answered_at=clock.now(),
            records=(found,),
        )


class AcmeProvider:
    """The kind of provider."""

    manifest = MANIFEST

    def settings(self, raw: Mapping[str, str | None]) -> ConnectionSettings:
        for name in ("instance_url", "token"):
            if not (raw.get(name) or "").strip():
                raise InvalidInput(f"{name}: it is empty.")
        return ConnectionSettings(
            instance_url=str(raw["instance_url"]).strip().rstrip("/").lower(),
            auth_mode="token",
            secrets={"token": str(raw["token"]).strip()},
        )

    def device_url(self, instance_url: str, external_id: str) -> str | None:
        return f"{instance_url}/devices/{external_id}"

    @asynccontextmanager
    async def connect(
        self, settings: ConnectionSettings, *, egress: Egress, session: SessionStore
    ) -> AsyncIterator[AcmeConnection]:
        yield AcmeConnection(settings)


PROVIDER = AcmeProvider()


@contextmanager
def acme(*servers: AcmeServer) -> Iterator[AcmeProvider]:
    """The provider registered and the given servers up, for the length of a test."""
    SERVERS.update({server.url: server for server in servers})
    registry.register(PROVIDER)
    try:
        yield PROVIDER
    finally:
        registry.unregister(KEY)
        for server in servers:
            SERVERS.pop(server.url, None)
