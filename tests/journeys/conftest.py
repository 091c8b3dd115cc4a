"""A Muster that serves and works, a simulated server, and a browser: on both deployments."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest
from playwright.sync_api import Browser

from muster.accounts.permissions import Role
from muster.accounts.service import UserService
from muster.accounts.sessions import SessionService
from muster.db import Database
from muster.encryption import FixedKeys, Key, SecretBox, new_key
from muster.simulator import FleetSpec, SimulatorServer
from muster.tenancy import TenantScope
from muster.tenants.service import TenantService
from tests.support.chromium import chromium
from tests.support.postgres import run_apart
from tests.support.serving import Serving
from tests.support.site import PASSWORD
from tests.support.world import World

T = TypeVar("T")


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


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> House:
    """A fresh installation; the journey is made on each database."""
    return House(database_url, tmp_path)


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(FleetSpec(agents=40, seed=7)) as running:
        yield running
