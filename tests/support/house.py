"""A whole installation for journeys: its database, its key, tenants with users and servers, its process."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from muster import clock
from muster.accounts.permissions import Role
from muster.accounts.service import UserService
from muster.accounts.sessions import SessionService
from muster.assets.fleet.models import FleetSample
from muster.clients.service import ClientService
from muster.db import Database, bulk
from muster.db.types import table_of
from muster.encryption import FixedKeys, Key, SecretBox, new_key
from muster.simulator import SimulatorServer
from muster.software.schemas import TitleFilter, TitleOrder, TitleSort
from muster.software.service import SoftwareCatalog
from muster.tenancy import TenantScope
from muster.tenants.service import TenantService
from tests.support.installed import OPENSSL, Inventory, change_software, with_openssl
from tests.support.postgres import run_apart
from tests.support.serving import Serving
from tests.support.site import PASSWORD
from tests.support.trouble import Trouble
from tests.support.world import World

T = TypeVar("T")
MOST_FIRST = TitleOrder(TitleSort.MACHINES, descending=True)


@dataclass
class House:
    """An installation with its own database and key; `serve` starts its process."""

    database_url: str
    folder: Path
    key: Key = field(default_factory=new_key)

    @property
    def settings(self) -> dict[str, str]:
        """The environment of its process."""
        return {
            "MUSTER_DATA_DIR": str(self.folder / "data"),
            "MUSTER_DATABASE_URL": self.database_url,
            "MUSTER_SECRET_KEY": self.key.material.hex(),
        }

    def tenant(self, name: str = "Brightwater IT") -> TenantScope:
        """Make a tenant."""

        async def make(database: Database) -> TenantScope:
            async with database.write() as session:
                return TenantScope((await TenantService(session).create(name)).tenant_id)

        return self._with_database(make)

    def session(self, scope: TenantScope, role: Role = Role.ADMIN) -> str:
        """Make a user with this role, and give the token of a session of theirs."""

        async def make(database: Database) -> str:
            async with database.write(scope) as session:
                user = await UserService(session, scope).create(
                    f"{role.value}@example.com", password=PASSWORD, role=role
                )
                user.name = "Dana Reyes"
                await session.flush()
                token = await SessionService(session, scope).open(user, address=None, user_agent="journey")
            return str(token)

        return self._with_database(make)

    def connected(self, scope: TenantScope, server: SimulatorServer, *, synced: bool = True) -> str:
        """Connect a server, map all its organizations and sync its devices; gives the integration's id."""

        async def make(database: Database) -> str:
            world = World(database, scope, SecretBox(FixedKeys((self.key,))))
            integration_id = await world.connect(server, "Tactical RMM")
            if synced:
                await world.map_all(integration_id)
                run = await world.devices(integration_id)
                assert run.status == "succeeded", run.error
            return str(integration_id)

        return self._with_database(make)

    def furnish(self, scope: TenantScope, server: SimulatorServer) -> dict[str, str]:
        """Connect a server and have everything that a page can show: organizations with and without a
        client, assets of every status, changes, missing devices; gives the ids of one of each.
        """

        async def make(database: Database) -> dict[str, str]:
            world = World(database, scope, SecretBox(FixedKeys((self.key,))))
            integration_id = await world.connect(server, "Tactical RMM")
            await world.map_all(integration_id, but=[list(server.fleet.clients.values())[1].name])
            await world.devices(integration_id)
            with_openssl(server)
            await world.software(integration_id)
            change_software(server)
            await world.software(integration_id)
            agents = list(server.fleet)
            for gone in agents[3:9:2]:
                server.fleet.remove_agent(gone)
            changed = server.fleet.change_hardware(agents[0], ram_gb=64)
            server.fleet.rename_agent(agents[1], "LAPTOP-NEW-NAME")
            run = await world.devices(integration_id)
            await _have_history(database, scope, len(agents))
            assets = await world.assets()
            asset, missing = assets[changed.agent_id], assets[agents[3].agent_id]
            async with database.read(scope) as session:
                catalog = SoftwareCatalog(session, scope)
                found, _ = await catalog.titles(TitleFilter(search=OPENSSL), MOST_FIRST, limit=1)
            silent = next(
                agent
                for agent in agents
                if agent.agent_id in assets and server.software.of(agent) is None and agent != agents[3]
            )
            return {
                "integration": str(integration_id),
                "title": str(found[0].software_id),
                "silent": str(assets[silent.agent_id].asset_id),
                "asset": str(asset.asset_id),
                "client": str(asset.client_id),
                "run": str(run.run_id),
                "missing": str(missing.asset_id),
            }

        return self._with_database(make)

    def trouble(self, scope: TenantScope, server: SimulatorServer, integration: str) -> dict[str, str]:
        """Give a synced integration alerts, rules, receivers and receipts; gives the ids of one of each."""

        async def make(database: Database) -> dict[str, str]:
            world = World(database, scope, SecretBox(FixedKeys((self.key,))))
            return await Trouble(world, server, UUID(integration)).befall()

        return self._with_database(make)

    def inventory(self, scope: TenantScope, integration: str, *, installs: int) -> int:
        """Give an integration machines that report so many installs of software; gives their number."""

        async def make(database: Database) -> int:
            inventory = Inventory(database, scope, UUID(integration))
            await inventory.fill(installs)
            return len(inventory.lists)

        return self._with_database(make)

    def client(self, scope: TenantScope, name: str) -> None:
        """Make a client."""

        async def make(database: Database) -> None:
            async with database.write(scope) as session:
                await ClientService(session, scope).create(name)

        self._with_database(make)

    def serve(self, *options: str) -> Serving:
        """Its process, web and worker, to be used with `with`."""
        return Serving(self.settings, *options)

    def _with_database(self, work: Callable[[Database], Awaitable[T]]) -> T:
        async def run() -> T:
            database = Database(self.database_url)
            try:
                return await work(database)
            finally:
                await database.close()

        return run_apart(run())


async def _have_history(database: Database, scope: TenantScope, devices: int) -> None:
    """A month of samples of the fleet: some more devices each week, fewer online at the weekend."""
    today = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    rows = []
    for day in range(30):
        at = today - timedelta(days=29 - day)
        count = devices - (29 - day) // 6
        overdue = count // 8 + day % 4
        offline = count // (3 if at.weekday() >= 5 else 9) + day % 3
        rows.append(
            {
                "sampled_at": at,
                "online": count - offline - overdue,
                "offline": offline,
                "overdue": overdue,
                "unknown": 0,
            }
        )
    async with database.write(scope) as session:
        await bulk.upsert(session, scope, table_of(FleetSample), rows, key=("sampled_at",))
