"""A tenant, a stranger's tenant, and what an IntegrationService takes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from muster.db import Database
from muster.egress import Egress, EgressPolicy
from muster.encryption import FixedKeys, SecretBox, new_key
from muster.integrations.connections import Connector
from muster.tenancy import TenantScope
from muster.tenants.service import TenantService
from tests.integrations.beacon import BeaconProvider, beacon_network
from tests.integrations.shell import Shell, make_shell

HOME = "https://beacon.example.com"
AWAY = "https://beacon.example.org"


async def new_scope(database: Database, name: str) -> TenantScope:
    async with database.write() as session:
        tenant = await TenantService(session).create(name)
    return TenantScope(tenant.tenant_id)


@pytest.fixture
async def scope(database: Database) -> TenantScope:
    return await new_scope(database, "Acme IT")


@pytest.fixture
async def stranger(database: Database) -> TenantScope:
    return await new_scope(database, "Other MSP")


@pytest.fixture
def box() -> SecretBox:
    return SecretBox(FixedKeys((new_key(),)))


@pytest.fixture
def beacon() -> Iterator[BeaconProvider]:
    with beacon_network(HOME, AWAY) as provider:
        yield provider


@pytest.fixture
def connector(database: Database, box: SecretBox) -> Connector:
    return Connector(database, box, Egress(EgressPolicy(retries=0)))


@pytest.fixture
def shell(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    """The command line on each kind of database, with one tenant."""
    return make_shell(database_url, tmp_path, monkeypatch, capsys)


@pytest.fixture
def sqlite_shell(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    """The command line on SQLite alone, for what no SQL has a part in."""
    return make_shell(sqlite_url, tmp_path, monkeypatch, capsys)
