"""A tenant with everything a sync takes, on a database of the test's own."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import msgspec

from muster import settings as muster_settings
from muster.assets.listing import AssetListing, AssetRow
from muster.assets.schemas import AssetFilter
from muster.assets.service import AssetService
from muster.clients.service import ClientService
from muster.db import Database
from muster.encryption import FixedKeys, SecretBox, new_key
from muster.integrations.connections import Connector
from muster.integrations.schemas import IntegrationView
from muster.integrations.service import IntegrationService
from muster.mappings.schemas import MappingView
from muster.mappings.service import MappingService
from muster.providers.contract import AssetType
from muster.sync.schemas import EntryView, Preview, RunView
from muster.sync.service import RunService, SyncService
from muster.sync.types import SyncMode
from muster.tenancy import TenantScope
from muster.tenants.service import TenantService
from tests.support.opening import impatient

# What two runs of Muster over the same fleet may differ in: ids of its own, and when it did things.
OWN_IDS_AND_TIMES = {
    "id",
    "asset_id",
    "client_id",
    "rmm_integration_id",
    "last_rmm_sync_at",
    "created_at",
    "updated_at",
    "uptime_seconds",
}


class Server(Protocol):
    """A simulated server, in this process or in another."""

    @property
    def url(self) -> str:
        """Where it answers."""

    @property
    def api_key(self) -> str:
        """The superuser's key."""


class World:
    """A tenant of a Muster."""

    def __init__(self, database: Database, scope: TenantScope, box: SecretBox, **settings: str) -> None:
        self.database = database
        self.scope = scope
        self.box = box
        self.connector = Connector(database, box, impatient())
        environ = {"MUSTER_DATA_DIR": str(Path("unused")), **settings}
        self.settings = muster_settings.load(environ)
        self.sync = SyncService(database, box, self.connector, self.settings)

    @classmethod
    async def make(cls, database: Database, name: str = "Acme IT", **settings: str) -> "World":
        """A new tenant with a key of its own."""
        async with database.write() as session:
            tenant = await TenantService(session).create(name)
        return cls(database, TenantScope(tenant.tenant_id), SecretBox(FixedKeys((new_key(),))), **settings)

    async def add(self, name: str = "Tactical", provider: str = "tacticalrmm", **fields: str) -> UUID:
        """Store an integration."""
        async with self.database.write() as session:
            added = await IntegrationService(session, self.scope, self.box).add(provider, name, fields)
        return added.integration_id

    async def update(self, integration_id: UUID, **fields: str) -> None:
        """Save an integration again."""
        async with self.database.write() as session:
            await IntegrationService(session, self.scope, self.box).update(integration_id, fields)

    async def connect(self, server: Server, name: str = "Tactical", **fields: str) -> UUID:
        """Store an integration with the server's own key, unless other fields are given; check it."""
        given = {"api_key": server.api_key, **fields} if "username" not in fields else fields
        integration_id = await self.add(name, instance_url=server.url, **given)
        result = await self.connector.check(self.scope, integration_id)
        assert result.ok, result.findings
        return integration_id

    async def integration(self, integration_id: UUID) -> IntegrationView:
        """The integration as it stands."""
        async with self.database.read() as session:
            return await IntegrationService(session, self.scope, self.box).get(integration_id)

    async def organizations(self, integration_id: UUID) -> RunView:
        """Sync organizations."""
        run = await self.sync.organizations(self.scope, integration_id)
        assert isinstance(run, RunView)
        return run

    async def mappings(self, integration_id: UUID) -> Sequence[MappingView]:
        """The mapping table."""
        async with self.database.read() as session:
            return await MappingService(session, self.scope).list(integration_id)

    async def map_all(self, integration_id: UUID, *, but: Sequence[str] = ()) -> None:
        """Sync organizations and give each a client of its name; `but` names organizations left alone."""
        run = await self.organizations(integration_id)
        assert run.status == "succeeded", run.error
        for mapping in await self.mappings(integration_id):
            if mapping.external_organization_name not in but and mapping.client_id is None:
                await self.map(integration_id, mapping.external_organization_id)

    async def map(self, integration_id: UUID, organization: str, client: str | None = None) -> None:
        """Map an organization, by id or name, to a client that is made when there is none of that name."""
        async with self.database.write() as session:
            mappings = MappingService(session, self.scope)
            found = await mappings.find(integration_id, organization)
            name = client or found.external_organization_name
            made = await ClientService(session, self.scope).get_or_create(name)
            await session.flush()
            await mappings.assign(integration_id, found.external_organization_id, made.client_id)

    async def devices(self, integration_id: UUID, mode: SyncMode = SyncMode.FULL, **options: Any) -> RunView:
        """Sync devices."""
        run = await self.sync.devices(self.scope, integration_id, mode, **options)
        assert isinstance(run, RunView)
        return run

    async def alerts(self, integration_id: UUID, days: int | None = None, **options: Any) -> RunView:
        """Sync alerts."""
        run = await self.sync.alerts(self.scope, integration_id, days=days, **options)
        assert isinstance(run, RunView)
        return run

    async def software(self, integration_id: UUID, **options: Any) -> RunView:
        """Take in what is installed."""
        run = await self.sync.software(self.scope, integration_id, **options)
        assert isinstance(run, RunView)
        return run

    async def preview(self, integration_id: UUID, mode: SyncMode = SyncMode.FULL) -> Preview:
        """What a sync of devices would do."""
        preview = await self.sync.devices(self.scope, integration_id, mode, preview=True)
        assert isinstance(preview, Preview)
        return preview

    async def entries(self, run: RunView) -> Sequence[EntryView]:
        """What a run recorded."""
        async with self.database.read() as session:
            return await RunService(session, self.scope).entries(run.run_id, limit=100_000)

    async def runs(self) -> Sequence[RunView]:
        """All runs, newest first."""
        async with self.database.read() as session:
            return await RunService(session, self.scope).list(limit=1000)

    async def all_assets(self, wanted: AssetFilter | None = None) -> Sequence[AssetRow]:
        """Assets of all integrations, by name."""
        async with self.database.read() as session:
            listing = AssetListing(session, self.scope, self.box)
            rows, _ = await listing.rows(wanted or AssetFilter(), limit=100_000)
        return rows

    async def assets(self, wanted: AssetFilter | None = None) -> dict[str, AssetRow]:
        """Assets by the server's id for the device."""
        return {row.rmm_device_id or row.name: row for row in await self.all_assets(wanted)}

    async def set_type(self, asset_id: UUID, asset_type: str | None) -> None:
        """Choose an asset's type by hand, or leave it to the sync again."""
        async with self.database.write() as session:
            chosen = AssetType(asset_type) if asset_type else None
            await AssetService(session, self.scope).set_type(asset_id, chosen)

    async def fleet(self) -> dict[str, Mapping[str, Any]]:
        """Assets, extensions, mappings and statuses, without Muster's own ids and times: what two worlds
        that saw the same server must agree on.
        """
        return {
            device_id: {
                name: value
                for name, value in msgspec.to_builtins(row).items()
                if name not in OWN_IDS_AND_TIMES
            }
            for device_id, row in (await self.assets()).items()
        }
